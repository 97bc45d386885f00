//! Who waits is woken by whatever may let him go, and waits for it.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{join, join_all};
use gemini_client::wire::GenerateRequest;
use gemini_sim::{Answer, Fault, FaultRule, OverloadText, Pace, ProjectSpec, ProjectState};
use keyrot::Profile;
use keyrot_testkit::world::{Builder, World, secret_of};

const MODEL: &str = "gemini-2.5-flash";

/// Longer than anything that needs no clock can take.
const SOON: Duration = Duration::from_secs(10);

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

#[tokio::test]
async fn tokens_a_stream_gives_back_at_its_first_part_let_the_next_go() {
    let pace = Pace { text_chunk_chars: 2, ..Pace::default() };
    let world = World::builder()
        .sim(|sim| sim.pace(pace).answer(std::sync::Arc::new(|_| Answer::text("In three parts."))))
        .project(ProjectSpec::new("pa"))
        .key("a1", "pa", |k| k.limits.tpm = Some(1_000))
        .start()
        .await;
    world.sim.push_fault(FaultRule::new(Fault::StallMidStream { after_chunks: 1 }));
    let (profile, request) = (Profile::new(MODEL).tokens(900), ok());
    let mut stream = world.gemini.stream(&profile, &request).await.expect("a stream");
    let next = world.gemini.generate(&profile, &request);
    let first = async {
        while world.gemini.rotator().status(MODEL).await.waiting == 0 {
            tokio::task::yield_now().await;
        }
        stream.next().await.expect("a part").expect("no error");
    };
    // Nobody moves the clock, and the stream stays open.
    let (answer, ()) = tokio::time::timeout(SOON, join(next, first)).await.expect("woken");
    answer.expect("an answer");
}

#[tokio::test]
async fn projects_acquitted_by_a_storm_are_used_again_after_the_pause() {
    let world = World::builder()
        .project(ProjectSpec::new("pa"))
        .project(ProjectSpec::new("pb"))
        .key("a1", "pa", |k| k.priority = 1)
        .key("b1", "pb", |k| k.priority = 2)
        .start()
        .await;
    let ask = async || {
        let (profile, request) = (Profile::new(MODEL).max_wait(Duration::from_secs(5)), ok());
        world.pass_time(world.gemini.generate(&profile, &request)).await
    };
    // Three strikes, far apart: out for 2 min.
    world.sim.push_fault(FaultRule::new(Fault::TooManyBare).on_key(secret_of("a1")).times(3));
    for pause in [0, 31, 61] {
        world.clock.advance(Duration::from_secs(pause));
        ask().await.expect("an answer by b1");
    }
    // The other project as well, at the same time: it is not the projects' fault.
    world.sim.push_fault(FaultRule::new(Fault::TooManyBare).on_key(secret_of("b1")));
    ask().await.expect_err("everything pauses");
    world.clock.advance(Duration::from_secs(31));
    ask().await.expect("an answer");
    assert_eq!(world.story().last().map(String::as_str), Some("a1 success"), "{:?}", world.story());
}
