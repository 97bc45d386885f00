//! How long hints (what the limiter said against keys and projects) are believed: while it was heard within the
//! second, and has lifted nothing above them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyrot_core::{LimitError, RateLimiter, Timestamp};

use crate::pool::Pool;

/// For how long what the limiter said is believed without another word from it.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(1);

/// See the module's docs.
#[derive(Debug, Default)]
pub(crate) struct HintAge {
    /// Milliseconds since the epoch.
    heard: AtomicU64,
    /// Held by whoever asks: one question serves all.
    asking: tokio::sync::Mutex<()>,
}

impl Pool {
    /// The limiter has just answered: drops the hints under what was lifted since it last did.
    pub(crate) fn heard(&self, now: Timestamp) {
        self.hint_age.heard.store(now.as_millis(), Ordering::Release);
        let lifted = self.limiter.lifted();
        if !lifted.is_empty() {
            self.lanes.lifted(&lifted, now);
        }
    }

    /// Whether hints are too old to be believed.
    pub(crate) fn is_stale(&self, now: Timestamp) -> bool {
        now.since(Timestamp::from_millis(self.hint_age.heard.load(Ordering::Acquire))) >= MAX_AGE
    }

    /// Hears what was lifted, unless somebody just did.
    pub(crate) async fn refresh_hints(&self) -> Result<(), LimitError> {
        let _one = self.hint_age.asking.lock().await;
        if self.is_stale(self.clock.now()) {
            self.limiter.listen().await?;
            self.heard(self.clock.now());
        }
        Ok(())
    }
}
