//! A secret's text: the key itself, or a JSON object with the key in it. Copies made here are wiped when they are
//! dropped.

use std::fmt;

use secrecy::zeroize::Zeroizing;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An object's fields, in their order. The values lie where they were read from.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Object)
    }
}

impl<'a> Fields<'a> {
    /// `None` where the text is no object, and so the key itself.
    fn of(text: &'a str) -> Option<Result<Self, &'static str>> {
        let read = || serde_json::from_str(text).map_err(|_| "it begins like a JSON object and is none");
        text.trim_start().starts_with('{').then(read)
    }

    /// Where the key is.
    fn place(&self, names: &[&str]) -> Result<usize, &'static str> {
        let named = |wanted: &&str| self.0.iter().rposition(|(name, _)| name == wanted);
        match names.iter().find_map(named) {
            Some(place) => Ok(place),
            None if self.0.len() == 1 => Ok(0),
            None if self.0.is_empty() => Err("it is a JSON object without fields"),
            None => Err("it is a JSON object with several fields, and none is called `api_key` or `value`"),
        }
    }
}

/// The key in `text`: all of it, or what a JSON object has under the first of `names` that is there, else its only
/// field.
///
/// ```
/// use keyrot_core::secret::text::key;
/// assert_eq!(key(r#"{"owner": "us", "value": "AIza1"}"#, &["value", "api_key"]).unwrap().as_str(), "AIza1");
/// assert_eq!(key("AIza1", &["value"]).unwrap().as_str(), "AIza1");
/// ```
///
/// # Errors
/// Says, without repeating the text, why there is no telling which key is meant.
pub fn key(text: &str, names: &[&str]) -> Result<Zeroizing<String>, &'static str> {
    let Some(fields) = Fields::of(text) else { return Ok(Zeroizing::new(text.to_owned())) };
    let fields = fields?;
    let place = fields.place(names)?;
    let raw = fields.0.get(place).map_or("", |(_, raw)| raw.get());
    serde_json::from_str(raw).map(Zeroizing::new).map_err(|_| "the field of its JSON object is no text")
}

/// `text` with `new` where [`key`] finds the key; what else a JSON object holds stays.
///
/// # Errors
/// As [`key`].
pub fn with_key(text: &str, names: &[&str], new: &str) -> Result<Zeroizing<String>, &'static str> {
    let Some(fields) = Fields::of(text) else { return Ok(Zeroizing::new(new.to_owned())) };
    let fields = fields?;
    let place = fields.place(names)?;
    let quoted = |text: &str| {
        serde_json::to_string(text).map(Zeroizing::new).map_err(|_| "its JSON cannot be written again")
    };
    let new = quoted(new)?;
    // Room for all of it: growing would leave a copy behind.
    let mut all = Zeroizing::new(String::with_capacity(6 * text.len() + new.len() + 2));
    for (at, (name, raw)) in fields.0.iter().enumerate() {
        all.push_str(if at == 0 { "{" } else { ", " });
        all.push_str(&quoted(name)?);
        all.push_str(": ");
        all.push_str(if at == place { new.as_str() } else { raw.get() });
    }
    all.push('}');
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 2] = ["api_key", "value"];

    #[test]
    fn the_key_is_all_of_it_or_a_field() {
        for (text, expected) in [
            ("AIza1", "AIza1"),
            (r#"{"value": "v", "api_key": "k"}"#, "k"),
            (r#"{"value": "v", "other": 7}"#, "v"),
            (r#" {"gemini": "a\u0041\"b"}"#, "aA\"b"),
            (r#"{"api_key": "old", "api_key": "new"}"#, "new"),
        ] {
            assert_eq!(key(text, &NAMES).expect(text).as_str(), expected);
        }
        for text in
            ["{}", "{", r#"{"a": "1", "b": "2"}"#, r#"{"a": 1}"#, r#"{"api_key": null, "value": "v"}"#]
        {
            assert!(key(text, &NAMES).is_err(), "{text}");
        }
    }

    #[test]
    fn writing_changes_the_key_alone() {
        assert_eq!(with_key("AIza1", &NAMES, "new").expect("plain").as_str(), "new");
        let before = r#"{"owner":"us","n":1.50,"api_key":"old","deep":{"api_key":"kept","x":[1, 2]}}"#;
        let after = with_key(before, &NAMES, "n\"ew").expect("JSON");
        assert_eq!(
            after.as_str(),
            r#"{"owner": "us", "n": 1.50, "api_key": "n\"ew", "deep": {"api_key":"kept","x":[1, 2]}}"#
        );
        assert_eq!(key(&after, &NAMES).expect("JSON still").as_str(), "n\"ew");
        assert!(with_key(r#"{"a": "1", "b": "2"}"#, &NAMES, "new").is_err(), "which one would it be?");
    }
}
