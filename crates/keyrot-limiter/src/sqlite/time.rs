//! The two clocks of a shared file: the calendar, and the time since boot.
//!
//! One machine whose calendar is wrong, or is put right, must not freeze the windows: these run on
//! the time since boot, which all its processes share. The file holds what turns that into a time
//! that never goes back, not even over a boot.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use keyrot_core::{Clock, Timestamp};

use crate::ledger::Now;

/// Where a store reads the time.
pub(super) enum Clocks {
    /// The machine's own clocks.
    Machine(Boot),
    /// A test's.
    Given {
        /// The calendar.
        wall: Arc<dyn Clock>,
        /// The time since boot.
        boot: Arc<dyn Clock>,
    },
}

impl Clocks {
    pub(super) fn machine() -> Self {
        Self::Machine(Boot::new())
    }

    /// The calendar.
    #[expect(clippy::disallowed_methods, reason = "processes share the machine's own calendar")]
    pub(super) fn wall(&self) -> Timestamp {
        match self {
            Self::Machine(_) => {
                let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(millis(wall))
            }
            Self::Given { wall, .. } => wall.now(),
        }
    }

    /// Milliseconds since boot.
    pub(super) fn since_boot(&self) -> u64 {
        match self {
            Self::Machine(boot) => millis(boot.elapsed()),
            Self::Given { boot, .. } => boot.now().as_millis(),
        }
    }

    /// Which boot.
    fn boot(&self) -> &str {
        match self {
            Self::Machine(boot) => &boot.id,
            Self::Given { .. } => "given",
        }
    }
}

/// How a file turns time since boot into a time that never goes back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Steady {
    /// The boot that `offset` is for.
    pub boot: String,
    /// What is added to the milliseconds since that boot.
    pub offset: u64,
    /// The newest time anything was counted at.
    pub newest: u64,
}

impl Steady {
    /// The time now. Whoever is the first of a boot sets the offset: to the calendar, or to where time
    /// had come to before, whichever is later.
    pub(super) fn now(&mut self, clocks: &Clocks) -> Now {
        let (since_boot, wall) = (clocks.since_boot(), clocks.wall());
        if self.boot != clocks.boot() {
            clocks.boot().clone_into(&mut self.boot);
            self.offset = wall.as_millis().saturating_sub(since_boot);
        }
        let minute = since_boot.saturating_add(self.offset).max(self.newest);
        self.offset = minute.saturating_sub(since_boot);
        Now { minute: Timestamp::from_millis(minute), day: wall }
    }
}

/// The time since boot, and which boot: what all processes of a machine agree about.
#[cfg(target_os = "linux")]
pub(super) struct Boot {
    id: String,
}

#[cfg(target_os = "linux")]
impl Boot {
    fn new() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        // Containers may count from another start, each in its own time namespace.
        let space = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
        let id = format!("{} {}", read("/proc/sys/kernel/random/boot_id").trim(), space.display());
        Self { id }
    }

    #[expect(clippy::unused_self, reason = "elsewhere it is counted from the process's start")]
    fn elapsed(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
        Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanos)
    }
}

/// No clock is known that all processes share: each start of a process counts as a boot, which only
/// means that the calendar has a say whenever another process has counted something.
#[cfg(not(target_os = "linux"))]
pub(super) struct Boot {
    id: String,
    started: std::time::Instant,
}

#[cfg(not(target_os = "linux"))]
impl Boot {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's steady clock")]
    fn new() -> Self {
        Self { id: format!("{:032x}", fastrand::u128(..)), started: std::time::Instant::now() }
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl fmt::Debug for Clocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine(_) => "Machine",
            Self::Given { .. } => "Given",
        })
    }
}

/// Whole milliseconds.
fn millis(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1_000).saturating_add(u64::from(d.subsec_millis()))
}

#[cfg(test)]
mod tests {
    use keyrot_core::FakeClock;

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn given(wall: u64, boot: u64) -> (Clocks, FakeClock, FakeClock) {
        let (wall, boot) = (FakeClock::new(at(wall)), FakeClock::new(at(boot)));
        (Clocks::Given { wall: Arc::new(wall.clone()), boot: Arc::new(boot.clone()) }, wall, boot)
    }

    #[test]
    fn the_calendar_only_sets_where_a_boot_begins() {
        let (clocks, wall, boot) = given(1_000_000, 500);
        let mut steady = Steady::default();
        assert_eq!(steady.now(&clocks), Now { minute: at(1_000_000), day: at(1_000_000) });
        wall.advance(Duration::from_secs(86_400));
        boot.advance(Duration::from_millis(7));
        assert_eq!(steady.now(&clocks).minute, at(1_000_007));
    }

    #[test]
    fn it_never_goes_back_not_even_over_a_boot_with_a_calendar_that_is_behind() {
        let (clocks, _, _) = given(1_000_000, 500);
        let mut steady = Steady { boot: "before".to_owned(), offset: 5_000_000, newest: 5_600_000 };
        assert_eq!(steady.now(&clocks).minute, at(5_600_000));
        let (later, _, boot) = given(1_000_000, 400);
        assert_eq!(steady.now(&later).minute, at(5_600_000), "a machine set back to a snapshot");
        boot.advance(Duration::from_millis(3));
        assert_eq!(steady.now(&later).minute, at(5_600_003));
    }

    #[test]
    fn the_machines_clocks_run() {
        let clocks = Clocks::machine();
        let (mut one, mut other) = (Steady::default(), Steady::default());
        let now = one.now(&clocks);
        assert!(now.minute.as_millis() > 1_700_000_000_000 && now.day.as_millis() > 1_700_000_000_000);
        assert!(other.now(&clocks).minute >= now.minute.before(Duration::from_millis(5)));
        #[cfg(target_os = "linux")]
        assert!(one.boot.len() > 36, "{one:?}");
    }
}
