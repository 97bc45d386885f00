//! The whole of keys.json: a [`KeySet`] and its [`PoolConfig`].

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::Finding;
use super::key::Key;
use crate::id::{KeyId, ModelId};

/// The `config` part: how the pool retries, waits and falls back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    /// Models to try, in order, when one has no capacity within the wait.
    pub model_fallback: BTreeMap<ModelId, Vec<ModelId>>,
    /// Retries in the same scope (server errors, network). Failing over is not counted.
    pub max_retries: u32,
    /// The first backoff.
    pub base_backoff: Duration,
    /// The longest backoff.
    pub max_backoff: Duration,
    /// The longest a request waits for capacity.
    pub max_wait: Duration,
    /// Whether the single key of the environment may serve when no key is usable.
    pub enable_fallback: bool,
    /// The age in days at which a key's secret should be changed.
    pub rotate_after_days: u32,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            model_fallback: BTreeMap::new(),
            max_retries: 3,
            base_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(60),
            max_wait: Duration::from_secs(120),
            enable_fallback: true,
            rotate_after_days: 90,
        }
    }
}

/// All keys, and how to use them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeySet {
    /// The keys, in the order of the file. Their ids differ.
    pub keys: Vec<Key>,
    /// How the pool behaves.
    pub config: PoolConfig,
}

impl KeySet {
    /// The key called `id`.
    #[must_use]
    pub fn get(&self, id: &KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == *id)
    }

    /// The keys, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Key> {
        self.keys.iter()
    }
}

impl<'a> IntoIterator for &'a KeySet {
    type Item = &'a Key;
    type IntoIter = std::slice::Iter<'a, Key>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A file without errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What it says.
    pub set: KeySet,
    /// What is odd about it.
    pub warnings: Vec<Finding>,
}
