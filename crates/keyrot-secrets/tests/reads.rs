//! How often a store is read, and what of.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyrot_core::keys::{Key, SecretRef, StoreKind};
use keyrot_core::{
    Clock as _, EnvMap, FakeClock, Fingerprint, KeyId, Secret, SecretError, SecretStore, Timestamp,
};
use keyrot_secrets::{News, Refreshed, Resolver, SecretCache};
use mockall::predicate::eq;
use secrecy::SecretString;

mockall::mock! {
    #[derive(Debug)]
    Store {}
    #[async_trait]
    impl SecretStore for Store {
        async fn fetch(&self, name: &str) -> Result<Secret, SecretError>;
        async fn fetch_all(&self, names: &[String]) -> Vec<Result<Secret, SecretError>>;
        async fn put(&self, name: &str, value: &SecretString) -> Result<Option<String>, SecretError>;
    }
}

const TTL: Duration = Duration::from_secs(300);

fn secret(text: &str) -> Secret {
    Secret::new(text.into())
}

fn down() -> SecretError {
    SecretError::Unavailable { store: "vault", why: "down".into(), hint: "wait".into() }
}

fn gone() -> SecretError {
    SecretError::NotFound { store: "vault", name: "flash_01".into(), hint: "put it back".into() }
}

fn key() -> Key {
    key_called("flash_01")
}

fn key_called(id: &str) -> Key {
    Key::new(KeyId::new(id).expect("legal"))
}

struct World {
    cache: Arc<SecretCache>,
    clock: FakeClock,
}

fn world(store: MockStore) -> World {
    world_with(store, 0)
}

fn world_with(store: MockStore, jitter: u16) -> World {
    let clock = FakeClock::new(Timestamp::from_millis(1_000_000));
    let resolver =
        Resolver::new(StoreKind::Vault, &EnvMap::default()).with_store(StoreKind::Vault, Arc::new(store));
    let cache = SecretCache::new(resolver, Arc::new(clock.clone()), TTL, jitter);
    World { cache: Arc::new(cache), clock }
}

impl World {
    async fn loaded(&self, key: &Key) -> Fingerprint {
        let missing = self.cache.load(&[key], |_| false).await;
        assert!(missing.is_empty(), "{missing:?}");
        self.fingerprint(key).expect("read")
    }

    fn fingerprint(&self, key: &Key) -> Option<Fingerprint> {
        self.cache.get(&key.id).map(|good| good.fingerprint)
    }

    /// Goes to the moment when `key` is due, and reads it.
    async fn due(&self, key: &Key) -> Vec<(KeyId, News)> {
        self.clock.advance_to(self.cache.next_due(&[key]).expect("it is known"));
        self.cache.refresh(&[key]).await
    }

    fn due_in(&self, key: &Key) -> Duration {
        self.cache.next_due(&[key]).expect("it is known").since(self.clock.now())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_concurrent_readers_are_one_read() {
    let mut store = MockStore::new();
    store.expect_fetch().times(1).returning(|_| {
        std::thread::yield_now();
        Ok(secret("one"))
    });
    let cache = world(store).cache;
    let readers: Vec<_> = (0..10)
        .map(|_| {
            let cache = Arc::clone(&cache);
            tokio::spawn(async move {
                let missing = cache.load(&[&key()], |_| false).await;
                missing.is_empty() && cache.get(&key().id).is_some()
            })
        })
        .collect();
    for reader in readers {
        assert!(reader.await.expect("no panic"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_many_in_any_order_waits_for_nobody_who_waits_for_him() {
    let mut store = MockStore::new();
    store.expect_fetch_all().returning(|names| {
        std::thread::yield_now();
        names.iter().map(|name| Ok(secret(name))).collect()
    });
    let cache = world(store).cache;
    let keys: Vec<Key> = (0..20).map(|i| key_called(&format!("k{i}"))).collect();
    let readers: Vec<_> = (0..10)
        .map(|reader| {
            let (cache, mut keys) = (Arc::clone(&cache), keys.clone());
            keys.rotate_left(reader * 2);
            tokio::spawn(async move {
                // Each time all of them, for their place is always another.
                cache.load(&keys.iter().collect::<Vec<_>>(), |_| true).await.is_empty()
            })
        })
        .collect();
    for reader in readers {
        assert!(
            tokio::time::timeout(Duration::from_secs(60), reader).await.expect("no deadlock").expect("ends")
        );
    }
}

#[tokio::test]
async fn the_keys_of_a_store_are_read_together_and_each_has_its_own_answer() {
    let mut store = MockStore::new();
    let names: Vec<String> = ["a", "b", "c"].map(String::from).into();
    store
        .expect_fetch_all()
        .with(mockall::predicate::function(move |asked: &[String]| asked == names))
        .times(1)
        .return_once(|_| vec![Ok(secret("1")), Err(gone()), Ok(secret("3"))]);
    let world = world(store);
    let keys = ["c", "a", "b"].map(key_called);
    let missing = world.cache.load(&keys.iter().collect::<Vec<_>>(), |_| false).await;
    assert_eq!(missing.keys().map(KeyId::as_str).collect::<Vec<_>>(), ["b"]);
    let is = |key: &Key, text: &str| world.fingerprint(key) == Some(Fingerprint::of(&key.id, text));
    assert!(is(&keys[0], "3") && is(&keys[1], "1"), "each key has its own secret");
}

#[tokio::test]
async fn a_key_s_own_place_is_a_full_name() {
    let mut store = MockStore::new();
    store.expect_fetch().with(eq("prod/gemini")).times(1).return_once(|_| Ok(secret("one")));
    let place = SecretRef { store: StoreKind::Vault, name: "prod/gemini".to_owned() };
    world(store).loaded(&Key { secret: Some(place), ..key() }).await;
}

#[tokio::test]
async fn a_rejection_reads_once_more_and_a_changed_secret_is_found() {
    let mut store = MockStore::new();
    store.expect_fetch().times(1).return_once(|_| Ok(secret("old")));
    store.expect_fetch().times(1).return_once(|_| Ok(secret("new")));
    let world = world(store);
    let old = world.loaded(&key()).await;
    for _ in 0..3 {
        // The second and third rejection were on the wire when the first was answered.
        let Refreshed::Changed(new) = world.cache.refresh_after_rejection(&key(), old).await else {
            panic!("the secret has changed");
        };
        assert_ne!(new.fingerprint, old);
    }
    assert_ne!(world.fingerprint(&key()), Some(old));
}

#[tokio::test]
async fn an_unchanged_secret_is_not_read_again_within_ten_seconds() {
    let mut store = MockStore::new();
    store.expect_fetch().times(3).returning(|_| Ok(secret("same")));
    let World { cache, clock } = &world(store);
    cache.load(&[&key()], |_| false).await;
    let same = cache.get(&key().id).expect("read").fingerprint;
    let again = |ms| async move {
        clock.advance(Duration::from_millis(ms));
        cache.refresh_after_rejection(&key(), same).await
    };
    assert!(matches!(again(0).await, Refreshed::Unchanged));
    assert!(matches!(again(9_999).await, Refreshed::TooSoon));
    assert!(matches!(again(1).await, Refreshed::Unchanged));
}

#[tokio::test]
async fn nothing_is_read_again_before_it_is_due_and_then_once() {
    let mut store = MockStore::new();
    store.expect_fetch().times(2).returning(|_| Ok(secret("same")));
    let world = world(store);
    world.loaded(&key()).await;
    world.clock.advance(TTL - Duration::from_millis(1));
    assert!(world.cache.refresh(&[&key()]).await.is_empty());
    world.clock.advance(Duration::from_millis(1));
    for _ in 0..2 {
        assert!(world.cache.refresh(&[&key()]).await.is_empty(), "it is the same");
    }
    assert_eq!(world.due_in(&key()), TTL);
}

#[tokio::test]
async fn processes_that_began_together_do_not_read_together() {
    for (jitter, wait) in
        [(0, TTL), (500, TTL + TTL / 20), (1_000, TTL + TTL / 10), (u16::MAX, TTL + TTL / 10)]
    {
        let mut store = MockStore::new();
        store.expect_fetch().times(1).return_once(|_| Ok(secret("one")));
        let world = world_with(store, jitter);
        world.loaded(&key()).await;
        assert_eq!(world.due_in(&key()), wait);
    }
}

#[tokio::test]
async fn a_secret_that_changed_is_news() {
    let mut store = MockStore::new();
    store.expect_fetch().times(1).return_once(|_| Ok(secret("old")));
    store.expect_fetch().times(1).return_once(|_| Ok(secret("new")));
    let world = world(store);
    let old = world.loaded(&key()).await;
    assert!(matches!(world.due(&key()).await[..], [(_, News::Changed)]));
    assert_ne!(world.fingerprint(&key()), Some(old));
}

#[tokio::test]
async fn an_outage_leaves_the_last_good_secret_in_place_and_ends_within_thirty_seconds() {
    let mut store = MockStore::new();
    store.expect_fetch().times(1).return_once(|_| Ok(secret("good")));
    store.expect_fetch().times(3).returning(|_| Err(down()));
    store.expect_fetch().times(1).return_once(|_| Ok(secret("good")));
    let world = world(store);
    let good = world.loaded(&key()).await;
    assert!(matches!(world.due(&key()).await[..], [(_, News::Failed(_))]));
    let began = world.clock.now();
    for _ in 0..2 {
        assert_eq!(world.due_in(&key()), Duration::from_secs(30));
        assert!(matches!(world.due(&key()).await[..], [(_, News::Failed(_))]));
        assert_eq!(world.fingerprint(&key()), Some(good));
        let problem = world.cache.problem(&key().id).expect("one");
        assert_eq!(problem.since, began, "it has lasted since then");
    }
    assert!(world.due(&key()).await.is_empty());
    assert!(world.cache.problem(&key().id).is_none());
    assert_eq!(world.due_in(&key()), TTL);
}

#[tokio::test]
async fn a_rejection_during_an_outage_leaves_the_secret_in_place() {
    let mut store = MockStore::new();
    store.expect_fetch().times(1).return_once(|_| Ok(secret("good")));
    store.expect_fetch().times(1).return_once(|_| Err(down()));
    let world = world(store);
    let good = world.loaded(&key()).await;
    assert!(matches!(world.cache.refresh_after_rejection(&key(), good).await, Refreshed::Failed(_)));
    assert_eq!(world.fingerprint(&key()), Some(good));
}

#[tokio::test]
async fn a_secret_that_is_gone_serves_on_and_is_asked_for_no_more_often() {
    let mut store = MockStore::new();
    store.expect_fetch().times(1).return_once(|_| Ok(secret("good")));
    store.expect_fetch().times(1).return_once(|_| Err(gone()));
    let world = world(store);
    let good = world.loaded(&key()).await;
    assert!(matches!(world.due(&key()).await[..], [(_, News::Failed(SecretError::NotFound { .. }))]));
    assert_eq!(world.fingerprint(&key()), Some(good));
    assert_eq!(world.due_in(&key()), TTL);
}

#[tokio::test]
async fn a_secret_that_was_never_there_is_looked_for_every_thirty_seconds() {
    let mut store = MockStore::new();
    store.expect_fetch().times(2).returning(|_| Err(gone()));
    store.expect_fetch().times(1).return_once(|_| Ok(secret("late")));
    let world = world(store);
    assert_eq!(world.cache.load(&[&key()], |_| false).await.len(), 1);
    assert_eq!(world.due_in(&key()), Duration::from_secs(30));
    assert!(matches!(world.due(&key()).await[..], [(_, News::Failed(_))]));
    assert!(matches!(world.due(&key()).await[..], [(_, News::First)]));
}

#[tokio::test]
async fn a_rejected_secret_is_looked_at_more_often_but_less_and_less() {
    let mut store = MockStore::new();
    store.expect_fetch().times(7).returning(|_| Ok(secret("bad")));
    store.expect_fetch().times(1).return_once(|_| Ok(secret("good")));
    let world = world(store);
    let bad = world.loaded(&key()).await;
    assert!(matches!(world.cache.refresh_after_rejection(&key(), bad).await, Refreshed::Unchanged));
    for seconds in [30, 60, 120, 240, 300] {
        assert_eq!(world.due_in(&key()), Duration::from_secs(seconds));
        assert!(world.due(&key()).await.is_empty());
    }
    assert!(matches!(world.due(&key()).await[..], [(_, News::Changed)]));
    assert_eq!(world.due_in(&key()), TTL, "the new one is not the rejected one");
}

#[tokio::test]
async fn a_store_that_never_answers_is_given_up() {
    let clock = FakeClock::new(Timestamp::from_millis(1_000_000));
    let resolver =
        Resolver::new(StoreKind::Vault, &EnvMap::default()).with_store(StoreKind::Vault, Arc::new(Hanging));
    let cache = SecretCache::new(resolver, Arc::new(clock.clone()), TTL, 0);
    let key = key();
    let keys = [&key];
    let load = cache.load(&keys, |_| false);
    let time = async {
        loop {
            tokio::task::yield_now().await;
            if let Some(at) = clock.next_sleeper() {
                clock.advance_to(at);
            }
        }
    };
    let missing = tokio::select! { missing = load => missing, () = time => unreachable!("it has no end") };
    let said = missing[&key.id].to_string();
    assert!(said.contains("vault is unavailable: no answer within 20 s"), "{said}");
}

#[derive(Debug)]
struct Hanging;

#[async_trait]
impl SecretStore for Hanging {
    async fn fetch(&self, _: &str) -> Result<Secret, SecretError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_forgotten_secret_is_held_by_nobody() {
    let mut store = MockStore::new();
    store.expect_fetch().times(1).return_once(|_| Ok(secret("one")));
    let world = world(store);
    world.loaded(&key()).await;
    let held = Arc::downgrade(&world.cache.get(&key().id).expect("read"));
    world.cache.forget([&key().id]);
    // The last one to let go of it wipes it: `secrecy`'s promise.
    assert!(held.upgrade().is_none());
}

#[cfg(not(feature = "azure"))]
#[tokio::test]
async fn a_store_that_is_not_compiled_in_names_its_feature() {
    let resolver = Resolver::new(StoreKind::Azure, &EnvMap::default());
    let clock = FakeClock::new(Timestamp::from_millis(1));
    let cache = SecretCache::new(resolver, Arc::new(clock), TTL, 0);
    let missing = cache.load(&[&key()], |_| false).await;
    let error = missing[&key().id].to_string();
    assert!(error.contains("`azure`") && error.contains("--features azure"), "{error}");
}

#[tokio::test]
async fn nothing_shows_a_secret() {
    let mut store = MockStore::new();
    store.expect_fetch().returning(|_| Ok(secret("CANARY")));
    let world = world(store);
    world.loaded(&key()).await;
    let resolved = world.cache.get(&key().id).expect("read");
    assert!(!format!("{resolved:?} {:?}", world.cache).contains("CANARY"));
}
