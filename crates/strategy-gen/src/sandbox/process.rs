//! One process with what it started, from its first to its last moment.
//!
//! A single thread reads all pipes and watches deadline, output and files; nothing waits for a pipe that somebody else
//! may hold open.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyrot::{Clock, SystemClock};
use serde::Serialize;

/// Ends a run from elsewhere, together with all it started.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Not cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the run ends, within some hundredths of a second.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What a strategy used too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// From start to end.
    Time,
    /// Address space.
    Memory,
    /// What it prints.
    Output,
    /// The size of one file.
    FileSize,
    /// The number or the size of all files.
    Files,
}

/// What is watched from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    pub(crate) wall: Duration,
    /// Bytes of standard output and error together.
    pub(crate) output: usize,
    /// Bytes of the channel.
    pub(crate) channel: usize,
    pub(crate) files: usize,
    pub(crate) file_bytes: u64,
}

impl Caps {
    pub(crate) fn new(wall: Duration) -> Self {
        Self { wall, output: 1 << 20, channel: 64 << 20, files: 1_000, file_bytes: 64 << 20 }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself; `None`: by a signal.
    Itself {
        code: Option<i32>,
        signal: Option<i32>,
    },
    Limit(Limit),
    Cancelled,
}

/// What it left.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) ended: Ended,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) channel: Vec<u8>,
    pub(crate) took: Duration,
}

/// How often deadline and files are looked at.
const TICK: Duration = Duration::from_millis(20);
/// How long a killed process may take to be gone.
const BURIAL: Duration = Duration::from_secs(5);
/// The variable by which what a run started is found again.
const MARK: &str = "KEYROT_SANDBOX";

/// Runs the command in a process group of its own. With `channel`, standard input of the command is the writing end of
/// a pipe.
#[cfg(unix)]
pub(crate) fn run(
    mut command: Command,
    channel: bool,
    scratch: Option<&Path>,
    caps: &Caps,
    cancel: &Cancel,
) -> io::Result<Output> {
    use std::os::unix::process::CommandExt as _;

    let clock = SystemClock::start();
    let start = clock.now();
    let mark = format!("{}-{:016x}", std::process::id(), fastrand::u64(..));
    command.process_group(0).env(MARK, &mark).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut told = None;
    if channel {
        let (reader, writer) = io::pipe()?;
        command.stdin(writer);
        told = Some(reader);
    } else {
        command.stdin(Stdio::null());
    }
    let child = command.spawn()?;
    // The command holds the writing end of the channel.
    drop(command);
    let mut tree = Tree { child, mark };
    let mut pipes = Pipes {
        stdout: Pipe::new(tree.child.stdout.take()),
        stderr: Pipe::new(tree.child.stderr.take()),
        channel: Pipe::new(told),
    };
    pipes.nonblocking()?;
    let mut looked = start;
    let ended = loop {
        pipes.wait(TICK)?;
        pipes.read()?;
        if let Some(status) = tree.child.try_wait()? {
            // What was written before the end is still in the pipes.
            pipes.read()?;
            break if pipes.over(caps) { Ended::Limit(Limit::Output) } else { by_itself(status) };
        }
        let now = clock.now();
        if cancel.is_cancelled() {
            break Ended::Cancelled;
        }
        if now.since(start) >= caps.wall {
            break Ended::Limit(Limit::Time);
        }
        if pipes.over(caps) {
            break Ended::Limit(Limit::Output);
        }
        if now.since(looked) >= TICK {
            looked = now;
            if scratch.is_some_and(|scratch| Room::default().exceeded(scratch, caps)) {
                break Ended::Limit(Limit::Files);
            }
        }
    };
    tree.fell(&clock);
    let Pipes { stdout, stderr, channel } = pipes;
    let took = clock.now().since(start);
    Ok(Output { ended, stdout: stdout.held, stderr: stderr.held, channel: channel.held, took })
}

/// Elsewhere no run is begun: see [`super::Layers::for_level`].
#[cfg(not(unix))]
pub(crate) fn run(_: Command, _: bool, _: Option<&Path>, _: &Caps, _: &Cancel) -> io::Result<Output> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn by_itself(status: ExitStatus) -> Ended {
    use std::os::unix::process::ExitStatusExt as _;
    match status.signal() {
        // The limit of the processor's time, which only a process with several threads meets before the deadline.
        Some(libc::SIGXCPU) => Ended::Limit(Limit::Time),
        Some(libc::SIGXFSZ) => Ended::Limit(Limit::FileSize),
        signal => Ended::Itself { code: status.code(), signal },
    }
}

/// A process and its offspring; none outlives it.
struct Tree {
    child: Child,
    mark: String,
}

#[cfg(unix)]
impl Tree {
    fn fell(&mut self, clock: &SystemClock) {
        self.kill();
        let end = clock.now() + BURIAL;
        while matches!(self.child.try_wait(), Ok(None)) && clock.now() < end {
            nap();
        }
        // Whoever left the group is found by what it inherited; whoever forks on is met again.
        for _ in 0..50 {
            if !kill_marked(&self.mark) {
                break;
            }
            nap();
        }
    }

    fn kill(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        // Both fail where nothing is left to kill.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.kill();
    }
}

#[cfg(unix)]
impl Drop for Tree {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.try_wait();
    }
}

#[cfg(unix)]
fn nap() {
    let _ = rustix::event::poll(&mut [], Some(&timespec(Duration::from_millis(2))));
}

#[cfg(unix)]
fn timespec(duration: Duration) -> rustix::event::Timespec {
    rustix::event::Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

/// Kills every process that carries the mark; whether there was one.
#[cfg(target_os = "linux")]
fn kill_marked(mark: &str) -> bool {
    use rustix::process::{Pid, Signal, kill_process};

    let mark = format!("{MARK}={mark}").into_bytes();
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    let mut found = false;
    for process in processes.flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(environment) = fs::read(process.path().join("environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|variable| variable == mark) {
            found |= Pid::from_raw(id).is_some_and(|id| kill_process(id, Signal::KILL).is_ok());
        }
    }
    found
}

#[cfg(all(unix, not(target_os = "linux")))]
fn kill_marked(_mark: &str) -> bool {
    false
}

/// A pipe's reading end, and what came out of it.
struct Pipe<R> {
    end: Option<R>,
    held: Vec<u8>,
}

impl<R: Read> Pipe<R> {
    fn new(end: Option<R>) -> Self {
        Self { end, held: Vec::new() }
    }

    /// Takes what is there, up to a share, so that no pipe keeps the others waiting.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..64 {
            let Some(end) = &mut self.end else { return Ok(()) };
            match end.read(&mut buffer) {
                Ok(0) => self.end = None,
                Ok(n) => self.held.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

struct Pipes {
    stdout: Pipe<std::process::ChildStdout>,
    stderr: Pipe<std::process::ChildStderr>,
    channel: Pipe<io::PipeReader>,
}

#[cfg(unix)]
impl Pipes {
    fn descriptors(&self) -> Vec<std::os::fd::BorrowedFd<'_>> {
        use std::os::fd::AsFd as _;
        let ends = [
            self.stdout.end.as_ref().map(|end| end.as_fd()),
            self.stderr.end.as_ref().map(|end| end.as_fd()),
            self.channel.end.as_ref().map(|end| end.as_fd()),
        ];
        ends.into_iter().flatten().collect()
    }

    fn nonblocking(&self) -> io::Result<()> {
        for descriptor in self.descriptors() {
            rustix::io::ioctl_fionbio(descriptor, true)?;
        }
        Ok(())
    }

    /// Until there is something to read, but no longer than `most`. With all pipes closed the end is near.
    fn wait(&self, most: Duration) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, poll};
        let descriptors = self.descriptors();
        let most = if descriptors.is_empty() { Duration::from_millis(2) } else { most };
        let mut asked: Vec<_> = descriptors.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        match poll(&mut asked, Some(&timespec(most))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&mut self) -> io::Result<()> {
        self.stdout.read()?;
        self.stderr.read()?;
        self.channel.read()
    }

    fn over(&self, caps: &Caps) -> bool {
        self.stdout.held.len() + self.stderr.held.len() > caps.output
            || self.channel.held.len() > caps.channel
    }
}

/// What a folder holds.
#[derive(Default)]
struct Room {
    files: usize,
    bytes: u64,
}

impl Room {
    /// Counts until it is too much. What vanishes meanwhile counts for nothing.
    fn exceeded(&mut self, folder: &Path, caps: &Caps) -> bool {
        let Ok(entries) = fs::read_dir(folder) else { return false };
        for entry in entries.flatten() {
            self.files += 1;
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                if self.exceeded(&entry.path(), caps) {
                    return true;
                }
            } else {
                self.bytes += metadata.len();
            }
            if self.files > caps.files || self.bytes > caps.file_bytes {
                return true;
            }
        }
        false
    }
}
