//! Single values: each function gives the value, or reports what is wrong with it.

use std::collections::BTreeMap;

use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;

use super::members;
use crate::bucket::model_id;
use crate::clock::Timestamp;
use crate::id::ModelId;
use crate::keys::field::LARGEST;
use crate::keys::report::{Report, Spot};

/// Reports that something else was expected.
pub(super) fn mismatch(report: &mut Report<'_>, spot: &Spot, expected: &str, found: &Value<'_>) {
    let (found, quoted) = match found {
        Value::StringLit(text) => ("a text", Some(text.value.trim())),
        Value::NumberLit(_) => ("a number", None),
        Value::BooleanLit(_) => ("true or false", None),
        Value::Object(_) => ("an object", None),
        Value::Array(_) => ("a list", None),
        Value::NullKeyword(_) => ("null", None),
    };
    let bare = |text: &str| text.parse::<f64>().is_ok() || matches!(text, "true" | "false");
    let hint = if quoted.is_some_and(bare) { "remove the quotes" } else { "" };
    report.error(spot, format!("must be {expected}, not {found}"), hint);
}

pub(super) fn text<'a>(report: &mut Report<'_>, value: &'a Value<'_>, spot: &Spot) -> Option<&'a str> {
    let Value::StringLit(text) = value else {
        mismatch(report, spot, "a text", value);
        return None;
    };
    let text = text.value.trim();
    if text.is_empty() {
        report.error(spot, "must not be empty", "remove the field, or fill it in");
        return None;
    }
    if text.chars().any(char::is_control) {
        report.error(spot, "holds a control character", "write it on one line");
        return None;
    }
    Some(text)
}

/// `60`, and also `1e6` and `60.0`, as JSON has one kind of number.
pub(super) fn whole(
    report: &mut Report<'_>,
    value: &Value<'_>,
    spot: &Spot,
    min: u64,
    max: u64,
) -> Option<u64> {
    let expected = if min == 0 { "a whole number, 0 or above" } else { "a whole number above 0" };
    let Value::NumberLit(literal) = value else {
        mismatch(report, spot, expected, value);
        return None;
    };
    let number: f64 = literal.value.parse().ok()?;
    if number.fract() != 0.0 || number < 0.0 || (number == 0.0 && min > 0) {
        report.error(spot, format!("must be {expected}, not `{}`", shown(literal.value)), "");
        return None;
    }
    // Below the bound every whole number is exact in an f64.
    if number > max as f64 {
        let message = format!("is `{}`, which is more than {max}", shown(literal.value));
        report.error(spot, message, "use a smaller number, or leave the field out");
        return None;
    }
    Some(number as u64)
}

pub(super) fn share(report: &mut Report<'_>, value: &Value<'_>, spot: &Spot) -> Option<f64> {
    let Value::NumberLit(literal) = value else {
        mismatch(report, spot, "a number above 0", value);
        return None;
    };
    let number: f64 = literal.value.parse().ok()?;
    if number > 0.0 && number <= LARGEST as f64 {
        return Some(number);
    }
    let message = format!("must be a number above 0 and at most {LARGEST}, not `{}`", shown(literal.value));
    report.error(spot, message, "set `active` to false to take a key out");
    None
}

/// A literal as a message repeats it: it may have a million digits.
fn shown(literal: &str) -> String {
    let mut text: String = literal.chars().take(30).collect();
    if text.len() < literal.len() {
        text.push('…');
    }
    text
}

pub(super) fn flag(report: &mut Report<'_>, value: &Value<'_>, spot: &Spot) -> Option<bool> {
    let Value::BooleanLit(flag) = value else {
        mismatch(report, spot, "true or false", value);
        return None;
    };
    Some(flag.value)
}

pub(super) fn date(report: &mut Report<'_>, value: &Value<'_>, spot: &Spot) -> Option<Timestamp> {
    let text = text(report, value, spot)?;
    let parsed = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        let naive = text.parse::<jiff::civil::DateTime>().ok()?;
        Some(naive.to_zoned_datetime(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    });
    let millis = parsed.and_then(|at| u64::try_from(at.as_millisecond()).ok());
    if millis.is_none() {
        let hint = "for example `2026-01-31T12:00:00Z`; without an offset it is UTC";
        report.error(spot, "must be an RFC 3339 date and time after 1970", hint);
    }
    millis.map(Timestamp::from_millis)
}

pub(super) fn tags(
    report: &mut Report<'_>,
    value: &Value<'_>,
    spot: &Spot,
) -> Option<BTreeMap<String, String>> {
    let Value::Object(object) = value else {
        mismatch(report, spot, "an object such as {\"env\": \"prod\"}", value);
        return None;
    };
    let mut tags = BTreeMap::new();
    for (name, value, spot) in members(report, object, spot) {
        match value {
            Value::StringLit(text) => {
                tags.insert(name.to_owned(), text.value.clone().into_owned());
            }
            other => mismatch(report, &spot, "a text", other),
        }
    }
    Some(tags)
}

/// One model or a list of models.
pub(super) fn model_list(report: &mut Report<'_>, value: &Value<'_>, spot: &Spot) -> Option<Vec<ModelId>> {
    let values = match value {
        Value::Array(list) => list.elements.iter().collect(),
        one => vec![one],
    };
    if values.is_empty() {
        report.error(spot, "the list of models is empty", "name a model, or remove the field");
        return None;
    }
    let mut models: Vec<ModelId> = Vec::with_capacity(values.len());
    for value in values {
        let spot = spot.at(value.start());
        let Some(name) = text(report, value, &spot) else { continue };
        if let Some(model) = model(report, name, &spot).filter(|model| !models.contains(model)) {
            models.push(model);
        }
    }
    Some(models)
}

fn model(report: &mut Report<'_>, name: &str, spot: &Spot) -> Option<ModelId> {
    let model = model_id(name.trim());
    let legal = !model.as_str().is_empty() && model.as_str().bytes().all(|b| b.is_ascii_graphic());
    if !legal {
        report.error(spot, "names no model", "for example `gemini-2.5-flash`");
    }
    legal.then_some(model)
}

/// An object whose members are named after models.
pub(super) fn by_model<V>(
    report: &mut Report<'_>,
    value: &Value<'_>,
    spot: &Spot,
    mut read: impl FnMut(&mut Report<'_>, &Value<'_>, &Spot) -> Option<V>,
) -> Option<BTreeMap<ModelId, V>> {
    let Value::Object(object) = value else {
        mismatch(report, spot, "an object whose members are models", value);
        return None;
    };
    let mut map = BTreeMap::new();
    for (name, value, spot) in members(report, object, spot) {
        let Some(model) = model(report, name, &spot) else { continue };
        let Some(value) = read(report, value, &spot) else { continue };
        if map.insert(model, value).is_some() {
            report.error(&spot, "names a model a second time", "remove one of the two");
        }
    }
    Some(map)
}
