//! What a served request looks like: unary, SSE, array stream, token counts, model listing.

use std::sync::Arc;
use std::time::Duration;

use gemini_sim::{Answer, ModelSpec, Pace, Verdict};
use serde_json::{Value, json};

use crate::wire_client::{KEY, generate, one_key, parse, post, prompt, raw, request, send};

#[tokio::test]
async fn a_unary_answer_is_pretty_json_with_googles_headers() {
    let server = one_key().start().await.unwrap();
    let response = generate(&server).await;
    assert_eq!(response.status, 200);
    let text = response.text();
    assert!(text.starts_with("{\n  \"candidates\": [\n    {\n      \"content\": {\n"), "{text}");
    assert!(text.ends_with("\n}\n"));
    let body = response.json();
    assert_eq!(
        body["candidates"],
        json!([{"content": {"parts": [{"text": "OK"}], "role": "model"}, "finishReason": "STOP", "index": 0}])
    );
    assert_eq!(
        body["usageMetadata"],
        json!({
            "promptTokenCount": 2, "candidatesTokenCount": 1, "totalTokenCount": 3,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2}], "serviceTier": "standard",
        })
    );
    assert_eq!(body["modelVersion"], "gemini-2.5-flash");
    for (name, value) in [
        ("content-type", "application/json; charset=UTF-8"),
        ("vary", "Origin, X-Origin, Referer"),
        ("server", "scaffolding on HTTPServer2"),
        ("x-xss-protection", "0"),
        ("x-frame-options", "SAMEORIGIN"),
        ("x-content-type-options", "nosniff"),
        ("transfer-encoding", "chunked"),
        ("x-gemini-service-tier", "standard"),
    ] {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    assert!(response.header("server-timing").unwrap().starts_with("gfet4t7; dur="));
    server.shutdown().await;
}

#[tokio::test]
async fn every_version_serves_the_same() {
    let server = one_key().start().await.unwrap();
    for version in ["v1", "v1beta", "v1alpha"] {
        let target = format!("/{version}/models/gemini-2.5-flash:generateContent");
        let response =
            send(&server, "POST", &target, &[("x-goog-api-key", KEY)], &prompt("Hi").to_string()).await;
        assert_eq!(response.status, 200, "{version}");
    }
    let versions: Vec<String> = server.log().into_iter().map(|entry| entry.api_version).collect();
    assert_eq!(versions, ["v1", "v1beta", "v1alpha"]);
}

#[tokio::test]
async fn a_stream_is_spaced_json_in_crlf_frames_with_running_usage() {
    let server = one_key()
        .answer(Arc::new(|_| Answer::text("abcdefghijkl")))
        .pace(Pace { text_chunk_chars: 4, ..Pace::default() })
        .start()
        .await
        .unwrap();
    let response = post(&server, "streamGenerateContent?alt=sse", &prompt("Hello")).await;
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    assert!(response.complete);
    let text = response.text();
    let first = "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"abcd\"}],\"role\": \"model\"},\
                 \"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 2,";
    assert!(text.starts_with(first), "{text}");
    assert_eq!(text.matches("\r\n\r\n").count(), 3);
    assert_eq!(text.matches('\n').count(), 6);
    assert!(!text.contains("[DONE]") && !text.contains("event:"));

    let events = response.events();
    let field = |name: &str| events.iter().map(|it| it[name].clone()).collect::<Vec<Value>>();
    assert!(field("responseId").windows(2).all(|pair| pair[0] == pair[1] && pair[0].is_string()));
    assert!(field("modelVersion").iter().all(|it| it == "gemini-2.5-flash"));
    let tokens: Vec<&Value> = events.iter().map(|it| &it["usageMetadata"]["candidatesTokenCount"]).collect();
    assert_eq!(tokens, [&json!(1), &json!(2), &json!(3)]);
    let reasons: Vec<&Value> = events.iter().map(|it| &it["candidates"][0]["finishReason"]).collect();
    assert_eq!(reasons, [&Value::Null, &Value::Null, &json!("STOP")]);
}

#[tokio::test]
async fn without_alt_sse_the_stream_is_one_json_array() {
    let server = one_key()
        .answer(Arc::new(|_| Answer::text("abcdefgh")))
        .pace(Pace { text_chunk_chars: 4, ..Pace::default() })
        .start()
        .await
        .unwrap();
    let response = post(&server, "streamGenerateContent", &prompt("Hello")).await;
    assert_eq!(response.header("content-type"), Some("application/json; charset=UTF-8"));
    assert!(response.text().starts_with("[{\n  \"candidates\""));
    assert_eq!(response.json().as_array().unwrap().len(), 2);
    assert_eq!(response.chunk_sizes.len(), 3, "each chunk of its own, and the closing bracket");
    let wrong = post(&server, "streamGenerateContent", &json!({})).await;
    assert_eq!(wrong.json()[0]["error"]["code"], 400);
}

#[tokio::test]
async fn newer_models_sign_their_thoughts() {
    let server = one_key().answer(Arc::new(|_| Answer::text("yes"))).start().await.unwrap();
    let target = "/v1beta/models/gemini-3.8-flash:";
    let body = prompt("Hi").to_string();
    let unary =
        send(&server, "POST", &format!("{target}generateContent"), &[("x-goog-api-key", KEY)], &body).await;
    assert!(unary.json()["candidates"][0]["content"]["parts"][0]["thoughtSignature"].is_string());
    let target = format!("{target}streamGenerateContent?alt=sse");
    let events = send(&server, "POST", &target, &[("x-goog-api-key", KEY)], &body).await.events();
    assert_eq!(events.len(), 2);
    let last = &events[1]["candidates"][0];
    assert_eq!(last["content"]["parts"][0]["text"], "");
    assert!(last["content"]["parts"][0]["thoughtSignature"].is_string());
    assert_eq!(last["finishReason"], "STOP");
}

#[tokio::test]
async fn thoughts_are_always_counted_and_sent_on_request() {
    let answer = Answer { thoughts: Some("let me see".to_owned()), ..Answer::text("yes") };
    let server = one_key().answer(Arc::new(move |_| answer.clone())).start().await.unwrap();
    let silent = generate(&server).await.json();
    assert_eq!(silent["candidates"][0]["content"]["parts"].as_array().unwrap().len(), 1);
    assert_eq!(silent["usageMetadata"]["thoughtsTokenCount"], 3);
    assert_eq!(silent["usageMetadata"]["totalTokenCount"], 6);
    let mut body = prompt("Hello");
    body["generationConfig"] = json!({"thinkingConfig": {"includeThoughts": true}});
    let spoken = post(&server, "generateContent", &body).await.json();
    assert_eq!(
        spoken["candidates"][0]["content"]["parts"][0],
        json!({"text": "let me see", "thought": true})
    );
}

#[tokio::test]
async fn raw_parts_and_blocked_prompts_come_through() {
    let call = json!({"functionCall": {"name": "f", "args": {"x": 1}}});
    let part = call.clone();
    let server = one_key()
        .answer(Arc::new(move |asked| {
            if asked.prompt_text == "block" {
                Answer::blocked("PROHIBITED_CONTENT")
            } else {
                Answer { parts: Some(vec![part.clone()]), ..Answer::text("") }
            }
        }))
        .start()
        .await
        .unwrap();
    let events = post(&server, "streamGenerateContent?alt=sse", &prompt("call")).await.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["candidates"][0]["content"]["parts"][0], call);
    let blocked = post(&server, "generateContent", &prompt("block")).await.json();
    assert_eq!(blocked["promptFeedback"], json!({"blockReason": "PROHIBITED_CONTENT"}));
    assert_eq!(blocked.get("candidates"), None);
}

#[tokio::test]
async fn splitting_anywhere_keeps_the_text() {
    let text = "Ünïcödé \u{2028} 漢字 🦀 end";
    let plain = one_key().answer(Arc::new(move |_| Answer::text(text))).start().await.unwrap();
    let whole = post(&plain, "streamGenerateContent?alt=sse", &prompt("Hello")).await;
    assert!(whole.text().contains('\u{2028}'), "not escaped");
    for size in 1..=whole.body.len() {
        let pace = Pace { tcp_split: Some(size), ..Pace::default() };
        let server =
            one_key().answer(Arc::new(move |_| Answer::text(text))).pace(pace).start().await.unwrap();
        let split = post(&server, "streamGenerateContent?alt=sse", &prompt("Hello")).await;
        assert!(split.chunk_sizes.iter().all(|it| *it <= size));
        assert_eq!(split.body, whole.body, "{size}");
        server.shutdown().await;
    }
}

#[tokio::test]
async fn count_tokens_agrees_with_usage_and_costs_no_quota() {
    let server = one_key().start().await.unwrap();
    let body = json!({
        "contents": [{"parts": [
            {"text": "What is 漢?"}, {"inlineData": {"mimeType": "image/png", "data": ""}},
        ]}],
        "systemInstruction": {"parts": [{"text": "Be brief, please."}]},
    });
    let generated = post(&server, "generateContent", &body).await.json();
    let mut inner = body.clone();
    inner["model"] = json!("models/gemini-2.5-flash");
    let counted = post(&server, "countTokens", &json!({"generateContentRequest": inner})).await;
    assert_eq!(counted.json()["totalTokens"], generated["usageMetadata"]["promptTokenCount"]);
    assert_eq!(
        counted.json()["promptTokensDetails"],
        json!([{"modality": "TEXT", "tokenCount": 8}, {"modality": "IMAGE", "tokenCount": 258}])
    );
    let bare = post(&server, "countTokens", &json!({"contents": body["contents"]})).await;
    assert_eq!(bare.json()["totalTokens"], 3 + 1 + 258);
    let log = server.log();
    assert_eq!((&log[1].verdict, log[1].charged), (&Verdict::Served, false));
}

#[tokio::test]
async fn an_own_token_count_rules_admission_usage_and_count_tokens() {
    let server = one_key().count_tokens(Arc::new(|_| 77)).start().await.unwrap();
    assert_eq!(generate(&server).await.json()["usageMetadata"]["promptTokenCount"], 77);
    assert_eq!(post(&server, "countTokens", &prompt("x")).await.json()["totalTokens"], 77);
    assert_eq!(server.log()[0].input_tokens, 77);
}

#[tokio::test]
async fn models_are_listed_in_pages_and_shown_one_by_one() {
    let server = one_key().model(ModelSpec::new("my-model")).start().await.unwrap();
    let get = async |target: &str| send(&server, "GET", target, &[("x-goog-api-key", KEY)], "").await;
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let page = get(&format!("/v1/models?pageSize=7&pageToken={token}")).await.json();
        let models = page["models"].as_array().unwrap();
        assert!(models.len() <= 7);
        names.extend(models.iter().map(|it| it["name"].as_str().unwrap().to_owned()));
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert!(names.contains(&"models/my-model".to_owned()));
    assert!(names.contains(&"models/gemini-2.5-flash".to_owned()));
    let unique: std::collections::HashSet<&String> = names.iter().collect();
    assert_eq!(unique.len(), names.len());

    let card = get("/v1/models/gemini-2.5-flash").await.json();
    assert_eq!(card["inputTokenLimit"], 1_048_576);
    assert_eq!(get("/v1/models/gemini-9").await.status, 404);
    for bad in ["pageSize=x", "pageToken=nonsense", "pageToken=page-9999", "pageSize=-1"] {
        assert_eq!(get(&format!("/v1/models?{bad}")).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn the_answering_closure_sees_the_request_and_is_asked_once_each() {
    let server = one_key()
        .answer(Arc::new(|asked| {
            Answer::text(format!(
                "{}|{}|{}|{}|{}",
                asked.nth, asked.model, asked.prompt_text, asked.system_text, asked.project
            ))
        }))
        .start()
        .await
        .unwrap();
    let body = json!({
        "contents": [{"parts": [{"text": "a"}]}, {"parts": [{"text": "b"}, {"text": "c"}]}],
        "system_instruction": {"parts": [{"text": "s"}]},
    });
    for nth in 0..2 {
        let said = post(&server, "generateContent", &body).await.json();
        assert_eq!(
            said["candidates"][0]["content"]["parts"][0]["text"],
            format!("{nth}|gemini-2.5-flash|a\nb\nc|s|proj-a")
        );
    }
}

#[tokio::test]
async fn pacing_delays_the_first_byte_and_each_chunk() {
    let server = one_key()
        .answer(Arc::new(|_| Answer::text("abc")))
        .pace(Pace {
            time_to_first_byte: Duration::from_millis(20),
            between_chunks: Duration::from_millis(20),
            text_chunk_chars: 1,
            tcp_split: None,
        })
        .start()
        .await
        .unwrap();
    #[expect(clippy::disallowed_methods, reason = "pacing runs in real time")]
    let start = std::time::Instant::now();
    let response = post(&server, "streamGenerateContent?alt=sse", &prompt("Hello")).await;
    assert_eq!(response.events().len(), 3);
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn one_connection_serves_several_requests() {
    let server = one_key().start().await.unwrap();
    let body = prompt("Hello").to_string();
    let target = "/v1/models/gemini-2.5-flash:generateContent";
    let last = request("POST", target, &[("x-goog-api-key", KEY)], body.as_bytes());
    let first = String::from_utf8(last.clone()).unwrap().replace("connection: close\r\n", "");
    let bytes = raw(&server, &[first.as_bytes(), &last].concat()).await.ok().unwrap();
    assert_eq!(parse(&bytes).status, 200);
    assert_eq!(server.log().len(), 2);
}

#[tokio::test]
async fn a_stopped_server_frees_its_port() {
    let server = one_key().start().await.unwrap();
    let base = server.base_url();
    let port = base.rsplit(':').next().unwrap().parse().unwrap();
    assert!(one_key().port(port).start().await.is_err(), "taken");
    server.shutdown().await;
    let again = one_key().port(port).start().await.unwrap();
    assert_eq!((again.base_url(), generate(&again).await.status), (base, 200));
}
