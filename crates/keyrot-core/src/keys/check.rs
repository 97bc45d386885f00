//! What only shows when keys are looked at together.

mod domain;

use std::collections::BTreeMap;

use super::read::{Draft, Entry};
use super::report::{Report, Spot};
use crate::untrusted::redact;

/// How many keys a message lists by name.
const NAMED: usize = 5;

/// Checks `draft` as a whole, and gives keys of one project the limits the others of it state.
pub(super) fn check(report: &mut Report<'_>, draft: &mut Draft) {
    config(report, draft);
    unique_ids(report, &draft.entries);
    variables(report, &draft.entries);
    dates(report, &draft.entries);
    projects(report, &draft.entries);
    domain::agree(report, &mut draft.entries);
}

fn config(report: &mut Report<'_>, draft: &Draft) {
    let config = &draft.config;
    let spot = |report: &Report<'_>, field: &str| {
        let field = format!("config.{field}");
        let offset = report.find(None, &field).unwrap_or_default();
        Spot { offset, key: None, field: Some(field) }
    };
    if config.base_backoff > config.max_backoff {
        let (base, max) = (config.base_backoff.as_millis(), config.max_backoff.as_millis());
        let field = if report.find(None, "config.base_backoff_ms").is_some() { "base" } else { "max" };
        let spot = spot(report, &format!("{field}_backoff_ms"));
        report.error(
            &spot,
            format!("`base_backoff_ms` ({base}) is above `max_backoff_ms` ({max})"),
            "swap the two",
        );
    }
    for (model, fallbacks) in &config.model_fallback {
        if fallbacks.contains(model) {
            let spot = spot(report, "model_fallback");
            report.error(&spot, format!("`{model}` falls back to itself"), "name another model");
        }
    }
}

fn field(report: &Report<'_>, entry: &Entry, name: &str) -> Spot {
    let key = entry.key.id.as_str();
    let offset = report.find(Some(key), name).unwrap_or(entry.at);
    Spot { offset, key: Some(key.to_owned()), field: Some(name.to_owned()) }
}

fn unique_ids(report: &mut Report<'_>, entries: &[Entry]) {
    let mut seen = BTreeMap::new();
    for entry in entries {
        if let Some(first) = seen.insert(&entry.key.id, entry.at) {
            seen.insert(&entry.key.id, first);
            let line = report.line(first);
            let spot = field(report, entry, "key_id").at(entry.at);
            report.error(
                &spot,
                format!("is taken: the key on line {line} has the same id"),
                "rename one of the two",
            );
        }
    }
}

/// Ids that differ only in letter case, or in `-` and `_`, would read each other's variable.
fn variables(report: &mut Report<'_>, entries: &[Entry]) {
    let mut seen: BTreeMap<String, &Entry> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.key.secret.is_none()) {
        let variable = entry.key.id.as_str().replace('-', "_").to_ascii_uppercase();
        let first = *seen.entry(variable).or_insert(entry);
        if first.key.id != entry.key.id {
            // Only now in capitals, in which no key is recognized.
            let shown = redact(entry.key.id.as_str()).replace('-', "_").to_ascii_uppercase();
            let message = format!(
                "shares the variable `GEMINI_KEY_{shown}` with key `{}` on line {}",
                first.key.id,
                report.line(first.at)
            );
            let spot = field(report, entry, "key_id").at(entry.at);
            report.error(&spot, message, "rename one of the two, or give it a `secret`");
        }
    }
}

fn dates(report: &mut Report<'_>, entries: &[Entry]) {
    for entry in entries {
        if let (Some(created), Some(expires)) = (entry.key.created_at, entry.key.expires_at)
            && expires < created
        {
            let spot = field(report, entry, "expires_at");
            report.error(&spot, format!("{expires} is before `created_at`, {created}"), "swap the two");
        }
    }
}

fn projects(report: &mut Report<'_>, entries: &[Entry]) {
    let alone: Vec<&Entry> = entries.iter().filter(|entry| !entry.key.project_given).collect();
    let [first, _, ..] = alone[..] else { return };
    let mut names: Vec<String> = alone.iter().take(NAMED).map(|e| format!("`{}`", e.key.id)).collect();
    if alone.len() > NAMED {
        names.push(format!("{} more", alone.len() - NAMED));
    }
    let spot = Spot { offset: first.at, ..Spot::default() };
    let message =
        format!("keys {} name no `project`: each is taken to have limits of its own", names.join(", "));
    report.warn(
        &spot,
        message,
        "keys made in one Google Cloud project share its limits: give them the same `project`",
    );
}
