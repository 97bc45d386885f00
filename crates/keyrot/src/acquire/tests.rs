//! Hints: what a refusal leaves behind, and what it must not.

use keyrot_core::keys::{Key, KeySet, PoolConfig};
use keyrot_core::{Clock, EnvMap, FakeClock, KeyId, Limits};

use super::*;
use crate::Assembly;

#[tokio::test]
async fn what_is_reopened_while_a_refusal_is_on_its_way_stays_open() {
    let limits = Limits { rpm: Some(1), ..Limits::default() };
    let key = Key { limits, ..Key::new(KeyId::new("a1").expect("legal")) };
    let project = key.project.clone();
    let env = EnvMap::from_iter([("GEMINI_KEY_a1", "AIza")]);
    let keys = KeySet { keys: vec![key], config: PoolConfig::default() };
    let rotator = Assembly::new(env).keys(keys).make().await.expect("a pool").rotator;
    let (pool, profile) = (&rotator.pool, Profile::new("model-1").max_wait(Duration::ZERO));
    rotator.lease(&profile).await.expect("one may go");
    let lane = pool.lane(&profile.lane_key("model-1".into()), Timestamp::NEVER).await;
    let now = pool.clock.now();
    let search =
        Search { pool, lane: &lane, profile: &profile, request: &RequestId::new("test"), deadline: now };
    for (reopened, out) in [(true, false), (false, true)] {
        let drawn = search.draw(None, &Tried::default(), LAST, now).expect("nothing is known yet");
        let pick = drawn.picks[0];
        let usable = [search.usable(pick, now).expect("it has a secret")];
        let candidates = [lane.candidate(pick.key, pick.group, &usable[0].1, now)];
        let Profile { method, cost, lease, .. } = profile;
        let ask = Ask {
            permit: drawn.permit,
            candidates: &candidates,
            method,
            cost,
            lease,
            class: 0,
            caller: None,
        };
        let reply = pool.limiter.reserve(&ask).await;
        if reopened {
            pool.lanes.reopen(now, |field| field.reopen_project(&project, |_| true));
        }
        let granted = search.note(&usable, &drawn, reply.expect("in memory"), now);
        assert!(matches!(granted, Ok(None)));
        assert_eq!(lane.draw.lock().selector.earliest().is_some(), out);
    }
}

#[tokio::test]
async fn what_is_free_again_by_now_is_no_reason_to_give_up_all_hope() {
    let env = EnvMap::from_iter([("GEMINI_KEY_a1", "AIza")]);
    let keys =
        KeySet { keys: vec![Key::new(KeyId::new("a1").expect("legal"))], config: PoolConfig::default() };
    let rotator = Assembly::new(env).keys(keys).make().await.expect("a pool").rotator;
    let (pool, profile) = (&rotator.pool, Profile::new("model-1"));
    let lane = pool.lane(&profile.lane_key("model-1".into()), Timestamp::NEVER).await;
    let search = Search {
        pool,
        lane: &lane,
        profile: &profile,
        request: &RequestId::new("test"),
        deadline: pool.clock.now(),
    };
    let mut tried = Tried::default();
    let exhausted = search.exhausted(&tried, Duration::ZERO);
    assert!(!exhausted.is_hopeless(), "{exhausted}");
    tried.group(0, Timestamp::NEVER);
    let exhausted = search.exhausted(&tried, Duration::ZERO);
    assert!(exhausted.is_hopeless() && exhausted.to_string().contains("already failed"), "{exhausted}");
}

/// A pool of `n` keys, each of a project of its own with `limits`, and its clock.
async fn pool_of(n: usize, limits: Limits) -> (crate::Rotator, FakeClock) {
    let clock = FakeClock::new(Timestamp::from_millis(1_795_464_000_000));
    let key = |i: usize| {
        let id = KeyId::new(&format!("k{i}")).expect("legal");
        Key { limits, tags: [("n".to_owned(), (i % 2).to_string())].into(), ..Key::new(id) }
    };
    let env = (0..n).map(|i| (format!("GEMINI_KEY_k{i}"), format!("AIza{i}"))).collect::<EnvMap>();
    let keys = KeySet { keys: (0..n).map(key).collect(), config: PoolConfig::default() };
    let made = Assembly::new(env).keys(keys).clock(Arc::new(clock.clone())).seed(1).make().await;
    (made.expect("a pool").rotator, clock)
}

/// Lets everybody who may go on do so.
async fn settle_down() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

async fn exhausted(rotator: &crate::Rotator, profile: &Profile) -> crate::Exhausted {
    match rotator.lease(profile).await {
        Err(crate::LeaseError::Exhausted(error)) => error,
        other => panic!("{other:?}"),
    }
}

const PATIENT: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_refusal_names_few_keys_and_asks_for_each_project_once() {
    let limits = Limits { rpm: Some(1), ..Limits::default() };
    let (rotator, _clock) = pool_of(10_000, limits).await;
    let profile = Profile::new("model-1").max_wait(Duration::ZERO);
    for _ in 0..10_000 {
        rotator.lease(&profile).await.expect("one may go");
    }
    let error = exhausted(&rotator, &profile).await;
    assert_eq!(error.reasons.0.len(), 1, "{error}");
    assert_eq!((error.reasons.0[0].projects, error.keys.len()), (10_000, 0));
    assert!(error.to_string().len() < 4_000 && error.earliest.is_some(), "{error}");
    // Every further one is refused by what is known.
    let drawn = || rotator.pool.lanes.reopenings();
    let before = drawn();
    rotator.lease(&profile).await.expect_err("still out");
    assert_eq!(drawn(), before);
    let lane = rotator.pool.lane(&profile.lane_key("model-1".into()), Timestamp::NEVER).await;
    assert!(!lane.draw.lock().selector.has_any());
}

#[tokio::test]
async fn a_prompt_that_fits_nowhere_is_refused_for_good_and_a_smaller_one_is_not() {
    let limits = Limits { tpm: Some(1_000), ..Limits::default() };
    let (rotator, _clock) = pool_of(30, limits).await;
    let ask = |tokens| Profile::new("model-1").tokens(tokens).max_wait(PATIENT);
    let error = exhausted(&rotator, &ask(1_001)).await;
    assert!(error.is_hopeless() && error.to_string().contains("larger than"), "{error}");
    rotator.lease(&ask(1_000)).await.expect("it fits");
}

#[tokio::test]
async fn what_others_complete_leaves_a_refusal_known() {
    let limits = Limits { rpm: Some(1), tpm: Some(1 << 30), ..Limits::default() };
    let (rotator, _clock) = pool_of(2, limits).await;
    let profile = Profile::new("model-1").tokens(500).max_wait(Duration::ZERO);
    let usage = keyrot_core::Usage { prompt_tokens: Some(1), output_tokens: None };
    let lane = rotator.pool.lane(&profile.lane_key("model-1".into()), Timestamp::NEVER).await;
    let leases = [rotator.lease(&profile).await.expect("one"), rotator.lease(&profile).await.expect("two")];
    rotator.lease(&profile).await.expect_err("all are out");
    for lease in leases {
        lease.end(&keyrot_core::Outcome::Success { usage }).await;
    }
    assert!(!lane.draw.lock().selector.has_any(), "tokens given back bring no requests back");
}

#[tokio::test]
async fn two_kinds_of_request_share_what_one_project_has() {
    let limits = Limits { rpm: Some(6), ..Limits::default() };
    let (rotator, clock) = pool_of(1, limits).await;
    let (done, mut served) = tokio::sync::mpsc::unbounded_channel();
    for i in 0..200 {
        let kind = u32::from(i >= 150);
        let profile = Profile::new("model-1").max_wait(PATIENT);
        let profile = if kind == 0 { profile } else { profile.tag("n", "0") };
        let (rotator, done) = (rotator.clone(), done.clone());
        tokio::spawn(async move {
            rotator.lease(&profile).await.expect("in time");
            done.send(kind).expect("heard");
        });
    }
    settle_down().await;
    let mut counts = [0_u32; 2];
    while counts[0] + counts[1] < 66 {
        clock.advance(Duration::from_millis(250));
        settle_down().await;
        while let Ok(kind) = served.try_recv() {
            counts[kind as usize] += 1;
        }
    }
    // The first six went before anybody had to wait.
    assert!(counts[1].abs_diff(30) <= 3, "{counts:?}");
}

/// How long a prompt of 80 % of what each of `projects` may use in a minute waits behind and before small
/// ones, and how many of these were served in the minute after it had come.
async fn a_large_prompt_among_small_ones(projects: usize) -> (Duration, usize) {
    let limits = Limits { tpm: Some(1_000), ..Limits::default() };
    let (rotator, clock) = pool_of(projects, limits).await;
    let (done, mut served) = tokio::sync::mpsc::unbounded_channel();
    let ask = |tokens| {
        let profile = Profile::new("model-1").tokens(tokens).max_wait(PATIENT);
        let (rotator, done) = (rotator.clone(), done.clone());
        tokio::spawn(async move {
            rotator.lease(&profile).await.expect("in time");
            done.send(tokens).expect("heard");
        });
    };
    // A full minute, evenly.
    for _ in 0..100 {
        (0..projects).for_each(|_| ask(10));
        clock.advance(Duration::from_millis(600));
        settle_down().await;
    }
    (0..50).for_each(|_| ask(10));
    ask(800);
    (0..1_000 * projects).for_each(|_| ask(10));
    settle_down().await;
    let (began, mut waited, mut small) = (clock.now(), None, 0);
    while served.try_recv().is_ok() {}
    while waited.is_none() || clock.now().since(began) < Duration::from_secs(120) {
        clock.advance(Duration::from_millis(250));
        settle_down().await;
        while let Ok(tokens) = served.try_recv() {
            if tokens == 800 {
                waited = Some(clock.now().since(began));
            } else {
                small += usize::from(clock.now().since(began) <= Duration::from_secs(120));
            }
        }
    }
    (waited.expect("served"), small)
}

#[tokio::test]
async fn a_large_prompt_among_a_thousand_small_ones_is_served_within_two_windows() {
    let (waited, _) = a_large_prompt_among_small_ones(1).await;
    assert!(waited <= Duration::from_secs(122), "{waited:?}");
}

#[tokio::test]
async fn a_large_prompt_keeps_small_ones_from_one_project_at_most() {
    let (waited, small) = a_large_prompt_among_small_ones(8).await;
    assert!(waited <= Duration::from_secs(122), "{waited:?}");
    // Two minutes of eight projects, but for what the large one took, and waited for in one of them.
    assert!(small >= 1_600 - 80 - 80, "{small}");
}

#[tokio::test]
async fn a_model_nobody_had_heard_of_leaves_the_shared_place_with_its_charge_when_it_answers() {
    let limits = Limits { rpm: Some(1_000), ..Limits::default() };
    let (rotator, _clock) = pool_of(1, limits).await;
    let ask = async |name: &str| rotator.lease(&Profile::new(name).max_wait(PATIENT)).await.expect("granted");
    let bucket = |lease: &Lease| lease.attempt.permit.domain.bucket.as_str().to_owned();
    for i in 0..64 {
        assert_eq!(bucket(&ask(&format!("guest-{i}")).await), format!("guest-{i}"));
    }
    let (nonsense, real) = (ask("nonsense").await, ask("real").await);
    assert_eq!(bucket(&nonsense), bucket(&real), "they share a place");
    assert_eq!(bucket(&ask("gemini-2.5-flash").await), "gemini-2.5-flash", "known to this build");
    nonsense.end(&keyrot_core::Outcome::ModelNotFound).await;
    assert_eq!(bucket(&ask("another").await), bucket(&real), "one that does not exist closes it for none");
    let shared = bucket(&real);
    real.end(&keyrot_core::Outcome::Success { usage: keyrot_core::Usage::default() }).await;
    let real = ask("real").await;
    assert_eq!(bucket(&real), "real");
    assert_ne!(shared, "real");
    let status = rotator.status("real").await;
    assert_eq!(status.keys[0].requests_per_minute, 2, "the one that proved it, and this one");
}

/// A server that lists two models.
#[derive(Debug, Default)]
struct Lists(std::sync::atomic::AtomicUsize);

#[async_trait::async_trait]
impl keyrot_core::call::Prober for Lists {
    async fn probe(&self, _: &secrecy::SecretString, _: &keyrot_core::ModelId) -> keyrot_core::call::Proof {
        keyrot_core::call::Proof::Unknown
    }

    async fn models(&self, _: &secrecy::SecretString) -> Option<Vec<keyrot_core::ModelId>> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Some(["listed-1", "listed-2"].map(Into::into).to_vec())
    }
}

#[tokio::test]
async fn when_there_is_no_room_the_server_is_asked_once_a_minute_which_models_there_are() {
    let (rotator, clock) = pool_of(1, Limits::default()).await;
    let lists = Arc::new(Lists::default());
    rotator.prove_with(Arc::clone(&lists) as Arc<dyn keyrot_core::call::Prober>);
    let bucket = async |name: &str| {
        let lease = rotator.lease(&Profile::new(name).max_wait(PATIENT)).await.expect("granted");
        lease.attempt.permit.domain.bucket.as_str().to_owned()
    };
    let asked = || lists.0.load(std::sync::atomic::Ordering::Relaxed);
    for i in 0..64 {
        bucket(&format!("guest-{i}")).await;
    }
    assert_eq!(asked(), 0, "while there is room nobody asks");
    let shared = bucket("nonsense-1").await;
    assert_eq!(
        (bucket("listed-1").await.as_str(), bucket("listed-2").await.as_str()),
        ("listed-1", "listed-2")
    );
    assert_eq!((bucket("nonsense-2").await, asked()), (shared, 1));
    clock.advance(Duration::from_secs(60));
    bucket("nonsense-3").await;
    assert_eq!(asked(), 2);
}

#[tokio::test]
async fn what_a_shared_place_is_refused_is_not_written_down_under_each_name() {
    let (rotator, _clock) = pool_of(1, Limits::default()).await;
    let ask = async |name: &str| rotator.lease(&Profile::new(name).max_wait(Duration::ZERO)).await;
    for i in 0..64 {
        ask(&format!("guest-{i}")).await.expect("granted");
    }
    let lease = ask("nonsense-1").await.expect("granted");
    lease.end(&keyrot_core::Outcome::QuotaDay { retry_after: None, learned: Vec::new() }).await;
    ask("nonsense-2").await.expect_err("it shares the place, and what keeps others out of it");
    ask("guest-1").await.expect("it does not");
}
