//! One cache over all stores: the last good secret of every key, read once however many ask.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use foldhash::fast::RandomState;
use keyrot_core::keys::Key;
use keyrot_core::{Fingerprint, KeyId, SecretError, Timestamp};
use parking_lot::RwLock;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::resolver::Resolver;

/// At most one forced read per key in this time: a storm of rejections must not become a storm on
/// the store.
const FORCED_READS: Duration = Duration::from_secs(10);

/// A key's secret as it was last read.
#[derive(Clone)]
pub struct Resolved {
    /// The key.
    pub key_id: KeyId,
    /// Its secret.
    pub secret: SecretString,
    /// What condemnations of this secret are filed under.
    pub fingerprint: Fingerprint,
    /// The store's version label, where it has one.
    pub version: Option<String>,
    /// What was mended on the way, for a warning.
    pub mended: Option<&'static str>,
}

impl Resolved {
    /// The same for the same secret under whatever key, and for no other one.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let digest = Sha256::digest(self.secret.expose_secret());
        let mut first = [0_u8; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(first)
    }
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key_id, secret: _, fingerprint, version, mended } = self;
        f.debug_struct("Resolved")
            .field("key_id", key_id)
            .field("fingerprint", fingerprint)
            .field("version", version)
            .field("mended", mended)
            .finish_non_exhaustive()
    }
}

/// What came of reading a rejected key's secret again.
#[derive(Debug)]
pub enum Refreshed {
    /// There is another secret now.
    Changed(Arc<Resolved>),
    /// It is the one that was rejected.
    Unchanged,
    /// It was read less than 10 s ago.
    TooSoon,
    /// The store did not give it; the old one stays.
    Failed(SecretError),
}

#[derive(Debug, Default)]
struct Slot {
    good: ArcSwapOption<Resolved>,
    /// Held while somebody reads; holds the time of the last forced read.
    forced: Mutex<Option<Timestamp>>,
}

/// The last good secret of every key.
#[derive(Debug)]
pub struct SecretCache {
    resolver: Resolver,
    slots: RwLock<HashMap<KeyId, Arc<Slot>, RandomState>>,
}

impl SecretCache {
    /// An empty cache over `resolver`'s stores.
    #[must_use]
    pub fn new(resolver: Resolver) -> Self {
        Self { resolver, slots: RwLock::default() }
    }

    /// The secret of the key called `id`, if it was ever read. Cheap, and never waits.
    #[must_use]
    pub fn get(&self, id: &KeyId) -> Option<Arc<Resolved>> {
        self.slots.read().get(id)?.good.load_full()
    }

    /// The secret of `key`, read from its store the first time; who asks meanwhile waits for the
    /// same read.
    ///
    /// # Errors
    /// [`SecretError`] when the store gives none.
    pub async fn load(&self, key: &Key) -> Result<Arc<Resolved>, SecretError> {
        let slot = self.slot(&key.id);
        if let Some(good) = slot.good.load_full() {
            return Ok(good);
        }
        let _reading = slot.forced.lock().await;
        if let Some(good) = slot.good.load_full() {
            return Ok(good);
        }
        self.read(key, &slot).await
    }

    /// Reads the secret of `key` anew, for its place in the store is another now.
    ///
    /// # Errors
    /// [`SecretError`] when the store gives none: then the old one stays.
    pub async fn reread(&self, key: &Key) -> Result<Arc<Resolved>, SecretError> {
        let slot = self.slot(&key.id);
        let _reading = slot.forced.lock().await;
        self.read(key, &slot).await
    }

    /// Forgets the secrets of keys: there is none until it is loaded again.
    pub fn forget<'a>(&self, ids: impl IntoIterator<Item = &'a KeyId>) {
        let mut slots = self.slots.write();
        for id in ids {
            slots.remove(id);
        }
    }

    /// Reads the secret of `key` again, because the one with fingerprint `rejected` was: at most
    /// once in 10 s, and once for all who were rejected together.
    pub async fn refresh_after_rejection(
        &self,
        key: &Key,
        rejected: Fingerprint,
        now: Timestamp,
    ) -> Refreshed {
        let slot = self.slot(&key.id);
        let mut forced = slot.forced.lock().await;
        // Somebody else may have read it while this one waited.
        if let Some(good) = slot.good.load_full().filter(|good| good.fingerprint != rejected) {
            return Refreshed::Changed(good);
        }
        if forced.is_some_and(|at| now.since(at) < FORCED_READS) {
            return Refreshed::TooSoon;
        }
        *forced = Some(now);
        match self.read(key, &slot).await {
            Ok(fresh) if fresh.fingerprint != rejected => Refreshed::Changed(fresh),
            Ok(_) => Refreshed::Unchanged,
            Err(error) => Refreshed::Failed(error),
        }
    }

    async fn read(&self, key: &Key, slot: &Slot) -> Result<Arc<Resolved>, SecretError> {
        // A store of somebody else's may repeat in its error what it read.
        let secret = self.resolver.fetch(key).await.map_err(SecretError::scrubbed)?;
        let fresh = Arc::new(Resolved {
            key_id: key.id.clone(),
            fingerprint: Fingerprint::of(&key.id, secret.value.expose_secret()),
            secret: secret.value,
            version: secret.version,
            mended: secret.mended,
        });
        slot.good.store(Some(Arc::clone(&fresh)));
        Ok(fresh)
    }

    fn slot(&self, id: &KeyId) -> Arc<Slot> {
        if let Some(slot) = self.slots.read().get(id) {
            return Arc::clone(slot);
        }
        Arc::clone(self.slots.write().entry(id.clone()).or_default())
    }
}
