//! The JSON Schema of keys.json, made from the table the reader reads by.

use serde_json::{Map, Value, json};

use super::field::{CONFIG, Field, KEY, Kind, LARGEST, LIMITS};
use crate::id::KeyId;

/// The JSON Schema (2020-12) of keys.json, for editors. `cargo run -q -p keyrot-core --example
/// keys_schema` prints it.
///
/// Unknown fields are legal in it, as they are to the reader, which warns of them.
#[must_use]
pub fn schema() -> Value {
    let keys = json!({ "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/key" } });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "keys.json",
        "description": "Metadata of Gemini API keys for keyrot: a list of keys, or an object with the list and a \
                        config. Secrets do not belong here.",
        "anyOf": [
            keys,
            {
                "type": "object",
                "required": ["keys"],
                "properties": {
                    "$schema": { "type": "string" },
                    "keys": keys,
                    "config": { "anyOf": [{ "$ref": "#/$defs/config" }, { "type": "null" }] },
                },
            },
        ],
        "$defs": {
            "key": object(KEY),
            "limits": object(LIMITS),
            "config": object(CONFIG),
            "model": { "type": "string", "pattern": "^[!-~]+$" },
            "models": {
                "anyOf": [
                    { "$ref": "#/$defs/model" },
                    { "type": "array", "items": { "$ref": "#/$defs/model" }, "minItems": 1 },
                ],
            },
        },
    })
}

fn object<T>(fields: &[Field<T>]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), property(field))).collect();
    let required: Vec<&str> =
        fields.iter().filter(|field| matches!(field.kind, Kind::Id)).map(|field| field.name).collect();
    let mut out = Map::new();
    out.insert("type".into(), "object".into());
    if !required.is_empty() {
        out.insert("required".into(), required.into());
    }
    out.insert("properties".into(), properties.into());
    out.into()
}

fn property<T>(field: &Field<T>) -> Value {
    let accepted = accepted(&field.kind);
    let mut out = Map::new();
    out.insert("description".into(), field.doc.into());
    if let Some(default) = field.default.and_then(|text| serde_json::from_str(text).ok()) {
        out.insert("default".into(), default);
    }
    // Programs write null for what is not given, and the reader takes it so.
    match accepted {
        Value::Object(accepted) if matches!(field.kind, Kind::Id) => out.extend(accepted),
        accepted => {
            out.insert("anyOf".into(), json!([accepted, { "type": "null" }]));
        }
    }
    out.into()
}

fn accepted<T>(kind: &Kind<T>) -> Value {
    match kind {
        Kind::Id => {
            json!({ "type": "string", "pattern": format!("^[A-Za-z0-9_-]{{1,{}}}$", KeyId::MAX_LEN) })
        }
        Kind::Provider => json!({ "type": "string", "enum": ["gemini"] }),
        Kind::Whole { min, max, set: _ } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Share(_) => json!({ "type": "number", "exclusiveMinimum": 0, "maximum": LARGEST }),
        Kind::Flag(_) => json!({ "type": "boolean" }),
        Kind::Text(_) => json!({ "type": "string", "pattern": "\\S" }),
        Kind::Models(_) => json!({ "$ref": "#/$defs/models" }),
        Kind::Overrides(_) => json!({
            "type": "object",
            "propertyNames": { "$ref": "#/$defs/model" },
            "additionalProperties": { "$ref": "#/$defs/limits" },
        }),
        Kind::Fallback(_) => json!({
            "type": "object",
            "propertyNames": { "$ref": "#/$defs/model" },
            "additionalProperties": { "$ref": "#/$defs/models" },
        }),
        Kind::Tags(_) => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        Kind::Secret(_) => json!({ "type": "string", "pattern": "^(env|vault|aws|azure):\\s*\\S" }),
        Kind::Date(_) => json!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}",
            "examples": ["2026-01-31T12:00:00Z"],
        }),
    }
}
