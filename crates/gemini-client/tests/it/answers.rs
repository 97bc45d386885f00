//! What comes back: answers, refusals, streams.

use futures_util::StreamExt;
use gemini_client::wire::GenerateRequest;
use gemini_client::{Client, Config, ErrorKind};
use keyrot_core::{Evidence, KeyFault, Outcome, Usage};

use crate::server::{Server, Step, answer, chunked, endless};
use crate::{MODEL, client, key};

const FIRST: &str = "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"Zwölf\"}]},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 6}}\r\n\r\n";
const LAST: &str = "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \".\"}]},\"finishReason\": \"STOP\",\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 6,\"candidatesTokenCount\": 2}}\r\n\r\n";
const INVALID: &str = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}"#;

#[tokio::test]
async fn a_stream_gives_its_chunks_as_they_come() {
    let bytes = [FIRST, LAST].concat().into_bytes();
    // Cut inside the two bytes of `ö`, and between CR and LF.
    let (head, tail) = bytes.split_at(FIRST.find('ö').unwrap() + 1);
    let (tail, end) = tail.split_at(tail.len() - 1);
    let mut whole = chunked("text/event-stream", &[head, tail, end]);
    whole.extend_from_slice(b"0\r\n\r\n");
    let server = Server::play(vec![Step::Send(whole)]).await;
    let mut stream = client(&server.url).stream(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().text(), "Zwölf");
    assert_eq!(stream.next().await.unwrap().unwrap().text(), ".");
    assert!(stream.next().await.is_none());
    assert!(stream.next().await.is_none(), "the end stays the end");
    let usage = Usage { prompt_tokens: Some(6), output_tokens: Some(2) };
    assert_eq!(stream.outcome(), Outcome::Success { usage });
}

#[tokio::test]
async fn the_first_chunk_does_not_wait_for_the_second() {
    let script = vec![Step::Send(chunked("text/event-stream", &[FIRST.as_bytes()])), Step::Hang];
    let server = Server::play(script).await;
    let mut stream = client(&server.url).stream(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().text(), "Zwölf");
}

#[tokio::test]
async fn an_error_in_a_stream_ends_it() {
    let tail = "{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"This model is currently experiencing high demand.\",\n    \"status\": \"UNAVAILABLE\"\n  }\n}\n";
    let script =
        vec![Step::Send(endless("text/event-stream")), Step::Send([FIRST, tail].concat().into_bytes())];
    let server = Server::play(script).await;
    let mut stream = client(&server.url).stream(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    let error = stream.next().await.unwrap().unwrap_err();
    assert_eq!((error.outcome(), error.status()), (Outcome::Overloaded, Some(503)));
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_refusal_is_an_error_with_its_outcome_and_a_hint() {
    let mut server = Server::answer("400 Bad Request", "application/json; charset=UTF-8", INVALID).await;
    let client = client(&server.url);
    let request = GenerateRequest::text("hi");
    let unary = client.generate(&key(), MODEL, &request).await.unwrap_err();
    let streamed = client.stream(&key(), MODEL, &request).await.unwrap_err();
    for error in [unary, streamed] {
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(
            error.outcome(),
            Outcome::KeyRejected { fault: KeyFault::Invalid, evidence: Evidence::Named }
        );
        assert_eq!(error.status(), Some(400));
        assert_eq!(
            error.to_string(),
            "status 400 (key_rejected): API key not valid. Please pass a valid API key.\n\
             hint: make a new key at https://aistudio.google.com/apikey"
        );
    }
    assert_eq!(server.count(), 2, "one attempt each");
}

#[tokio::test]
async fn nothing_is_retried() {
    for status in [
        "503 Service Unavailable",
        "500 Internal Server Error",
        "429 Too Many Requests",
        "408 Request Timeout",
    ] {
        let mut server = Server::answer(status, "text/plain", "no").await;
        client(&server.url).generate(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap_err();
        assert_eq!(server.count(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::answer("200 OK", "application/json", "{}").await;
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}/x\r\ncontent-length: 0\r\n\r\n",
        elsewhere.url
    );
    let mut server = Server::play(vec![Step::Send(redirect.into_bytes())]).await;
    let error = client(&server.url).generate(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::ServerError { status: 307 });
    assert_eq!(server.count(), 1);
    let mut elsewhere = elsewhere;
    assert_eq!(elsewhere.count(), 0, "the key went to another server");
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_is_no_answer() {
    for (status, outcome) in [
        ("200 OK", Outcome::ServerError { status: 200 }),
        ("502 Bad Gateway", Outcome::ServerError { status: 502 }),
        ("403 Forbidden", Outcome::BadRequest),
    ] {
        let server = Server::answer(status, "text/html", "<html>Sign in</html>").await;
        let client = client(&server.url);
        let unary = client.generate(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap_err();
        assert_eq!(unary.outcome(), outcome, "{status}");
        let streamed = client.stream(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap_err();
        assert_eq!(streamed.outcome(), outcome, "stream: {status}");
    }
}

#[tokio::test]
async fn an_error_object_under_200_is_no_empty_answer() {
    let server = Server::answer("200 OK", "application/json", INVALID).await;
    let error = client(&server.url).generate(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::KeyRejected { fault: KeyFault::Invalid, evidence: Evidence::Named });
}

#[tokio::test]
async fn json_of_another_kind_is_undecodable() {
    for body in ["{\"candidates\": 7}", "[]", "7"] {
        let server = Server::answer("200 OK", "application/json", body).await;
        let error =
            client(&server.url).generate(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Undecodable, "{body}");
    }
}

#[tokio::test]
async fn an_answer_larger_than_the_bound_is_an_error() {
    let long = format!("{{\"x\": \"{}\"}}", "y".repeat(5000));
    let server = Server::play(vec![Step::Send(answer("200 OK", "application/json", &long))]).await;
    let mut config = Config::at(&server.url);
    config.max_answer = 1000;
    let client = Client::new(&config).unwrap();
    let error = client.generate(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::TooLarge, Outcome::BadRequest));
}

#[tokio::test]
async fn an_error_whose_body_never_ends_is_cut() {
    let head = b"HTTP/1.1 500 Oh\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n".to_vec();
    let script = vec![Step::Send(head), Step::Send(vec![b'x'; 2 << 20]), Step::Hang];
    let server = Server::play(script).await;
    let error = client(&server.url).generate(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::ServerError { status: 500 });
    assert!(error.message().as_str().len() < 2100);
}
