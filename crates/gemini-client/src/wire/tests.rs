//! What was read can be written again, and the conveniences read what they should.

use keyrot_core::Usage;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

fn again<T: Serialize + DeserializeOwned>(value: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(value.clone()).expect("readable")).expect("writable")
}

#[test]
fn a_recorded_answer_survives_whole() {
    let recorded = json!({
        "candidates": [{
            "content": {"parts": [{"text": "OK", "thoughtSignature": "EmcK", "videoMetadata": {"fps": 1}}], "role": "model"},
            "finishReason": "STOP", "index": 0, "groundingMetadata": {"x": [1]}, "avgLogprobs": -0.25
        }],
        "usageMetadata": {
            "promptTokenCount": 6, "candidatesTokenCount": 1, "totalTokenCount": 7,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 6}], "serviceTier": "standard"
        },
        "modelVersion": "gemini-3.8-flash", "responseId": "km2k", "modelStatus": {"modelStage": "STABLE"}
    });
    assert_eq!(again::<GenerateResponse>(&recorded), recorded);
}

#[test]
fn text_leaves_thoughts_and_calls_out() {
    let response: GenerateResponse = serde_json::from_value(json!({"candidates": [
        {"content": {"parts": [
            {"text": "let me think", "thought": true},
            {"text": "The "},
            {"functionCall": {"name": "f", "args": {}}},
            {"text": "answer", "thought": false},
            {"text": "", "thoughtSignature": "Em"}
        ]}, "finishReason": "NEW_REASON"},
        {"content": {"parts": [{"text": "another"}]}}
    ]}))
    .unwrap();
    assert_eq!(response.text(), "The answer");
    assert_eq!(response.finish_reason().map(FinishReason::as_str), Some("NEW_REASON"));
}

#[test]
fn an_empty_content_is_no_error() {
    let response: GenerateResponse = serde_json::from_value(json!({
        "candidates": [{"content": {}, "finishReason": "MAX_TOKENS", "index": 0}],
        "usageMetadata": {"promptTokenCount": 20, "totalTokenCount": 23, "thoughtsTokenCount": 3}
    }))
    .unwrap();
    assert_eq!(response.text(), "");
    assert_eq!(response.finish_reason(), Some(&FinishReason::MAX_TOKENS));
    assert_eq!(response.usage(), Usage { prompt_tokens: Some(20), output_tokens: Some(3) });
    assert_eq!(GenerateResponse::default().usage(), Usage::default());
}

/// Values without `null` and empty lists, which the types do not tell from absence.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9f64..1e9).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// `known` with unknown fields beside them.
fn with_strangers(known: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (known, proptest::collection::btree_map("x_[a-z]{1,6}", anything(), 0..3)).prop_map(
        |(mut value, strangers)| {
            value.as_object_mut().expect("an object").extend(strangers);
            value
        },
    )
}

fn part() -> impl Strategy<Value = Value> {
    with_strangers(prop_oneof![
        "\\PC{0,12}".prop_map(|text| json!({"text": text})),
        ("\\PC{0,12}", any::<bool>())
            .prop_map(|(text, thought)| json!({"text": text, "thought": thought, "thoughtSignature": "Em"})),
        anything()
            .prop_map(|args| json!({"functionCall": {"id": "1", "name": "f", "args": args, "x_new": 1}})),
        anything().prop_map(|r| json!({"functionResponse": {"name": "f", "response": r, "parts": [1]}})),
        "[a-z]{0,9}".prop_map(
            |data| json!({"inlineData": {"mimeType": "image/png", "data": data, "displayName": "d"}})
        ),
        Just(json!({"fileData": {"fileUri": "https://x/files/1", "mimeType": "a/b"}})),
        Just(json!({"executableCode": {"language": "PYTHON", "code": "1", "id": "2"}})),
        Just(json!({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}})),
        anything().prop_map(|t| json!({"toolCall": t})),
    ])
}

fn content() -> impl Strategy<Value = Value> {
    with_strangers(prop_oneof![
        Just(json!({})),
        proptest::collection::vec(part(), 1..4).prop_map(|parts| json!({"role": "model", "parts": parts})),
    ])
}

fn request() -> impl Strategy<Value = Value> {
    let config = with_strangers((0f64..2.0, any::<i64>(), anything()).prop_map(|(t, seed, schema)| {
        json!({"temperature": t, "seed": seed, "topK": 40.0, "maxOutputTokens": 9, "stopSequences": ["a"],
               "responseSchema": schema, "thinkingConfig": {"thinkingBudget": -1, "x_level": "high"}})
    }));
    with_strangers((proptest::collection::vec(content(), 0..3), content(), config, anything()).prop_map(|(contents, system, config, tool)| {
        json!({"contents": contents, "systemInstruction": system, "generationConfig": config, "tools": [tool],
               "toolConfig": {"a": 1}, "cachedContent": "cachedContents/1",
               "safetySettings": [{"category": "C", "threshold": "T", "method": "M"}]})
    }))
}

fn response() -> impl Strategy<Value = Value> {
    let candidate = with_strangers((content(), "[A-Z_]{1,12}").prop_map(|(content, reason)| {
        json!({"content": content, "finishReason": reason, "index": 0, "finishMessage": "m"})
    }));
    with_strangers((proptest::collection::vec(candidate, 1..3), 0u64..1 << 40).prop_map(
        |(candidates, tokens)| {
            json!({"candidates": candidates, "responseId": "r", "modelVersion": "v",
               "promptFeedback": {"blockReason": "NEW", "safetyRatings": [{"a": 1}]},
               "usageMetadata": {"promptTokenCount": tokens, "cacheTokensDetails": [{"modality": "TEXT"}]}})
        },
    ))
}

proptest! {
    #[test]
    fn requests_survive(value in request()) {
        prop_assert_eq!(again::<GenerateRequest>(&value), value);
    }

    #[test]
    fn responses_survive(value in response()) {
        prop_assert_eq!(again::<GenerateResponse>(&value), value);
    }

    #[test]
    fn counts_and_models_survive(inner in request(), strangers in with_strangers(Just(json!({})))) {
        let count = json!({"generateContentRequest": inner});
        prop_assert_eq!(again::<CountTokensRequest>(&count), count);
        let mut model = json!({"name": "models/m", "displayName": "M", "version": "1", "inputTokenLimit": 5,
            "outputTokenLimit": 6, "supportedGenerationMethods": ["generateContent"], "thinking": true});
        model.as_object_mut().unwrap().extend(strangers.as_object().unwrap().clone());
        let page = json!({"models": [model], "nextPageToken": "t", "x_new": 1});
        prop_assert_eq!(again::<ModelPage>(&page), page);
        let total = json!({"totalTokens": 5, "cachedContentTokenCount": 1, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}], "x": 1});
        prop_assert_eq!(again::<CountTokensResponse>(&total), total);
    }
}
