//! One cache over all stores: the last good secret of every key, read once however many ask, and read again
//! before it is old.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use futures_util::future::join_all;
use keyrot_core::keys::{Key, SecretRef, StoreKind};
use keyrot_core::untrusted;
use keyrot_core::{Clock, Fingerprint, KeyId, Secret, SecretError, Timestamp};
use parking_lot::RwLock;
use secrecy::{ExposeSecret, SecretString};

use crate::resolver::Resolver;
use crate::slot::{Problem, Reading, Resolved, Slot};

/// How long a secret is used before it is read again, unless settings say otherwise.
pub const DEFAULT_TTL: Duration = Duration::from_secs(300);
/// At most one forced read per key in this time: a storm of rejections must not become a storm on
/// the store.
const FORCED_READS: Duration = Duration::from_secs(10);
/// The longest a store is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

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

/// What is new about a key's secret.
#[derive(Debug)]
pub enum News {
    /// There was none before.
    First,
    /// It is another one now.
    Changed,
    /// It could not be read; what was there before stays.
    Failed(SecretError),
}

/// The last good secret of every key.
///
/// A secret is good for ever: one that cannot be read again serves on until it is rejected, and
/// [`problem`](Self::problem) tells. [`refresh`](Self::refresh) reads again what is due.
#[derive(Debug)]
pub struct SecretCache {
    resolver: Resolver,
    clock: Arc<dyn Clock>,
    /// From one read of a secret to the next.
    period: Duration,
    slots: RwLock<HashMap<KeyId, Arc<Slot>, RandomState>>,
}

/// One key whose turn it is.
struct Turn<'a> {
    key: &'a Key,
    slot: &'a Slot,
    reading: tokio::sync::MutexGuard<'a, Reading>,
}

impl SecretCache {
    /// An empty cache over `resolver`'s stores. Secrets are due again after `ttl` and up to a tenth more, the
    /// share of it being `jitter` in thousandths: processes that began together do not read together.
    #[must_use]
    pub fn new(resolver: Resolver, clock: Arc<dyn Clock>, ttl: Duration, jitter: u16) -> Self {
        let period = ttl + ttl / 10 * u32::from(jitter.min(1_000)) / 1_000;
        Self { resolver, clock, period, slots: RwLock::default() }
    }

    /// The secret of the key called `id`, if it was ever read. Cheap, and never waits.
    #[must_use]
    pub fn get(&self, id: &KeyId) -> Option<Arc<Resolved>> {
        self.slots.read().get(id)?.good.load_full()
    }

    /// Why the secret of the key called `id` could not be read the last time; `None` when it could.
    #[must_use]
    pub fn problem(&self, id: &KeyId) -> Option<Problem> {
        self.slots.read().get(id)?.problem()
    }

    /// Where the secret of `key` is.
    ///
    /// # Errors
    /// [`SecretError`] when its store cannot be used, or cannot spell its name.
    pub fn place(&self, key: &Key) -> Result<SecretRef, SecretError> {
        self.resolver.place(key)
    }

    /// The stores behind it.
    #[must_use]
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// Reads the secrets of `keys` that were never read, or are to be read `again` because their place is
    /// another now. Who asks for the same meanwhile waits for the same read. Gives those that could not be
    /// had.
    pub async fn load(&self, keys: &[&Key], again: impl Fn(&Key) -> bool) -> BTreeMap<KeyId, SecretError> {
        let slots = self.slots_of(keys);
        let wanted = |key: &Key, slot: &Slot| again(key) || slot.good.load().is_none();
        let news = self.read(keys, &slots, wanted).await.into_iter();
        news.filter_map(|(key, news)| match news {
            Some(News::Failed(error)) => Some((key, error)),
            _ => None,
        })
        .collect()
    }

    /// Reads again whatever of `keys` is due, and gives what is new.
    pub async fn refresh(&self, keys: &[&Key]) -> Vec<(KeyId, News)> {
        let slots = self.slots_of(keys);
        let now = self.clock.now();
        let read = self.read(keys, &slots, |_, slot| slot.due() <= now).await;
        read.into_iter().filter_map(|(key, news)| Some((key, news?))).collect()
    }

    /// When the first of `keys` is due; `None` when none ever is.
    #[must_use]
    pub fn next_due(&self, keys: &[&Key]) -> Option<Timestamp> {
        let slots = self.slots.read();
        keys.iter().filter_map(|key| slots.get(&key.id)).map(|slot| slot.due()).min()
    }

    /// Whether the store of a kind is in this build, usable, and may give another secret tomorrow.
    #[must_use]
    pub fn changes(&self, kind: StoreKind) -> bool {
        self.resolver.store(kind).is_ok_and(|store| !store.is_fixed())
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
    pub async fn refresh_after_rejection(&self, key: &Key, rejected: Fingerprint) -> Refreshed {
        let slots = self.slots_of(&[key]);
        let Some(slot) = slots.first() else { return Refreshed::TooSoon };
        let mut reading = slot.reading.lock().await;
        // Somebody else may have read it while this one waited.
        if let Some(good) = slot.good.load_full().filter(|good| good.fingerprint != rejected) {
            return Refreshed::Changed(good);
        }
        let now = self.clock.now();
        if reading.forced.is_some_and(|at| now.since(at) < FORCED_READS) {
            return Refreshed::TooSoon;
        }
        reading.forced = Some(now);
        reading.reject(rejected);
        let mut turn = [Turn { key, slot, reading }];
        match self.ask(&mut turn).await.pop() {
            Some((_, Some(News::Failed(error)))) => Refreshed::Failed(error),
            _ => match slot.good.load_full().filter(|good| good.fingerprint != rejected) {
                Some(good) => Refreshed::Changed(good),
                None => Refreshed::Unchanged,
            },
        }
    }

    /// Makes `value` the secret of `key`, in its store and here. Gives the label of the new version, where the
    /// store has one.
    ///
    /// # Errors
    /// [`SecretError`] when the store does not take it, or does not give it back: then nothing changes here.
    pub async fn replace(&self, key: &Key, value: &SecretString) -> Result<Option<String>, SecretError> {
        untrusted::remember(value);
        let place = self.resolver.place(key)?;
        let put = self.resolver.store(place.store)?.put(&place.name, value);
        let put = tokio::select! {
            biased;
            put = put => put,
            () = self.patience() => Err(silent(place.store)),
        };
        let version = put.map_err(SecretError::scrubbed)?;
        if let Some(error) = self.load(&[key], |_| true).await.remove(&key.id) {
            return Err(error);
        }
        if !self.holds(key, value) {
            return Err(SecretError::Unavailable {
                store: place.store.as_str(),
                why: format!("it took a new secret for `{}` and gives another one", place.name),
                hint: "read it by hand: somebody else may have written, or the server lags behind".to_owned(),
            });
        }
        Ok(version)
    }

    /// Whether `value` is the secret of `key` as it was last read.
    #[must_use]
    pub fn holds(&self, key: &Key, value: &SecretString) -> bool {
        let own = Fingerprint::of(&key.id, value.expose_secret());
        self.get(&key.id).is_some_and(|good| good.fingerprint == own)
    }

    /// The longest time from one read of a secret to the next, while its store answers.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    async fn patience(&self) {
        self.clock.sleep_until(self.clock.now() + PATIENCE).await;
    }

    /// Reads those of `keys` that are `wanted` once it is their turn; the keys of one store together.
    async fn read(
        &self,
        keys: &[&Key],
        slots: &[Arc<Slot>],
        wanted: impl Fn(&Key, &Slot) -> bool,
    ) -> Vec<(KeyId, Option<News>)> {
        let mut order: Vec<usize> = (0..keys.len()).collect();
        // The same order for everybody: two who read many never wait for each other.
        order.sort_unstable_by_key(|i| &keys[*i].id);
        let mut turns: BTreeMap<StoreKind, Vec<Turn<'_>>> = BTreeMap::new();
        for (key, slot) in order.into_iter().map(|i| (keys[i], &*slots[i])) {
            if wanted(key, slot) {
                let reading = slot.reading.lock().await;
                // Who held it may have read it.
                if wanted(key, slot) {
                    turns.entry(self.resolver.kind(key)).or_default().push(Turn { key, slot, reading });
                }
            }
        }
        let stores = turns.values_mut().map(|turns| self.ask(turns));
        join_all(stores).await.into_iter().flatten().collect()
    }

    /// Asks the one store that has the secrets of all `turns`.
    async fn ask(&self, turns: &mut [Turn<'_>]) -> Vec<(KeyId, Option<News>)> {
        let places: Vec<_> = turns.iter().map(|turn| self.resolver.place(turn.key)).collect();
        let names: Vec<String> = places.iter().flatten().map(|place| place.name.clone()).collect();
        let mut answers = match turns.first() {
            Some(turn) => self.fetch(self.resolver.kind(turn.key), &names).await,
            None => Vec::new(),
        }
        .into_iter();
        let mut news = Vec::with_capacity(turns.len());
        for (turn, place) in turns.iter_mut().zip(places) {
            let answer = place.and_then(|place| answers.next().unwrap_or_else(|| Err(silent(place.store))));
            news.push((turn.key.id.clone(), self.note(turn, answer)));
        }
        news
    }

    async fn fetch(&self, kind: StoreKind, names: &[String]) -> Vec<Result<Secret, SecretError>> {
        let store = match self.resolver.store(kind) {
            Ok(store) => store,
            Err(error) => return names.iter().map(|_| Err(error.clone())).collect(),
        };
        let fetch = async {
            match names {
                [name] => vec![store.fetch(name).await],
                names => store.fetch_all(names).await,
            }
        };
        tokio::select! {
            biased;
            answers = fetch => answers,
            () = self.patience() => Vec::new(),
        }
    }

    fn note(&self, turn: &mut Turn<'_>, answer: Result<Secret, SecretError>) -> Option<News> {
        let Turn { key, slot, reading } = turn;
        let now = self.clock.now();
        let secret = match answer {
            Ok(secret) => secret,
            Err(error) => {
                // A store of somebody else's may repeat in its error what it read.
                let error = error.scrubbed();
                slot.lament(&error, now, self.period);
                return Some(News::Failed(error));
            }
        };
        untrusted::remember(&secret.value);
        let fresh = Arc::new(Resolved {
            key_id: key.id.clone(),
            fingerprint: Fingerprint::of(&key.id, secret.value.expose_secret()),
            secret: secret.value,
            version: secret.version,
            written_at: secret.written_at,
            mended: secret.mended,
        });
        match slot.keep(&fresh, reading, now, self.period) {
            None => Some(News::First),
            Some(before) if before != fresh.fingerprint => Some(News::Changed),
            Some(_) => None,
        }
    }

    fn slots_of(&self, keys: &[&Key]) -> Vec<Arc<Slot>> {
        let known = |key: &&Key| self.slots.read().get(&key.id).cloned();
        let slot = |key: &&Key| {
            known(key).unwrap_or_else(|| Arc::clone(self.slots.write().entry(key.id.clone()).or_default()))
        };
        keys.iter().map(slot).collect()
    }
}

fn silent(store: StoreKind) -> SecretError {
    SecretError::Unavailable {
        store: store.as_str(),
        why: format!("no answer within {} s", PATIENCE.as_secs()),
        hint: "see whether the store is up and can be reached from here".to_owned(),
    }
}
