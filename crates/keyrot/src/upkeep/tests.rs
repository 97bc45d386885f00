//! What is counted and learned reaches the store, and comes back from it. The pool's time stands still
//! unless it is moved; the rounds go by tokio's, which runs ahead whenever nothing else is to be done.

use futures_util::FutureExt;
use keyrot_core::keys::{KeySet, PoolConfig, StoreKind};
use keyrot_core::{
    EnvMap, Evidence, FakeClock, KeyId, Learned, Outcome, ProjectFault, Quantity, Scope, Secret, SecretError,
    SecretStore, Timestamp, Usage,
};

use super::*;
use crate::{Assembly, KeyStatus, Lease, Profile, Rotator};

const MODEL: &str = "model-1";

#[derive(Debug)]
struct Secrets;

#[async_trait::async_trait]
impl SecretStore for Secrets {
    async fn fetch(&self, name: &str) -> Result<Secret, SecretError> {
        Ok(Secret::new(format!("secret-{name}").into()))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never(std::convert::Infallible);

impl keyrot_core::call::Judged for Never {
    fn outcome(&self) -> Outcome {
        match self.0 {}
    }
}

struct World {
    rotator: Rotator,
    clock: FakeClock,
}

/// Keys, each of a project of its own name.
async fn world(keys: &[&str], change: impl Fn(&mut Key)) -> World {
    let clock = FakeClock::new(Timestamp::from_millis(1_795_464_000_000));
    let keys = keys.iter().map(|id| {
        let mut key = Key::new(KeyId::new(id).expect("legal"));
        change(&mut key);
        key
    });
    let made = Assembly::new(EnvMap::default())
        .keys(KeySet { keys: keys.collect(), config: PoolConfig::default() })
        .store(StoreKind::Env, Arc::new(Secrets))
        .clock(Arc::new(clock.clone()))
        .seed(1)
        .make();
    World { rotator: made.await.expect("a pool").rotator, clock }
}

fn now_or_never() -> Profile {
    Profile::new(MODEL).max_wait(Duration::ZERO)
}

fn done(tokens: u64) -> Outcome {
    Outcome::Success { usage: Usage { prompt_tokens: Some(tokens), output_tokens: None } }
}

fn full(bucket: Option<&str>, quantity: Quantity, limit: u64) -> Outcome {
    let learned = vec![Learned { bucket: bucket.map(str::to_owned), quantity, limit }];
    match limit {
        0 => Outcome::QuotaZero { learned },
        _ => Outcome::QuotaMinute { retry_after: Duration::from_secs(1), learned },
    }
}

impl World {
    async fn lease(&self, profile: &Profile) -> Lease {
        self.rotator.lease(profile).await.expect("a lease")
    }

    async fn end(&self, outcome: &Outcome) {
        self.lease(&now_or_never()).await.end(outcome).await;
    }

    async fn fact(&self, name: &str) -> Option<String> {
        self.rotator.pool.limiter.get(name).await.expect("a store").map(|fact| fact.value)
    }

    async fn put(&self, name: &str, value: &str, ttl: Option<Duration>) {
        self.rotator.pool.limiter.put(name, value, ttl).await.expect("a store");
    }

    async fn counted(&self, key: &str) -> [Option<String>; 3] {
        let fact = async |name: &str| self.fact(&format!("key/{key}/{name}")).await;
        [fact("successes").await, fact("errors").await, fact("last_used").await]
    }

    async fn key(&self) -> KeyStatus {
        self.rotator.status(MODEL).await.keys.remove(0)
    }
}

/// Long enough for a round, and for a look at what others did.
async fn a_round() {
    tokio::time::sleep(WRITE * 3 / 2).await;
}

async fn a_look() {
    tokio::time::sleep(WRITE * (ROUNDS + 1)).await;
}

#[tokio::test(start_paused = true)]
async fn calls_are_counted_in_the_store_once_each_and_not_one_by_one() {
    let world = world(&["a"], |_| {}).await;
    world.end(&done(1)).await;
    world.end(&done(1)).await;
    world.end(&Outcome::BadRequest).await;
    assert_eq!(world.counted("a").await, [None, None, None], "not on the caller's path");
    a_round().await;
    let at = world.clock_text();
    assert_eq!(world.counted("a").await, [Some("2".into()), Some("1".into()), Some(at.clone())]);
    a_round().await;
    assert_eq!(world.counted("a").await, [Some("2".into()), Some("1".into()), Some(at)]);
    // Another process counts as well.
    world.rotator.pool.limiter.increment("key/a/successes", 40).await.expect("a store");
    world.clock.advance(Duration::from_secs(7));
    world.end(&done(1)).await;
    let (one, two) = tokio::join!(
        world.rotator.shutdown(Duration::from_secs(5)),
        world.rotator.shutdown(Duration::from_secs(5))
    );
    assert!(one && two);
    assert_eq!(world.counted("a").await, [Some("43".into()), Some("1".into()), Some(world.clock_text())]);
    assert_eq!(world.key().await.success_count, 43);
}

impl World {
    fn clock_text(&self) -> String {
        self.rotator.pool.clock.now().as_millis().to_string()
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_calls_of_a_removed_key_are_counted() {
    let world = world(&["a"], |_| {}).await;
    let pool = &world.rotator.pool;
    let lease = world.lease(&now_or_never()).await;
    a_round().await;
    let other = Key::new(KeyId::new("b").expect("legal"));
    pool.go_on_with(Roster::new(vec![other], false, PoolConfig::default(), |_| true));
    a_round().await;
    lease.end(&done(1)).await;
    a_round().await;
    assert_eq!(world.counted("a").await[0].as_deref(), Some("1"));
    a_round().await;
    assert_eq!(pool.upkeep.rosters.lock().await.len(), 1, "and then it is forgotten");
}

#[tokio::test(start_paused = true)]
async fn what_another_process_learns_counts_here_within_half_a_minute_until_it_is_cleared() {
    let world = world(&["a"], |_| {}).await;
    world.end(&done(1)).await;
    world.put("limit/a/model-1/rpm", "1 quota_minute b", Some(Duration::from_secs(3600))).await;
    a_look().await;
    assert_eq!(world.key().await.limits.rpm, Some(1));
    assert_eq!(world.key().await.learned[0].source, "quota_minute b");
    world.rotator.lease(&now_or_never()).await.expect_err("full");
    // As an operator clears it. Who waits goes on by it, though his minute is not over.
    let profile = Profile::new(MODEL);
    let mut waiting = std::pin::pin!(world.rotator.lease(&profile));
    assert!(waiting.as_mut().now_or_never().is_none());
    world.put("limit/a/model-1/rpm", "", Some(Duration::from_millis(1))).await;
    world.clock.advance(Duration::from_millis(2));
    a_look().await;
    waiting.await.expect("a lease");
    assert_eq!(world.key().await.limits.rpm, None);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_its_own_has_it_look_at_what_others_learned() {
    let world = world(&["a", "b"], |_| {}).await;
    world.end(&done(1)).await;
    for project in ["a", "b"] {
        world.put(&format!("limit/{project}/model-1/rpd"), "7 quota_day c", None).await;
    }
    a_round().await;
    assert_eq!(world.key().await.limits.rpd, None);
    world.end(&full(None, Quantity::Rpm, 5)).await;
    a_round().await;
    let keys = world.rotator.status(MODEL).await.keys;
    assert!(keys.iter().all(|key| key.limits.rpd == Some(7)), "{keys:?}");
    assert!(keys.iter().any(|key| key.limits.rpm == Some(5)), "nor is its own lesson lost");
}

#[tokio::test]
async fn the_tighter_of_configured_and_learned_holds_and_says_where_it_is_from() {
    let world = world(&["a"], |key| (key.limits.rpm, key.limits.tpm) = (Some(3), Some(100))).await;
    let learned = [(Quantity::Rpm, 10), (Quantity::Tpm, 40)].map(|(quantity, limit)| Learned {
        bucket: None,
        quantity,
        limit,
    });
    world.end(&Outcome::QuotaMinute { retry_after: Duration::ZERO, learned: learned.to_vec() }).await;
    let key = world.key().await;
    assert_eq!((key.limits.rpm, key.limits.tpm), (Some(3), Some(40)));
    assert_eq!((key.configured.rpm, key.configured.tpm), (Some(3), Some(100)));
    let said: Vec<_> = key.learned.iter().map(|l| (l.quantity, l.limit, l.source.as_str())).collect();
    assert_eq!(said, [(Quantity::Rpm, 10, "quota_minute a"), (Quantity::Tpm, 40, "quota_minute a")]);
    assert!(key.learned.iter().all(|learned| learned.at == world.rotator.pool.clock.now()));
}

#[tokio::test]
async fn a_limit_of_zero_closes_the_bucket_and_is_shown() {
    let world = world(&["a"], |_| {}).await;
    world.end(&full(None, Quantity::Rpm, 0)).await;
    let key = world.key().await;
    assert!(!key.ready);
    assert_eq!((key.learned[0].limit, key.limits.rpm), (0, None));
    let other = Profile::new("model-2").max_wait(Duration::ZERO);
    world.lease(&other).await.end(&done(1)).await;
    // A day later one probe may go.
    world.clock.advance(Duration::from_secs(24 * 3600 + 1));
    world.end(&done(1)).await;
    assert!(world.key().await.ready);
}

#[tokio::test]
async fn a_model_is_counted_under_the_name_that_google_gives() {
    let world = world(&["a", "b"], |key| key.limits.rpm = Some(4)).await;
    let of_a = now_or_never().project("a");
    for outcome in [done(30), done(30)] {
        world.lease(&of_a).await.end(&outcome).await;
    }
    // It waits for the old bucket of its project, and goes on in the new one.
    let (one, two) = (world.lease(&of_a).await, world.lease(&of_a).await);
    let patient = Profile::new(MODEL).project("a");
    let mut waiting = std::pin::pin!(world.rotator.lease(&patient));
    assert!(waiting.as_mut().now_or_never().is_none());
    one.end(&full(Some("family-1"), Quantity::Rpm, 9)).await;
    assert_eq!(world.fact("alias/model-1").await.as_deref(), Some("family-1 quota_minute a"));
    assert_eq!(world.fact("limit/a/family-1/rpm").await.as_deref(), Some("9 quota_minute a"));
    let key = world.key().await;
    assert_eq!(key.bucket.as_str(), "family-1");
    assert!(!key.ready, "the new bucket is what cools");
    assert_eq!((key.requests_per_minute, key.requests_per_day), (4, 4), "with what was used");
    assert_eq!(key.tokens_per_minute, 60);
    assert!(waiting.as_mut().now_or_never().is_none(), "as full as before");
    two.end(&done(1)).await;
    world.clock.advance(Duration::from_secs(62));
    let lease = waiting.await.expect("a lease");
    assert_eq!(lease.attempt.permit.domain.bucket.as_str(), "family-1");
    // Whoever hears of it later does not move it again.
    lease.end(&full(Some("family-1"), Quantity::Rpm, 9)).await;
    assert_eq!(world.key().await.requests_per_day, 5);
}

#[tokio::test]
async fn what_another_process_moved_is_not_moved_again() {
    let world = world(&["a"], |_| {}).await;
    world.end(&done(30)).await;
    world.put("moved/model-1/family-1", "1", None).await;
    world.end(&full(Some("family-1"), Quantity::Rpm, 9)).await;
    let key = world.key().await;
    assert_eq!((key.bucket.as_str(), key.requests_per_day), ("family-1", 0));
}

#[tokio::test]
async fn of_two_limits_of_one_kind_the_tighter_holds() {
    for limits in [[9, 4], [4, 9]] {
        let world = world(&["a"], |_| {}).await;
        let learned = limits.map(|limit| Learned { bucket: None, quantity: Quantity::Rpm, limit });
        world.end(&Outcome::QuotaMinute { retry_after: Duration::ZERO, learned: learned.to_vec() }).await;
        let key = world.key().await;
        assert_eq!((key.limits.rpm, key.learned[0].limit), (Some(4), 4));
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_another_process_learned_counts_here() {
    let world = world(&["a"], |_| {}).await;
    world.end(&done(1)).await;
    world.put("alias/model-1", "family-1 quota_minute b", None).await;
    a_look().await;
    assert_eq!(world.key().await.bucket.as_str(), "family-1");
    world.put("alias/model-2", "family-1 quota_minute b", None).await;
    world.clock.advance(Duration::from_secs(1));
    let other = world.lease(&Profile::new("model-2")).await;
    assert_eq!(other.attempt.permit.domain.bucket.as_str(), "family-1", "at its first use at once");
}

#[tokio::test]
async fn the_number_of_a_project_is_remembered() {
    let world = world(&["a"], |_| {}).await;
    let number = Some("123456789".to_owned());
    world
        .end(&Outcome::ProjectRejected {
            fault: ProjectFault::ServiceDisabled,
            number,
            evidence: Evidence::Named,
        })
        .await;
    assert_eq!(world.fact("number/a").await.as_deref(), Some("123456789 project_rejected a"));
    let world = self::world(&["b"], |_| {}).await;
    world.end(&Outcome::KeyRestricted { number: Some("5".to_owned()) }).await;
    assert_eq!(world.fact("number/b").await.as_deref(), Some("5 key_restricted b"));
}

#[tokio::test(start_paused = true)]
async fn estimates_follow_what_google_counts_here_and_in_later_processes() {
    let world = world(&["a"], |key| key.limits.tpm = Some(1_000_000)).await;
    let estimated = Profile::new(MODEL).estimated(1_000);
    let charged = async |profile: &Profile| {
        let lease = world.lease(profile).await;
        let tokens = lease.attempt.permit.cost.tokens;
        lease.end(&done(2_500)).await;
        tokens
    };
    assert_eq!(charged(&estimated).await, 1_000);
    for _ in 0..40 {
        charged(&estimated).await;
    }
    let now = charged(&estimated).await;
    assert!((2_450..=2_500).contains(&now), "{now}");
    let mut in_a_run = 0;
    let run = world.rotator.run(&estimated, |lease| {
        in_a_run = lease.attempt.permit.cost.tokens;
        async { Ok::<_, Never>(((), done(2_500))) }
    });
    run.await.expect("served");
    assert!((now..=2_500).contains(&in_a_run), "{in_a_run}");
    assert_eq!(charged(&Profile::new(MODEL).tokens(1_000)).await, 1_000, "who knows better is believed");
    assert_eq!(world.fact("estimate/model-1").await, None, "not on the caller's path");
    a_round().await;
    let fact = world.fact("estimate/model-1").await.expect("written");
    assert!(fact.ends_with(" 43"), "{fact}");
    // One that another process wrote about a model not used here yet, and about one that is.
    world.put("estimate/model-2", "3000000 9", None).await;
    world.clock.advance(Duration::from_secs(1));
    let other = world.lease(&Profile::new("model-2").estimated(100)).await;
    assert_eq!(other.attempt.permit.cost.tokens, 300);
    world.put("estimate/model-1", "1500000 99", None).await;
    a_look().await;
    assert_eq!(charged(&estimated).await, 1_500);
}

#[tokio::test]
async fn what_was_estimated_too_low_is_paid_by_waiting() {
    let world = world(&["a"], |key| key.limits.tpm = Some(1_000)).await;
    let small = Profile::new(MODEL).estimated(100).max_wait(Duration::ZERO);
    world.lease(&small).await.end(&done(2_500)).await;
    assert_eq!(world.key().await.tokens_per_minute, 2_500);
    world.clock.advance(Duration::from_secs(59));
    world.rotator.lease(&small).await.expect_err("in debt");
    world.clock.advance(Duration::from_secs(2));
    world.lease(&small).await.end(&done(100)).await;
}

#[tokio::test]
async fn a_lift_of_a_renamed_bucket_finds_it() {
    let world = world(&["a"], |_| {}).await;
    world.end(&full(Some("family-1"), Quantity::Rpm, 9)).await;
    assert!(!world.key().await.ready);
    let lifted = world.rotator.reset(&KeyId::new("a").expect("legal"), &[MODEL.into()]).await.expect("reset");
    let renamed =
        |scope: &Scope| matches!(scope, Scope::Domain(domain) if domain.bucket.as_str() == "family-1");
    assert!(lifted.iter().any(renamed), "{lifted:?}");
    assert!(world.key().await.ready);
}
