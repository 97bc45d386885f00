//! Who is blamed for what: refusals that name their reason, hints and their proofs, failures of the server.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyrot_core::call::{Prober, Proof};
use keyrot_core::{Clock as _, Evidence, ModelId, ProjectFault, Scope};
use secrecy::SecretString;

use super::*;

const MODEL: &str = "model-1";
const OTHER: &str = "model-2";
const FAILED: Outcome = Outcome::ServerError { status: 500 };
const BARE_401: Outcome =
    Outcome::KeyRejected { fault: KeyFault::Unauthenticated, evidence: Evidence::Hinted };
const LEAKED: Outcome = Outcome::KeyRejected { fault: KeyFault::Leaked, evidence: Evidence::Named };

fn denied() -> Outcome {
    Outcome::ProjectRejected { fault: ProjectFault::Denied, number: None, evidence: Evidence::Hinted }
}

fn names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("k{i:02}")).collect()
}

async fn world_with(n: usize) -> World {
    let names = names(n);
    world(&names.iter().map(String::as_str).collect::<Vec<_>>(), PoolConfig::default()).await
}

/// Says the same of every key, and counts how often it was asked.
#[derive(Debug)]
struct Server {
    says: Mutex<Proof>,
    asked: AtomicUsize,
}

#[async_trait]
impl Prober for Server {
    async fn probe(&self, _: &SecretString, _: &ModelId) -> Proof {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.says.lock().clone()
    }

    async fn models(&self, _: &SecretString) -> Option<Vec<ModelId>> {
        None
    }
}

impl World {
    fn server(&self, says: Proof) -> Arc<Server> {
        let server = Arc::new(Server { says: Mutex::new(says), asked: AtomicUsize::new(0) });
        self.rotator.prove_with(Arc::clone(&server) as Arc<dyn Prober>);
        server
    }

    /// A request whose calls come to what `judge` says of their keys, in time that passes as it waits.
    /// Gives which keys were asked.
    async fn run(
        &self,
        profile: &Profile,
        judge: impl Fn(&str) -> Outcome,
    ) -> (Vec<String>, Result<(), RunError<Fail>>) {
        let mut asked = Vec::new();
        let run = self.rotator.run(profile, |lease| {
            asked.push(lease.key_id().to_string());
            let outcome = judge(lease.key_id().as_str());
            async move { if outcome == DONE { Ok(((), DONE)) } else { Err(Fail(outcome)) } }
        });
        let result = {
            let mut run = std::pin::pin!(run);
            loop {
                if let Some(result) = run.as_mut().now_or_never() {
                    break result;
                }
                settle().await;
                self.clock.advance_to(self.clock.next_sleeper().expect("it waits"));
            }
        };
        settle().await;
        (asked, result)
    }

    /// The keys that are out for `model`.
    async fn out(&self, model: &str) -> Vec<String> {
        let status = self.rotator.status(model).await;
        status.keys.into_iter().filter(|key| !key.ready).map(|key| key.key_id.to_string()).collect()
    }

    /// Lets `time` pass, and whatever waits for it happen.
    async fn pass(&self, time: Duration) {
        let end = self.clock.now() + time;
        while let Some(next) = self.clock.next_sleeper().filter(|next| *next <= end) {
            self.clock.advance_to(next);
            settle().await;
        }
        self.clock.advance_to(end);
        settle().await;
    }
}

/// Lets the background do what it can do now.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_every_key_answers_alike_is_the_requests_fault() {
    for outcome in [Outcome::OperationDenied, BARE_401, denied()] {
        let world = world_with(20).await;
        let (asked, result) = world.run(&Profile::new(MODEL), |_| outcome.clone()).await;
        assert!(asked.len() <= 5, "{outcome:?}: {asked:?}");
        assert!(matches!(result, Err(RunError::Failed { error: Fail(answer), .. }) if answer == outcome));
        for model in [MODEL, OTHER] {
            assert!(world.out(model).await.is_empty(), "{outcome:?}: all is taken back");
        }
    }
}

#[tokio::test]
async fn a_hint_that_another_key_refutes_stays_narrow() {
    for (outcome, n) in [(Outcome::OperationDenied, 4), (BARE_401, 4), (denied(), 4)] {
        let world = world_with(n).await;
        let judge = |key: &str| if key == "k03" { DONE } else { outcome.clone() };
        let mut asked = Vec::new();
        while !asked.iter().any(|key| key == "k00") {
            // Until the draw has asked a key that refuses.
            let (keys, result) = world.run(&Profile::new(MODEL), judge).await;
            result.expect("k03 serves");
            asked.extend(keys);
        }
        asked.sort();
        asked.dedup();
        asked.retain(|key| key != "k03");
        assert_eq!(world.out(MODEL).await, asked, "{outcome:?}: the next request does not ask them again");
        assert!(world.out(OTHER).await.is_empty(), "{outcome:?}");
        world.pass(Duration::from_secs(31)).await;
        assert!(world.out(MODEL).await.is_empty(), "{outcome:?}: for a short while");
    }
}

#[tokio::test]
async fn keys_left_unasked_are_asked_by_later_requests() {
    let keys = names(12);
    let key = |(i, id): (u32, &String)| Key { priority: i, ..Key::new(KeyId::new(id).expect("legal")) };
    let world = world_of((1..).zip(&keys).map(key).collect(), PoolConfig::default()).await;
    let judge = |key: &str| if key == "k11" { DONE } else { Outcome::OperationDenied };
    let mut served = 0;
    for _ in 0..5 {
        let (asked, result) = world.run(&Profile::new(MODEL), judge).await;
        assert!(asked.len() <= 5, "{asked:?}");
        served += usize::from(result.is_ok());
    }
    assert!(served > 0, "the last key serves in the end");
}

#[tokio::test]
async fn a_refusal_that_names_its_reason_condemns_at_once_unless_the_key_just_worked() {
    let world = world_with(2).await;
    let profile = Profile::new(MODEL).project("k00");
    world.run(&profile, |_| DEAD).await.1.expect_err("dead");
    assert_eq!(world.out(OTHER).await, ["k00"]);

    let world = world_with(2).await;
    world.run(&profile, |_| DONE).await.1.expect("an answer");
    world.run(&profile, |_| DEAD).await.1.expect_err("refused");
    assert!(world.out(OTHER).await.is_empty(), "it has just worked");
    world.pass(Duration::from_secs(61)).await;
    world.run(&profile, |_| DEAD).await.1.expect_err("dead");
    assert_eq!(world.out(OTHER).await, ["k00"], "a minute without an answer");
}

#[tokio::test]
async fn a_proof_widens_a_hint_to_what_it_shows() {
    let (works, unknown) = (Proof::Works, Proof::Unknown);
    for (proof, out) in [(Proof::Refused(DEAD), vec!["k00"]), (works, vec![]), (unknown, vec![])] {
        let world = world_with(2).await;
        let server = world.server(proof);
        let judge = |key: &str| if key == "k00" { BARE_401 } else { DONE };
        while world.out(MODEL).await.is_empty() {
            world.run(&Profile::new(MODEL), judge).await.1.expect("k01 serves");
        }
        assert_eq!(world.out(OTHER).await, out);
        assert_eq!(server.asked.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_request_that_is_at_fault_costs_a_few_free_questions() {
    let world = world_with(20).await;
    let server = world.server(Proof::Works);
    let (_, result) = world.run(&Profile::new(MODEL), |_| BARE_401).await;
    result.expect_err("refused");
    assert!(world.out(MODEL).await.is_empty());
    assert!(server.asked.load(Ordering::SeqCst) <= 5);
}

#[tokio::test]
async fn a_leaked_key_is_never_asked_about() {
    let world = world_with(2).await;
    let server = world.server(Proof::Works);
    let profile = Profile::new(MODEL).project("k00");
    world.run(&profile, |_| DONE).await.1.expect("an answer");
    for _ in 0..2 {
        world.run(&profile, |_| LEAKED).await.1.expect_err("leaked");
        world.pass(Duration::from_secs(3 * 3600)).await;
    }
    assert_eq!(world.out(OTHER).await, ["k00"]);
    assert_eq!(server.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_dead_key_is_asked_about_ever_more_rarely_until_it_works() {
    let world = world_with(2).await;
    let server = world.server(Proof::Refused(DEAD));
    world.run(&Profile::new(MODEL).project("k00"), |_| DEAD).await.1.expect_err("dead");
    world.pass(Duration::from_secs(24 * 3600)).await;
    let asked = server.asked.load(Ordering::SeqCst);
    assert!((20..=40).contains(&asked), "1 min doubling to 1 h in a day: {asked}");
    assert_eq!(world.out(MODEL).await, ["k00"]);
    *server.says.lock() = Proof::Works;
    world.pass(Duration::from_secs(4_000)).await;
    assert!(world.out(MODEL).await.is_empty(), "the server knows it again");
    let asked = server.asked.load(Ordering::SeqCst);
    world.pass(Duration::from_secs(24 * 3600)).await;
    assert_eq!(server.asked.load(Ordering::SeqCst), asked, "what works is not asked about");
}

#[tokio::test]
async fn a_model_that_was_not_found_comes_back_when_it_is_there() {
    let world = world_with(2).await;
    let server = world.server(Proof::Refused(Outcome::ModelNotFound));
    let judge = |key: &str| if key == "k00" { Outcome::ModelNotFound } else { DONE };
    while world.out(MODEL).await.is_empty() {
        world.run(&Profile::new(MODEL), judge).await.1.expect("k01 serves");
    }
    assert_eq!(world.out(MODEL).await, ["k00"]);
    *server.says.lock() = Proof::Works;
    world.pass(Duration::from_secs(130)).await;
    assert!(world.out(MODEL).await.is_empty());
}

#[tokio::test]
async fn what_an_operator_took_out_is_not_brought_back_by_a_proof() {
    let world = world_with(2).await;
    let id = KeyId::new("k00").expect("legal");
    world.server(Proof::Works);
    world.run(&Profile::new(MODEL).project("k00"), |_| DEAD).await.1.expect_err("dead");
    world.rotator.disable(&id).await.expect("disabled");
    world.pass(Duration::from_secs(4 * 3600)).await;
    assert_eq!(world.rotator.proven_to_work(&id, &MODEL.into()).await.expect("memory"), []);
    assert_eq!(world.out(MODEL).await, ["k00"]);
}

#[tokio::test]
async fn a_proof_lifts_all_that_it_refutes() {
    let world = world_with(2).await;
    let (id, profile) = (KeyId::new("k00").expect("legal"), Profile::new(MODEL).project("k00"));
    world.run(&profile, |_| DEAD).await.1.expect_err("dead");
    let lifted = world.rotator.proven_to_work(&id, &MODEL.into()).await.expect("memory");
    assert!(matches!(lifted[..], [Scope::Key(..)]), "{lifted:?}");
    world.run(&profile, |_| DONE).await.1.expect("served");
}

#[tokio::test]
async fn a_poisoned_prompt_takes_no_key_out() {
    let world = world_with(5).await;
    for _ in 0..40 {
        let (asked, result) = world.run(&Profile::new(MODEL), |_| FAILED).await;
        result.expect_err("it always fails");
        assert!(asked.len() <= 3, "{asked:?}");
        for _ in 0..5 {
            world.run(&Profile::new(MODEL), |_| DONE).await.1.expect("an answer");
        }
        assert!(world.out(MODEL).await.is_empty());
        world.pass(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn a_key_that_always_fails_is_found_out_and_fails_nobody() {
    let world = world_with(4).await;
    let mut calls: HashMap<u64, usize> = HashMap::new();
    let began = world.clock.now();
    while world.clock.now().since(began) < Duration::from_secs(600) {
        let minute = world.clock.now().since(began).as_secs() / 60;
        let (asked, result) =
            world.run(&Profile::new(MODEL), |key| if key == "k00" { FAILED } else { DONE }).await;
        result.expect("another key serves");
        *calls.entry(minute).or_default() += asked.iter().filter(|key| *key == "k00").count();
        world.pass(Duration::from_millis(500)).await;
    }
    assert!(calls.values().all(|calls| *calls <= 10), "{calls:?}");
    assert!(world.out(OTHER).await.iter().all(|key| key == "k00"));
}

#[tokio::test]
async fn a_failure_moves_to_another_key_whatever_the_priorities() {
    let key = |id, priority| Key { priority, ..Key::new(KeyId::new(id).expect("legal")) };
    let world = world_of(vec![key("a1", 1), key("b1", 2)], PoolConfig::default()).await;
    for outcome in [FAILED, Outcome::Network(keyrot_core::NetworkFault::Broken)] {
        let judge = |key: &str| if key == "a1" { outcome.clone() } else { DONE };
        let (asked, result) = world.run(&Profile::new(MODEL), judge).await;
        result.expect("b1 serves");
        assert_eq!(asked, ["a1", "b1"]);
    }
}

#[tokio::test]
async fn max_retries_is_what_it_says() {
    let config = PoolConfig { max_retries: 10, ..PoolConfig::default() };
    let world = world(&["a1"], config).await;
    let profile = Profile::new(MODEL).max_wait(Duration::from_secs(3600));
    let (asked, result) = world.run(&profile, |_| FAILED).await;
    result.expect_err("it always fails");
    assert_eq!(asked.len(), 11);
}

#[tokio::test]
async fn a_model_closed_to_some_projects_is_asked_of_all() {
    let world = world_with(7).await;
    let judge = |key: &str| if key == "k06" { DONE } else { Outcome::ModelGated };
    let (asked, result) = world.run(&Profile::new(MODEL), judge).await;
    result.expect("one project is served");
    assert!(asked.contains(&"k06".to_owned()));
    let (asked, result) = world.run(&Profile::new(OTHER), |_| Outcome::ModelGated).await;
    assert_eq!(asked.len(), 7);
    assert!(matches!(result, Err(RunError::Failed { error: Fail(Outcome::ModelGated), .. })), "{result:?}");
}

#[tokio::test]
async fn a_wrong_model_name_is_told_alike_twice() {
    let world = world_with(3).await;
    for _ in 0..2 {
        let (_, result) = world.run(&Profile::new(MODEL), |_| Outcome::ModelNotFound).await;
        assert!(
            matches!(result, Err(RunError::Failed { error: Fail(Outcome::ModelNotFound), .. })),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn an_overloaded_model_is_asked_again_after_a_pause_whatever_its_cooldown() {
    let world = world(&["a1"], PoolConfig::default()).await;
    let (profile, outcomes) = (Profile::new(MODEL), [Outcome::Overloaded, DONE]);
    let mut ask = std::pin::pin!(world.ask(&profile, &outcomes));
    assert!(ask.as_mut().now_or_never().is_none());
    world.rotator.lift(&Scope::Model(keyrot_core::Bucket::new(MODEL))).await.expect("memory");
    assert!(ask.as_mut().now_or_never().is_none(), "it pauses");
    world.clock.advance(Duration::from_millis(500));
    assert_eq!(ask.now_or_never().expect("the pause is over").expect("an answer"), 2);
}

/// A part of a stream, with content or without.
#[derive(Debug, Clone)]
struct Part(&'static str, bool);

impl keyrot_core::call::StreamPart for Part {
    fn has_content(&self) -> bool {
        !self.0.is_empty()
    }

    fn finishes(&self) -> bool {
        self.1
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }
}

#[tokio::test]
async fn a_stream_counts_as_answered_once_it_begins_and_its_later_failure_as_one() {
    use futures_util::StreamExt as _;
    let world = world(&["a1"], PoolConfig::default()).await;
    let (now, profile) = (world.clock.now(), Profile::new(MODEL));
    let lane = world.rotator.pool.lane(&profile.lane_key(MODEL.into()), Timestamp::NEVER).await;
    for (parts, expected) in [
        (vec![Ok(Part("a", false)), Ok(Part("b", true))], (1, 1)),
        (vec![Ok(Part("", false)), Ok(Part("", true))], (1, 1)),
        (vec![Ok(Part("a", false)), Err(Fail(Outcome::Cancelled))], (1, 1)),
    ] {
        let parts = Mutex::new(Some(parts));
        let stream = world.rotator.stream(&profile, |_| {
            let parts = parts.lock().take().expect("one attempt");
            async move { Ok::<_, Fail>(futures_util::stream::iter(parts)) }
        });
        let mut stream = stream.await.expect("it begins");
        while stream.next().await.is_some() {}
        drop(stream);
        settle().await;
        let samples = lane.recent.overloaded(now, now);
        assert_eq!((samples[0].succeeded, samples[0].failed), expected, "{samples:?}");
    }
}

#[tokio::test]
async fn a_lease_can_do_without_keys_and_says_what_its_end_came_to() {
    let world = world_with(3).await;
    let id = |name| KeyId::new(name).expect("legal");
    let without =
        crate::Exclusions { keys: vec![id("k00")], projects: vec![keyrot_core::Project::new("k01")] };
    let profile = Profile::new(MODEL).max_wait(Duration::ZERO);
    let lease = world.rotator.lease_except(&profile, &without).await.expect("one is left");
    assert_eq!(lease.key_id(), &id("k02"));
    let verdict = lease.end(&DEAD).await;
    assert!(verdict.may_help(), "another key may");
    assert!(matches!(verdict.cooled, Some(keyrot_core::Cooled { scope: Scope::Key(..), .. })), "{verdict:?}");
    world.rotator.lease_except(&profile, &without).await.expect_err("none is left");
    let lease = world.rotator.lease(&profile).await.expect("two are");
    let verdict = lease.end(&DONE).await;
    assert!(!verdict.may_help() && verdict.cooled.is_none());
}

#[tokio::test]
async fn every_event_names_its_request() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let watch = {
        let seen = Arc::clone(&seen);
        move |event: &crate::Event| match event {
            crate::Event::Started { request, .. } | crate::Event::Ended { request, .. } => {
                seen.lock().push(request.to_string());
            }
            _ => {}
        }
    };
    let made = Assembly::new(EnvMap::from_iter([("GEMINI_KEY_a1", "AIza")]))
        .keys(KeySet {
            keys: vec![Key::new(KeyId::new("a1").expect("legal"))],
            config: PoolConfig::default(),
        })
        .observer(Arc::new(watch))
        .make();
    let rotator = made.await.expect("a pool").rotator;
    let run = async |profile: Profile| {
        let call = |_: &crate::Lease| async { Ok::<_, Fail>(((), DONE)) };
        rotator.run(&profile, call).await.expect("an answer");
    };
    run(Profile::new(MODEL).request_id(crate::RequestId::new("mine"))).await;
    run(Profile::new(MODEL)).await;
    run(Profile::new(MODEL)).await;
    let seen = seen.lock();
    assert_eq!(seen[..2], ["mine", "mine"]);
    assert!(seen[2] == seen[3] && seen[4] == seen[5] && seen[2] != seen[4], "{seen:?}");
}

#[tokio::test]
async fn a_batch_is_charged_for_each_of_its_requests() {
    let limits = Limits { rpm: Some(10), ..Limits::default() };
    let key = Key { limits, ..Key::new(KeyId::new("a1").expect("legal")) };
    let world = world_of(vec![key], PoolConfig::default()).await;
    let batch = Profile::new(MODEL).requests(8).max_wait(Duration::ZERO);
    world.run(&batch, |_| DONE).await.1.expect("it fits");
    world.run(&batch, |_| DONE).await.1.expect_err("eight more do not");
}
