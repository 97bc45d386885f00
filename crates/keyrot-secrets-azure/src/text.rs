//! The text of a secret: a plain key, or a JSON object that holds one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::{Zeroize as _, Zeroizing};

/// The fields a key may be in, first those that are looked for first.
const FIELDS: [&str; 2] = ["value", "api_key"];

/// A JSON object, overwritten when it is dropped.
#[derive(Deserialize, Serialize)]
#[serde(transparent)]
struct Fields(Map<String, Value>);

impl Drop for Fields {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Fields {
    /// The object that `text` is; `None` when it does not begin like one.
    fn of(text: &str) -> Result<Option<Self>, &'static str> {
        if !text.trim_start().starts_with('{') {
            return Ok(None);
        }
        let fields = serde_json::from_str(text);
        fields.map(Some).map_err(|_| "it begins like a JSON object and is none")
    }

    /// Where the key is: in `value`, else in `api_key`, else in the only field.
    fn key(&mut self) -> Result<&mut String, &'static str> {
        let named = FIELDS.into_iter().find(|name| self.0.contains_key(*name));
        let field = match (named, self.0.len()) {
            (Some(name), _) => self.0.get_mut(name),
            (None, 1) => self.0.values_mut().next(),
            _ => None,
        };
        match field {
            Some(Value::String(key)) => Ok(key),
            Some(_) => Err("the field of the JSON object that should hold the key is not a text"),
            None => Err("it is a JSON object with neither `value` nor `api_key`, nor with one field alone"),
        }
    }
}

/// The key in a secret's text.
pub(crate) fn key_in(text: &str) -> Result<Zeroizing<String>, &'static str> {
    let Some(mut fields) = Fields::of(text)? else { return Ok(Zeroizing::new(text.to_owned())) };
    Ok(Zeroizing::new(std::mem::take(fields.key()?)))
}

/// The text with `key` where another key is; the other fields of a JSON object stay.
pub(crate) fn with_key(text: &str, key: &str) -> Result<Zeroizing<String>, &'static str> {
    let Some(mut fields) = Fields::of(text)? else { return Ok(Zeroizing::new(key.to_owned())) };
    let field = fields.key()?;
    field.zeroize();
    key.clone_into(field);
    let written = serde_json::to_string(&fields);
    written.map(Zeroizing::new).map_err(|_| "its JSON object cannot be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_people_put_it() {
        for (text, key) in [
            ("k", "k"),
            (" [k]", " [k]"),
            (r#"{"api_key": "a", "value": "k"}"#, "k"),
            (r#" {"api_key": "k", "n": 1}"#, "k"),
            (r#"{"gemini": "k"}"#, "k"),
        ] {
            assert_eq!(key_in(text).as_deref().map(String::as_str), Ok(key), "{text}");
        }
        for text in
            ["{", "{}", r#"{"a": "k", "b": "k"}"#, r#"{"value": 7}"#, r#"{"value": null, "api_key": "k"}"#]
        {
            assert!(key_in(text).is_err(), "{text}");
            assert!(with_key(text, "new").is_err(), "{text}");
        }
    }

    #[test]
    fn writing_changes_the_key_alone() {
        let text = r#"{"n":[1,2],"api_key":"k","owner":"us"}"#;
        let written = with_key(text, "a\"b").unwrap();
        assert_eq!(*written, r#"{"n":[1,2],"api_key":"a\"b","owner":"us"}"#);
        assert_eq!(*with_key("k", "new").unwrap(), "new");
    }
}
