//! The machine's clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keyrot_core::{Clock, Sleep, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// The monotonic clock, which every process of the machine reads alike.
pub(crate) fn monotonic() -> Duration {
    let at = clock_gettime(ClockId::Monotonic);
    Duration::new(at.tv_sec.try_into().unwrap_or(0), at.tv_nsec.try_into().unwrap_or(0))
}

/// The CPU time that this process has used.
pub(crate) fn process_cpu() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec.try_into().unwrap_or(0), used.tv_nsec.try_into().unwrap_or(0))
}

/// The wall clock, for a store in memory.
#[derive(Debug)]
pub(crate) struct Wall;

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "a benchmark of real time")]
    fn now(&self) -> Timestamp {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(now.as_millis()).unwrap_or(0))
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep {
        Box::pin(tokio::time::sleep(at.since(self.now())))
    }
}
