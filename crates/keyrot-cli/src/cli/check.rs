//! `keyrot check`: whether every key can be used, as far as that can be told without using quota.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use gemini_client::{Client, Config};
use keyrot::{Key, KeyStatus, Made, OperateError, Outcome, Scope, chosen_by_file};
use keyrot_core::bucket::model_id;
use keyrot_core::{Clock as _, ModelFilter};
use serde_json::json;

use super::table::{WIDTH, cut};
use super::{Failure, env, pool, print, print_json, say, time};

/// Keys that are asked about at the same time.
const AT_ONCE: usize = 8;
/// What is said of a key that Google accepts.
const ACCEPTED: &str = "accepted";
/// How near to its end a key is worth a word.
const SOON: std::time::Duration = std::time::Duration::from_secs(14 * 24 * 3600);

/// What one key came to.
struct Checked {
    status: KeyStatus,
    secret: &'static str,
    probe: Option<Probe>,
    /// What was out and works: it is lifted.
    lifted: Vec<Scope>,
}

/// What Google said of one key.
pub(crate) struct Probe {
    pub(crate) verdict: &'static str,
    pub(crate) detail: Option<String>,
    pub(crate) fine: bool,
}

/// Checks every key; 1 when there is something to mend, 2 when the configuration is wrong, 3 without a secret.
pub(crate) async fn run(probe: bool, json: bool) -> Result<u8, Failure> {
    let made = pool::make().await?;
    let client = match probe {
        true => Some(client(&made)?),
        false => None,
    };
    let model = made.settings.model.clone();
    let status = made.rotator.status(&model).await;
    let keys = made.rotator.keys();
    let (made_, client_, model_) = (&made, client.as_ref(), model.as_str());
    let checked: Vec<Checked> = stream::iter(keys.iter().zip(status.keys))
        .map(|(key, status)| async move {
            let secret = made_.rotator.secret(&key.id);
            let word = match (&secret, key.active) {
                (Some(_), _) => "found",
                (None, true) => "MISSING",
                (None, false) => "-",
            };
            let model = model_of(key, model_);
            let probe = match (client_, &secret) {
                (Some(client), Some(secret)) => {
                    let answer = client.get_model(secret, model).await;
                    Some(judged(answer.map(|_| ())))
                }
                _ => None,
            };
            let lifted = match &probe {
                Some(Probe { verdict: ACCEPTED, .. }) => {
                    made_.rotator.proven_to_work(&key.id, &model_id(model)).await
                }
                _ => Ok(Vec::new()),
            };
            lifted.map(|lifted| Checked { status, secret: word, probe, lifted })
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
        .map_err(OperateError::Store)?;
    let findings = findings(&made, &keys, &checked);
    let file = keyrot::untrusted::path(&made.settings.keys_file);
    let code = u8::from(!findings.is_empty());
    if json {
        let keys: Vec<_> = checked
            .iter()
            .map(|c| {
                json!({
                    "key_id": c.status.key_id, "project": c.status.project, "secret": c.secret == "found",
                    "place": c.status.secret.place, "version": c.status.secret.version,
                    "written_at": c.status.secret.written_at,
                    "age_days": c.status.age.map(|age| age.as_secs() / 86_400), "rotate": c.status.rotate,
                    "probe": c.probe.as_ref().map(|p| json!({ "verdict": p.verdict, "detail": p.detail })),
                    "lifted": c.lifted.iter().map(ToString::to_string).collect::<Vec<_>>(),
                })
            })
            .collect();
        let result = json!({
            "schema": 1, "status": if code == 0 { "ok" } else { "findings" },
            "keys": keys, "findings": findings,
        });
        print_json(result)?;
        return Ok(code);
    }
    print(&table(&checked))?;
    for Checked { status, lifted, .. } in &checked {
        for scope in lifted {
            say(&format!("key `{}` works: the cooldown of {scope} is lifted", status.key_id));
        }
    }
    for finding in &findings {
        say(&format!("warning: {finding}"));
    }
    match code {
        0 => say(&format!("{} keys, nothing to mend", checked.len())),
        _ => say(&format!(
            "{} keys, {} findings; the keys are read from `{file}`",
            checked.len(),
            findings.len()
        )),
    }
    Ok(code)
}

pub(crate) fn client(made: &Made) -> Result<Client, Failure> {
    let config = made.settings.base_url.as_deref().map_or_else(Config::default, Config::at);
    let client = Client::new(&config)
        .map_err(|error| Failure::usage(format!("`{}`: {error}", made.settings.base_url_from)))?;
    if let Some(origin) = chosen_by_file(env(), made.settings.base_url_from) {
        say(&format!("warning: requests go to `{}`, not to Google: {origin} says so", config.base_url));
    }
    Ok(client)
}

/// A model to ask for with this key.
pub(crate) fn model_of<'a>(key: &'a Key, default: &'a str) -> &'a str {
    match &key.models {
        ModelFilter::Listed(models) if !models.iter().any(|model| model.as_str() == default) => {
            models.first().map_or(default, |model| model.as_str())
        }
        _ => default,
    }
}

pub(crate) fn judged(answer: Result<(), gemini_client::Error>) -> Probe {
    let Err(error) = answer else {
        return Probe { verdict: ACCEPTED, detail: None, fine: true };
    };
    let (verdict, fine) = match error.outcome() {
        Outcome::KeyRejected { .. } => ("rejected", false),
        Outcome::KeyRestricted { .. } | Outcome::OperationDenied => ("restricted", false),
        Outcome::ProjectRejected { .. } => ("project out", false),
        Outcome::Network(_) | Outcome::OwnDeadline(_) => ("no network", false),
        Outcome::ModelNotFound | Outcome::ModelGated => ("no such model", false),
        Outcome::LocationBlocked => ("not from here", false),
        // Google knows the key, and has no room: nothing is wrong with it.
        Outcome::QuotaMinute { .. }
        | Outcome::QuotaDay { .. }
        | Outcome::Throttled { .. }
        | Outcome::Overloaded => ("busy", true),
        _ => ("unclear", false),
    };
    Probe { verdict, detail: Some(error.to_string()), fine }
}

fn findings(made: &Made, keys: &[Key], checked: &[Checked]) -> Vec<String> {
    let now = keyrot::SystemClock::start().now();
    let mut findings = made.warnings.clone();
    for (key, Checked { status, probe, .. }) in keys.iter().zip(checked) {
        let id = &key.id;
        if status.rotate {
            let days = status.age.map_or(0, |age| age.as_secs() / 86_400);
            findings.push(format!("the secret of key `{id}` is {days} days old: rotate it"));
        }
        match key.expires_at {
            Some(at) if at <= now => findings.push(format!("key `{id}` expired on {at}")),
            Some(at) if at.since(now) < SOON => {
                findings.push(format!("key `{id}` expires in {}", time::age(at.since(now))));
            }
            _ => {}
        }
        if let Some(Probe { verdict, detail, fine: false }) = probe {
            let detail = detail.as_deref().unwrap_or_default();
            findings.push(format!("key `{id}` is {verdict}: {detail}"));
        }
    }
    findings
}

/// Where a secret is, and which one is in use.
fn whereabouts(place: &str, status: &KeyStatus) -> String {
    let mut text = place.to_owned();
    if let Some(version) = &status.secret.version {
        text.push_str(", version ");
        text.push_str(version);
    }
    if let Some(at) = status.secret.written_at {
        text.push_str(", written ");
        text.push_str(&time::local(at, keyrot::SystemClock::start().now()));
    }
    text
}

fn table(checked: &[Checked]) -> String {
    let wide = |f: fn(&Checked) -> &str, least: usize, most: usize| {
        checked.iter().map(|c| f(c).chars().count()).max().unwrap_or(0).clamp(least, most)
    };
    let key = wide(|c| c.status.key_id.as_str(), 3, 24);
    let project = wide(|c| c.status.project.as_str(), 7, 20);
    let probed = checked.iter().any(|c| c.probe.is_some());
    let mut text = format!("{:key$}  {:project$}  {:7}  {:>8}", "key", "project", "secret", "age");
    text.push_str(if probed { "  probe" } else { "" });
    for Checked { status, secret, probe, .. } in checked {
        let age = status.age.map_or_else(|| "unknown".to_owned(), time::age);
        let row = format!(
            "{:key$}  {:project$}  {secret:7}  {age:>8}  {}",
            cut(status.key_id.as_str(), key),
            cut(status.project.as_str(), project),
            probe.as_ref().map_or("", |probe| probe.verdict),
        );
        text.push('\n');
        text.push_str(cut(&row, WIDTH).trim_end());
        if let Some(place) = &status.secret.place {
            text.push_str("\n  ");
            text.push_str(&cut(&whereabouts(place, status), WIDTH - 2));
        }
    }
    text
}
