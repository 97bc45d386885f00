//! From the syntax tree to keys: every member is looked up in the field table and checked.

mod value;

use std::collections::HashMap;

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;

use super::field::{self, Field, Kind};
use super::key::{Key, ModelFilter};
use super::report::{Report, Spot};
use super::set::PoolConfig;
use super::store::{SecretRef, StoreKind};
use super::text::START_FROM_EXAMPLE;
use crate::id::KeyId;
use crate::leak;

/// What the file says, with its mistakes left out.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) entries: Vec<Entry>,
    pub(super) config: PoolConfig,
}

/// A key and where its label stands.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) at: usize,
}

/// Reads the whole file.
pub(super) fn read(report: &mut Report<'_>, root: &Value<'_>) -> Draft {
    let spot = Spot { offset: root.start(), ..Spot::default() };
    let mut draft = Draft::default();
    match root {
        Value::Array(list) => draft.entries = keys(report, &list.elements, &spot),
        Value::Object(object) => {
            let mut given = None;
            for (name, value, spot) in members(report, object, &spot) {
                match (name, value) {
                    ("keys", Value::Array(list)) => {
                        given = Some(());
                        draft.entries = keys(report, &list.elements, &spot);
                    }
                    ("keys", other) => {
                        given = Some(());
                        value::mismatch(report, &spot, "a list of keys", other);
                    }
                    ("config", Value::Object(config)) => {
                        fields(report, config, &spot, field::CONFIG, &mut draft.config);
                    }
                    ("config", Value::NullKeyword(_)) | ("$schema", _) => {}
                    ("config", other) => value::mismatch(report, &spot, "an object", other),
                    (other, _) => unknown(report, other, &["keys", "config"], &spot),
                }
            }
            if given.is_none() {
                report.error(
                    &spot,
                    "there is no `keys`",
                    "write `{\"keys\": [ … ]}`, or a bare list of keys",
                );
            }
        }
        other => value::mismatch(report, &spot, "a list of keys, or an object with `keys`", other),
    }
    draft
}

fn keys(report: &mut Report<'_>, list: &[Value<'_>], spot: &Spot) -> Vec<Entry> {
    if list.is_empty() {
        report.error(spot, "the list of keys is empty", START_FROM_EXAMPLE);
    }
    let read = |value: &Value<'_>| match value {
        Value::Object(object) => entry(report, object),
        other => {
            let spot = Spot { offset: other.start(), ..Spot::default() };
            value::mismatch(report, &spot, "an object with `key_id`", other);
            None
        }
    };
    list.iter().filter_map(read).collect()
}

/// One key. A key without a legal id is checked like any other, and then left out.
fn entry(report: &mut Report<'_>, object: &Object<'_>) -> Option<Entry> {
    let mut spot = Spot { offset: object.start(), ..Spot::default() };
    let given = object.get("key_id").map(|member| &member.value);
    let id = match given {
        Some(Value::StringLit(text)) => {
            spot.key = Some(leak::label(&text.value, KeyId::MAX_LEN));
            KeyId::new(&text.value).map_err(|illegal| {
                let message = format!("`{}` is not a legal key id", illegal.text);
                let hint = "use 1 to 64 of the characters A-Z, a-z, 0-9, `_` and `-`, for example `flash_01`";
                report.error(
                    &Spot { offset: text.start(), field: Some("key_id".into()), key: None },
                    message,
                    hint,
                );
            })
        }
        Some(other) if !matches!(other, Value::NullKeyword(_)) => {
            value::mismatch(report, &spot.member("key_id", other.start()), "a text", other);
            Err(())
        }
        _ => {
            report.error(
                &spot,
                "the key has no `key_id`",
                "give it a label of its own, for example `flash_01`",
            );
            Err(())
        }
    };
    // A stand-in lets the rest be checked all the same.
    let mut key = Key::new(id.clone().or_else(|()| KeyId::new("unnamed")).ok()?);
    fields(report, object, &spot, field::KEY, &mut key);
    let at = given.map_or(object.start(), Ranged::start);
    id.ok().map(|_| Entry { key, at })
}

/// Reads the members of `object` that are in `table` into `target`.
fn fields<T>(report: &mut Report<'_>, object: &Object<'_>, spot: &Spot, table: &[Field<T>], target: &mut T) {
    for (name, value, spot) in members(report, object, spot) {
        match table.iter().find(|field| field.name == name) {
            // `null` is how programs write "not given".
            Some(_) if matches!(value, Value::NullKeyword(_)) => {}
            Some(field) => one(report, value, &spot, &field.kind, target),
            None => {
                let names: Vec<&str> = table.iter().map(|field| field.name).collect();
                unknown(report, name, &names, &spot);
            }
        }
    }
}

fn one<T>(report: &mut Report<'_>, value: &Value<'_>, spot: &Spot, kind: &Kind<T>, target: &mut T) {
    match kind {
        Kind::Id => {}
        Kind::Provider => provider(report, value, spot),
        Kind::Whole { min, max, set } => give(value::whole(report, value, spot, *min, *max), *set, target),
        Kind::Share(set) => give(value::share(report, value, spot), *set, target),
        Kind::Flag(set) => give(value::flag(report, value, spot), *set, target),
        Kind::Text(set) => {
            if let Some(text) = value::text(report, value, spot) {
                set(target, text);
            }
        }
        Kind::Models(set) => give(models(report, value, spot), *set, target),
        Kind::Overrides(set) => {
            let read = |report: &mut Report<'_>, value: &Value<'_>, spot: &Spot| match value {
                Value::Object(object) => {
                    let mut limits = crate::Limits::default();
                    fields(report, object, spot, field::LIMITS, &mut limits);
                    Some(limits)
                }
                other => {
                    value::mismatch(report, spot, "an object such as {\"rpm\": 5}", other);
                    None
                }
            };
            give(value::by_model(report, value, spot, read), *set, target);
        }
        Kind::Fallback(set) => give(value::by_model(report, value, spot, value::model_list), *set, target),
        Kind::Tags(set) => give(value::tags(report, value, spot), *set, target),
        Kind::Secret(set) => give(secret(report, value, spot), *set, target),
        Kind::Date(set) => give(value::date(report, value, spot), *set, target),
    }
}

fn give<T, V>(value: Option<V>, set: fn(&mut T, V), target: &mut T) {
    if let Some(value) = value {
        set(target, value);
    }
}

fn provider(report: &mut Report<'_>, value: &Value<'_>, spot: &Spot) {
    if value::text(report, value, spot).is_some_and(|text| !text.eq_ignore_ascii_case("gemini")) {
        report.error(spot, "the only provider is `gemini`", "remove the key, or the field");
    }
}

fn models(report: &mut Report<'_>, value: &Value<'_>, spot: &Spot) -> Option<ModelFilter> {
    let models = value::model_list(report, value, spot)?;
    if models.iter().any(|model| model.as_str() == "*") {
        return Some(ModelFilter::Any);
    }
    Some(ModelFilter::Listed(models))
}

fn secret(report: &mut Report<'_>, value: &Value<'_>, spot: &Spot) -> Option<SecretRef> {
    let text = value::text(report, value, spot)?;
    // The text is never repeated: people paste the secret itself here.
    let Some((store, name)) = text.split_once(':').filter(|(_, name)| !name.trim().is_empty()) else {
        report.error(
            spot,
            "must be `store:name`",
            "for example `env:flash_01`; never write the secret itself",
        );
        return None;
    };
    match store.parse::<StoreKind>() {
        Ok(store) => Some(SecretRef { store, name: name.trim().to_owned() }),
        Err(_) => {
            report.error(spot, "names no known secret store", "use one of `env`, `vault`, `aws`, `azure`");
            None
        }
    }
}

/// The members of an object, each name once, each with its place.
fn members<'a, 't>(
    report: &mut Report<'_>,
    object: &'a Object<'t>,
    spot: &Spot,
) -> Vec<(&'a str, &'a Value<'t>, Spot)> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut members = Vec::with_capacity(object.properties.len());
    for member in &object.properties {
        let name = member.name.as_str();
        if let Some(first) = seen.get(name) {
            let line = report.line(*first);
            let message = format!("is given twice, first on line {line}");
            report.error(&spot.member(name, member.name.start()), message, "remove one of the two");
            continue;
        }
        seen.insert(name, member.name.start());
        let inner = spot.member(name, member.value.start());
        report.remember(member.range, &inner);
        members.push((name, &member.value, inner));
    }
    members
}

fn unknown(report: &mut Report<'_>, name: &str, known: &[&str], spot: &Spot) {
    let name = name.to_lowercase();
    let likeness = |known: &str| match strsim::damerau_levenshtein(&name, known) {
        0 | 1 => 1.0,
        _ => strsim::jaro_winkler(&name, known),
    };
    let closest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let hint = match closest.filter(|known| likeness(known) > 0.8) {
        Some(closest) => format!("did you mean `{closest}`?"),
        None => format!("the known fields are {}", known.join(", ")),
    };
    report.warn(spot, "there is no such field; it is ignored", hint);
}
