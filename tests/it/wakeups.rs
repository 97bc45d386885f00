//! Who waits is woken by whatever may let him go, and waits for it.

use std::time::Duration;

use futures_util::future::join_all;
use gemini_client::wire::GenerateRequest;
use gemini_sim::{Fault, FaultRule, OverloadText, ProjectSpec, ProjectState};
use keyrot::Profile;
use keyrot_testkit::world::{Builder, World};

const MODEL: &str = "gemini-2.5-flash";

fn one_key() -> Builder {
    World::builder().project(ProjectSpec::new("pa")).key("a1", "pa", |_| {})
}

fn ok() -> GenerateRequest {
    GenerateRequest::text("Say OK.")
}

/// Five requests at once; the failures among them, in words.
async fn five(world: &World) -> Vec<String> {
    let profile = Profile::new(MODEL).max_wait(Duration::from_secs(60));
    let request = ok();
    let asks = (0..5).map(|_| world.gemini.generate(&profile, &request));
    let answers = world.pass_time(join_all(asks)).await;
    answers.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect()
}

#[tokio::test]
async fn who_comes_while_a_probe_is_out_waits_for_its_verdict() {
    // The model was overloaded for a second.
    let world = one_key().config(|c| c.max_retries = 0).start().await;
    world.sim.push_fault(FaultRule::new(Fault::Overloaded(OverloadText::New)));
    world.gemini.generate(&Profile::new(MODEL), &ok()).await.expect_err("overloaded");
    assert_eq!(five(&world).await, [""; 0]);
    // The only project was out for an hour.
    let world = one_key().start().await;
    world.sim.set_project_state("pa", ProjectState::Denied);
    world.gemini.generate(&Profile::new(MODEL), &ok()).await.expect_err("denied");
    world.sim.set_project_state("pa", ProjectState::Ok);
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(five(&world).await, [""; 0]);
}
