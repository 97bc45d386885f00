//! One process with what it started, from its first to its last moment.
//!
//! A single thread reads all pipes and watches deadline, output, threads and files; nothing waits for a pipe that
//! another process may hold open.

use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyrot::{Clock, SystemClock};
use serde::Serialize;

use super::folder::Room;
use super::pipes::Pipes;

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
    /// The number of threads.
    Threads,
}

/// What is watched from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    pub(crate) wall: Duration,
    /// Bytes of standard output and error together.
    pub(crate) output: usize,
    /// Bytes of one line of the channel.
    pub(crate) line: usize,
    /// Bytes of the channel in all.
    pub(crate) channel: usize,
    pub(crate) threads: u32,
}

impl Caps {
    pub(crate) fn new(wall: Duration) -> Self {
        Self { wall, output: 1 << 20, line: 0, channel: 0, threads: super::plan::THREADS }
    }
}

/// What a run may reach besides its arguments and environment.
pub(crate) struct Attached<'a> {
    /// Takes the lines that the process writes on its channel, as they come. The channel is the process's standard
    /// input.
    pub(crate) lines: &'a mut dyn FnMut(&[u8]),
    /// The folder that it may fill.
    pub(crate) room: Room,
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
    pub(crate) took: Duration,
}

/// How often deadline, threads and files are looked at.
const TICK: Duration = Duration::from_millis(20);
/// How long a killed process may take to be gone.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);
/// The variable by which the processes that a run started are found again.
const MARK: &str = "KEYROT_SANDBOX";

/// Runs the command in a process group of its own.
#[cfg(unix)]
pub(crate) fn run(
    mut command: Command,
    attached: Option<Attached<'_>>,
    caps: &Caps,
    cancel: &Cancel,
) -> io::Result<Output> {
    use std::os::unix::process::CommandExt as _;

    let clock = SystemClock::start();
    let start = clock.now();
    let mark = format!("{}-{:016x}", std::process::id(), fastrand::u64(..));
    command.process_group(0).env(MARK, &mark).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut channel = None;
    if attached.is_some() {
        let (reader, writer) = io::pipe()?;
        command.stdin(writer);
        channel = Some(reader);
    } else {
        command.stdin(Stdio::null());
    }
    let child = command.spawn()?;
    // The command holds the writing end of the channel.
    drop(command);
    let mut tree = Tree { child, mark };
    let mut pipes = Pipes::new(tree.child.stdout.take(), tree.child.stderr.take(), channel)?;
    let (mut ignored, mut room) = (|_: &[u8]| {}, None);
    let lines: &mut dyn FnMut(&[u8]) = match attached {
        Some(attached) => {
            room = Some(attached.room);
            attached.lines
        }
        None => &mut ignored,
    };
    let mut looked = start;
    let ended = loop {
        pipes.wait(TICK)?;
        pipes.read(caps, lines)?;
        if let Some(status) = tree.child.try_wait()? {
            // What was written before the end is still in the pipes.
            pipes.read_rest(caps, lines)?;
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
            if room.as_mut().is_some_and(Room::is_exceeded) {
                break Ended::Limit(Limit::Files);
            }
            if threads(&tree.child) > caps.threads {
                break Ended::Limit(Limit::Threads);
            }
        }
    };
    tree.fell(&clock);
    let took = clock.now().since(start);
    let (stdout, stderr) = pipes.printed();
    Ok(Output { ended, stdout, stderr, took })
}

/// Elsewhere no run is begun: see [`super::Layers::for_level`].
#[cfg(not(unix))]
pub(crate) fn run(_: Command, _: Option<Attached<'_>>, _: &Caps, _: &Cancel) -> io::Result<Output> {
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

/// How many threads a process has; 0 where that cannot be told, as for a process that has ended.
#[cfg(target_os = "linux")]
fn threads(child: &Child) -> u32 {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", child.id())) else { return 0 };
    // The name, in parentheses, may hold anything; the number of threads is the eighteenth field after it.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_ascii_whitespace());
    fields.and_then(|mut fields| fields.nth(17)).and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn threads(_child: &Child) -> u32 {
    0
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
        let end = clock.now() + KILL_TIMEOUT;
        while matches!(self.child.try_wait(), Ok(None)) && clock.now() < end {
            nap();
        }
        // A process that left the group is found by the mark it inherited; one that forks meanwhile, the next time.
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
    let _ = rustix::event::poll(&mut [], Some(&super::pipes::timespec(Duration::from_millis(2))));
}

/// Kills every process that carries the mark; whether there was one.
#[cfg(target_os = "linux")]
fn kill_marked(mark: &str) -> bool {
    use rustix::process::{Pid, Signal, kill_process};
    use std::fs;

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
