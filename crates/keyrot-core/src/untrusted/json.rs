//! JSON that holds no secret, and that a terminal can show.

use serde_json::{Map, Value};

use super::redact;
use super::visible::is_hidden;

/// `value` as JSON over several lines, without secrets.
///
/// What a terminal would obey, or not show, is a JSON escape, so a reader of the JSON gets it back as it was.
///
/// ```
/// use keyrot_core::untrusted;
/// let text = untrusted::json(serde_json::json!({ "said": "no AIzaSyA1b2C3 \u{9b}2J\n" }));
/// assert_eq!(text, "{\n  \"said\": \"no [REDACTED] \\u009b2J\\n\"\n}");
/// ```
#[must_use]
pub fn json(value: Value) -> String {
    escaped(&format!("{:#}", clean(value)))
}

/// [`json`] on one line.
#[must_use]
pub fn json_line(value: Value) -> String {
    escaped(&clean(value).to_string())
}

fn clean(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(redact(&text)),
        Value::Array(list) => list.into_iter().map(clean).collect(),
        Value::Object(object) => object
            .into_iter()
            .map(|(name, value)| (redact(&name), clean(value)))
            .collect::<Map<_, _>>()
            .into(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

/// Only strings of JSON hold hidden characters, apart from the line breaks between its lines.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !is_hidden(c) {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}
