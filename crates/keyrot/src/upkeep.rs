//! What a pool tells its store now and then, and hears from it, on nobody's path: how often each key was
//! used, how far estimates are off, and what other processes learned meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use keyrot_core::keys::Key;
use keyrot_core::{FactStore, LimitError};
use tokio::sync::Mutex;

use crate::learn;
use crate::pool::Pool;
use crate::roster::{Roster, Tally};
use crate::status::COUNTERS;

/// How often what is new is written, at most.
const WRITE: Duration = Duration::from_secs(1);
/// How many such rounds go by between two looks at what others learned.
const ROUNDS: u32 = 30;

/// See the module's docs.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    /// Something was learned here: others may have learned more.
    learned: AtomicBool,
    /// The rosters whose calls may not all be in the store. Held while it is written, so that every call
    /// is added once.
    rosters: Mutex<Vec<Arc<Roster>>>,
}

impl Upkeep {
    /// Has the next round look at what others learned.
    pub(crate) fn look_soon(&self) {
        self.learned.store(true, Ordering::Relaxed);
    }
}

/// Begins the rounds, which end with the pool.
pub(crate) fn begin(pool: &Arc<Pool>) {
    tokio::spawn(go_round(Arc::downgrade(pool)));
}

async fn go_round(pool: Weak<Pool>) {
    let mut round = 0;
    loop {
        // Not the pool's clock: that somebody else's time stands still is no reason to wait.
        tokio::time::sleep(WRITE).await;
        round += 1;
        let Some(pool) = pool.upgrade() else { return };
        note(pool.write_down().await);
        if pool.upkeep.learned.swap(false, Ordering::Relaxed) || round >= ROUNDS {
            round = 0;
            note(pool.look().await);
        }
    }
}

fn note(result: Result<(), LimitError>) {
    if let Err(error) = result {
        // The next round does it.
        tracing::debug!(%error, "the store is behind");
    }
}

impl Pool {
    /// Writes what is not in the store yet.
    pub(crate) async fn write_down(&self) -> Result<(), LimitError> {
        let mut rosters = self.upkeep.rosters.lock().await;
        let newest = self.roster();
        if !rosters.iter().any(|roster| Arc::ptr_eq(roster, &newest)) {
            rosters.push(Arc::clone(&newest));
        }
        // With nobody left who began with it, nothing comes after what is counted now.
        let over: Vec<_> = rosters.iter().filter(|roster| Arc::strong_count(roster) == 1).cloned().collect();
        for roster in rosters.iter() {
            for (key, tally) in roster.members() {
                self.write_tally(key, tally).await?;
            }
        }
        rosters.retain(|roster| !over.iter().any(|over| Arc::ptr_eq(over, roster)));
        self.write_estimates().await
    }

    async fn write_tally(&self, key: &Key, tally: &Tally) -> Result<(), LimitError> {
        let new = |own: &AtomicU64, written: &AtomicU64| {
            let (now, before) = (own.load(Ordering::Relaxed), written.load(Ordering::Relaxed));
            (now > before).then_some((now, now - before))
        };
        let Tally { successes, errors, last_used, written, .. } = tally;
        for (name, own, written) in
            [("successes", successes, &written.successes), ("errors", errors, &written.errors)]
        {
            if let Some((now, by)) = new(own, written) {
                let name = format!("{COUNTERS}{}/{name}", key.id);
                self.patiently(self.limiter.increment(&name, by)).await?;
                written.store(now, Ordering::Relaxed);
            }
        }
        if let Some((now, _)) = new(last_used, &written.last_used) {
            let name = format!("{COUNTERS}{}/last_used", key.id);
            self.patiently(self.limiter.put(&name, &now.to_string(), None)).await?;
            written.last_used.store(now, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Hears what others learned.
    pub(crate) async fn look(&self) -> Result<(), LimitError> {
        learn::hear(self).await?;
        self.hear_estimates().await
    }
}

#[cfg(test)]
mod tests;
