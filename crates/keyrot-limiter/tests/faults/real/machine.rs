//! This machine's clock.

use std::time::{Duration, Instant, SystemTime};

use keyrot_core::clock::Sleep;
use keyrot_core::{Clock, Timestamp};

/// Wall time at the start plus monotonic time since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machine {
    started: Instant,
    wall: Timestamp,
}

impl Machine {
    #[expect(clippy::disallowed_methods, reason = "what is measured here is real time")]
    pub(crate) fn start() -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp::default() + Duration::from_millis(wall.as_millis() as u64);
        Self { started: Instant::now(), wall }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        self.wall + Duration::from_millis(self.elapsed().as_millis() as u64)
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep {
        Box::pin(tokio::time::sleep(at.since(self.now())))
    }
}
