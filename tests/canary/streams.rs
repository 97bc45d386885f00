//! Streams: cut, stalled, reset, and ended by errors that quote the key, before and after the first
//! part, through client and pool.

use std::time::Duration;

use futures_util::StreamExt as _;
use gemini_client::wire::GenerateRequest;
use gemini_client::{Client, Config, Transcript};
use gemini_sim::{Answer, Fault, FaultRule, KeySpec, Pace, ProjectSpec};
use keyrot::Profile;
use keyrot_testkit::canary::ALL;
use keyrot_testkit::world::World;
use secrecy::SecretString;
use serde_json::json;

use crate::{ear, refusals};

const MODEL: &str = "gemini-2.5-flash";

fn ends(key: &str) -> Vec<Vec<u8>> {
    let part = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]}}]}\r\n\r\n";
    let message = format!("Permission denied: Consumer 'api_key:{key}' has been suspended.");
    let error = json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": message,
        "details": [{"@type": "x.ErrorInfo", "reason": key, "metadata": {"consumer": key}}]}});
    let ends = [
        format!("data: {error}\r\n\r\n"),
        format!("{error:#}"),
        format!("data: {}\r\n\r\n", json!([error])),
        format!("data: {}\r\n\r\n", json!({"candidates": key})),
        format!("data: {key}\r\n\r\n"),
        format!("data: {key}"),
        format!("event: {key}\r\n: {key}\r\nid: {key}\r\n"),
        format!("<html>{key}</html>"),
        key.to_owned(),
    ];
    ends.iter().flat_map(|end| [end.clone(), format!("{part}{end}")]).map(String::into_bytes).collect()
}

#[tokio::test]
async fn no_stream_gives_the_key_away_that_ends_it() {
    let heard = ear::listen();
    let server = refusals::server().await;
    let client = Client::new(&Config::at(server.base_url())).expect("a client");
    for key in ALL {
        let secret = SecretString::from(key);
        for body in ends(key) {
            // In the bytes as they come: at every cut what is held back must not show either.
            let mut transcript = Transcript::new(1 << 16);
            for byte in &body {
                transcript.push(&[*byte]);
                ear::debug("transcript", &transcript);
                while let Some(item) = transcript.next() {
                    if let Err(error) = item {
                        ear::error("transcript", &error);
                    }
                }
            }
            transcript.end();
            ear::debug("transcript", &transcript);
            ear::debug("outcome", &transcript.outcome());

            let body = String::from_utf8(body).expect("UTF-8");
            let raw = Fault::Raw { status: 200, content_type: "text/event-stream".to_owned(), body };
            server.push_fault(FaultRule::new(raw));
            let opened = client.stream(&secret, MODEL, &GenerateRequest::text("hi")).await;
            let mut stream = opened.expect("200");
            while let Some(item) = stream.next().await {
                ear::debug("stream", &stream);
                if let Err(error) = item {
                    ear::error("stream", &error);
                }
            }
        }
    }
    heard.assert_clean();
}

#[tokio::test]
async fn no_stream_of_the_pool_gives_its_key_away() {
    let heard = ear::listen();
    let mut faults = Vec::new();
    for after_chunks in [0, 2] {
        faults.extend([
            Fault::MidStreamRawJson { after_chunks, status: 503 },
            Fault::MidStreamSseError { after_chunks, status: 429 },
            Fault::TruncatedStream { after_chunks },
            Fault::ResetMidStream { after_chunks },
        ]);
    }
    for key in ALL {
        let pace = Pace { text_chunk_chars: 3, tcp_split: Some(5), ..Pace::default() };
        let quoting = ends(key).into_iter().map(|end| Fault::Raw {
            status: 200,
            content_type: "text/event-stream".to_owned(),
            body: String::from_utf8(end).expect("UTF-8"),
        });
        for fault in quoting.chain(faults.iter().cloned()) {
            let world = World::builder()
                .sim(|sim| sim.pace(pace).answer(std::sync::Arc::new(|_| Answer::text("a longer text"))))
                .project(ProjectSpec::new("p"))
                .key("k", "p", |_| {})
                .env("GEMINI_KEY_k", key)
                .sim(|sim| sim.key(KeySpec::new(key, "p")))
                .start()
                .await;
            world.sim.push_fault(FaultRule::new(fault).always());
            let (profile, request) = (Profile::new(MODEL), GenerateRequest::text("hi"));
            let profile = profile.max_wait(Duration::from_secs(5));
            match world.pass_time(world.gemini.stream(&profile, &request)).await {
                Err(error) => ear::error("stream", &error),
                Ok(mut stream) => {
                    ear::debug("stream", &stream);
                    ear::debug("lease", stream.lease());
                    while let Some(item) = stream.next().await {
                        if let Err(error) = item {
                            ear::error("stream", &error);
                        }
                    }
                    ear::debug("stream", &stream);
                }
            }
            // One that is dropped half-way.
            world.sim.clear_faults();
            if let Ok(mut stream) = world.pass_time(world.gemini.stream(&profile, &request)).await {
                assert!(stream.next().await.is_some());
                ear::debug("stream", &stream);
            }
            ear::debug("world", &world);
            assert!(world.gemini.rotator().shutdown(Duration::from_secs(5)).await);
            ear::debug("events", &*world.events.lock());
        }
    }
    heard.assert_clean();
    ear::assert_heard(&["keyrot", "gemini_client", "hyper_util", "reqwest"]);
}
