//! Each timeout against a server that never gets there. Only the timeout under test is set, so
//! nothing else can end the call.

use std::time::Duration;

use futures_util::StreamExt;
use gemini_client::wire::GenerateRequest;
use gemini_client::{Client, Config, Error, ErrorKind, Wait};
use keyrot_core::{Deadline, NetworkFault, Outcome};

use crate::server::{Server, Step, chunked};
use crate::{MODEL, key};

const SHORT: Option<Duration> = Some(Duration::from_millis(60));
const EVENT: &str = "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"a\"}]}}]}\r\n\r\n";

fn patient(url: &str) -> Config {
    let mut config = Config::at(url);
    config.timeouts.connect = None;
    config.timeouts.first_byte = None;
    config.timeouts.idle = None;
    config.timeouts.total = None;
    config
}

async fn generate(config: &Config) -> Error {
    Client::new(config).unwrap().generate(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap_err()
}

/// The chunks before the error, and the error.
async fn stream(config: &Config) -> (usize, Error) {
    let request = GenerateRequest::text("hi");
    let mut stream = Client::new(config).unwrap().stream(&key(), MODEL, &request).await.unwrap();
    let mut chunks = 0;
    loop {
        match stream.next().await.expect("an error before the end") {
            Ok(_) => chunks += 1,
            Err(error) => return (chunks, error),
        }
    }
}

fn assert_timeout(error: &Error, wait: Wait) {
    assert_eq!(error.kind(), ErrorKind::Timeout(wait), "{error}");
    assert_eq!(error.outcome(), Outcome::OwnDeadline(Deadline::Client));
}

#[tokio::test]
async fn no_head_within_the_first_byte_timeout() {
    let server = Server::play(vec![Step::Hang]).await;
    let mut config = patient(&server.url);
    config.timeouts.first_byte = SHORT;
    assert_timeout(&generate(&config).await, Wait::FirstByte);
}

#[tokio::test]
async fn a_stalled_body_meets_the_idle_timeout() {
    let server =
        Server::play(vec![Step::Send(chunked("text/event-stream", &[EVENT.as_bytes()])), Step::Hang]).await;
    let mut config = patient(&server.url);
    config.timeouts.idle = SHORT;
    let (chunks, error) = stream(&config).await;
    assert_eq!(chunks, 1);
    assert_timeout(&error, Wait::Idle);
    assert_timeout(&generate(&config).await, Wait::Idle);
}

#[tokio::test]
async fn the_total_timeout_covers_the_head() {
    let server = Server::play(vec![Step::Hang]).await;
    let mut config = patient(&server.url);
    config.timeouts.total = SHORT;
    assert_timeout(&generate(&config).await, Wait::Total);
}

#[tokio::test]
async fn the_total_timeout_covers_the_body_however_busy() {
    let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    let server = Server::play(vec![Step::Send(head), Step::Drip]).await;
    let mut config = patient(&server.url);
    config.timeouts.total = SHORT;
    config.timeouts.idle = Some(Duration::from_secs(60));
    assert_timeout(&generate(&config).await, Wait::Total);
    let (_, error) = stream(&config).await;
    assert_timeout(&error, Wait::Total);
}

#[tokio::test(start_paused = true)]
async fn a_break_after_the_reader_was_slow_is_the_readers() {
    for (pause, expected) in [
        (Duration::from_secs(59), Outcome::Network(NetworkFault::Truncated)),
        (Duration::from_secs(61), Outcome::OwnDeadline(Deadline::Client)),
    ] {
        let server = Server::play(vec![Step::Send(chunked("text/event-stream", &[EVENT.as_bytes()]))]).await;
        let client = Client::new(&patient(&server.url)).unwrap();
        let mut stream = client.stream(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap();
        stream.next().await.expect("a chunk").expect("a whole one");
        tokio::time::advance(pause).await;
        let error = stream.next().await.expect("an error").unwrap_err();
        assert_eq!(error.outcome(), expected, "{pause:?}: {error}");
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_meets_the_connect_timeout_and_nothing_was_sent() {
    // The server takes the connection and waits for a request; the client wants TLS first.
    let mut server = Server::play(vec![Step::Hang]).await;
    let mut config = patient(&server.url.replace("http://", "https://"));
    config.timeouts.connect = SHORT;
    let error = generate(&config).await;
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    assert!(error.outcome().never_sent());
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn an_error_whose_body_stalls_is_known_by_its_status() {
    let head = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 500\r\n\r\n{\"error\":".to_vec();
    let server = Server::play(vec![Step::Send(head), Step::Hang]).await;
    let mut config = patient(&server.url);
    config.timeouts.idle = SHORT;
    assert_eq!(generate(&config).await.outcome(), Outcome::Throttled { retry_after: None });
}
