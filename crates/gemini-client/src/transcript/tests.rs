//! Streams that are whole, and the many that are not.

use keyrot_core::{Deadline, Evidence, ProjectFault};
use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;

const FIRST: &str = "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"### Zwö\"}],\"role\": \"model\"},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 6,\"candidatesTokenCount\": 1},\"responseId\": \"k22k\"}\r\n\r\n";
const LAST: &str = "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"\",\"thoughtSignature\": \"Em\"}],\"role\": \"model\"},\"finishReason\": \"STOP\",\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 6,\"candidatesTokenCount\": 9,\"thoughtsTokenCount\": 2},\"responseId\": \"k22k\"}\r\n\r\n";
const TAIL: &str = "{\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"This model is currently experiencing high demand. AIzaSyLEAKED\",\n    \"status\": \"UNAVAILABLE\"\n  }\n}\n";

/// What a stream of these bytes gave: its text, its error, its outcome.
fn read(pieces: &[&[u8]]) -> (String, Option<Error>, Outcome) {
    let mut transcript = Transcript::new(1 << 16);
    let mut text = String::new();
    let mut failure = None;
    let mut drain = |transcript: &mut Transcript| {
        while let Some(item) = transcript.next() {
            assert!(failure.is_none(), "nothing follows an error");
            match item {
                Ok(chunk) => text.push_str(&chunk.text()),
                Err(error) => failure = Some(error),
            }
        }
    };
    for piece in pieces {
        transcript.push(piece);
        drain(&mut transcript);
    }
    transcript.end();
    drain(&mut transcript);
    let outcome = transcript.outcome();
    assert_eq!(failure.as_ref().map(Error::outcome), transcript.failure);
    (text, failure, outcome)
}

fn whole(stream: &str) -> (String, Option<Error>, Outcome) {
    read(&[stream.as_bytes()])
}

#[test]
fn the_last_usage_counts() {
    let (text, failure, outcome) = whole(&[FIRST, LAST].concat());
    assert!(failure.is_none());
    assert_eq!(text, "### Zwö");
    assert_eq!(
        outcome,
        Outcome::Success { usage: Usage { prompt_tokens: Some(6), output_tokens: Some(11) } }
    );
}

#[test]
fn an_end_without_a_finish_reason_is_truncation() {
    for stream in ["", FIRST, &FIRST.repeat(3), ": ping\r\n\r\n"] {
        let (_, failure, outcome) = whole(stream);
        assert_eq!(failure.expect("an error").kind(), ErrorKind::Truncated, "{stream:?}");
        assert_eq!(outcome, Outcome::Network(NetworkFault::Truncated));
    }
}

#[test]
fn an_event_cut_off_at_the_end_is_truncation() {
    let cut = [FIRST, LAST.get(..LAST.len() / 2).expect("ASCII")].concat();
    let (text, failure, _) = whole(&cut);
    assert_eq!(text, "### Zwö");
    assert_eq!(failure.expect("an error").kind(), ErrorKind::Truncated);
}

#[test]
fn a_missing_last_blank_line_is_forgiven() {
    let (_, failure, outcome) = whole(&[FIRST, LAST.trim_end()].concat());
    assert!(failure.is_none());
    assert!(matches!(outcome, Outcome::Success { .. }));
}

#[test]
fn an_error_inside_the_stream_is_classified_like_any_other() {
    let framed = format!("data: {}\r\n\r\n", TAIL.replace('\n', " "));
    for tail in [TAIL, TAIL.trim_end(), &framed, &format!("[{TAIL}]")] {
        let (text, failure, outcome) = whole(&[FIRST, tail].concat());
        let error = failure.expect("an error");
        assert_eq!(text, "### Zwö");
        assert_eq!(outcome, Outcome::Overloaded, "{tail}");
        assert_eq!((error.kind(), error.status()), (ErrorKind::Refused, Some(503)));
        assert!(error.message().as_str().ends_with("[REDACTED]"), "{error}");
    }
    let quota = "{\"error\":{\"code\":429,\"message\":\"Your prepayment credits are depleted.\"}}";
    assert_eq!(
        whole(&[FIRST, quota].concat()).2,
        Outcome::ProjectRejected { fault: ProjectFault::Billing, number: None, evidence: Evidence::Named }
    );
}

#[test]
fn an_error_after_the_finish_is_an_error_still() {
    assert_eq!(whole(&[FIRST, LAST, TAIL].concat()).2, Outcome::Overloaded);
}

#[test]
fn what_follows_an_error_is_ignored() {
    let (text, failure, _) = whole(&[TAIL, FIRST, LAST].concat());
    assert!(failure.is_some());
    assert_eq!(text, "");
}

#[test]
fn a_blocked_prompt_is_a_whole_answer() {
    let (_, failure, outcome) = whole("data: {\"promptFeedback\": {\"blockReason\": \"SAFETY\"}}\r\n\r\n");
    assert!(failure.is_none());
    assert_eq!(outcome, Outcome::Blocked);
}

#[test]
fn an_answer_refused_before_its_first_word_is_blocked_and_after_it_is_not() {
    let refused = "data: {\"candidates\": [{\"finishReason\": \"SAFETY\",\"index\": 0}]}\r\n\r\n";
    assert_eq!(whole(refused).2, Outcome::Blocked);
    assert!(matches!(whole(&[FIRST, refused].concat()).2, Outcome::Success { .. }));
}

#[test]
fn every_candidate_must_finish() {
    let second = FIRST.replace("\"index\": 0", "\"index\": 1");
    let second_end = LAST.replace("\"index\": 0", "\"index\": 1");
    assert_eq!(whole(&[FIRST, &second, LAST].concat()).2, Outcome::Network(NetworkFault::Truncated));
    assert!(matches!(whole(&[FIRST, &second, LAST, &second_end].concat()).2, Outcome::Success { .. }));
}

#[test]
fn a_break_after_the_whole_answer_does_not_matter() {
    let broken = || Error::truncated("reset");
    let mut transcript = Transcript::new(1 << 16);
    transcript.push([FIRST, LAST].concat().as_bytes());
    transcript.broke(broken());
    assert!(std::iter::from_fn(|| transcript.next()).all(|item| item.is_ok()));
    let mut transcript = Transcript::new(1 << 16);
    transcript.push(FIRST.as_bytes());
    transcript.broke(broken());
    assert!(std::iter::from_fn(|| transcript.next()).any(|item| item.is_err()));
}

#[test]
fn what_is_no_answer_is_an_error() {
    for stream in ["data: hello\r\n\r\n", "data: {\"candidates\": 7}\r\n\r\n", "data: [1]\r\n\r\n"] {
        let (_, failure, outcome) = whole(stream);
        assert_eq!(failure.expect("an error").kind(), ErrorKind::Undecodable, "{stream:?}");
        assert_eq!(outcome, Outcome::ServerError { status: 200 });
    }
}

#[test]
fn an_event_too_large_is_an_error() {
    let mut transcript = Transcript::new(100);
    transcript.push(&b"data: ".repeat(40));
    let error = transcript.next().expect("an item").expect_err("an error");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

proptest! {
    #[test]
    fn any_split_tells_the_same_story(size in 1usize..50, good in any::<bool>()) {
        let stream = [FIRST, FIRST, if good { LAST } else { TAIL }].concat();
        let (text, failure, outcome) = read(&stream.as_bytes().chunks(size).collect::<Vec<_>>());
        prop_assert_eq!(text, "### Zwö### Zwö");
        prop_assert_eq!(failure.is_none(), good);
        prop_assert_eq!(outcome, whole(&stream).2);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read(&[&bytes]);
    }
}

#[test]
fn a_stream_that_the_callers_deadline_ends_blames_nobody() {
    let late = "{\n  \"error\": {\"code\": 504, \"message\": \"Deadline expired before operation could complete.\", \"status\": \"DEADLINE_EXCEEDED\"}\n}\n";
    for (timeout, expected) in [
        (None, Outcome::Overloaded),
        (Some(Duration::from_secs(5)), Outcome::OwnDeadline(Deadline::Caller)),
        (Some(Duration::from_secs(900)), Outcome::Overloaded),
    ] {
        let mut transcript = Transcript::new(1024).server_timeout(timeout);
        transcript.push(FIRST.as_bytes());
        transcript.push(late.as_bytes());
        transcript.end();
        assert_eq!(transcript.outcome(), expected, "{timeout:?}");
    }
}
