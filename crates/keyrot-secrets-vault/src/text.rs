//! A KV secret: an object of fields, one of which is the key.

use std::fmt;

use secrecy::zeroize::Zeroizing;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The fields a key is looked for in, in this order.
const FIELDS: [&str; 2] = ["value", "api_key"];

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
    fn of(object: &'a str) -> Result<Self, &'static str> {
        serde_json::from_str(object).map_err(|_| "it is no object of fields")
    }

    /// Where the key is.
    fn place(&self) -> Result<usize, &'static str> {
        let named = |wanted: &str| self.0.iter().rposition(|(name, _)| name == wanted);
        match FIELDS.into_iter().find_map(named) {
            Some(place) => Ok(place),
            None if self.0.len() == 1 => Ok(0),
            None if self.0.is_empty() => Err("it has no fields"),
            None => Err("it has several fields, and none is called `value` or `api_key`"),
        }
    }
}

/// The key in a secret: what it has under `value`, else `api_key`, else its only field.
pub(crate) fn key(object: &str) -> Result<Zeroizing<String>, &'static str> {
    let fields = Fields::of(object)?;
    let place = fields.place()?;
    let raw = fields.0.get(place).map_or("", |(_, raw)| raw.get());
    serde_json::from_str(raw).map(Zeroizing::new).map_err(|_| "its field is no text")
}

/// The secret with `new` as its key; what else it holds stays as it is.
pub(crate) fn with_key(object: &str, new: &str) -> Result<Zeroizing<String>, &'static str> {
    let fields = Fields::of(object)?;
    let place = fields.place()?;
    let quoted = |text: &str| {
        serde_json::to_string(text).map(Zeroizing::new).map_err(|_| "it cannot be written again")
    };
    let new = quoted(new)?;
    // Room for all of it: growing would leave a copy behind.
    let mut all = Zeroizing::new(String::with_capacity(6 * object.len() + new.len() + 2));
    for (at, (name, raw)) in fields.0.iter().enumerate() {
        all.push(if at == 0 { '{' } else { ',' });
        all.push_str(&quoted(name)?);
        all.push(':');
        all.push_str(if at == place { new.as_str() } else { raw.get() });
    }
    all.push('}');
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_a_field() {
        for (object, expected) in [
            (r#"{"value": "v", "api_key": "k"}"#, "v"),
            (r#"{"api_key": "k", "other": 7}"#, "k"),
            (r#"{"gemini": "a\u0041\"b"}"#, "aA\"b"),
        ] {
            assert_eq!(key(object).expect(object).as_str(), expected);
        }
        for object in
            ["{}", "[]", r#"{"a": "1", "b": "2"}"#, r#"{"a": 1}"#, r#"{"value": null, "api_key": "k"}"#]
        {
            assert!(key(object).is_err(), "{object}");
        }
    }

    #[test]
    fn writing_changes_the_key_alone() {
        let before = r#"{"owner":"us","n":1.50,"value":"old","deep":{"value":"kept","x":[1, 2]}}"#;
        let after = with_key(before, "n\"ew").expect("an object");
        let expected = r#"{"owner":"us","n":1.50,"value":"n\"ew","deep":{"value":"kept","x":[1, 2]}}"#;
        assert_eq!(after.as_str(), expected);
        assert!(with_key(r#"{"a": "1", "b": "2"}"#, "new").is_err(), "which one would it be?");
    }
}
