//! The pipes of a process: what it prints is kept up to a limit, what it writes on its channel is handed on by line.

use std::io::{self, PipeReader, Read};
use std::process::{ChildStderr, ChildStdout};
use std::time::Duration;

use super::process::Caps;

/// A pipe's reading end.
struct Pipe<R>(Option<R>);

impl<R: Read> Pipe<R> {
    /// Takes what is there, up to a share, so that no pipe keeps the others waiting.
    fn read(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..64 {
            let Some(end) = &mut self.0 else { return Ok(()) };
            match end.read(&mut buffer) {
                Ok(0) => self.0 = None,
                Ok(n) => take(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Cuts a stream into lines and holds no more than one of them.
#[derive(Debug, Default)]
struct Lines {
    begun: Vec<u8>,
    /// Bytes in all.
    total: usize,
    /// A line was longer, or all were together, than allowed: nothing is handed on any more.
    over: bool,
}

impl Lines {
    fn take(&mut self, bytes: &[u8], caps: &Caps, lines: &mut dyn FnMut(&[u8])) {
        self.total = self.total.saturating_add(bytes.len());
        self.over |= self.total > caps.channel;
        let mut rest = bytes;
        while !self.over {
            let (part, after) = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => (&rest[..end], Some(&rest[end + 1..])),
                None => (rest, None),
            };
            if self.begun.len() + part.len() > caps.line {
                self.over = true;
                self.begun = Vec::new();
                return;
            }
            self.begun.extend_from_slice(part);
            let Some(after) = after else { return };
            self.end(lines);
            rest = after;
        }
    }

    fn end(&mut self, lines: &mut dyn FnMut(&[u8])) {
        if !self.begun.is_empty() {
            lines(&self.begun);
            self.begun.clear();
        }
    }
}

/// What a process prints, and its channel.
pub(super) struct Pipes {
    stdout: Pipe<ChildStdout>,
    stderr: Pipe<ChildStderr>,
    channel: Pipe<PipeReader>,
    printed: (Vec<u8>, Vec<u8>),
    lines: Lines,
}

#[cfg(unix)]
impl Pipes {
    pub(super) fn new(
        stdout: Option<ChildStdout>,
        stderr: Option<ChildStderr>,
        channel: Option<PipeReader>,
    ) -> io::Result<Self> {
        let (printed, lines) = Default::default();
        let pipes =
            Self { stdout: Pipe(stdout), stderr: Pipe(stderr), channel: Pipe(channel), printed, lines };
        for descriptor in pipes.descriptors() {
            rustix::io::ioctl_fionbio(descriptor, true)?;
        }
        Ok(pipes)
    }

    fn descriptors(&self) -> Vec<std::os::fd::BorrowedFd<'_>> {
        use std::os::fd::AsFd as _;
        let ends = [
            self.stdout.0.as_ref().map(|end| end.as_fd()),
            self.stderr.0.as_ref().map(|end| end.as_fd()),
            self.channel.0.as_ref().map(|end| end.as_fd()),
        ];
        ends.into_iter().flatten().collect()
    }

    /// Until there is something to read, but no longer than `most`. With all pipes closed the end is near.
    pub(super) fn wait(&self, most: Duration) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, poll};
        let descriptors = self.descriptors();
        let most = if descriptors.is_empty() { Duration::from_millis(2) } else { most };
        let mut asked: Vec<_> = descriptors.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        match poll(&mut asked, Some(&timespec(most))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn read(&mut self, caps: &Caps, lines: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let (out, err) = &mut self.printed;
        self.stdout.read(|bytes| out.extend_from_slice(bytes))?;
        self.stderr.read(|bytes| err.extend_from_slice(bytes))?;
        self.channel.read(|bytes| self.lines.take(bytes, caps, lines))
    }

    /// What a process left in the pipes when it ended; a last line may lack its end.
    pub(super) fn read_rest(&mut self, caps: &Caps, lines: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.read(caps, lines)?;
        self.lines.end(lines);
        Ok(())
    }

    pub(super) fn over(&self, caps: &Caps) -> bool {
        self.printed.0.len() + self.printed.1.len() > caps.output || self.lines.over
    }

    /// Standard output and standard error.
    pub(super) fn printed(self) -> (Vec<u8>, Vec<u8>) {
        self.printed
    }
}

#[cfg(unix)]
pub(super) fn timespec(duration: Duration) -> rustix::event::Timespec {
    rustix::event::Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(parts: &[&str], caps: &Caps) -> (Vec<String>, Lines) {
        let mut seen = Vec::new();
        let mut lines = Lines::default();
        let mut take = |line: &[u8]| seen.push(String::from_utf8_lossy(line).into_owned());
        for part in parts {
            lines.take(part.as_bytes(), caps, &mut take);
        }
        lines.end(&mut take);
        (seen, lines)
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let caps = Caps { line: 8, channel: 100, ..Caps::new(Duration::ZERO) };
        for parts in [&["one\ntwo\n\nthree"][..], &["o", "ne\nt", "wo\n", "\n", "three"]] {
            let (seen, lines) = cut(parts, &caps);
            assert_eq!(seen, ["one", "two", "three"]);
            assert!(!lines.over);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_not_held_and_ends_the_stream() {
        let caps = Caps { line: 4, channel: 100, ..Caps::new(Duration::ZERO) };
        let (seen, lines) = cut(&["four\n", "fi", "ves\nmore\n"], &caps);
        assert_eq!(seen, ["four"]);
        assert!(lines.over && lines.begun.capacity() == 0, "{lines:?}");
    }

    #[test]
    fn all_lines_together_have_a_limit() {
        let caps = Caps { line: 4, channel: 9, ..Caps::new(Duration::ZERO) };
        let (seen, lines) = cut(&["one\n", "two\n", "six\n"], &caps);
        assert_eq!(seen, ["one", "two"]);
        assert!(lines.over);
    }
}
