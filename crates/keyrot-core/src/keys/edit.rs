//! Adding a key to the text of a keys.json: one insertion, and not a byte of the rest changes.

use jsonc_parser::ast::{Array, Object, Value};
use jsonc_parser::common::Ranged;
use serde_json::{Map, Value as Json};

use super::finding::Findings;
use super::key::Key;
use super::report::Report;
use super::set::{KeySet, Parsed};
use super::{text, write};
use crate::id::KeyId;

/// What a file gets whose own habit does not show.
const INDENT: &str = "  ";

/// Why a key was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// The file has errors already.
    #[error("{0}")]
    Before(Findings),
    /// There is such a key.
    #[error("the file has a key `{0}` already\nhint: choose another id, or edit that key in the file")]
    Taken(KeyId),
    /// The file would have errors with the key: all of them.
    #[error("{0}")]
    After(Findings),
}

/// A keys.json with one more key.
#[derive(Debug, Clone, PartialEq)]
pub struct Added {
    /// The new text: the old one with an insertion.
    pub text: String,
    /// What it says.
    pub parsed: Parsed,
}

/// Adds `key` behind the other keys of `text`, in the file's own indentation and line endings. Comments,
/// order and every other byte stay. A blank `text` becomes a new file.
///
/// ```
/// use keyrot_core::keys::{Key, add};
/// use keyrot_core::KeyId;
/// let key = Key::new(KeyId::new("flash_02")?);
/// let added = add("keys.json", "[{\"key_id\": \"flash_01\"}] // mine", &key).unwrap();
/// assert_eq!(added.text, "[{\"key_id\": \"flash_01\"}, {\"key_id\": \"flash_02\"}] // mine");
/// # Ok::<(), keyrot_core::IllegalKeyId>(())
/// ```
///
/// # Errors
/// [`AddError`] when the file has errors before or after, or has a key of that id.
pub fn add(file_name: &str, text: &str, key: &Key) -> Result<Added, AddError> {
    let new = if text.trim_start_matches('\u{feff}').trim().is_empty() {
        let entry = lines(&write::key(key), "    ", INDENT, "\n");
        format!("{{\n  \"keys\": [\n    {entry}\n  ]\n}}\n")
    } else {
        inserted(file_name, text, key)?
    };
    let parsed = KeySet::parse(file_name, &new).map_err(AddError::After)?;
    Ok(Added { text: new, parsed })
}

fn inserted(file_name: &str, text: &str, key: &Key) -> Result<String, AddError> {
    let json = text::blank_hash_comments(text);
    let mut report = Report::new(file_name, text);
    let root = text::parse(&json, &mut report);
    let list = root.as_ref().and_then(list);
    let (Some(list), true) = (list, list.is_none_or(|list| list.elements.is_empty())) else {
        let before = KeySet::parse(file_name, text).map_err(AddError::Before)?;
        if before.set.get(&key.id).is_some() {
            return Err(AddError::Taken(key.id.clone()));
        }
        // A file without errors has a list.
        return Ok(list.map_or_else(String::new, |list| behind(text, &json, list, key)));
    };
    Ok(behind(text, &json, list, key))
}

/// The list of keys.
fn list<'a, 't>(root: &'a Value<'t>) -> Option<&'a Array<'t>> {
    let value = match root {
        Value::Object(object) => &object.get("keys")?.value,
        root => root,
    };
    value.as_array()
}

/// `text` with `key` at the end of `list`.
fn behind(text: &str, json: &str, list: &Array<'_>, key: &Key) -> String {
    let new_line = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let close = list.end() - 1;
    let last = list.elements.last();
    let comma = last.and_then(|last| comma(json, last.end(), close));
    // What stands between the line's start and the bracket, if that is nothing but its indentation.
    let margin = margin(text, close);
    let (entry, at) = match (margin, last) {
        // The bracket has a line of its own: the key goes on the line before it.
        (Some(margin), last) => {
            let indent = last
                .and_then(|last| self::margin(text, last.start()))
                .map_or_else(|| format!("{margin}{INDENT}"), str::to_owned);
            let entry = match last {
                Some(Value::Object(object)) if !text[object.start()..object.end()].contains('\n') => {
                    one_line(key, text, object)
                }
                Some(Value::Object(object)) => {
                    lines(&write::key(key), &indent, &unit(text, object, &indent), new_line)
                }
                _ => lines(&write::key(key), &indent, INDENT, new_line),
            };
            let end = if comma.is_some() { "," } else { "" };
            (format!("{indent}{entry}{end}{new_line}"), close - margin.len())
        }
        (None, Some(last)) => {
            let entry = match last {
                Value::Object(object) => one_line(key, text, object),
                _ => compact(&write::key(key), false),
            };
            match comma {
                Some(at) => (format!(" {entry},"), at + 1),
                None => (format!(", {entry}"), last.end()),
            }
        }
        (None, None) => (compact(&write::key(key), false), list.start() + 1),
    };
    let mut new = text.to_owned();
    new.insert_str(at, &entry);
    if let (Some(last), None, Some(_)) = (last, comma, margin) {
        new.insert(last.end(), ',');
    }
    new
}

/// The comma between `from` and `to`, comments left out.
fn comma(json: &str, from: usize, to: usize) -> Option<usize> {
    let mut at = from;
    while at < to {
        let rest = &json[at..to];
        if rest.starts_with(',') {
            return Some(at);
        }
        let skip = if rest.starts_with("//") {
            rest.find(['\n', '\r'])
        } else if rest.starts_with("/*") {
            rest.find("*/").map(|end| end + 2)
        } else {
            rest.chars().next().map(char::len_utf8)
        };
        at += skip.unwrap_or(rest.len()).max(1);
    }
    None
}

/// The white space before `at` on its line; `None` when something else stands there, or there is no line
/// before.
fn margin(text: &str, at: usize) -> Option<&str> {
    let start = text[..at].rfind('\n')? + 1;
    Some(&text[start..at]).filter(|before| before.chars().all(|c| c == ' ' || c == '\t'))
}

/// By how much the members of `object` stand further in than it does.
fn unit(text: &str, object: &Object<'_>, indent: &str) -> String {
    let member = object.properties.first().and_then(|first| margin(text, first.start()));
    let deeper = member.and_then(|member| member.strip_prefix(indent)).filter(|deeper| !deeper.is_empty());
    deeper.unwrap_or(INDENT).to_owned()
}

/// A key on one line, with blanks inside its braces where the other has them.
fn one_line(key: &Key, text: &str, like: &Object<'_>) -> String {
    compact(&write::key(key), text[like.start()..].starts_with("{ "))
}

/// One member a line.
fn lines(key: &Json, indent: &str, unit: &str, new_line: &str) -> String {
    let empty = Map::new();
    let members: Vec<String> = key
        .as_object()
        .unwrap_or(&empty)
        .iter()
        .map(|(name, value)| {
            format!("{indent}{unit}{}: {}", Json::from(name.as_str()), compact(value, false))
        })
        .collect();
    format!("{{{new_line}{}{new_line}{indent}}}", members.join(&format!(",{new_line}")))
}

/// A value on one line, as people write it.
fn compact(value: &Json, blanks: bool) -> String {
    let blank = if blanks { " " } else { "" };
    match value {
        Json::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", Json::from(name.as_str()), compact(value, blanks)))
                .collect();
            format!("{{{blank}{}{blank}}}", members.join(", "))
        }
        Json::Array(list) => {
            let list: Vec<String> = list.iter().map(|value| compact(value, blanks)).collect();
            format!("[{}]", list.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
