//! The secrets of a pool, read again before they are old: on nobody's path, and the keys of one store
//! together.

use std::sync::{Arc, Weak};
use std::time::Duration;

use keyrot_core::keys::{Key, StoreKind};
use keyrot_core::{KeyId, Timestamp};
use keyrot_secrets::News;
use tokio::sync::watch;

use crate::pool::Pool;
use crate::roster::Roster;
use crate::sources;

/// From then on a secret that cannot be read again is an error, no longer a warning.
const TOO_LONG: Duration = Duration::from_secs(24 * 3600);

/// Begins with every store that may give another secret tomorrow; it ends with the pool.
pub(crate) fn begin(pool: &Arc<Pool>) {
    for kind in StoreKind::ALL.into_iter().filter(|kind| pool.secrets.changes(*kind)) {
        tokio::spawn(keep_fresh(Arc::downgrade(pool), pool.roster_changes(), kind));
    }
}

async fn keep_fresh(pool: Weak<Pool>, mut changes: watch::Receiver<()>, kind: StoreKind) {
    let mut failing = false;
    loop {
        let (clock, due) = {
            let Some(pool) = pool.upgrade() else { return };
            let roster = pool.roster();
            let keys = of_store(&pool, &roster, kind);
            let due = pool.secrets.next_due(&keys).unwrap_or(Timestamp::NEVER);
            if due <= pool.clock.now() {
                let news = pool.secrets.refresh(&keys).await;
                failing = pool.hear(kind, news, failing).await;
                continue;
            }
            (Arc::clone(&pool.clock), due)
        };
        tokio::select! {
            () = clock.sleep_until(due) => {}
            // Other keys, other times. The error says that there is no pool any more.
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

fn of_store<'a>(pool: &Pool, roster: &'a Roster, kind: StoreKind) -> Vec<&'a Key> {
    let resolver = pool.secrets.resolver();
    roster.keys.iter().filter(|key| key.active && resolver.kind(key) == kind).collect()
}

impl Pool {
    /// Acts on what a look at a store has brought; gives whether it failed.
    async fn hear(&self, kind: StoreKind, news: Vec<(KeyId, News)>, failed_before: bool) -> bool {
        let (mut first, mut changed, mut failed) = (false, Vec::new(), Vec::new());
        for (id, news) in news {
            match news {
                News::First => first = true,
                News::Changed => changed.push(id),
                News::Failed(error) => failed.push((id, error)),
            }
        }
        if first {
            self.take_in().await;
        }
        if first || !changed.is_empty() {
            self.new_secrets(&changed).await;
        }
        let Some((id, error)) = failed.first() else {
            if failed_before {
                tracing::info!(store = %kind, "secrets can be read again");
            }
            return false;
        };
        let since = failed.iter().filter_map(|(id, _)| self.secrets.problem(id)).map(|p| p.since).min();
        let long = since.is_some_and(|since| self.clock.now().since(since) >= TOO_LONG);
        let keys = failed.len();
        if long {
            tracing::error!(store = %kind, keys, key_id = %id, "secrets could not be read again for a day: {error}");
        } else if !failed_before {
            tracing::warn!(store = %kind, keys, key_id = %id, "secrets cannot be read again, the last ones serve: {error}");
        } else {
            tracing::debug!(store = %kind, keys, key_id = %id, "secrets still cannot be read again: {error}");
        }
        true
    }

    /// The secrets of these keys are others now. A new secret is a new key: nothing known of the old one
    /// counts against it, but for an operator's word.
    pub(crate) async fn new_secrets(&self, ids: &[KeyId]) {
        if let Err(error) = self.keep_disabled().await {
            tracing::warn!(%error, "cannot tell which keys are disabled");
        }
        let roster = self.roster();
        for key in ids.iter().filter_map(|id| roster.find(id)) {
            tracing::info!(key_id = %key.id, "the secret has changed");
            self.reopen_key(key);
        }
    }

    /// Takes keys in whose secrets could not be read before.
    async fn take_in(&self) {
        let _changing = self.changing.lock().await;
        let before = self.roster();
        let mut keys = before.keys.to_vec();
        let mut warnings = Vec::new();
        sources::merge_equal_secrets(&self.secrets, &mut keys, &mut warnings);
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let has_secret = |id: &KeyId| self.secrets.get(id).is_some();
        let after = Roster::new(keys, before.last_resort.is_some(), before.config.clone(), has_secret);
        self.go_on_with(after.after(&before));
    }
}

#[cfg(test)]
mod tests;
