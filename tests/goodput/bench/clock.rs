//! Virtual time: tokio's paused clock, seen as keyrot's clock and as the simulator's.
//!
//! The runtime moves its clock to the next timer whenever every task is idle, so a run takes no longer than
//! its computations, and the order of events depends on nothing outside the program.

use std::time::Duration;

use keyrot_core::clock::Sleep;
use keyrot_core::{Clock, Timestamp};
use tokio::time::Instant;

/// 2026-11-23 12:00:17 in California: far from midnight, and not at the start of a minute.
const START: u64 = 1_795_464_017_000;

/// Longest single timer: tokio's timers do not reach to [`Timestamp::NEVER`].
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The clock of one run, at zero when it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VirtualClock {
    start: Instant,
}

impl VirtualClock {
    /// Must be called inside a runtime whose clock is paused.
    #[expect(clippy::disallowed_methods, reason = "the paused clock is what everything else is derived from")]
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Milliseconds since the run began.
    pub(crate) fn millis(self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Sleeps until `at` milliseconds after the start.
    pub(crate) async fn until(self, at: u64) {
        tokio::time::sleep_until(self.start + Duration::from_millis(at)).await;
    }

    /// The time of day at `at` milliseconds after the start, in milliseconds since the Unix epoch.
    pub(crate) const fn epoch_millis(at: u64) -> u64 {
        START + at
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(Self::epoch_millis(self.millis()))
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep {
        Box::pin(tokio::time::sleep(at.since(self.now()).min(LONGEST)))
    }
}
