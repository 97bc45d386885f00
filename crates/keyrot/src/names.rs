//! Names of models from outside: anybody may ask for any number of them, and each that exists deserves
//! limits of its own. What nobody has heard of shares one place with whatever else nobody has heard of.

use std::collections::HashSet;
use std::time::Duration;

use keyrot_core::{Bucket, ModelId, Timestamp};
use parking_lot::Mutex;

/// How many unheard-of names have a place of their own in an hour: a user's next model is among them, a
/// flood of nonsense is not.
const GUESTS: usize = 64;
const HOUR: Duration = Duration::from_secs(3_600);
/// The most names that are remembered for having been answered.
const PROVEN: usize = 1_024;
/// What all others are counted under.
const OTHERS: &str = "other models";

/// The names that have a place of their own though no configuration and no table mentions them.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Answered at least once.
    proven: HashSet<ModelId>,
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
        let mut inner = self.0.lock();
        if inner.proven.contains(model) || inner.guests.contains(model) {
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

    /// Whether `model` was answered before.
    pub(crate) fn has_answered(&self, model: &ModelId) -> bool {
        self.0.lock().proven.contains(model)
    }

    /// `model` was answered: it exists. Gives whether it has a place of its own from now on and had none.
    pub(crate) fn proved(&self, model: &ModelId) -> bool {
        let mut inner = self.0.lock();
        inner.proven.len() < PROVEN && inner.proven.insert(model.clone())
    }
}
