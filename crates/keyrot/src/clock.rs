//! The machine's clock.

use std::time::{Duration, Instant, SystemTime};

use keyrot_core::clock::Sleep;
use keyrot_core::{Clock, Timestamp};

/// Wall time at the start plus monotonic time since: never runs backwards in a process, and still
/// finds a day boundary. It ignores corrections of the wall clock while it runs.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
    wall_ms: u64,
}

impl SystemClock {
    /// Starts the clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clocks")]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), wall_ms: millis(wall) }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.wall_ms.saturating_add(millis(self.started.elapsed())))
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep {
        // A day at most: tokio's timers do not reach to `Timestamp::NEVER`, and who sleeps looks again.
        let wait = at.since(self.now()).min(Duration::from_secs(24 * 3600));
        Box::pin(tokio::time::sleep(wait))
    }
}

/// Whole milliseconds without a division of 128 bits: this is read on every request.
fn millis(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1_000).saturating_add(u64::from(d.subsec_millis()))
}
