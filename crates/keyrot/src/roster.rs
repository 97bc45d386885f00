//! The keys of a pool, as one reading of keys.json gave them. Another reading makes another roster:
//! whoever began with this one ends with it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use keyrot_core::keys::{Key, PoolConfig};
use keyrot_core::{Fingerprint, KeyId, ModelFilter, ModelId, Project, Timestamp};
use parking_lot::Mutex;

/// What this process knows of one key's calls.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) successes: AtomicU64,
    pub(crate) errors: AtomicU64,
    /// Milliseconds since the epoch; 0 for never.
    pub(crate) last_used: AtomicU64,
    pub(crate) health: Mutex<Health>,
    pub(crate) written: Written,
}

/// How recently a key must have worked for a refusal of it to need a proof.
const JUST_NOW: Duration = Duration::from_secs(60);

/// What this process knows for and against a key.
#[derive(Debug, Default)]
pub(crate) struct Health {
    last_success: Option<(Timestamp, Fingerprint)>,
    /// Requests that failed on it since, and were served by another key.
    pub(crate) served_elsewhere: u32,
    /// Whether it rests because of them: its next failure extends that at once.
    pub(crate) resting: bool,
}

impl Health {
    /// The key made a call that was answered.
    pub(crate) fn succeeded(&mut self, fingerprint: Fingerprint, now: Timestamp) {
        *self = Self { last_success: Some((now, fingerprint)), served_elsewhere: 0, resting: false };
    }

    /// Whether the key, with this secret where one is given, made a call within the last minute that was
    /// answered.
    pub(crate) fn worked_just_now(&self, fingerprint: Option<Fingerprint>, now: Timestamp) -> bool {
        self.last_success.is_some_and(|(at, by)| {
            now.since(at) < JUST_NOW && fingerprint.is_none_or(|fingerprint| fingerprint == by)
        })
    }
}

/// What of a tally is in the store.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) successes: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) last_used: AtomicU64,
}

/// See the module's docs.
#[derive(Debug, Clone)]
pub(crate) struct Roster {
    pub(crate) keys: Arc<[Key]>,
    tallies: Vec<Arc<Tally>>,
    /// The index of the single key of last resort, if there is one; it is no member of the pool.
    pub(crate) last_resort: Option<u32>,
    /// Projects that serve, for telling one throttled project from a throttled machine.
    pub(crate) projects: usize,
    /// The models that keys.json says something of.
    mentioned: Arc<HashSet<ModelId>>,
    pub(crate) config: PoolConfig,
}

impl Roster {
    /// The single key of last resort is the last of `keys`, if there is one.
    pub(crate) fn new(
        keys: Vec<Key>,
        has_last_resort: bool,
        config: PoolConfig,
        has_secret: impl Fn(&KeyId) -> bool,
    ) -> Self {
        let last_resort = has_last_resort.then(|| u32::try_from(keys.len() - 1).unwrap_or(u32::MAX));
        let serves =
            |index: &u32, key: &Key| key.active && Some(*index) != last_resort && has_secret(&key.id);
        let serving = (0_u32..).zip(&keys).filter(|(index, key)| serves(index, key));
        let projects: BTreeSet<&Project> = serving.map(|(_, key)| &key.project).collect();
        let projects = projects.len();
        let tallies = keys.iter().map(|_| Arc::default()).collect();
        let listed = |key: &Key| match &key.models {
            ModelFilter::Any => Vec::new(),
            ModelFilter::Listed(models) => models.clone(),
        };
        let mentioned = keys.iter().flat_map(|key| [listed(key), key.model_limits.keys().cloned().collect()]);
        let mentioned = Arc::new(mentioned.flatten().collect());
        Self { keys: keys.into(), tallies, last_resort, projects, mentioned, config }
    }

    /// The same, with what is known of the calls of keys that were there before.
    pub(crate) fn after(mut self, before: &Self) -> Self {
        for (key, tally) in self.keys.iter().zip(&mut self.tallies) {
            if let Some((_, known)) = before.members().find(|(known, _)| known.id == key.id) {
                *tally = Arc::clone(known);
            }
        }
        self
    }

    pub(crate) fn key(&self, index: u32) -> &Key {
        &self.keys[index as usize]
    }

    pub(crate) fn tally(&self, index: u32) -> &Tally {
        &self.tallies[index as usize]
    }

    /// Whether keys.json says anything of `model` in particular.
    pub(crate) fn mentions(&self, model: &ModelId) -> bool {
        self.mentioned.contains(model)
    }

    /// The key called `id`.
    pub(crate) fn find(&self, id: &KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == *id)
    }

    /// Every key with its index.
    pub(crate) fn indexed(&self) -> impl Iterator<Item = (u32, &Key)> {
        (0_u32..).zip(self.keys.iter())
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&Key, &Arc<Tally>)> {
        self.keys.iter().zip(&self.tallies)
    }
}
