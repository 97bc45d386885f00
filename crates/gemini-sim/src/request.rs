//! Reading a request's body: what Google's JSON front door refuses, and what a readable body refers to.

use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::joined_text;
use crate::route::Route;
use crate::status::{Status, detail};
use crate::tokens::field;

/// Most bytes of a request body.
pub(crate) const BODY_LIMIT: usize = 20 * 1024 * 1024;

/// A body as far as it was kept.
#[derive(Debug)]
pub(crate) enum Payload {
    Bytes(Vec<u8>),
    TooLarge,
}

/// A request as it came off the wire.
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) api_key: Option<String>,
    /// The key came as `?key=`, not in a header.
    pub(crate) key_in_query: bool,
    pub(crate) has_bearer: bool,
    /// What the caller sets the server for an answer to begin (`X-Server-Timeout`).
    pub(crate) server_timeout: Option<Duration>,
    pub(crate) payload: Payload,
}

/// Top-level fields of a `GenerateContentRequest`; each also has a snake-case spelling.
const GENERATE_FIELDS: &[&str] = &[
    "model",
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
    "serviceTier",
    "store",
    "labels",
];

const COUNT_FIELDS: &[&str] = &["model", "contents", "generateContentRequest"];

/// The `GenerateContentRequest` (or bare `contents`) inside a body.
pub(crate) fn read(route: &Route, payload: &Payload) -> Result<Value, Status> {
    let Payload::Bytes(bytes) = payload else {
        return Err(too_large());
    };
    let body: Value = serde_json::from_slice(bytes).map_err(|error| not_json(bytes, &error))?;
    if route.counts_tokens() {
        check_fields(&body, COUNT_FIELDS)?;
        if let Some(inner) = field(&body, "generateContentRequest", "generate_content_request") {
            return check_generate(inner.clone());
        }
        return check_contents(body);
    }
    check_generate(body)
}

/// The error for a body beyond [`BODY_LIMIT`].
pub(crate) fn too_large() -> Status {
    Status::bad_request(format!("Request payload size exceeds the limit: {BODY_LIMIT} bytes."))
}

fn check_generate(request: Value) -> Result<Value, Status> {
    check_fields(&request, GENERATE_FIELDS)?;
    check_contents(request)
}

fn check_contents(request: Value) -> Result<Value, Status> {
    let Some(contents) = request.get("contents").filter(|it| it.as_array().is_none_or(|all| !all.is_empty()))
    else {
        return Err(Status::bad_request("* GenerateContentRequest.contents: contents is not specified\n"));
    };
    let system = field(&request, "systemInstruction", "system_instruction");
    let readable =
        contents.as_array().is_some_and(|all| all.iter().all(is_content)) && system.is_none_or(is_content);
    if readable { Ok(request) } else { Err(Status::canonical(400)) }
}

fn is_content(content: &Value) -> bool {
    content.is_object()
        && content
            .get("parts")
            .is_none_or(|parts| parts.as_array().is_some_and(|all| all.iter().all(Value::is_object)))
}

fn check_fields(request: &Value, known: &[&str]) -> Result<(), Status> {
    let Some(fields) = request.as_object() else {
        return Err(unknown_name("", "Root element must be a message."));
    };
    match fields.keys().find(|name| !known.iter().any(|it| it == name || snake_case(it) == **name)) {
        Some(name) => Err(unknown_name(name, "Cannot find field.")),
        None => Ok(()),
    }
}

fn unknown_name(name: &str, why: &str) -> Status {
    let message = format!("Invalid JSON payload received. Unknown name \"{name}\": {why}");
    let violations = detail("BadRequest", json!({"fieldViolations": [{"description": message}]}));
    Status::bad_request(message).details([violations])
}

fn not_json(bytes: &[u8], error: &serde_json::Error) -> Status {
    let problem = if error.is_eof() { "Unexpected end of string." } else { "Unexpected token." };
    let start = bytes.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let shown: String = String::from_utf8_lossy(start).chars().take(40).collect();
    Status::bad_request(format!("Invalid JSON payload received. {problem}\n{shown}\n^"))
}

fn snake_case(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// Ids (without `files/`) of the uploaded files a request names; a public URL is not one.
pub(crate) fn file_ids(request: &Value) -> impl Iterator<Item = &str> {
    request
        .get("contents")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|content| content.get("parts").and_then(Value::as_array))
        .flatten()
        .filter_map(|part| field(part, "fileData", "file_data"))
        .filter_map(|file| field(file, "fileUri", "file_uri").and_then(Value::as_str))
        .filter_map(|uri| uri.strip_prefix("files/").or_else(|| Some(uri.rsplit_once("/files/")?.1)))
}

/// The cached content a request builds on, as `cachedContents/…`.
pub(crate) fn cached_content(request: &Value) -> Option<&str> {
    field(request, "cachedContent", "cached_content").and_then(Value::as_str)
}

/// The text of all contents, and of the system instruction.
pub(crate) fn texts(request: &Value) -> (String, String) {
    let contents = request.get("contents").and_then(Value::as_array).into_iter().flatten();
    let system = field(request, "systemInstruction", "system_instruction");
    (joined_text(contents), joined_text(system.into_iter()))
}

/// Whether the request wants to see thoughts.
pub(crate) fn wants_thoughts(request: &Value) -> bool {
    field(request, "generationConfig", "generation_config")
        .and_then(|config| field(config, "thinkingConfig", "thinking_config"))
        .and_then(|config| field(config, "includeThoughts", "include_thoughts"))
        .and_then(Value::as_bool)
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tokens::InputTokens;

    /// JSON whose names are mostly those the server looks for, in places where they make no sense.
    fn odd_json() -> impl Strategy<Value = Value> {
        let name = prop_oneof![
            Just("contents"),
            Just("parts"),
            Just("text"),
            Just("fileData"),
            Just("fileUri"),
            Just("systemInstruction"),
            Just("generateContentRequest"),
            Just("generationConfig"),
            Just("cachedContent"),
            Just("x"),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
            Just(json!("https://x/files/")),
        ];
        leaf.prop_recursive(6, 64, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((name.clone(), inner), 0..5).prop_map(|fields| {
                    Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_body_and_no_path_panics(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            odd in odd_json(),
            path in ".*",
            query in ".*",
            counting in any::<bool>(),
        ) {
            let verb = if counting { "countTokens" } else { "generateContent" };
            let route = Route::parse("POST", &format!("/v1/models/m:{verb}"), &query);
            let _elsewhere = Route::parse("GET", &path, &query);
            for bytes in [bytes, odd.to_string().into_bytes()] {
                if let Ok(request) = read(&route, &Payload::Bytes(bytes)) {
                    let _files = file_ids(&request).count();
                    let _rest = (cached_content(&request), texts(&request), wants_thoughts(&request));
                    let _tokens = InputTokens::of(&request).details();
                }
            }
        }
    }
}
