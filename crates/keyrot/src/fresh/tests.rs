//! Secrets that change while the pool works. The pool's time stands still unless it is moved.

use std::collections::BTreeMap;

use async_trait::async_trait;
use keyrot_core::keys::{KeySet, PoolConfig};
use keyrot_core::{
    Clock as _, EnvMap, Evidence, FakeClock, KeyFault, Outcome, Secret, SecretError, SecretStore, Usage,
};
use parking_lot::Mutex;
use secrecy::ExposeSecret;

use super::*;
use crate::{Assembly, Lease, Profile, Rotator};

/// What a store holds by name, and how often it was asked for what.
#[derive(Debug, Clone, Default)]
struct Store(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    held: BTreeMap<String, &'static str>,
    down: bool,
    reads: u32,
}

impl Store {
    fn hold(&self, name: &str, secret: &'static str) {
        self.0.lock().held.insert(name.to_owned(), secret);
    }

    fn down(&self, down: bool) {
        self.0.lock().down = down;
    }

    fn reads(&self) -> u32 {
        self.0.lock().reads
    }
}

#[async_trait]
impl SecretStore for Store {
    async fn fetch(&self, name: &str) -> Result<Secret, SecretError> {
        let mut inner = self.0.lock();
        inner.reads += 1;
        if inner.down {
            let (why, hint) = ("it is sealed".to_owned(), "unseal it".to_owned());
            return Err(SecretError::Unavailable { store: "vault", why, hint });
        }
        let hint = || "store it".to_owned();
        inner
            .held
            .get(name)
            .map(|secret| Secret::new((*secret).into()))
            .ok_or_else(|| SecretError::NotFound { store: "vault", name: name.to_owned(), hint: hint() })
    }
}

struct World {
    rotator: Rotator,
    clock: FakeClock,
    store: Store,
}

const MODEL: &str = "model-1";

async fn world(held: &[(&str, &'static str)], keys: &[&str]) -> World {
    let (clock, store) = (FakeClock::new(Timestamp::from_millis(1_795_464_000_000)), Store::default());
    for (name, secret) in held {
        store.hold(name, secret);
    }
    let keys = keys.iter().map(|id| Key::new(KeyId::new(id).expect("legal")));
    let made = Assembly::new(EnvMap::from_iter([("SECRET_STORE_TYPE", "vault")]))
        .keys(KeySet { keys: keys.collect(), config: PoolConfig::default() })
        .store(StoreKind::Vault, Arc::new(store.clone()))
        .clock(Arc::new(clock.clone()))
        .seed(1)
        .make();
    World { rotator: made.await.expect("a pool").rotator, clock, store }
}

impl World {
    /// Lets everything happen that happens within `by`.
    async fn pass(&self, by: Duration) {
        let end = self.clock.now() + by;
        loop {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            match self.clock.next_sleeper().filter(|at| *at <= end) {
                Some(at) if at > self.clock.now() => self.clock.advance_to(at),
                _ if self.clock.now() < end => self.clock.advance_to(end),
                _ => return,
            }
        }
    }

    async fn lease(&self) -> Lease {
        self.rotator.lease(&Profile::new(MODEL).max_wait(Duration::ZERO)).await.expect("a lease")
    }

    async fn secret(&self) -> String {
        let lease = self.lease().await;
        let secret = lease.secret().expose_secret().to_owned();
        lease.end(&Outcome::Success { usage: Usage { prompt_tokens: None, output_tokens: None } }).await;
        secret
    }
}

const TTL: Duration = Duration::from_secs(330);

#[tokio::test]
async fn a_secret_that_was_changed_is_in_use_within_its_time_and_no_request_read_it() {
    let world = world(&[("a", "old")], &["a"]).await;
    assert_eq!(world.secret().await, "old");
    world.store.hold("a", "new");
    world.pass(TTL).await;
    assert_eq!(world.secret().await, "new");
    assert_eq!(world.store.reads(), 2);
}

#[tokio::test]
async fn a_key_condemned_with_its_old_secret_goes_again_with_the_new_one() {
    let world = world(&[("a", "old")], &["a"]).await;
    world
        .lease()
        .await
        .end(&Outcome::KeyRejected { fault: KeyFault::Invalid, evidence: Evidence::Named })
        .await;
    let refused = world.rotator.lease(&Profile::new(MODEL).max_wait(Duration::ZERO)).await;
    assert!(refused.is_err(), "its secret is no good");
    world.store.hold("a", "new");
    world.pass(TTL).await;
    assert_eq!(world.secret().await, "new");
}

#[tokio::test]
async fn an_operator_s_word_outlives_a_new_secret() {
    let world = world(&[("a", "old"), ("b", "other")], &["a", "b"]).await;
    world.rotator.disable(&KeyId::new("a").expect("legal")).await.expect("done");
    world.store.hold("a", "new");
    world.pass(TTL).await;
    for _ in 0..8 {
        assert_eq!(world.secret().await, "other");
    }
}

#[tokio::test]
async fn a_key_whose_secret_was_not_there_joins_when_it_is() {
    let world = world(&[("a", "one")], &["a", "b"]).await;
    let b =
        |status: crate::Status| status.keys.into_iter().find(|key| key.key_id.as_str() == "b").expect("b");
    let before = b(world.rotator.status(MODEL).await);
    assert!(!before.ready && before.why.expect("a reason").contains("vault has no secret `b`"));
    assert_eq!(before.secret.place.as_deref(), Some("vault:b"));
    world.store.hold("b", "two");
    world.pass(Duration::from_secs(31)).await;
    assert!(b(world.rotator.status(MODEL).await).ready);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        seen.insert(world.secret().await);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["one", "two"]);
}

#[tokio::test]
async fn a_key_that_joins_with_another_s_secret_shares_its_project() {
    let world = world(&[("a", "one")], &["a", "b"]).await;
    world.store.hold("b", "one");
    world.pass(Duration::from_secs(31)).await;
    let status = world.rotator.status(MODEL).await;
    assert_eq!(status.keys[0].project, status.keys[1].project);
}

#[tokio::test]
async fn an_outage_is_told_and_costs_nothing() {
    let world = world(&[("a", "one")], &["a"]).await;
    world.store.down(true);
    world.pass(Duration::from_secs(48 * 3600)).await;
    assert_eq!(world.secret().await, "one");
    let key = world.rotator.status(MODEL).await.keys.remove(0);
    assert!(key.ready && key.secret.problem.expect("told").contains("it is sealed"));
    let down = world.clock.now().since(key.secret.problem_since.expect("since when"));
    assert!(down > Duration::from_secs(47 * 3600), "{down:?}");
    world.store.down(false);
    world.pass(Duration::from_secs(31)).await;
    let key = world.rotator.status(MODEL).await.keys.remove(0);
    assert!(key.secret.problem.is_none());
}

#[tokio::test]
async fn a_pool_that_is_gone_reads_nothing() {
    let world = world(&[("a", "one")], &["a"]).await;
    let World { rotator, clock, store } = world;
    drop(rotator);
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(24 * 3600));
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.reads(), 1);
}
