//! Callers go away: nothing leaks, what was sent stays counted.

use std::time::Duration;

use gemini_client::wire::GenerateRequest;
use gemini_sim::{Fault, FaultRule, ProjectSpec};
use keyrot::{Event, Profile};
use keyrot_testkit::world::World;

const MODEL: &str = "gemini-2.5-flash";

#[tokio::test]
async fn a_future_dropped_in_mid_call_frees_its_place_and_stays_counted() {
    let world = World::builder()
        .project(ProjectSpec::new("pa"))
        .key("a1", "pa", |k| {
            k.concurrency = Some(1);
            k.limits.rpm = Some(10);
        })
        .start()
        .await;
    world.sim.push_fault(FaultRule::new(Fault::Stall));
    let profile = Profile::new(MODEL).tokens(500);
    {
        let request = GenerateRequest::text("Say OK.");
        let call = world.gemini.generate(&profile, &request);
        tokio::pin!(call);
        // Run it until it is on the wire, then drop it.
        while world.in_flight() == 0 || world.generations().is_empty() {
            tokio::select! {
                biased;
                answer = &mut call => panic!("a stalled server answered: {answer:?}"),
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
        }
    }
    assert!(world.gemini.rotator().shutdown(Duration::from_secs(5)).await, "the drop is settled");
    let status = &world.gemini.rotator().status(MODEL).await.keys[0];
    assert!(status.ready, "its place in flight came back: {status:?}");
    assert_eq!(
        (status.requests_per_minute, status.tokens_per_minute),
        (1, 500),
        "what was sent stays counted"
    );
    assert_eq!((status.success_count, status.error_count), (0, 0), "and blames nobody");
    assert!(
        world
            .events
            .lock()
            .iter()
            .any(|e| matches!(e, Event::Ended { outcome, .. } if outcome.label() == "cancelled"))
    );
    world.gemini.generate(&profile, &GenerateRequest::text("Say OK.")).await.expect("an answer");
}

#[tokio::test]
async fn a_waiter_that_goes_away_leaves_the_line_to_the_next() {
    let world = World::builder()
        .project(ProjectSpec::new("pa"))
        .key("a1", "pa", |k| k.limits.rpm = Some(1))
        .start()
        .await;
    let profile = Profile::new(MODEL).max_wait(Duration::from_secs(600));
    let request = GenerateRequest::text("Say OK.");
    world.gemini.generate(&profile, &request).await.expect("an answer");
    for _ in 0..3 {
        let waiting = world.gemini.generate(&profile, &request);
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("the minute is full"),
            () = tokio::task::yield_now() => {}
        }
    }
    assert_eq!(world.gemini.rotator().status(MODEL).await.waiting, 0);
    world.pass_time(world.gemini.generate(&profile, &request)).await.expect("an answer");
    assert_eq!(world.story(), ["a1 success", "a1 success"]);
}
