//! When the limiter was last heard, and what it had to tell: hints are believed while it was within
//! the second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyrot_core::{LimitError, RateLimiter, Timestamp};

use crate::pool::Pool;

/// For how long what the limiter said is believed without another word from it.
pub(crate) const FRESH: Duration = Duration::from_secs(1);

/// See the module's docs.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    /// Milliseconds since the epoch.
    heard: AtomicU64,
    /// Held by whoever asks: one question serves all.
    asking: tokio::sync::Mutex<()>,
}

impl Pool {
    /// The limiter has just answered: drops the hints under what was lifted since it last did.
    pub(crate) fn heard(&self, now: Timestamp) {
        self.ear.heard.store(now.as_millis(), Ordering::Release);
        let lifted = self.limiter.lifted();
        if !lifted.is_empty() {
            self.lanes.lifted(&lifted, now);
        }
    }

    /// Whether hints are too old to be believed.
    pub(crate) fn is_behind(&self, now: Timestamp) -> bool {
        now.since(Timestamp::from_millis(self.ear.heard.load(Ordering::Acquire))) >= FRESH
    }

    /// Hears what was lifted, unless somebody just did.
    pub(crate) async fn catch_up(&self) -> Result<(), LimitError> {
        let _one = self.ear.asking.lock().await;
        if self.is_behind(self.clock.now()) {
            self.limiter.listen().await?;
            self.heard(self.clock.now());
        }
        Ok(())
    }
}
