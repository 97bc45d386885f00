//! The rotator over calls that fail to order, without a network.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use keyrot_core::call::Judged;
use keyrot_core::keys::{Key, KeySet, PoolConfig, StoreKind};
use keyrot_core::{
    EnvMap, Evidence, FakeClock, KeyFault, KeyId, Learned, Limits, Outcome, Quantity, Secret, SecretError,
    SecretStore, Timestamp, Usage,
};
use parking_lot::Mutex;

mod blame;

use crate::{Assembly, Profile, Rotator, RunError};

const DEAD: Outcome = Outcome::KeyRejected { fault: KeyFault::Invalid, evidence: Evidence::Named };
const DONE: Outcome = Outcome::Success { usage: Usage { prompt_tokens: None, output_tokens: None } };

/// A call that came to `.0`.
#[derive(Debug, thiserror::Error)]
#[error("{0:?}")]
struct Fail(Outcome);

impl Judged for Fail {
    fn outcome(&self) -> Outcome {
        self.0.clone()
    }
}

/// A store of secrets that begin alike, which never answers while there is no beginning.
#[derive(Debug)]
struct Store(Mutex<Option<&'static str>>);

#[async_trait]
impl SecretStore for Store {
    async fn fetch(&self, name: &str) -> Result<Secret, SecretError> {
        let value = *self.0.lock();
        match value {
            Some(value) => Ok(Secret::new(format!("{value}-{name}").into())),
            None => std::future::pending().await,
        }
    }
}

struct World {
    rotator: Rotator,
    clock: FakeClock,
    store: Arc<Store>,
}

/// Keys, each of a project of its own.
async fn world(keys: &[&str], config: PoolConfig) -> World {
    world_of(keys.iter().map(|id| Key::new(KeyId::new(id).expect("legal"))).collect(), config).await
}

async fn world_of(keys: Vec<Key>, config: PoolConfig) -> World {
    let clock = FakeClock::new(Timestamp::from_millis(1_795_464_000_000));
    let store = Arc::new(Store(Mutex::new(Some("old"))));
    let made = Assembly::new(EnvMap::default())
        .keys(KeySet { keys, config })
        .store(StoreKind::Env, Arc::clone(&store) as Arc<dyn SecretStore>)
        .clock(Arc::new(clock.clone()))
        .seed(1)
        .make();
    World { rotator: made.await.expect("a pool").rotator, clock, store }
}

impl World {
    /// One request whose attempts come to `outcomes`, the last of them from then on.
    async fn ask(&self, profile: &Profile, outcomes: &[Outcome]) -> Result<usize, RunError<Fail>> {
        let mut attempts = 0;
        let call = |_: &crate::Lease| {
            let outcome = outcomes[attempts.min(outcomes.len() - 1)].clone();
            attempts += 1;
            async move { if outcome == DONE { Ok(((), DONE)) } else { Err(Fail(outcome)) } }
        };
        self.rotator.run(profile, call).await.map(|()| attempts)
    }
}

#[tokio::test]
async fn a_new_secret_brings_the_key_back_for_every_model() {
    let world = world(&["a1"], PoolConfig::default()).await;
    let (one, other) = (Profile::new("model-1"), Profile::new("model-2"));
    let (ended, end) = tokio::sync::oneshot::channel();
    let mut end = Some(end);
    // It began before the key died.
    let mut early = std::pin::pin!(world.rotator.run(&one, |_| {
        let end = end.take();
        async move {
            match end {
                Some(end) => Err(Fail(end.await.expect("an outcome"))),
                None => Ok(((), DONE)),
            }
        }
    }));
    assert!(early.as_mut().now_or_never().is_none());
    for _ in 0..2 {
        world.ask(&other, &[DEAD]).await.expect_err("dead");
    }
    world.clock.advance(Duration::from_secs(11));
    *world.store.0.lock() = Some("new");
    ended.send(DEAD).expect("awaited");
    early.await.expect("served with the new secret");
    assert_eq!(world.ask(&other, &[DONE]).await.expect("the key is back for this model too"), 1);
}

#[tokio::test]
async fn a_store_that_hangs_holds_nobody_past_his_deadline() {
    let world = world(&["a1"], PoolConfig::default()).await;
    *world.store.0.lock() = None;
    let profile = Profile::new("model-1").max_wait(Duration::from_secs(5));
    let mut ask = std::pin::pin!(world.ask(&profile, &[DEAD]));
    assert!(ask.as_mut().now_or_never().is_none());
    world.clock.advance(Duration::from_secs(5));
    let error = ask.now_or_never().expect("over").expect_err("dead");
    assert!(matches!(error, RunError::Exhausted { attempts: 1, .. }), "{error}");
}

fn full_minute(quantity: Quantity, limit: u64) -> Outcome {
    let learned = vec![Learned { bucket: None, quantity, limit }];
    Outcome::QuotaMinute { retry_after: Duration::from_secs(1), learned }
}

#[tokio::test]
async fn a_learned_limit_gives_way_to_a_newer_one_and_counts_for_a_day() {
    let world = world(&["a1"], PoolConfig::default()).await;
    let profile = Profile::new("model-1").max_wait(Duration::ZERO);
    let limits = async || world.rotator.status("model-1").await.keys[0].limits;
    for (limit, seconds) in [(1, 0), (5, 62)] {
        world.clock.advance(Duration::from_secs(seconds));
        world.ask(&profile, &[full_minute(Quantity::Rpm, limit)]).await.expect_err("a full minute");
        assert_eq!(limits().await.rpm, Some(limit));
    }
    world.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(limits().await.rpm, None, "tiers change");
    for _ in 0..10 {
        world.ask(&profile, &[DONE]).await.expect("no limit is known");
    }
}

#[tokio::test]
async fn what_was_too_large_for_a_learned_limit_is_tried_again_after_a_day() {
    let world = world(&["a1"], PoolConfig::default()).await;
    let profile = Profile::new("model-1").max_wait(Duration::ZERO);
    world.ask(&profile, &[full_minute(Quantity::Tpm, 100)]).await.expect_err("a full minute");
    let large = profile.tokens(200);
    for _ in 0..2 {
        world.clock.advance(Duration::from_secs(62));
        world.ask(&large, &[DONE]).await.expect_err("too large");
    }
    world.clock.advance(Duration::from_secs(24 * 3600));
    world.ask(&large, &[DONE]).await.expect("no limit is known");
}

#[tokio::test]
async fn a_project_that_is_full_again_and_again_is_not_asked_for_ever() {
    let world = world(&["a1"], PoolConfig::default()).await;
    let full = Outcome::QuotaMinute { retry_after: Duration::ZERO, learned: Vec::new() };
    let profile = Profile::new("model-1").max_wait(Duration::from_secs(600));
    let outcomes = [full];
    let mut ask = std::pin::pin!(world.ask(&profile, &outcomes));
    let error = loop {
        if let Some(answer) = ask.as_mut().now_or_never() {
            break answer.expect_err("always full");
        }
        world.clock.advance_to(world.clock.next_sleeper().expect("it waits"));
    };
    // Google may count what it refuses: one attempt, one at the promised instant, `max_retries` more.
    assert!(matches!(error, RunError::Failed { attempts: 5, .. }), "{error}");
}

#[tokio::test]
async fn after_an_overload_a_full_project_holds_nobody_up() {
    let key = |id, priority| Key { priority, ..Key::new(KeyId::new(id).expect("legal")) };
    let rpm = Limits { rpm: Some(1), ..Limits::default() };
    let world =
        world_of(vec![Key { limits: rpm, ..key("a1", 1) }, key("b1", 2)], PoolConfig::default()).await;
    let profile = Profile::new("model-1");
    let outcomes = [Outcome::Overloaded, DONE];
    let mut ask = std::pin::pin!(world.ask(&profile, &outcomes));
    assert!(ask.as_mut().now_or_never().is_none(), "the model rests");
    world.clock.advance(Duration::from_millis(1_100));
    assert_eq!(ask.now_or_never().expect("the other project is free").expect("an answer"), 2);
}

#[tokio::test]
async fn projects_that_never_serve_do_not_hide_a_storm() {
    let key = |i: usize| Key { active: i < 3, ..Key::new(KeyId::new(&format!("k{i}")).expect("legal")) };
    let world = world_of((0..9).map(key).collect(), PoolConfig::default()).await;
    let (profile, throttled) = (Profile::new("model-1"), [Outcome::Throttled { retry_after: None }]);
    let mut ask = std::pin::pin!(world.ask(&profile, &throttled));
    while ask.as_mut().now_or_never().is_none() {
        world.clock.advance(Duration::from_millis(100));
    }
    let status = world.rotator.status("model-1").await;
    assert!(status.keys.iter().all(|key| !key.ready), "two of three active projects: everything pauses");
}

#[tokio::test]
async fn a_key_disabled_in_mid_call_does_not_come_back_with_a_new_secret() {
    let world = world(&["a"], PoolConfig::default()).await;
    let id = KeyId::new("a").expect("legal");
    let mut attempts = 0;
    let profile = Profile::new("m").max_wait(Duration::ZERO);
    let asked = world.rotator.run(&profile, |_| {
        attempts += 1;
        let (rotator, store, id) = (world.rotator.clone(), Arc::clone(&world.store), id.clone());
        async move {
            rotator.disable(&id).await.expect("disabled");
            *store.0.lock() = Some("new");
            Err::<((), Outcome), _>(Fail(DEAD))
        }
    });
    assert!(matches!(asked.await, Err(RunError::Exhausted { .. })));
    assert_eq!(attempts, 1);
}

#[tokio::test]
async fn a_fallback_that_no_key_serves_does_not_hide_what_the_model_said() {
    let mut key = Key::new(KeyId::new("a1").expect("legal"));
    key.models = keyrot_core::ModelFilter::Listed(vec!["model-1".into()]);
    let config = PoolConfig {
        model_fallback: [("model-1".into(), vec!["model-2".into(), "model-3".into()])].into(),
        max_retries: 0,
        ..PoolConfig::default()
    };
    let world = world_of(vec![key], config).await;
    let error = world.ask(&Profile::new("model-1"), &[Outcome::Overloaded]).await.expect_err("overloaded");
    assert!(matches!(&error, RunError::Failed { error: Fail(Outcome::Overloaded), .. }), "{error}");
}
