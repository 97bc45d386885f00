//! `keyrot status`: every key, two lines each, and where the truth is.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use keyrot::{KeyStatus, Limits, Setting, Status, Suspension, Timestamp, Truth, in_words, settings_in_force};
use keyrot_core::{KeyFault, Reason, Why};
use serde_json::json;

use super::args::EnvArgs;
use super::table::{WIDTH, colour, cut, folded, painted, short, state, used};
use super::{Failure, clear_screen, env, pool, print_coloured, print_json, print_json_line, time};

/// Shows the status once, or again and again until Ctrl-C. It is 0 whatever the status: `check` judges.
pub(crate) async fn run(
    model: Option<String>,
    watch: Option<u64>,
    args: &EnvArgs,
    json: bool,
) -> Result<u8, Failure> {
    let made = pool::make().await?;
    pool::warn(&made);
    let mut settings = args.flags();
    settings.extend(model.iter().map(|model| Setting::by_flag("--model", model)));
    settings.extend(settings_in_force(env()));
    let sources = sources(&settings, made.keys_file.as_deref());
    let model = model.unwrap_or_else(|| made.settings.model.clone());
    let colour = colour(made.settings.no_color);
    let redraw = std::io::stdout().is_terminal() && !json;
    loop {
        let status = made.rotator.status(&model).await;
        if json {
            let result = json!({
                "schema": 1, "status": "ok", "health": status, "settings": settings, "keys_file": made.keys_file,
            });
            // A document a line, where there are many.
            if watch.is_some() { print_json_line(result)? } else { print_json(result)? }
        } else if watch.is_some() {
            if redraw {
                clear_screen();
            }
            print_coloured(&format!("{}\n{sources}\n", text(&status, colour)))?;
        } else {
            print_coloured(&format!("{}\n{sources}", text(&status, colour)))?;
        }
        let Some(seconds) = watch else { return Ok(0) };
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

/// Where settings and keys came from, a line each.
fn sources(settings: &[Setting], keys_file: Option<&Path>) -> String {
    let mut lines = vec![format!("settings: {} set", settings.len())];
    lines.extend(settings.iter().map(|setting| format!("  {setting}")));
    lines.extend(keys_file.map(|file| format!("keys from: {}", keyrot::untrusted::path(file))));
    lines.iter().map(|line| cut(line, WIDTH)).collect::<Vec<_>>().join("\n")
}

fn text(status: &Status, colour: bool) -> String {
    let mut text = cut(&format!("model {}, {}", status.model, time::local(status.at, status.at)), WIDTH);
    text.push_str(&format!(
        "\n{:16}  {:14}  {:8}  {:>9}  {:>11}  {:>9}",
        "key", "project", "state", "RPM", "TPM", "RPD"
    ));
    for key in &status.keys {
        let word = format!("{:8}", state(key.state));
        let row = format!(
            "{:16}  {:14}  {}  {:>9}  {:>11}  {:>9}",
            cut(key.key_id.as_str(), 16),
            cut(key.project.as_str(), 14),
            painted(&word, key.state, colour),
            used(key.requests_per_minute, key.limits.rpm),
            used(key.tokens_per_minute, key.limits.tpm),
            used(key.requests_per_day, key.limits.rpd),
        );
        text.push('\n');
        text.push_str(&row);
        text.push_str("\n  ");
        text.push_str(&cut(&detail(key, status), WIDTH - 2));
        if let Some(line) = learned(key) {
            text.push_str("\n  ");
            text.push_str(&cut(&line, WIDTH - 2));
        }
    }
    text.push('\n');
    text.push_str(&footer(&status.truth, status.at));
    text
}

/// The second line of a key: why it is out first, for what is last may be cut.
fn detail(key: &KeyStatus, status: &Status) -> String {
    let mut parts = Vec::new();
    match (&key.why, key.until) {
        (Some(why), Some(until)) => {
            let eta = in_words(until.since(status.at));
            parts.push(format!("{}, until {} (in {eta})", first_line(why), time::local(until, status.at)));
        }
        (Some(why), None) => parts.push(first_line(why).to_owned()),
        (None, _) => {}
    }
    if matches!(key.cause, Some(Why::Cooling { reason, .. }) if comes_back_by_a_probe(reason)) {
        parts.push("`keyrot check --probe` asks again".to_owned());
    }
    if let (Some(why), Some(since), true) = (&key.secret.problem, key.secret.problem_since, key.secret.found)
    {
        let since = time::local(since, status.at);
        parts.push(format!("secret not read again since {since}: {}", first_line(why)));
    }
    parts.push(format!("{} ok", short(key.success_count)));
    parts.push(format!("{} errors", short(key.error_count)));
    parts.push(format!("{} in flight", key.in_flight));
    if let Some(at) = key.last_used {
        parts.push(format!("used {}", time::local(at, status.at)));
    }
    if let Some(age) = key.age {
        parts.push(format!("{} old{}", time::age(age), if key.rotate { ": rotate" } else { "" }));
    }
    if key.last_resort {
        parts.push("last resort".to_owned());
    }
    parts.join(", ")
}

/// Whether what is out for long comes back as soon as Google says that it works.
fn comes_back_by_a_probe(reason: Reason) -> bool {
    match reason {
        Reason::KeyRejected(fault) => fault != KeyFault::Leaked,
        reason => reason == Reason::ModelNotFound,
    }
}

/// Where Google named other limits than keys.json.
fn learned(key: &KeyStatus) -> Option<String> {
    let word = |n: Option<u64>| n.map_or_else(|| "none".to_owned(), short);
    let differ: Vec<String> = key
        .learned
        .iter()
        .filter(|learned| key.configured.get(learned.quantity) != Some(learned.limit))
        .map(|learned| {
            let name = format!("{:?}", learned.quantity).to_uppercase();
            let configured = word(key.configured.get(learned.quantity));
            format!("{name}: configured {configured}, learned {}", short(learned.limit))
        })
        .collect();
    (!differ.is_empty()).then(|| differ.join("; "))
}

pub(crate) fn footer(truth: &Truth, now: Timestamp) -> String {
    let place = truth.place.as_ref().map_or_else(String::new, |place| format!(" ({place})"));
    let shared = if truth.shared {
        "shared by every process that uses it"
    } else {
        "each process keeps its own: what others use is not seen here"
    };
    let mut text = folded(&format!("counts and cooldowns: {}{place}, {shared}", truth.store), "  ");
    if let Some(Suspension { since, why, bounds, .. }) = &truth.suspended {
        let since = since.map_or_else(String::new, |since| format!(" since {}", time::local(since, now)));
        let bounds = bounds.as_ref().map_or_else(String::new, |bounds| format!("; {bounds}"));
        text.push('\n');
        text.push_str(&folded(&format!("suspended{since}: {why}{bounds}"), "  "));
    }
    if let Some(warning) = &truth.warning {
        text.push('\n');
        text.push_str(&folded(&format!("warning: {warning}"), "  "));
    }
    text
}

/// Limits in words.
pub(crate) fn limits(limits: &Limits) -> String {
    let one = |name: &str, value: Option<u64>| value.map(|value| format!("{value} {name}"));
    let known = [one("rpm", limits.rpm), one("tpm", limits.tpm), one("rpd", limits.rpd)];
    let known: Vec<String> = known.into_iter().flatten().collect();
    if known.is_empty() { "none known".to_owned() } else { known.join(", ") }
}

pub(crate) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
