//! How often a store is read: the claim is about the calls themselves.

#![expect(clippy::expect_used, reason = "what a test needs and does not get fails the test")]

use std::sync::Arc;

use async_trait::async_trait;
use keyrot_core::keys::{Key, StoreKind};
use keyrot_core::{EnvMap, KeyId, Secret, SecretError, SecretStore, Timestamp};
use keyrot_secrets::{Refreshed, Resolver, SecretCache};

mockall::mock! {
    #[derive(Debug)]
    Store {}
    #[async_trait]
    impl SecretStore for Store {
        async fn fetch(&self, name: &str) -> Result<Secret, SecretError>;
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn secret(text: &str) -> Secret {
    Secret::new(text.into())
}

fn key() -> Key {
    Key::new(KeyId::new("flash_01").expect("legal"))
}

fn cache(store: MockStore) -> Arc<SecretCache> {
    let resolver =
        Resolver::new(StoreKind::Env, EnvMap::default()).with_store(StoreKind::Env, Arc::new(store));
    Arc::new(SecretCache::new(resolver))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_concurrent_readers_are_one_read() {
    let mut store = MockStore::new();
    store.expect_fetch().times(1).returning(|_| {
        std::thread::yield_now();
        Ok(secret("one"))
    });
    let cache = cache(store);
    let readers: Vec<_> = (0..10)
        .map(|_| {
            let cache = Arc::clone(&cache);
            tokio::spawn(async move { cache.load(&key()).await.map(|r| r.fingerprint) })
        })
        .collect();
    for reader in readers {
        reader.await.expect("no panic").expect("read");
    }
}

#[tokio::test]
async fn a_rejection_reads_once_more_and_a_changed_secret_is_found() {
    let mut store = MockStore::new();
    store.expect_fetch().times(1).return_once(|_| Ok(secret("old")));
    store.expect_fetch().times(1).return_once(|_| Ok(secret("new")));
    let cache = cache(store);
    let old = cache.load(&key()).await.expect("read").fingerprint;
    for _ in 0..3 {
        // The second and third rejection were on the wire when the first was answered.
        let Refreshed::Changed(new) = cache.refresh_after_rejection(&key(), old, NOW).await else {
            panic!("the secret has changed");
        };
        assert_ne!(new.fingerprint, old);
    }
    assert_ne!(cache.get(&key().id).expect("read").fingerprint, old);
}

#[tokio::test]
async fn an_unchanged_secret_is_not_read_again_within_ten_seconds() {
    let mut store = MockStore::new();
    store.expect_fetch().times(3).returning(|_| Ok(secret("same")));
    let cache = cache(store);
    let key = key();
    let same = cache.load(&key).await.expect("read").fingerprint;
    let again = |ms| cache.refresh_after_rejection(&key, same, Timestamp::from_millis(NOW.as_millis() + ms));
    assert!(matches!(again(0).await, Refreshed::Unchanged));
    assert!(matches!(again(9_999).await, Refreshed::TooSoon));
    assert!(matches!(again(10_000).await, Refreshed::Unchanged));
}

#[tokio::test]
async fn an_outage_leaves_the_last_good_secret_in_place() {
    let mut store = MockStore::new();
    store.expect_fetch().times(1).return_once(|_| Ok(secret("good")));
    store.expect_fetch().returning(|_| {
        Err(SecretError::Unavailable { store: "env", why: "down".into(), hint: "wait".into() })
    });
    let cache = cache(store);
    let good = cache.load(&key()).await.expect("read").fingerprint;
    assert!(matches!(cache.refresh_after_rejection(&key(), good, NOW).await, Refreshed::Failed(_)));
    assert_eq!(cache.get(&key().id).expect("still there").fingerprint, good);
}

#[tokio::test]
async fn a_store_that_is_not_compiled_in_names_its_feature() {
    let resolver = Resolver::new(StoreKind::Vault, EnvMap::default());
    let error = SecretCache::new(resolver).load(&key()).await.expect_err("not in this build").to_string();
    assert!(error.contains("`vault`") && error.contains("--features vault"), "{error}");
}

#[tokio::test]
async fn nothing_shows_a_secret() {
    let mut store = MockStore::new();
    store.expect_fetch().returning(|_| Ok(secret("CANARY")));
    let cache = cache(store);
    let resolved = cache.load(&key()).await.expect("read");
    assert!(!format!("{resolved:?} {cache:?}").contains("CANARY"));
}
