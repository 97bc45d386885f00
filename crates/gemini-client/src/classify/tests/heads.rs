//! What the headers and the caller's own deadline change.

use super::*;

const BARE: &str = "Resource has been exhausted (e.g. check quota).";
const LATE: &str = "Deadline expired before operation could complete.";

fn told(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Outcome {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    super::super::classify(&Head::new(status, &map), body)
}

/// The meaning when the request carried this deadline, in seconds.
fn within(seconds: u64, status: u16, body: &[u8]) -> Outcome {
    let headers = HeaderMap::new();
    let timeout = Some(Duration::from_secs(seconds));
    super::super::classify(&Head::new(status, &headers).server_timeout(timeout), body)
}

#[test]
fn retry_after_is_heard_under_429_in_both_forms() {
    let date = ("date", "Tue, 01 Dec 2026 10:00:00 GMT");
    let then = "Tue, 01 Dec 2026 10:00:01 GMT";
    let one = Some(Duration::from_secs(1));
    for body in [body(429, "RESOURCE_EXHAUSTED", BARE, &[]), b"slow down".to_vec(), Vec::new()] {
        for headers in [&[("retry-after", "1")][..], &[date, ("retry-after", then)]] {
            assert_eq!(told(429, headers, &body), Outcome::Throttled { retry_after: one }, "{headers:?}");
        }
        assert_eq!(told(429, &[date], &body), Outcome::Throttled { retry_after: None });
    }
}

#[test]
fn the_longest_of_header_and_body_wins() {
    let info = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "14s"});
    let body = body(429, "RESOURCE_EXHAUSTED", BARE, &[info]);
    for (header, seconds) in [("3", 14), ("20", 20)] {
        let retry_after = Some(Duration::from_secs(seconds));
        assert_eq!(told(429, &[("retry-after", header)], &body), Outcome::Throttled { retry_after });
    }
}

#[test]
fn retry_after_changes_nothing_else() {
    for (code, status, message, details, expected) in recorded() {
        let object = body(code, status, message, &details);
        assert_eq!(told(code, &[("retry-after", "7")], &object), expected, "{code} {message}");
    }
}

#[test]
fn a_deadline_that_the_caller_set_is_the_callers() {
    let mine = Outcome::OwnDeadline(Deadline::Caller);
    let late = |code, status| body(code, status, LATE, &[]);
    for seconds in [0, 1, 599] {
        assert_eq!(within(seconds, 504, &late(504, "DEADLINE_EXCEEDED")), mine);
        assert_eq!(within(seconds, 503, &late(503, "UNAVAILABLE")), mine);
        assert_eq!(within(seconds, 504, b"<html>gateway timeout"), mine);
        assert_eq!(within(seconds, 200, &late(504, "DEADLINE_EXCEEDED")), mine, "inside a stream");
    }
    // The server's own bound passes first.
    assert_eq!(within(600, 504, &late(504, "DEADLINE_EXCEEDED")), Outcome::Overloaded);
    assert_eq!(within(600, 504, b"<html>"), Outcome::ServerError { status: 504 });
}

#[test]
fn a_callers_deadline_changes_nothing_else() {
    for (code, status, message, details, expected) in recorded() {
        if !message.starts_with("Deadline expired") {
            assert_eq!(within(5, code, &body(code, status, message, &details)), expected, "{code} {message}");
        }
    }
    assert_eq!(within(5, 502, b"<html>"), Outcome::ServerError { status: 502 });
}

#[test]
fn a_bare_text_about_the_key_is_a_hint() {
    let hint = rejected_by_hint(KeyFault::Invalid);
    for text in
        ["API Key not found", "API Key not found. Please pass a valid API key.\n", "\"API key not found\""]
    {
        for status in [400, 401, 403] {
            assert_eq!(
                told(status, &[("content-type", "text/plain")], text.as_bytes()),
                hint,
                "{status} {text}"
            );
        }
        assert_eq!(told(404, &[], text.as_bytes()), Outcome::BadRequest);
        assert_eq!(told(500, &[], text.as_bytes()), Outcome::ServerError { status: 500 });
    }
    for quoted in ["<html>API Key not found", "you said: API Key not found", "API Key not"] {
        assert_eq!(told(400, &[], quoted.as_bytes()), Outcome::BadRequest, "{quoted}");
    }
}
