//! Every recorded refusal but 429, and what holds for any answer at all.

use keyrot_core::{Evidence, KeyFault, ProjectFault};
use proptest::prelude::*;
use serde_json::json;

use super::*;

mod heads;
mod recorded;

use recorded::recorded;

const JSON: Option<&str> = Some("application/json; charset=UTF-8");

/// The meaning of an answer without any header but its media type.
pub(super) fn classify(status: u16, media: Option<&str>, body: &[u8]) -> Outcome {
    let mut headers = HeaderMap::new();
    headers.extend(media.and_then(|media| Some((CONTENT_TYPE, media.parse().ok()?))));
    super::classify(&Head::new(status, &headers), body)
}

/// An error as the wire has it: pretty-printed.
pub(super) fn body(code: u16, status: &str, message: &str, details: &[Value]) -> Vec<u8> {
    let mut error = json!({"code": code, "message": message, "status": status});
    if !details.is_empty() {
        error["details"] = json!(details);
    }
    let mut text = serde_json::to_vec_pretty(&json!({"error": error})).expect("plain JSON");
    text.push(b'\n');
    text
}

/// The same answer with details that do not say their type, as some gateways pass them on.
pub(super) fn untyped(mut answer: Value) -> Value {
    for detail in answer["error"]["details"].as_array_mut().into_iter().flatten() {
        detail.as_object_mut().expect("an object").remove("@type");
    }
    answer
}

fn project(fault: ProjectFault, number: Option<&str>) -> Outcome {
    Outcome::ProjectRejected { fault, number: number.map(str::to_owned), evidence: Evidence::Named }
}

fn denied_by_hint() -> Outcome {
    Outcome::ProjectRejected { fault: ProjectFault::Denied, number: None, evidence: Evidence::Hinted }
}

fn indebted_by_hint() -> Outcome {
    Outcome::ProjectRejected { fault: ProjectFault::Billing, number: None, evidence: Evidence::Hinted }
}

fn rejected(fault: KeyFault) -> Outcome {
    Outcome::KeyRejected { fault, evidence: Evidence::Named }
}

fn rejected_by_hint(fault: KeyFault) -> Outcome {
    Outcome::KeyRejected { fault, evidence: Evidence::Hinted }
}

fn restricted(number: Option<&str>) -> Outcome {
    Outcome::KeyRestricted { number: number.map(str::to_owned) }
}

#[test]
fn every_recorded_refusal_has_its_outcome_in_every_wrapping() {
    for (code, status, message, details, expected) in recorded() {
        let object = body(code, status, message, &details);
        assert_eq!(classify(code, JSON, &object), expected, "{code} {message}");
        let array = [b"[".as_slice(), &object, b"]\n"].concat();
        assert_eq!(classify(code, JSON, &array), expected, "array: {code} {message}");
        let double = body(code, status, &String::from_utf8(object.clone()).unwrap(), &[]);
        assert_eq!(classify(code, JSON, &double), expected, "double: {code} {message}");
        let stripped = untyped(serde_json::from_slice(&object).unwrap()).to_string();
        assert_eq!(classify(code, JSON, stripped.as_bytes()), expected, "without `@type`: {code} {message}");
        // The same object as the tail of a stream that had begun with 200.
        assert_eq!(classify(200, JSON, &object), expected, "tail: {code} {message}");
    }
}

#[test]
fn codes_in_letters_are_read_by_status() {
    let body = |code: &str| format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"…\"}}}}").into_bytes();
    for (status, code, expected) in [
        (400, "invalid_request", Outcome::BadRequest),
        (400, "failed_precondition", Outcome::BadRequest),
        (400, "parameter_unknown", Outcome::BadRequest),
        (416, "out_of_range", Outcome::BadRequest),
        (401, "authentication", rejected_by_hint(KeyFault::Unauthenticated)),
        (402, "payment_required", project(ProjectFault::Billing, None)),
        (403, "permission_denied", Outcome::BadRequest),
        (404, "not_found", Outcome::BadRequest),
        (404, "model_not_found", Outcome::ModelNotFound),
        (429, "rate_limit_exceeded", Outcome::Throttled { retry_after: None }),
    ] {
        assert_eq!(classify(status, JSON, &body(code)), expected, "{code}");
        assert_eq!(classify(200, JSON, &body(code)), expected, "in a stream: {code}");
    }
    assert_eq!(classify(200, JSON, &body("brand_new")), Outcome::ServerError { status: 500 });
}

#[test]
fn what_is_no_gemini_error_condemns_no_key() {
    let page: &[u8] = b"<!DOCTYPE html><html><title>Error</title>API key not valid</html>";
    for (status, expected) in [
        (302, Outcome::ServerError { status: 302 }),
        (400, Outcome::BadRequest),
        (401, Outcome::BadRequest),
        (402, Outcome::BadRequest),
        (403, Outcome::BadRequest),
        (404, Outcome::BadRequest),
        (407, Outcome::BadRequest),
        (408, Outcome::ServerError { status: 408 }),
        (413, Outcome::BadRequest),
        (429, Outcome::Throttled { retry_after: None }),
        (500, Outcome::ServerError { status: 500 }),
        (502, Outcome::ServerError { status: 502 }),
        (503, Outcome::ServerError { status: 503 }),
        (504, Outcome::ServerError { status: 504 }),
    ] {
        for body in [
            page,
            b"",
            b"upstream connect error",
            b"{\"error\": \"API key not valid\"}",
            b"{\"message\": 1}",
            b"[]",
        ] {
            assert_eq!(classify(status, Some("text/html"), body), expected, "{status} {body:?}");
        }
    }
}

#[test]
fn a_caller_who_quotes_an_error_condemns_nothing() {
    for quoted in [
        "API key not valid. Please pass a valid API key.",
        "Your API key was reported as leaked.",
        "{\"error\":{\"code\":400,\"message\":\"API key not valid\",\"details\":[{\"@type\":\"google.rpc.ErrorInfo\",\"reason\":\"API_KEY_INVALID\"}]}}",
    ] {
        let message = format!("Invalid JSON payload received. Unknown name \"{quoted}");
        assert_eq!(classify(400, JSON, &body(400, "INVALID_ARGUMENT", &message, &[])), Outcome::BadRequest);
    }
}

#[test]
fn success_tells_usage_and_refusals_of_the_filter() {
    let usage =
        |prompt, output| Outcome::Success { usage: Usage { prompt_tokens: prompt, output_tokens: output } };
    for (text, expected) in [
        (
            json!({"candidates":[{"content":{"parts":[{"text":"OK"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":6,"candidatesTokenCount":1,"totalTokenCount":7}}),
            usage(Some(6), Some(1)),
        ),
        (
            json!({"candidates":[{"content":{},"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":20,"totalTokenCount":23,"thoughtsTokenCount":3}}),
            usage(Some(20), Some(3)),
        ),
        (
            json!({"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":6}}),
            Outcome::Blocked,
        ),
        (json!({"candidates":[{"finishReason":"SAFETY","index":0}]}), Outcome::Blocked),
        (json!({"candidates":[{"content":{},"finishReason":"PROHIBITED_CONTENT"}]}), Outcome::Blocked),
        (json!({"candidates":[{"content":{"parts":[]},"finishReason":"BLOCKLIST"}]}), Outcome::Blocked),
        (json!({"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"SPII"}]}), Outcome::Blocked),
        (json!({"candidates":[{"finishReason":"RECITATION"}]}), Outcome::Blocked),
        (
            json!({"candidates":[{"content":{"parts":[{"text":"half"}]},"finishReason":"RECITATION"}]}),
            usage(None, None),
        ),
        (
            json!({"candidates":[{"finishReason":"SAFETY"},{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}),
            usage(None, None),
        ),
        (json!({"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}), usage(None, None)),
        (
            json!([{"usageMetadata":{"promptTokenCount":6,"candidatesTokenCount":1}},{"usageMetadata":{"promptTokenCount":6,"candidatesTokenCount":9}}]),
            usage(Some(6), Some(9)),
        ),
        (
            json!([{"candidates":[]},{"error":{"code":503,"message":"…","status":"UNAVAILABLE"}}]),
            Outcome::Overloaded,
        ),
        (json!({"totalTokens": 31}), usage(None, None)),
        (json!({"models": [{"name": "models/x"}]}), usage(None, None)),
        (json!({}), usage(None, None)),
    ] {
        assert_eq!(classify(200, JSON, text.to_string().as_bytes()), expected, "{text}");
    }
    assert_eq!(classify(200, JSON, b"{\"candidates\": [{"), Outcome::Network(NetworkFault::Truncated));
    assert_eq!(classify(200, Some("text/html"), b"<html>log in"), Outcome::ServerError { status: 200 });
    assert_eq!(classify(200, Some("image/png"), b"\x89PNG"), usage(None, None));
    assert_eq!(classify(200, None, b""), usage(None, None));
    assert_eq!(classify(200, JSON, b""), usage(None, None));
}

/// JSON near enough to an error to reach every branch.
fn near_errors() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("@type"),
        Just("type.googleapis.com/google.rpc.QuotaFailure"),
        Just("type.googleapis.com/google.rpc.RetryInfo"),
        Just("type.googleapis.com/google.rpc.ErrorInfo"),
        Just("violations"),
        Just("quotaId"),
        Just("quotaMetric"),
        Just("quotaValue"),
        Just("retryDelay"),
        Just("reason"),
        Just("metadata"),
        Just("error"),
        Just("message"),
        Just("details"),
        Just("code"),
        Just("candidates"),
        Just("content"),
        Just("GenerateRequestsPerDay"),
        Just("5s"),
        Just("Quota exceeded for metric: a, limit: , model"),
        Just("retry in "),
        Just("{\"error\":{\"message\":\"[\"}}"),
    ];
    let leaf = prop_oneof![
        word.clone().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!(""))
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((word.clone(), inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(status in any::<u16>(), media in "\\PC{0,20}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = classify(status, Some(&media), &body);
    }

    #[test]
    fn nothing_near_an_error_panics(status in prop_oneof![any::<u16>(), Just(429u16), Just(200), Just(400)], inner in near_errors()) {
        for body in [inner.clone(), json!({"error": inner}), json!([{"error": {"details": [inner]}}])] {
            let _ = classify(status, JSON, body.to_string().as_bytes());
        }
    }

    #[test]
    fn an_unknown_message_never_harms_a_key(status in 400u16..600, message in "[a-z {}\"]{0,60}") {
        prop_assume!(status != 401);
        let outcome = classify(status, JSON, &body(status, "", &message, &[]));
        let blamed =
            matches!(outcome, Outcome::KeyRejected { .. } | Outcome::KeyRestricted { .. } | Outcome::OperationDenied);
        prop_assert!(!blamed);
    }
}
