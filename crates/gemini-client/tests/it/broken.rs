//! Connections that fail, at every point.

use futures_util::StreamExt;
use gemini_client::wire::GenerateRequest;
use gemini_client::{Error, ErrorKind};
use keyrot_core::{NetworkFault, Outcome};

use crate::server::{Server, Step, chunked, endless};
use crate::{MODEL, client, key};

const EVENT: &str = "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"a\"}]}}]}\r\n\r\n";
const LAST: &str = "data: {\"candidates\": [{\"finishReason\": \"STOP\"}]}\r\n\r\n";
const HALF: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"candidates\": [";

async fn generate(script: Vec<Step>) -> Error {
    let mut server = Server::play(script).await;
    let error = client(&server.url).generate(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap_err();
    assert_eq!(server.count(), 1, "one attempt");
    error
}

/// How many chunks came, and the error after them.
async fn stream(script: Vec<Step>) -> (usize, Option<Error>) {
    let server = Server::play(script).await;
    let mut stream = client(&server.url).stream(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap();
    let mut chunks = 0;
    while let Some(item) = stream.next().await {
        match item {
            Ok(_) => chunks += 1,
            Err(error) => return (chunks, Some(error)),
        }
    }
    (chunks, None)
}

#[tokio::test]
async fn a_closed_port_is_a_connect_failure_and_nothing_was_sent() {
    let url = Server::play(vec![]).await.url.clone();
    // The server has gone; its port may be taken again, but not by something that speaks HTTP.
    let error = loop {
        match client(&url).generate(&key(), MODEL, &GenerateRequest::text("hi")).await {
            Err(error) if error.kind() == ErrorKind::Connect => break error,
            other => assert!(other.is_err(), "{other:?}"),
        }
    };
    assert!(error.outcome().never_sent());
    assert!(error.to_string().contains("\nhint: "), "{error}");
    assert!(!error.to_string().contains(&url), "{error}");
}

#[tokio::test]
async fn an_end_before_the_head_is_a_broken_connection() {
    for script in [vec![], vec![Step::Reset], vec![Step::Send(b"HTTP/1.1 200".to_vec())]] {
        let error = generate(script).await;
        assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
        assert!(!error.outcome().never_sent(), "the request was charged");
    }
}

#[tokio::test]
async fn what_is_no_http_is_a_broken_connection() {
    let error = generate(vec![Step::Send(b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec())]).await;
    assert_eq!(error.outcome(), Outcome::Network(NetworkFault::Broken), "{error}");
}

#[tokio::test]
async fn a_body_shorter_than_promised_is_truncated() {
    let error = generate(vec![Step::Send(HALF.to_vec())]).await;
    assert_eq!(error.outcome(), Outcome::Network(NetworkFault::Truncated), "{error}");
    let error = generate(vec![Step::Send(chunked("application/json", &[b"{\"candidates\": ["]))]).await;
    assert_eq!(error.outcome(), Outcome::Network(NetworkFault::Truncated), "{error}");
}

#[tokio::test]
async fn json_cut_off_by_an_orderly_end_is_truncated() {
    let script = vec![Step::Send(endless("application/json")), Step::Send(b"{\"candidates\": [".to_vec())];
    assert_eq!(generate(script).await.outcome(), Outcome::Network(NetworkFault::Truncated));
}

#[tokio::test]
async fn a_stream_that_ends_early_is_truncated() {
    for script in [
        vec![Step::Send(chunked("text/event-stream", &[EVENT.as_bytes()]))],
        vec![Step::Send(endless("text/event-stream")), Step::Send(EVENT.as_bytes().to_vec())],
        vec![
            Step::Send(chunked("text/event-stream", &[EVENT.as_bytes()])),
            Step::Send(b"0\r\n\r\n".to_vec()),
        ],
    ] {
        let (chunks, error) = stream(script).await;
        assert_eq!(chunks, 1);
        assert_eq!(error.expect("an error").outcome(), Outcome::Network(NetworkFault::Truncated));
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_last_chunk_does_not_matter() {
    let both = [EVENT, LAST].concat();
    let (chunks, error) = stream(vec![Step::Send(chunked("text/event-stream", &[both.as_bytes()]))]).await;
    assert_eq!(chunks, 2);
    assert!(error.is_none());
}
