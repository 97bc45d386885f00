//! Names of models from outside: anybody may ask for any number of them, and each that exists deserves
//! limits of its own. What nobody has heard of shares one place with whatever else nobody has heard of.

use std::collections::HashSet;
use std::time::Duration;

use keyrot_core::{Bucket, ModelId, Timestamp};
use parking_lot::Mutex;

use crate::pool::Pool;

/// How many unheard-of names have a place of their own in an hour: a user's next model is among them, a
/// flood of nonsense is not.
const GUESTS: usize = 64;
const HOUR: Duration = Duration::from_secs(3_600);
/// The most names that are remembered because they exist.
const REAL: usize = 4_096;
/// How often the server is asked which models there are, at most, and how long it is given to say.
const LIST_EVERY: Duration = Duration::from_secs(60);
const LIST_WITHIN: Duration = Duration::from_secs(5);
/// How many keys are asked for the list, until one is answered.
const LIST_KEYS: usize = 3;
/// What all others are counted under.
const OTHERS: &str = "other models";

/// The names that have a place of their own though no configuration and no table mentions them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    inner: Mutex<Inner>,
    /// When the server was last asked which models there are. Held while it is asked.
    listed: tokio::sync::Mutex<Option<Timestamp>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Answered at least once, or in the server's list.
    real: HashSet<ModelId>,
    guests: HashSet<ModelId>,
    /// Since when the guests are counted.
    since: Timestamp,
}

/// What every name without a place of its own is counted under.
pub(crate) fn others() -> Bucket {
    Bucket::new(OTHERS)
}

/// Whether it is that.
pub(crate) fn are_others(bucket: &Bucket) -> bool {
    bucket.as_str() == OTHERS
}

impl Names {
    /// Whether `model`, which nothing mentions, has a place of its own.
    pub(crate) fn has_place(&self, model: &ModelId, now: Timestamp) -> bool {
        let mut inner = self.inner.lock();
        if inner.real.contains(model) || inner.guests.contains(model) {
            return true;
        }
        if now.since(inner.since) >= HOUR {
            inner.guests.clear();
            inner.since = now;
        }
        let room = inner.guests.len() < GUESTS;
        if room {
            inner.guests.insert(model.clone());
        }
        room
    }

    /// Whether `model` is known to exist.
    pub(crate) fn is_real(&self, model: &ModelId) -> bool {
        self.inner.lock().real.contains(model)
    }

    /// `model` was answered: it exists. Gives whether it has a place of its own from now on and had none.
    pub(crate) fn proved(&self, model: &ModelId) -> bool {
        let mut inner = self.inner.lock();
        inner.real.len() < REAL && inner.real.insert(model.clone())
    }
}

impl Pool {
    /// Asks the server for its models, where there is somebody who can, unless that was done within the
    /// minute; `until` at the latest. Costs no quota.
    pub(crate) async fn list_models(&self, until: Timestamp) {
        let Some(prober) = self.prober.get() else { return };
        let list = async {
            let mut listed = self.names.listed.lock().await;
            let now = self.clock.now();
            if listed.is_some_and(|at| now.since(at) < LIST_EVERY) {
                return;
            }
            *listed = Some(now);
            let roster = self.roster();
            let secrets = roster.keys.iter().filter_map(|key| self.secrets.get(&key.id)).take(LIST_KEYS);
            for resolved in secrets {
                if let Some(models) = prober.models(&resolved.secret).await {
                    for model in &models {
                        self.names.proved(model);
                    }
                    return;
                }
            }
        };
        let until = until.min(self.clock.now() + LIST_WITHIN);
        tokio::select! {
            biased;
            () = list => {}
            () = async { self.clock.sleep_until(until).await } => {}
        }
    }
}
