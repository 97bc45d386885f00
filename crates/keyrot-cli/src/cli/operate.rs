//! `cool`, `uncool`, `disable`, `enable`, `reset`: what changes is told, and where it holds.

use std::time::Duration;

use keyrot::{Explanation, Made, in_words};
use keyrot_core::bucket::model_id;
use keyrot_core::{Clock as _, CoolFor, ModelId, Scope};
use serde_json::{Value, json};

use super::{Failure, pool, print, print_json, say, scope, time};

/// Cools a scope for `time`, or until it is lifted.
pub(crate) async fn cool(text: &str, time: Option<Duration>, json: bool) -> Result<u8, Failure> {
    let made = make().await?;
    let scope = scope::read(&made.rotator, text)?;
    let cool = time.map_or(CoolFor::UntilLifted, CoolFor::After);
    let cooled = made.rotator.cool(&scope, cool).await?;
    let until = match cooled.lasts {
        None => "as it was".to_owned(),
        Some(Duration::MAX) => "until it is lifted".to_owned(),
        // A store counts in its own time, which `NEVER` is far beyond.
        Some(lasts) if lasts > Duration::from_secs(400 * 24 * 3600) => "until it is lifted".to_owned(),
        Some(lasts) => {
            let now = keyrot::SystemClock::start().now();
            format!("until {} (in {})", time::local(now + lasts, now), in_words(lasts))
        }
    };
    let change = json!({ "cooled": name(&scope), "seconds": time.map(|time| time.as_secs()) });
    done(&made, &format!("{} cools {until}", name(&scope)), change, json)
}

/// Lifts a scope's cooldown.
pub(crate) async fn uncool(text: &str, json: bool) -> Result<u8, Failure> {
    let made = make().await?;
    let scope = scope::read(&made.rotator, text)?;
    let back = made.rotator.uncool(&scope).await?;
    let more = if back { "" } else { "; the key stays disabled: `keyrot enable` brings it back" };
    let still = still_out(&made, &scope).await;
    let change = json!({ "uncooled": name(&scope), "disabled": !back, "still_out": still });
    let mut text = format!("{}: cooldown lifted{more}", name(&scope));
    for still in &still {
        text.push('\n');
        text.push_str(still);
    }
    done(&made, &text, change, json)
}

/// What keeps the keys of a lifted scope out in other ways, and what lifts that: a line for each.
async fn still_out(made: &Made, lifted: &Scope) -> Vec<String> {
    let model = match lifted {
        Scope::Domain(domain) => domain.bucket.as_str().to_owned(),
        Scope::Model(bucket) => bucket.as_str().to_owned(),
        _ => made.settings.model.clone(),
    };
    let meant = |key: &keyrot::KeyStatus| match lifted {
        Scope::Key(id, _) | Scope::Permission(id, ..) => key.key_id == *id,
        Scope::Project(project) => key.project == *project,
        Scope::Domain(domain) => key.project == domain.project,
        Scope::Model(_) | Scope::Pool => true,
    };
    let mut explanations = made.rotator.explain(&model).await;
    explanations.retain(|explanation| meant(&explanation.key));
    let mut lines: Vec<String> = explanations
        .iter()
        .filter_map(|Explanation { model, key, scope, lifted_by, .. }| {
            let (why, by) = (key.why.as_ref()?, lifted_by.as_ref()?);
            let scope = scope.unwrap_or("something");
            Some(format!("still out for {model}: {scope} ({why}); `{by}` lifts that"))
        })
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// Takes a key out.
pub(crate) async fn disable(text: &str, json: bool) -> Result<u8, Failure> {
    let made = make().await?;
    let key = scope::key(&made.rotator, text)?;
    let changed = made.rotator.disable(&key).await?;
    let word = if changed { "disabled" } else { "was disabled already" };
    done(&made, &format!("key {key}: {word}"), json!({ "disabled": key, "changed": changed }), json)
}

/// Brings a key back.
pub(crate) async fn enable(text: &str, json: bool) -> Result<u8, Failure> {
    let made = make().await?;
    let key = scope::key(&made.rotator, text)?;
    let changed = made.rotator.enable(&key).await?;
    let word = if changed { "enabled" } else { "was not disabled" };
    done(&made, &format!("key {key}: {word}"), json!({ "enabled": key, "changed": changed }), json)
}

/// Lifts and forgets everything about a key, or about all of them.
pub(crate) async fn reset(key: Option<String>, json: bool) -> Result<u8, Failure> {
    let made = make().await?;
    let models: [ModelId; 1] = [model_id(&made.settings.model)];
    let scopes = match &key {
        Some(text) => made.rotator.reset(&scope::key(&made.rotator, text)?, &models).await,
        None => made.rotator.reset_all(&models).await,
    };
    let names: Vec<String> = scopes?.iter().map(name).collect();
    let mut text = format!("lifted, and learned limits forgotten, in {} scopes:", names.len());
    for name in &names {
        text.push_str("\n  ");
        text.push_str(name);
    }
    done(&made, &text, json!({ "reset": names }), json)
}

async fn make() -> Result<Made, Failure> {
    let made = pool::make().await?;
    pool::warn(&made);
    Ok(made)
}

/// What a scope is called: no fingerprint, for nobody can tell one from another.
fn name(scope: &Scope) -> String {
    match scope {
        Scope::Domain(domain) => format!("model {} of project {}", domain.bucket, domain.project),
        scope => scope.to_string(),
    }
}

/// What is shared did not hear of the change.
const UNAVAILABLE: u8 = 6;

fn done(made: &Made, text: &str, mut change: Value, json: bool) -> Result<u8, Failure> {
    let truth = made.rotator.truth();
    let away = truth.suspended.as_ref().filter(|_| truth.shared);
    if json {
        if let Value::Object(change) = &mut change {
            change.insert("schema".to_owned(), 1.into());
            change.insert("status".to_owned(), if away.is_some() { "unavailable" } else { "ok" }.into());
            change.insert("shared".to_owned(), (truth.shared && away.is_none()).into());
        }
        print_json(change)?;
    } else if away.is_none() {
        print(text)?;
    }
    if let Some(away) = away {
        say(&format!(
            "error: {} cannot be used: {}: this changed nothing for other processes\nhint: repeat it when it is back",
            truth.store, away.why
        ));
        return Ok(UNAVAILABLE);
    }
    if !truth.shared {
        say(
            "warning: counts and cooldowns live in each process's memory here: this changed nothing elsewhere",
        );
    }
    Ok(0)
}
