//! Every fault: status, body, what the connection does, and which requests a rule picks.

use std::io::ErrorKind;
use std::sync::Arc;

use gemini_sim::{Answer, Fault, FaultRule, KeySpec, OverloadText, Pace, ProjectSpec, SimServer, Verdict};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::wire_client::{KEY, MODEL, generate, one_key, parse, post, prompt, raw, request, send};

const STREAM: &str = "streamGenerateContent?alt=sse";
const HIGH_DEMAND: &str = "This model is currently experiencing high demand. Spikes in demand are usually \
    temporary. Please try again later.";

/// A server whose answers stream in three chunks, with one fault in place.
async fn faulty(fault: Fault) -> SimServer {
    one_key()
        .answer(Arc::new(|_| Answer::text("abcdef")))
        .pace(Pace { text_chunk_chars: 2, ..Pace::default() })
        .fault(FaultRule::new(fault))
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn each_error_has_its_exact_body() {
    let not_found = format!(
        "models/{MODEL} is not found for API version v1beta, or is not supported for generateContent. Call \
         ModelService.ListModels to see the list of available models and their supported methods."
    );
    let retired = format!(
        "This model models/{MODEL} is no longer available to new users. Please update your code to use a newer \
         model for the latest features and improvements."
    );
    let cases = [
        (Fault::TooManyBare, 429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
        (
            Fault::SpendCap,
            429,
            "RESOURCE_EXHAUSTED",
            "Your project has exceeded its spend-based rate limit. Please try again later.",
        ),
        (
            Fault::PrepayDepleted,
            429,
            "RESOURCE_EXHAUSTED",
            "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your project and billing.",
        ),
        (
            Fault::Overloaded(OverloadText::Old),
            503,
            "UNAVAILABLE",
            "The model is overloaded. Please try again later.",
        ),
        (Fault::Overloaded(OverloadText::New), 503, "UNAVAILABLE", HIGH_DEMAND),
        (
            Fault::Overloaded(OverloadText::Deadline),
            503,
            "UNAVAILABLE",
            "Deadline expired before operation could complete.",
        ),
        (
            Fault::DeadlineExceeded,
            504,
            "DEADLINE_EXCEEDED",
            "Deadline expired before operation could complete.",
        ),
        (
            Fault::Internal,
            500,
            "INTERNAL",
            "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
        ),
        (Fault::InternalShort, 500, "INTERNAL", "Internal error encountered."),
        (Fault::Cancelled, 499, "CANCELLED", "The operation was cancelled."),
        (Fault::ModelNotFound, 404, "NOT_FOUND", not_found.as_str()),
        (Fault::NoLongerAvailable, 404, "NOT_FOUND", retired.as_str()),
        (
            Fault::BadRequest("Invalid thought signature.".to_owned()),
            400,
            "INVALID_ARGUMENT",
            "Invalid thought signature.",
        ),
        (
            Fault::InputTooLong,
            400,
            "INVALID_ARGUMENT",
            "The input token count exceeds the maximum number of tokens allowed (1048576).",
        ),
        (
            Fault::LocationBlocked,
            400,
            "FAILED_PRECONDITION",
            "User location is not supported for the API use.",
        ),
        (
            Fault::FileForbidden,
            403,
            "PERMISSION_DENIED",
            "You do not have permission to access the File abc-123 or it may not exist.",
        ),
        (Fault::CacheForbidden, 403, "PERMISSION_DENIED", "CachedContent not found (or permission denied)"),
        (Fault::CallerNoPermission, 403, "PERMISSION_DENIED", "The caller does not have permission"),
    ];
    let server = one_key().start().await.unwrap();
    for (fault, code, status, message) in cases {
        let name = fault.name();
        let expected = format!(
            "{{\n  \"error\": {{\n    \"code\": {code},\n    \"message\": \"{message}\",\n    \"status\": \"{status}\"\n  }}\n}}\n"
        );
        server.push_fault(FaultRule::new(fault.clone()));
        let response = generate(&server).await;
        assert_eq!((response.status, response.text()), (code, expected.as_str()), "{name}");
        assert_eq!(response.header("content-type"), Some("application/json; charset=UTF-8"));
        assert_eq!(response.header("retry-after"), None);
        assert_eq!(server.log().last().unwrap().verdict, Verdict::Fault(name.to_owned()));

        server.push_fault(FaultRule::new(fault).in_array());
        let array = generate(&server).await;
        assert_eq!(array.text(), format!("[{expected}]\n"), "{name}");
        assert_eq!(generate(&server).await.status, 200, "{name} strikes once");
    }
}

#[tokio::test]
async fn a_gateway_says_when_to_come_back() {
    let server = one_key().start().await.unwrap();
    for value in ["1", "Tue, 01 Dec 2026 10:00:00 GMT"] {
        server.push_fault(FaultRule::new(Fault::TooManyRetryAfter(value.to_owned())));
        let response = generate(&server).await;
        assert_eq!((response.status, response.header("retry-after")), (429, Some(value)));
        assert_eq!(response.json()["error"].get("details"), None);
    }
    server.push_fault(FaultRule::new(Fault::TooManyRetryAfter("\n".to_owned())));
    assert_eq!(generate(&server).await.header("retry-after"), None, "no header can hold it");
}

#[tokio::test]
async fn the_callers_deadline_ends_a_generation_that_is_slower() {
    let pace = Pace { time_to_first_byte: std::time::Duration::from_millis(20), ..Pace::default() };
    let server = one_key().pace(pace).start().await.unwrap();
    let within = async |seconds: &str| {
        let headers = [("x-goog-api-key", KEY), ("x-server-timeout", seconds)];
        let path = format!("/v1beta/models/{MODEL}:generateContent");
        send(&server, "POST", &path, &headers, &prompt("x").to_string()).await
    };
    for seconds in ["0", "0.001"] {
        let late = within(seconds).await;
        assert_eq!(late.status, 504);
        assert_eq!(late.message(), "Deadline expired before operation could complete.");
        let entry = server.log().pop().unwrap();
        assert_eq!((entry.verdict, entry.status, entry.charged), (Verdict::DeadlineExceeded, 504, true));
    }
    for seconds in ["1", "30", "soon", "-1"] {
        assert_eq!(within(seconds).await.status, 200, "{seconds}");
    }
}

#[tokio::test]
async fn a_bad_gateway_is_html_and_raw_is_anything() {
    let server = faulty(Fault::BadGatewayHtml).await;
    let html = generate(&server).await;
    assert_eq!((html.status, html.header("content-type")), (502, Some("text/html; charset=UTF-8")));
    assert!(html.text().starts_with("<!DOCTYPE html>") && html.text().contains("Error 502"));
    let raw = Fault::Raw { status: 418, content_type: "text/x".to_owned(), body: "\u{0}odd".to_owned() };
    server.push_fault(FaultRule::new(raw));
    let odd = generate(&server).await;
    assert_eq!((odd.status, odd.header("content-type"), odd.text()), (418, Some("text/x"), "\u{0}odd"));
    let raw = Fault::Raw { status: 7, content_type: "\n".to_owned(), body: String::new() };
    server.push_fault(FaultRule::new(raw));
    let impossible = generate(&server).await;
    assert_eq!((impossible.status, impossible.header("content-type")), (500, Some("text/plain")));
}

#[tokio::test]
async fn blocked_and_empty_answers_are_200s() {
    for operation in ["generateContent", STREAM] {
        let server = faulty(Fault::SafetyBlock).await;
        let only = |response: crate::wire_client::Response| -> Value {
            assert_eq!(response.status, 200);
            if operation == STREAM { json!(response.events()) } else { json!([response.json()]) }
        };
        let blocked = only(post(&server, operation, &prompt("Hello")).await);
        assert_eq!(blocked.as_array().unwrap().len(), 1);
        assert_eq!(blocked[0]["promptFeedback"]["blockReason"], "SAFETY");
        assert_eq!(blocked[0].get("candidates"), None);
        assert_eq!(blocked[0]["usageMetadata"]["promptTokenCount"], 2);

        server.push_fault(FaultRule::new(Fault::EmptyMaxTokens));
        let empty = only(post(&server, operation, &prompt("Hello")).await);
        assert_eq!(
            empty[0]["candidates"],
            json!([{"content": {}, "finishReason": "MAX_TOKENS", "index": 0}])
        );
        let usage = &empty[0]["usageMetadata"];
        assert_eq!((usage.get("candidatesTokenCount"), &usage["thoughtsTokenCount"]), (None, &json!(3)));
        assert_eq!(usage["totalTokenCount"], 5);
    }
}

#[tokio::test]
async fn a_mid_stream_error_stands_outside_the_frames() {
    let server = faulty(Fault::MidStreamRawJson { after_chunks: 2, status: 503 }).await;
    let response = post(&server, STREAM, &prompt("Hello")).await;
    assert_eq!((response.status, response.complete), (200, true));
    let (frames, tail) = response.text().rsplit_once("\r\n\r\n").unwrap();
    assert_eq!(frames.matches("data: ").count(), 2);
    assert!(!frames.contains("finishReason"));
    assert_eq!(
        tail,
        format!(
            "{{\n  \"error\": {{\n    \"code\": 503,\n    \"message\": \"{HIGH_DEMAND}\",\n    \"status\": \"UNAVAILABLE\"\n  }}\n}}\n"
        )
    );
    let entry = &server.log()[0];
    assert_eq!((entry.status, entry.charged), (200, true));
}

#[tokio::test]
async fn a_mid_stream_error_may_be_an_event() {
    let server = faulty(Fault::MidStreamSseError { after_chunks: 1, status: 429 }).await;
    let events = post(&server, STREAM, &prompt("Hello")).await.events();
    assert_eq!(events.len(), 2);
    assert_eq!(
        events[1],
        json!({"error": {
            "code": 429, "message": "Resource has been exhausted (e.g. check quota).",
            "status": "RESOURCE_EXHAUSTED",
        }})
    );
}

#[tokio::test]
async fn array_streams_break_inside_the_array() {
    for fault in [
        Fault::MidStreamRawJson { after_chunks: 0, status: 500 },
        Fault::MidStreamSseError { after_chunks: 0, status: 500 },
    ] {
        let server = faulty(fault).await;
        let body = post(&server, "streamGenerateContent", &prompt("Hello")).await.json();
        assert_eq!(body[0]["error"]["code"], 500);
        server.push_fault(FaultRule::new(Fault::TruncatedStream { after_chunks: 0 }));
        assert_eq!(post(&server, "streamGenerateContent", &prompt("Hello")).await.json(), json!([]));
        server.push_fault(FaultRule::new(Fault::TruncatedStream { after_chunks: 2 }));
        let body = post(&server, "streamGenerateContent", &prompt("Hello")).await.json();
        assert_eq!(body.as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_truncated_stream_ends_well_formed_without_finish_reason() {
    for (after_chunks, events) in [(0, 0), (1, 1), (2, 2), (99, 2)] {
        let server = faulty(Fault::TruncatedStream { after_chunks }).await;
        let response = post(&server, STREAM, &prompt("Hello")).await;
        assert!(response.complete);
        assert_eq!(response.events().len(), events);
        assert!(!response.text().contains("finishReason"));
    }
}

#[tokio::test]
async fn a_reset_cuts_the_connection() {
    let server = faulty(Fault::Reset).await;
    let bytes = |operation: &str| {
        let body = prompt("Hello").to_string();
        let target = format!("/v1beta/models/{MODEL}:{operation}");
        request("POST", &target, &[("x-goog-api-key", KEY)], body.as_bytes())
    };
    let broken = raw(&server, &bytes("generateContent")).await.err().unwrap();
    assert_eq!((broken.error.kind(), broken.received.len()), (ErrorKind::ConnectionReset, 0));
    assert_eq!((server.log()[0].status, server.log()[0].charged), (0, true));

    server.push_fault(FaultRule::new(Fault::ResetMidStream { after_chunks: 2 }));
    let broken = raw(&server, &bytes(STREAM)).await.err().unwrap();
    assert_eq!(broken.error.kind(), ErrorKind::ConnectionReset);
    let response = parse(&broken.received);
    assert_eq!((response.status, response.complete, response.events().len()), (200, false, 2));
    assert_eq!(generate(&server).await.status, 200);
}

#[tokio::test]
async fn a_stall_lasts_until_the_server_stops() {
    for (fault, operation, events) in
        [(Fault::Stall, "generateContent", 0), (Fault::StallMidStream { after_chunks: 1 }, STREAM, 1)]
    {
        let server = faulty(fault).await;
        let target = format!("/v1beta/models/{MODEL}:{operation}");
        let body = prompt("Hello").to_string();
        let bytes = request("POST", &target, &[("x-goog-api-key", KEY)], body.as_bytes());
        let mut stream = TcpStream::connect(server.base_url().trim_start_matches("http://")).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut received = Vec::new();
        // Read what there is: then nothing comes until the server goes away.
        while String::from_utf8_lossy(&received).matches("\r\n\r\n\r\n").count() < events {
            let mut buffer = [0; 4096];
            let n = stream.read(&mut buffer).await.unwrap();
            received.extend_from_slice(&buffer[..n]);
        }
        while server.log().is_empty() {
            tokio::task::yield_now().await;
        }
        server.shutdown().await;
        let _closed = stream.read_to_end(&mut received).await;
        if events == 0 {
            assert!(received.is_empty());
        } else {
            let response = parse(&received);
            assert_eq!((response.events().len(), response.complete), (events, false));
        }
    }
}

#[tokio::test]
async fn rules_pick_their_requests() {
    let server = one_key()
        .project(ProjectSpec::new("proj-b"))
        .key(KeySpec::new("AIza-b", "proj-b"))
        .start()
        .await
        .unwrap();
    let rule = || FaultRule::new(Fault::Internal);
    let ask = async |key: &str, model: &str, operation: &str| {
        let target = format!("/v1beta/models/{model}:{operation}");
        send(&server, "POST", &target, &[("x-goog-api-key", key)], &prompt("x").to_string()).await.status
    };
    for picky in [
        rule().on_key("AIza-b"),
        rule().on_project("proj-b"),
        rule().on_model("gemini-2.5-pro"),
        rule().on_operation("countTokens"),
    ] {
        server.push_fault(picky);
        assert_eq!(ask(KEY, MODEL, "generateContent").await, 200);
        assert_eq!(ask("AIza-b", "gemini-2.5-pro", "countTokens").await, 500);
        assert_eq!(ask("AIza-b", "gemini-2.5-pro", "countTokens").await, 200);
    }
    server.push_fault(rule().after(1).times(2));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(ask(KEY, MODEL, "generateContent").await);
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
    server.push_fault(rule().always());
    server.push_fault(FaultRule::new(Fault::Cancelled));
    assert_eq!(ask(KEY, MODEL, "generateContent").await, 500, "the first rule wins");
    server.clear_faults();
    assert_eq!(ask(KEY, MODEL, "generateContent").await, 200);
}

#[tokio::test]
async fn stream_faults_wait_for_a_stream() {
    let server = faulty(Fault::TruncatedStream { after_chunks: 0 }).await;
    assert_eq!(generate(&server).await.status, 200);
    assert_eq!(post(&server, "countTokens", &prompt("x")).await.status, 200);
    assert!(post(&server, STREAM, &prompt("x")).await.body.is_empty());
}
