//! What others learned: read when a lane is made, unless it was within the second, by one question for all
//! who come meanwhile. What they learn later is heard by the upkeep.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyrot_core::{Domain, Timestamp};
use parking_lot::RwLock;

use crate::learn::Lesson;
use crate::pool::Pool;

/// For how long what was read is good enough for another lane.
const RECENT: Duration = Duration::from_secs(1);

/// See the module's docs.
#[derive(Debug, Default)]
pub(crate) struct Recalled {
    /// When it was read, in milliseconds since the epoch.
    at: AtomicU64,
    /// Held by whoever reads.
    reading: tokio::sync::Mutex<()>,
    /// Every learned limit, by domain.
    pub(crate) limits: RwLock<HashMap<Domain, Vec<Lesson>>>,
}

impl Pool {
    /// Reads what others learned, unless that was just done; `until` at the latest. A store that does not
    /// answer is not asked again: the upkeep will hear it.
    pub(crate) async fn recall(&self, until: Timestamp) {
        let recent = || {
            let at = Timestamp::from_millis(self.recalled.at.load(Ordering::Acquire));
            self.clock.now().since(at) < RECENT
        };
        if recent() {
            return;
        }
        let read = async {
            let _one = self.recalled.reading.lock().await;
            if !recent() {
                if let Err(error) = self.look().await {
                    tracing::warn!(%error, "cannot tell what was learned before");
                }
                self.recalled.at.store(self.clock.now().as_millis(), Ordering::Release);
            }
        };
        tokio::select! {
            biased;
            () = read => {}
            // Made only when there is something to wait for.
            () = async { self.clock.sleep_until(until).await } => {
                tracing::warn!("the limit store did not tell in time what was learned before");
            }
        }
    }
}
