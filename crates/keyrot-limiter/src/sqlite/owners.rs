//! Which process took a place in flight, and whether it still runs: the place of one that was killed is
//! given away, that of one that is only stopped is not.

use std::collections::HashMap;
use std::time::Duration;

use keyrot_core::Timestamp;
use parking_lot::Mutex;

use process::{has_ended, own_name};

/// For how long a process that was seen running is taken to be.
const FRESH: Duration = Duration::from_secs(1);

/// This process, and what is known of others.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// This one's name; none where processes cannot be told apart, and places last for their leases.
    own: Option<String>,
    /// Until when others are taken to be running.
    running: Mutex<HashMap<String, Timestamp>>,
}

impl Owners {
    pub(super) fn of_this_process() -> Self {
        Self { own: own_name(), running: Mutex::default() }
    }

    /// The name of this process.
    pub(super) fn own(&self) -> Option<&str> {
        self.own.as_deref()
    }

    /// Whether the process of that name is known to have ended.
    pub(super) fn is_gone(&self, name: &str, now: Timestamp) -> bool {
        let mut running = self.running.lock();
        if running.get(name).is_some_and(|until| *until > now) {
            return false;
        }
        running.retain(|_, until| *until > now);
        let gone = self.own().is_some_and(|own| own != name && has_ended(own, name));
        if !gone {
            running.insert(name.to_owned(), now + FRESH);
        }
        gone
    }
}

/// Elsewhere processes are not told apart: places last for their leases.
#[cfg(not(target_os = "linux"))]
mod process {
    pub(super) fn own_name() -> Option<String> {
        None
    }

    pub(super) fn has_ended(_: &str, _: &str) -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
mod process;

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::process::{Process, started};
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    #[test]
    fn only_a_process_that_is_known_to_have_ended_is_gone() {
        let owners = Owners::of_this_process();
        let own = owners.own().expect("there is a `/proc`");
        let Process { boot, namespaces, pid, started: own_start } = Process::read(own).expect("its own name");
        let is_gone = |name: &str| Owners::of_this_process().is_gone(name, NOW);
        assert!(!is_gone(own));
        assert!(is_gone(&format!("another-boot {namespaces} {pid} {own_start}")));
        assert!(is_gone(&format!("{boot} {namespaces} {pid} 1")), "its PID is used again");
        assert!(!is_gone(&format!("{boot} pid:[1]time:[1] {pid} 1")), "nobody here can tell");
        for unknown in ["", "a b c d", own.trim_end_matches(own_start)] {
            assert!(!is_gone(unknown), "{unknown}");
        }
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("there is `sleep`");
        let started = started(&format!("/proc/{}/stat", child.id())).expect("it runs");
        let name = format!("{boot} {namespaces} {} {started}", child.id());
        assert!(!owners.is_gone(&name, NOW));
        child.kill().expect("it is ours");
        assert!(!owners.is_gone(&name, NOW), "it was looked at a moment ago");
        child.wait().expect("it is ours");
        assert!(owners.is_gone(&name, NOW + FRESH));
    }
}
