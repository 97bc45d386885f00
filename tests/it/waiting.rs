//! Waiting: in order, with an instant named, never past the deadline, never useless; and what comes
//! after waiting: another model, the single key, the error that lists every key.

use std::time::Duration;

use futures_util::future::join_all;
use gemini_client::wire::GenerateRequest;
use gemini_sim::{KeyState, ProjectSpec, Quota};
use keyrot::{Event, Profile, RunError};
use keyrot_core::{Clock, Limits};
use keyrot_testkit::world::{Builder, NOON, World, secret_of};

const MODEL: &str = "gemini-2.5-flash";

fn one_key(rpm: u64) -> Builder {
    World::builder()
        .project(ProjectSpec::new("pa").quota(MODEL, Quota { rpm: Some(rpm), ..Quota::UNLIMITED }))
        .key("a1", "pa", |k| k.limits = Limits { rpm: Some(rpm), ..Limits::default() })
}

fn ok() -> GenerateRequest {
    GenerateRequest::text("Say OK.")
}

#[tokio::test]
async fn who_waits_is_served_in_order_and_told_when() {
    let world = one_key(1).start().await;
    let profile = Profile::new(MODEL).max_wait(Duration::from_secs(600));
    let order = std::sync::Mutex::new(Vec::new());
    let asks = (0..4).map(|i| {
        let (world, profile, order) = (&world, &profile, &order);
        async move {
            world.gemini.generate(profile, &ok()).await.expect("an answer");
            order.lock().expect("no panic").push((i, world.clock.now().since(NOON).as_secs()));
        }
    });
    world.pass_time(join_all(asks)).await;
    assert_eq!(*order.lock().expect("no panic"), [(0, 0), (1, 60), (2, 121), (3, 181)]);
    let events = world.events.lock();
    let first = events.iter().find_map(|e| match e {
        Event::Waiting { eta, ahead, .. } => Some((eta.as_millis(), *ahead)),
        _ => None,
    });
    assert_eq!(first, Some((60_500, 0)));
    assert!(world.generations().iter().all(|g| g.status == 200), "the server refused nothing");
}

#[tokio::test]
async fn a_wait_that_cannot_succeed_is_not_begun_and_lists_every_key() {
    let world = one_key(1).key("a2", "pa", |k| k.active = false).start().await;
    world.gemini.generate(&Profile::new(MODEL), &ok()).await.expect("an answer");
    let profile = Profile::new(MODEL).max_wait(Duration::from_secs(60));
    // No clock moves here: it must fail by itself, at once.
    let error = world.gemini.generate(&profile, &ok()).await.expect_err("60 s are not enough");
    let RunError::Exhausted { exhausted, attempts: 0, .. } = error else { panic!("{error}") };
    assert_eq!(exhausted.eta.map(|d| d.as_millis()), Some(60_500));
    let text = exhausted.to_string();
    assert!(
        text.contains("a1 (project pa): limit of requests per minute reached, until 2026-11-23T20:01:0"),
        "{text}"
    );
    assert!(text.contains("a2 (project pa): not active"), "{text}");
}

#[tokio::test]
async fn who_may_wait_for_ever_does_not_wait_for_what_never_comes() {
    let world = one_key(1).start().await;
    world.sim.set_key_state(&secret_of("a1"), KeyState::Leaked);
    let profile = Profile::new(MODEL).max_wait(Duration::MAX);
    for attempts in [1, 0] {
        let error = world.gemini.generate(&profile, &ok()).await.expect_err("the only key is dead");
        assert!(matches!(error, RunError::Exhausted { attempts: a, .. } if a == attempts), "{error}");
    }
}

#[tokio::test]
async fn a_request_larger_than_the_limit_is_refused_at_once() {
    let world = World::builder()
        .project(ProjectSpec::new("pa"))
        .key("a1", "pa", |k| k.limits.tpm = Some(1_000))
        .start()
        .await;
    let error =
        world.gemini.generate(&Profile::new(MODEL).tokens(1_001), &ok()).await.expect_err("too large");
    assert!(error.to_string().contains("larger than the limit of tokens per minute"), "{error}");
    world.gemini.generate(&Profile::new(MODEL).tokens(1_000), &ok()).await.expect("fits");
}

#[tokio::test]
async fn another_model_serves_when_the_wait_is_too_long() {
    let fallback = "gemini-2.5-flash-lite";
    let world = one_key(1)
        .config(|c| drop(c.model_fallback.insert(MODEL.into(), vec![fallback.into()])))
        .start()
        .await;
    let profile = Profile::new(MODEL).max_wait(Duration::from_secs(10));
    world.gemini.generate(&profile, &ok()).await.expect("an answer");
    world.gemini.generate(&profile, &ok()).await.expect("an answer by the other model");
    let models: Vec<_> = world.generations().into_iter().map(|g| g.model).collect();
    assert_eq!(models, [MODEL, fallback]);
}

#[tokio::test]
async fn the_single_key_serves_when_no_key_is_usable_and_never_because_keys_cool() {
    let single = "AIza-canary-single";
    let world = one_key(1)
        .sim(|sim| sim.project(ProjectSpec::new("ps")).key(gemini_sim::KeySpec::new(single, "ps")))
        .env("GEMINI_API_KEY", single)
        .start()
        .await;
    let profile = Profile::new(MODEL).max_wait(Duration::from_secs(10));
    world.gemini.generate(&profile, &ok()).await.expect("an answer");
    world.gemini.generate(&profile, &ok()).await.expect_err("cooling is no reason for the single key");
    world.sim.set_key_state(&secret_of("a1"), KeyState::Leaked);
    world.clock.advance(Duration::from_secs(61));
    world.gemini.generate(&profile, &ok()).await.expect("an answer by the single key");
    assert_eq!(world.story(), ["a1 success", "a1 key_rejected", "GEMINI_API_KEY success"]);
    assert!(world.events.lock().iter().any(|e| matches!(e, Event::LastResort { .. })));
}

#[tokio::test]
async fn concurrency_is_kept_and_a_release_wakes_who_waits() {
    let world = World::builder()
        .project(ProjectSpec::new("pa"))
        .key("a1", "pa", |k| k.concurrency = Some(2))
        .start()
        .await;
    let most = std::sync::atomic::AtomicUsize::new(0);
    let (profile, request) = (Profile::new(MODEL), ok());
    let asks = (0..20).map(|_| async {
        world.gemini.generate(&profile, &request).await.expect("an answer");
        most.fetch_max(world.in_flight(), std::sync::atomic::Ordering::SeqCst);
    });
    // Nobody moves the clock: only releases can wake who waits.
    join_all(asks).await;
    assert!(most.into_inner() <= 2);
    assert_eq!(world.story().len(), 20);
    assert_eq!(world.clock.now(), NOON);
}

#[tokio::test]
async fn a_wait_of_a_moment_is_enough_for_a_release_in_that_moment() {
    let world = World::builder()
        .project(ProjectSpec::new("pa"))
        .key("a1", "pa", |k| k.concurrency = Some(1))
        .start()
        .await;
    let (profile, request) = (Profile::new(MODEL).max_wait(Duration::from_millis(20)), ok());
    let asks = (0..2).map(|_| world.gemini.generate(&profile, &request));
    // Nobody moves the clock: the release comes before the 20 ms are over.
    for answer in join_all(asks).await {
        answer.expect("an answer");
    }
}

#[tokio::test]
async fn a_learned_limit_is_kept_without_another_refusal() {
    let world = World::builder()
        .project(ProjectSpec::new("pa").quota(MODEL, Quota { rpm: Some(3), ..Quota::UNLIMITED }))
        .key("a1", "pa", |_| {})
        .start()
        .await;
    let profile = Profile::new(MODEL).max_wait(Duration::from_secs(3_600));
    for _ in 0..12 {
        world.pass_time(world.gemini.generate(&profile, &ok())).await.expect("an answer");
    }
    let refused = world.generations().iter().filter(|g| g.status == 429).count();
    assert_eq!(refused, 1, "the first refusal taught the limit");
    let status = world.gemini.rotator().status(MODEL).await;
    assert_eq!(status.keys[0].limits.rpm, Some(3));
}
