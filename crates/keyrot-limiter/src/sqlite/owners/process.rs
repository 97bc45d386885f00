//! Processes as this machine tells them apart: by boot, namespaces, PID and start time.

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// A process among all that ever ran on this machine: PIDs are used again, also before the next boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process<'a> {
    pub(super) boot: &'a str,
    /// The PID and time namespaces: containers that share the file may each have their own, in which PIDs and
    /// start times mean something else.
    pub(super) namespaces: &'a str,
    pub(super) pid: i32,
    /// Its start time, in clock ticks since boot.
    pub(super) started: &'a str,
}

impl<'a> Process<'a> {
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split(' ');
        let (boot, namespaces) = (parts.next()?, parts.next()?);
        let pid = parts.next()?.parse().ok()?;
        let started = parts.next().filter(|text| !text.is_empty())?;
        Some(Self { boot, namespaces, pid, started })
    }
}

pub(super) fn has_ended(own: &str, other: &str) -> bool {
    let (Some(own), Some(other)) = (Process::read(own), Process::read(other)) else { return false };
    if own.boot != other.boot {
        return true;
    }
    // A PID of another namespace says nothing here.
    let Some(pid) = Pid::from_raw(other.pid).filter(|_| own.namespaces == other.namespaces) else {
        return false;
    };
    match test_kill_process(pid) {
        Err(Errno::SRCH) => true,
        // Its PID may be another's by now; where that is hidden it is taken to run.
        _ => started(&format!("/proc/{}/stat", other.pid)).is_some_and(|started| started != other.started),
    }
}

/// The name of this process: boot, namespaces, PID and start time.
pub(super) fn own_name() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let pids = std::fs::read_link("/proc/self/ns/pid").ok()?;
    // An older kernel has none.
    let times = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
    let pid = std::process::id();
    // A `/proc` of another namespace knows it by another PID, or another process by this one.
    let seen = std::fs::read_link("/proc/self").ok()?;
    if seen.to_str()? != pid.to_string() {
        return None;
    }
    let started = started("/proc/self/stat")?;
    Some(format!("{} {}{} {pid} {started}", boot.trim(), pids.to_str()?, times.to_str()?))
}

/// The start time of a running process, by its `stat`: the 20th field behind its name, which is in brackets and
/// may hold anything. Empty for a zombie.
pub(super) fn started(stat: &str) -> Option<String> {
    let text = std::fs::read_to_string(stat).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let threads: u32 = fields.get(17)?.parse().ok()?;
    // Its first thread may end before the others do.
    let has_ended = matches!(*fields.first()?, "Z" | "X") && threads <= 1;
    if has_ended { Some(String::new()) } else { fields.get(19).map(|&start| start.to_owned()) }
}
