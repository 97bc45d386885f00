//! Streams: what fails before the first part moves on unseen, what fails after it is an error.

use futures_util::StreamExt;
use gemini_client::wire::GenerateRequest;
use gemini_sim::{Answer, Fault, FaultRule, Pace, ProjectSpec};
use keyrot::Profile;
use keyrot_testkit::world::{Builder, World, secret_of};

const MODEL: &str = "gemini-2.5-flash";
const TEXT: &str = "Ein längerer Satz — mit ümläuten, 漢字 und \u{2028} darin, in vielen Stücken.";

fn world() -> Builder {
    let pace = Pace { text_chunk_chars: 7, tcp_split: Some(3), ..Pace::default() };
    World::builder()
        .sim(|sim| sim.pace(pace).answer(std::sync::Arc::new(|_| Answer::text(TEXT))))
        .project(ProjectSpec::new("pa"))
        .project(ProjectSpec::new("pb"))
        .key("a1", "pa", |k| k.priority = 1)
        .key("b1", "pb", |k| k.priority = 2)
}

/// The text that came, and the error that ended it, if one did.
async fn read(world: &World) -> (String, Option<String>) {
    let request = GenerateRequest::text("Say it.");
    let opened = world.pass_time(world.gemini.stream(&Profile::new(MODEL), &request)).await;
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(error) => return (String::new(), Some(error.to_string())),
    };
    let mut text = String::new();
    while let Some(part) = stream.next().await {
        match part {
            Ok(part) => text.push_str(&part.text()),
            Err(error) => return (text, Some(error.to_string())),
        }
    }
    (text, None)
}

async fn settled(world: &World) {
    assert!(world.gemini.rotator().shutdown(std::time::Duration::from_secs(5)).await);
}

#[tokio::test]
async fn a_stream_arrives_whole_and_settles_what_it_used() {
    let world = world().start().await;
    assert_eq!(read(&world).await, (TEXT.to_owned(), None));
    settled(&world).await;
    assert_eq!(world.story(), ["a1 success"]);
    let used = world.gemini.rotator().status(MODEL).await.keys[0].tokens_per_minute;
    assert_eq!(used, world.generations()[0].input_tokens, "settled to what the server counted");
}

#[tokio::test]
async fn failures_before_the_first_part_move_on_unseen() {
    let faults = [
        Fault::TooManyBare,
        Fault::Internal,
        Fault::Reset,
        Fault::MidStreamRawJson { after_chunks: 0, status: 500 },
        Fault::MidStreamSseError { after_chunks: 0, status: 500 },
        Fault::TruncatedStream { after_chunks: 0 },
        Fault::ResetMidStream { after_chunks: 0 },
    ];
    for fault in faults {
        let world = world().start().await;
        world.sim.push_fault(FaultRule::new(fault.clone()).on_key(secret_of("a1")));
        assert_eq!(read(&world).await, (TEXT.to_owned(), None), "{fault:?}: no part twice, none lost");
        settled(&world).await;
        assert_eq!(world.story().len(), 2, "{fault:?}: {:?}", world.story());
    }
}

#[tokio::test]
async fn failures_after_the_first_part_surface_and_are_never_replayed() {
    let faults = [
        Fault::MidStreamRawJson { after_chunks: 3, status: 503 },
        Fault::MidStreamSseError { after_chunks: 3, status: 429 },
        Fault::TruncatedStream { after_chunks: 3 },
        Fault::ResetMidStream { after_chunks: 3 },
    ];
    for fault in faults {
        let world = world().start().await;
        world.sim.push_fault(FaultRule::new(fault.clone()).on_key(secret_of("a1")));
        let (text, error) = read(&world).await;
        assert!(
            TEXT.starts_with(&text) && !text.is_empty() && text.len() < TEXT.len(),
            "{fault:?}: {text:?}"
        );
        assert!(error.is_some(), "{fault:?}: a cut stream must not look whole");
        settled(&world).await;
        assert_eq!(world.story().len(), 1, "{fault:?}");
        assert!(!world.story()[0].ends_with("success"), "{fault:?}");
    }
}

#[tokio::test]
async fn one_overload_in_mid_stream_holds_nobody_back() {
    let world = world().start().await;
    world.sim.push_fault(FaultRule::new(Fault::MidStreamRawJson { after_chunks: 3, status: 503 }));
    assert!(read(&world).await.1.is_some());
    settled(&world).await;
    let status = world.gemini.rotator().status(MODEL).await;
    assert!(status.keys.iter().all(|k| k.ready), "{status:?}");
}

#[tokio::test]
async fn a_stream_dropped_half_way_is_cancelled() {
    let world = world().start().await;
    let request = GenerateRequest::text("Say it.");
    let mut stream = world.gemini.stream(&Profile::new(MODEL), &request).await.expect("a stream");
    stream.next().await.expect("a part").expect("no error");
    drop(stream);
    settled(&world).await;
    assert_eq!(world.story(), ["a1 cancelled"]);
}
