//! Every row of the outcome table, over real sockets: what was tried again and where, what was
//! condemned, and until when.

use std::time::Duration;

use gemini_client::wire::{GenerateRequest, GenerateResponse};
use gemini_sim::{Fault, FaultRule, KeyState, OverloadText, ProjectSpec, ProjectState, Quota, Tier};
use keyrot::{Profile, RunError};
use keyrot_core::{Clock, PacificDay, Timestamp, UntrustedText};
use keyrot_testkit::world::{Builder, NOON, World, secret_of};

const MODEL: &str = "gemini-2.5-flash";
type Answer = Result<GenerateResponse, RunError<gemini_client::Error>>;

/// Two projects with two keys each; the first project is used as long as it can.
fn two_projects() -> Builder {
    World::builder()
        .project(ProjectSpec::new("pa").number("111"))
        .project(ProjectSpec::new("pb").number("222"))
        .key("a1", "pa", |k| k.priority = 1)
        .key("a2", "pa", |k| k.priority = 2)
        .key("b1", "pb", |k| k.priority = 3)
        .key("b2", "pb", |k| k.priority = 4)
}

async fn ask(world: &World) -> Answer {
    ask_waiting(world, Duration::from_secs(600)).await
}

async fn ask_waiting(world: &World, wait: Duration) -> Answer {
    let profile = Profile::new(MODEL).max_wait(wait);
    world.pass_time(world.gemini.generate(&profile, &GenerateRequest::text("Say OK."))).await
}

/// Until when `key` is out, as the status shows it: `Ok(None)` for ready, `Err` for "until lifted".
async fn out_until(world: &World, key: &str) -> Result<Option<Timestamp>, String> {
    let status = world.gemini.rotator().status(MODEL).await;
    let key = status.keys.into_iter().find(|k| k.key_id.as_str() == key).expect("a key of the pool");
    match (key.ready, key.until) {
        (true, _) => Ok(None),
        (false, Some(until)) => Ok(Some(until)),
        (false, None) => Err(key.why.unwrap_or_default()),
    }
}

/// The keys that are out now.
async fn out(world: &World) -> Vec<String> {
    let status = world.gemini.rotator().status(MODEL).await;
    status.keys.into_iter().filter(|k| !k.ready).map(|k| k.key_id.to_string()).collect()
}

/// How long after `from` the key is out.
async fn out_for(world: &World, key: &str, from: Timestamp) -> Duration {
    out_until(world, key).await.expect("a term").expect("out").since(from)
}

/// A world where the next generation on key a1 goes wrong.
async fn with_fault(fault: Fault) -> World {
    let world = two_projects().start().await;
    world.sim.push_fault(FaultRule::new(fault).on_key(secret_of("a1")));
    world
}

#[tokio::test]
async fn success_condemns_nothing() {
    let world = two_projects().start().await;
    assert_eq!(ask(&world).await.expect("an answer").text(), "OK");
    assert_eq!(world.story(), ["a1 success"]);
    assert!(out(&world).await.is_empty());
}

#[tokio::test]
async fn a_full_minute_moves_to_another_project_and_ends_when_the_server_said() {
    let quota = Quota { rpm: Some(1), ..Quota::UNLIMITED };
    let world = World::builder()
        .project(ProjectSpec::new("pa").quota(MODEL, quota))
        .project(ProjectSpec::new("pb"))
        .key("a1", "pa", |k| k.priority = 1)
        .key("a2", "pa", |k| k.priority = 2)
        .key("b1", "pb", |k| k.priority = 3)
        .start()
        .await;
    ask(&world).await.expect("an answer");
    world.clock.advance(Duration::from_secs(20));
    ask(&world).await.expect("an answer");
    // a2 is of the same project: not even tried.
    assert_eq!(world.story(), ["a1 success", "a1 quota_minute", "b1 success"]);
    assert_eq!(out(&world).await, ["a1", "a2"]);
    // The server's hint ends 60 s after the first admission. The limit it taught is 1, and the
    // refused request is counted as well, for nobody knows that Google does not: 60.5 s from then.
    let out = out_for(&world, "a1", NOON).await;
    assert_eq!(out, Duration::from_millis(80_500));
}

#[tokio::test]
async fn a_full_day_outranks_the_seconds_it_claims_and_ends_at_pacific_midnight() {
    let quota = Quota { rpd: Some(1), ..Quota::UNLIMITED };
    let world = World::builder()
        .project(ProjectSpec::new("pa").tier(Tier::Free).quota(MODEL, quota))
        .project(ProjectSpec::new("pb"))
        .key("a1", "pa", |k| k.priority = 1)
        .key("b1", "pb", |k| k.priority = 2)
        .start()
        .await;
    ask(&world).await.expect("an answer");
    ask(&world).await.expect("an answer");
    assert_eq!(world.story(), ["a1 success", "a1 quota_day", "b1 success"]);
    let midnight = PacificDay::containing(NOON).end;
    let until = out_until(&world, "a1").await.expect("a term").expect("out");
    assert!(until.since(midnight) <= Duration::from_secs(1), "{until}");
    assert!(until >= midnight);
    // The next day it serves again.
    world.clock.advance_to(until);
    ask(&world).await.expect("an answer");
    assert_eq!(world.story()[3], "a1 success");
}

#[tokio::test]
async fn a_paid_day_ends_when_its_long_hint_says() {
    let quota = Quota { rpd: Some(1), ..Quota::UNLIMITED };
    let world = World::builder()
        .project(ProjectSpec::new("pa").tier(Tier::Paid1).quota(MODEL, quota))
        .project(ProjectSpec::new("pb"))
        .key("a1", "pa", |k| k.priority = 1)
        .key("b1", "pb", |k| k.priority = 2)
        .start()
        .await;
    ask(&world).await.expect("an answer");
    ask(&world).await.expect("an answer");
    assert_eq!(world.story(), ["a1 success", "a1 quota_day", "b1 success"]);
    let midnight = PacificDay::containing(NOON).end;
    let until = out_until(&world, "a1").await.expect("a term").expect("out");
    assert!(until >= midnight.before(Duration::from_secs(1)), "{until}");
}

#[tokio::test]
async fn a_zero_quota_closes_the_domain_for_a_day() {
    let quota = Quota { rpm: Some(0), tpm: Some(0), rpd: Some(0) };
    let world = World::builder()
        .project(ProjectSpec::new("pa").quota(MODEL, quota))
        .project(ProjectSpec::new("pb"))
        .key("a1", "pa", |k| k.priority = 1)
        .key("b1", "pb", |k| k.priority = 2)
        .start()
        .await;
    ask(&world).await.expect("an answer");
    assert_eq!(world.story(), ["a1 quota_zero", "b1 success"]);
    assert_eq!(out_for(&world, "a1", world.clock.now()).await, Duration::from_secs(24 * 3600));
}

#[tokio::test]
async fn a_bare_429_is_tried_once_more_elsewhere_and_cools_softly() {
    let world = two_projects().start().await;
    world.sim.push_fault(FaultRule::new(Fault::TooManyBare).on_key(secret_of("a1")));
    ask(&world).await.expect("an answer");
    assert_eq!(world.story(), ["a1 throttled", "b1 success"]);
    assert_eq!(out(&world).await, ["a1", "a2"]);
    assert!(out_for(&world, "a1", NOON).await <= Duration::from_secs(31));
}

#[tokio::test]
async fn a_bare_429_cools_for_as_long_as_a_gateway_says() {
    for seconds in [1, 7] {
        let world = two_projects().start().await;
        let fault = Fault::TooManyRetryAfter(seconds.to_string());
        world.sim.push_fault(FaultRule::new(fault).on_key(secret_of("a1")));
        ask(&world).await.expect("an answer");
        assert_eq!(world.story(), ["a1 throttled", "b1 success"]);
        let (out, asked) = (out_for(&world, "a1", NOON).await, Duration::from_secs(seconds));
        assert!((asked..asked + Duration::from_millis(500)).contains(&out), "{out:?}: with jitter");
    }
}

#[tokio::test]
async fn projects_throttled_together_pause_the_pool_and_blame_nobody() {
    let world = two_projects().start().await;
    world.sim.push_fault(FaultRule::new(Fault::TooManyBare).times(2));
    let error = ask_waiting(&world, Duration::from_secs(5)).await.expect_err("throttled twice");
    assert!(matches!(error, RunError::Failed { attempts: 2, .. }), "{error}");
    assert_eq!(world.story(), ["a1 throttled", "b1 throttled"]);
    let status = world.gemini.rotator().status(MODEL).await;
    let until: Vec<_> = status.keys.iter().map(|k| k.until).collect();
    assert!(until.iter().all(|u| u.is_some() && *u == until[0]), "one pause for all: {until:?}");
    // After the pause one probe, then everybody.
    ask(&world).await.expect("an answer");
    assert!(out(&world).await.is_empty());
}

#[tokio::test]
async fn dead_keys_are_out_until_their_secret_changes() {
    let named = [KeyState::Invalid, KeyState::InvalidUntyped, KeyState::Expired, KeyState::Leaked];
    for state in named.into_iter().chain([KeyState::TokenTypeUnsupported]) {
        let world = two_projects().start().await;
        world.sim.set_key_state(&secret_of("a1"), state.clone());
        ask(&world).await.expect("an answer");
        assert_eq!(world.story(), ["a1 key_rejected", "a2 success"], "{state:?}");
        assert_eq!(out(&world).await, ["a1"]);
        assert!(out_until(&world, "a1").await.is_err(), "no term: until the secret changes");
        world.clock.advance(Duration::from_secs(30 * 24 * 3600));
        ask(&world).await.expect("an answer");
        assert_eq!(world.story()[2], "a2 success");
    }
}

#[tokio::test]
async fn a_key_that_google_does_not_know_yet_loses_no_request() {
    let world = two_projects().start().await;
    world.sim.set_key_state(&secret_of("a1"), KeyState::NotFound);
    ask(&world).await.expect("an answer by another key");
    assert_eq!(world.story(), ["a1 key_rejected", "a2 success"]);
}

#[tokio::test]
async fn a_location_that_wants_billing_moves_to_a_project_that_has_it() {
    let world = two_projects().start().await;
    world.sim.set_project_state("pa", ProjectState::LocationNeedsBilling);
    ask(&world).await.expect("an answer by the paid project");
    assert_eq!(world.story(), ["a1 project_rejected", "b1 success"]);
    // Without that clause it is this machine's address, and no key helps.
    let world = two_projects().start().await;
    world.sim.set_project_state("pa", ProjectState::LocationBlocked);
    ask(&world).await.expect_err("not from here");
    assert_eq!(world.story(), ["a1 location_blocked"]);
    assert!(out(&world).await.is_empty());
}

#[tokio::test]
async fn restricted_keys_are_out_for_an_hour() {
    for state in [KeyState::ServiceBlocked, KeyState::ReferrerBlocked, KeyState::IpBlocked] {
        let world = two_projects().start().await;
        world.sim.set_key_state(&secret_of("a1"), state.clone());
        ask(&world).await.expect("an answer");
        assert_eq!(world.story(), ["a1 key_restricted", "a2 success"], "{state:?}");
        assert_eq!(out_for(&world, "a1", NOON).await, Duration::from_secs(3600));
    }
}

#[tokio::test]
async fn a_method_denied_leaves_the_key_its_other_methods() {
    let world = with_fault(Fault::CallerNoPermission).await;
    ask(&world).await.expect("an answer");
    assert_eq!(world.story(), ["a1 operation_denied", "a2 success"]);
    assert_eq!(out_for(&world, "a1", NOON).await, Duration::from_secs(30), "it is no more than a hint");
    let request = GenerateRequest::text("Say OK.").into();
    assert!(world.pass_time(world.gemini.count_tokens(MODEL, &request)).await.expect("a count") > 0);
    assert_eq!(world.story()[2], "a1 success");
}

#[tokio::test]
async fn a_project_that_is_out_takes_all_its_keys_along() {
    for state in [ProjectState::ServiceDisabled, ProjectState::Suspended, ProjectState::PrepayDepleted] {
        let world = two_projects().start().await;
        world.sim.set_project_state("pa", state);
        ask(&world).await.expect("an answer");
        assert_eq!(world.story(), ["a1 project_rejected", "b1 success"], "{state:?}");
        assert_eq!(out(&world).await, ["a1", "a2"]);
        assert_eq!(out_for(&world, "a2", NOON).await, Duration::from_secs(3600));
        // Half-open: one probe, and its success lets everybody back in.
        world.sim.set_project_state("pa", ProjectState::Ok);
        world.clock.advance(Duration::from_secs(3600));
        ask(&world).await.expect("an answer");
        assert_eq!(world.story()[2], "a1 success");
        assert!(out(&world).await.is_empty());
    }
}

#[tokio::test]
async fn a_denial_that_names_no_reason_is_confirmed_by_a_free_question() {
    let world = two_projects().start().await;
    world.sim.set_project_state("pa", ProjectState::Denied);
    ask(&world).await.expect("an answer");
    assert_eq!(world.story(), ["a1 project_rejected", "b1 success"]);
    assert_eq!(out(&world).await, ["a1", "a2"]);
    // The model in this project for 30 s, until the server has said of the key what it said of the call.
    let hour = Duration::from_secs(3600);
    let confirmed = async {
        while out_for(&world, "a2", NOON).await < hour {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), confirmed).await.expect("a free question");
    assert_eq!(out_for(&world, "a2", NOON).await, hour);
}

#[tokio::test]
async fn an_overloaded_model_waits_and_stays_with_its_project() {
    for text in [OverloadText::Old, OverloadText::New, OverloadText::Deadline] {
        let world = with_fault(Fault::Overloaded(text)).await;
        ask(&world).await.expect("an answer");
        assert_eq!(world.story(), ["a1 overloaded", "a1 success"], "no other key is burnt");
        // A pause of its own, and none for anybody else.
        let waited = world.clock.now().since(NOON);
        assert!(waited < Duration::from_secs(1), "{waited:?}");
        assert!(out(&world).await.is_empty(), "one 503 holds nobody back");
    }
}

#[tokio::test]
async fn a_lasting_overload_stops_at_max_retries() {
    let world = two_projects().start().await;
    world.sim.push_fault(FaultRule::new(Fault::Overloaded(OverloadText::New)).always());
    let error = ask(&world).await.expect_err("overloaded");
    assert!(matches!(error, RunError::Failed { attempts: 4, .. }), "{error}");
    assert_eq!(world.story(), ["a1 overloaded"; 4]);
    // Up to 0.5 s, 1 s and 2 s before the attempts.
    let waited = world.clock.now().since(NOON);
    assert!(waited < Duration::from_secs(4), "{waited:?}");
    assert!(out(&world).await.is_empty(), "four say too little");
}

#[tokio::test]
async fn server_failures_are_tried_twice_more_and_blame_nobody() {
    for fault in [Fault::Internal, Fault::Cancelled, Fault::BadGatewayHtml] {
        let world = two_projects().start().await;
        world.sim.push_fault(FaultRule::new(fault.clone()).always());
        let error = ask(&world).await.expect_err("the server fails");
        assert!(matches!(error, RunError::Failed { attempts: 3, .. }), "{fault:?}: {error}");
        assert!(out(&world).await.is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_broken_connection_is_tried_again() {
    let world = with_fault(Fault::Reset).await;
    ask(&world).await.expect("an answer");
    assert_eq!(world.story(), ["a1 network", "a2 success"]);
    assert!(out(&world).await.is_empty());
}

#[tokio::test]
async fn a_key_rests_when_three_requests_failed_on_it_and_others_served_them() {
    let world = two_projects().start().await;
    world.sim.push_fault(FaultRule::new(Fault::Internal).on_key(secret_of("a1")).always());
    for n in 1..=3 {
        assert!(out(&world).await.is_empty(), "{n}");
        ask(&world).await.expect("an answer by a2");
    }
    assert_eq!(world.story()[..2], ["a1 server_error", "a2 success"]);
    assert_eq!(out(&world).await, ["a1"]);
    let rest = out_for(&world, "a1", world.clock.now()).await;
    assert_eq!(rest, Duration::from_secs(30));
    // One probe, whose request is served all the same; then it rests for longer.
    world.clock.advance(rest);
    ask(&world).await.expect("an answer by a2");
    assert_eq!(world.story()[6..], ["a1 server_error", "a2 success"]);
    assert!(out_for(&world, "a1", world.clock.now()).await > Duration::from_secs(50));
}

#[tokio::test]
async fn an_unknown_model_is_asked_of_one_other_project() {
    let world = two_projects().project(ProjectSpec::new("pc")).key("c1", "pc", |_| {}).start().await;
    world.sim.push_fault(FaultRule::new(Fault::ModelNotFound).always());
    let error = ask(&world).await.expect_err("not found");
    assert!(matches!(error, RunError::Failed { attempts: 2, .. }), "{error}");
    assert_eq!(world.story(), ["a1 model_not_found", "b1 model_not_found"]);
    assert!(out(&world).await.is_empty(), "the name is wrong: that is the request's fault");
}

#[tokio::test]
async fn a_model_that_one_project_lacks_is_not_asked_of_it_for_a_day() {
    let world = two_projects().start().await;
    world.sim.push_fault(FaultRule::new(Fault::ModelNotFound).on_key(secret_of("a1")).always());
    ask(&world).await.expect("an answer");
    assert_eq!(world.story(), ["a1 model_not_found", "b1 success"]);
    assert_eq!(out_for(&world, "a1", NOON).await, Duration::from_secs(24 * 3600));
}

#[tokio::test]
async fn a_model_closed_to_some_projects_is_asked_of_every_project() {
    let world = World::builder()
        .project(ProjectSpec::new("pa").gated(MODEL))
        .project(ProjectSpec::new("pb").gated(MODEL))
        .project(ProjectSpec::new("pc"))
        .key("a1", "pa", |k| k.priority = 1)
        .key("a2", "pa", |k| k.priority = 2)
        .key("b1", "pb", |k| k.priority = 3)
        .key("b2", "pb", |k| k.priority = 4)
        .key("c1", "pc", |k| k.priority = 5)
        .start()
        .await;
    ask(&world).await.expect("an answer from the third project");
    assert_eq!(world.story(), ["a1 model_gated", "b1 model_gated", "c1 success"]);
    assert_eq!(out(&world).await, ["a1", "a2", "b1", "b2"]);
    assert_eq!(out_for(&world, "b2", NOON).await, Duration::from_secs(24 * 3600));
}

#[tokio::test]
async fn the_callers_own_mistakes_are_never_tried_again_and_harm_no_key() {
    let mistakes = [
        (Fault::BadRequest("Request contains an invalid argument.".to_owned()), "bad_request"),
        (Fault::InputTooLong, "bad_request"),
        (Fault::LocationBlocked, "location_blocked"),
        (Fault::FileForbidden, "affinity_miss"),
        (Fault::CacheForbidden, "affinity_miss"),
    ];
    for (fault, label) in mistakes {
        let world = with_fault(fault.clone()).await;
        let error = ask(&world).await.expect_err("refused");
        assert!(matches!(error, RunError::Failed { attempts: 1, .. }), "{fault:?}: {error}");
        assert_eq!(world.story(), [format!("a1 {label}")]);
        assert!(out(&world).await.is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_blocked_answer_is_an_answer_and_harms_no_key() {
    let world = with_fault(Fault::SafetyBlock).await;
    let answer = ask(&world).await.expect("an answer, if an empty one");
    assert_eq!(answer.block_reason().map(UntrustedText::as_str), Some("SAFETY"));
    assert_eq!(world.story(), ["a1 blocked"]);
    assert!(out(&world).await.is_empty());
}

#[tokio::test]
async fn a_new_secret_in_the_store_is_found_on_rejection_and_loses_no_request() {
    use keyrot_testkit::secrets::ChangingStore;
    let store = ChangingStore::new(&secret_of("a1"));
    let world = World::builder()
        .project(ProjectSpec::new("pa"))
        .key("a1", "pa", |_| {})
        .store(std::sync::Arc::new(store.clone()))
        .start()
        .await;
    ask(&world).await.expect("an answer");
    store.change("AIza-canary-renewed");
    assert!(world.sim.replace_key(&secret_of("a1"), "AIza-canary-renewed"));
    ask(&world).await.expect("an answer with the new secret");
    assert_eq!(world.story(), ["a1 success", "a1 key_rejected", "a1 success"]);
    assert!(out(&world).await.is_empty(), "a new secret is a new key");
}
