//! Processes by the names that this machine knows them by: boot, name space, number and start.

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// A process among all that ever ran on this machine: its number is used again, also before the next boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process<'a> {
    pub(super) boot: &'a str,
    /// The name spaces in which its number and its start count: containers that share the file may each have
    /// their own.
    pub(super) space: &'a str,
    pub(super) number: i32,
    /// When it started, in ticks of the kernel.
    pub(super) started: &'a str,
}

impl<'a> Process<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split(' ');
        let (boot, space) = (parts.next()?, parts.next()?);
        let number = parts.next()?.parse().ok()?;
        let started = parts.next().filter(|text| !text.is_empty())?;
        Some(Self { boot, space, number, started })
    }
}

pub(super) fn has_ended(own: &str, other: &str) -> bool {
    let (Some(own), Some(other)) = (Process::read(own), Process::read(other)) else { return false };
    if own.boot != other.boot {
        return true;
    }
    // A number of another name space says nothing here.
    let Some(pid) = Pid::from_raw(other.number).filter(|_| own.space == other.space) else { return false };
    match test_kill_process(pid) {
        Err(Errno::SRCH) => true,
        // Its number may be another's by now; where that is hidden it is taken to run.
        _ => started(&format!("/proc/{}/stat", other.number)).is_some_and(|started| started != other.started),
    }
}

/// Boot, name space, number and start of this process.
pub(super) fn own_name() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    // There is none in an older kernel.
    let time = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
    let number = std::process::id();
    // A `/proc` of another name space knows it by another number, or another process by this one.
    let seen = std::fs::read_link("/proc/self").ok()?;
    if seen.to_str()? != number.to_string() {
        return None;
    }
    let started = started("/proc/self/stat")?;
    Some(format!("{} {}{} {number} {started}", boot.trim(), space.to_str()?, time.to_str()?))
}

/// When a process started that still runs, by its `stat`: the 20th field behind its name, which is in brackets
/// and may hold anything. Empty for one that has ended and is not yet forgotten.
pub(super) fn started(stat: &str) -> Option<String> {
    let text = std::fs::read_to_string(stat).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let threads: u32 = fields.get(17)?.parse().ok()?;
    // Its first thread may end before the others do.
    let has_ended = matches!(*fields.first()?, "Z" | "X") && threads <= 1;
    if has_ended { Some(String::new()) } else { fields.get(19).map(|&start| start.to_owned()) }
}
