//! `keyrot explain`: why, until when, from whom it is known, and what would change it.

use keyrot::{Explanation, Key, Timestamp, in_words};
use keyrot_core::bucket::model_id;
use keyrot_core::{Clock as _, ModelFilter};
use serde_json::json;

use super::status::{first_line, footer, limits};
use super::table::{WIDTH, colour, cut, folded, painted, state};
use super::{Failure, pool, print, print_json, scope, time};

/// Explains a key, or every key of a model.
pub(crate) async fn run(subject: &str, model: Option<String>, json: bool) -> Result<u8, Failure> {
    let made = pool::make().await?;
    pool::warn(&made);
    let rotator = &made.rotator;
    let keys = rotator.keys();
    let key = keys.iter().find(|key| key.id.as_str() == subject);
    let explanations = match key {
        Some(key) => {
            let model = model.unwrap_or_else(|| default_model(key, &made.settings.model));
            let mut all = rotator.explain(&model).await;
            all.retain(|explanation| explanation.key.key_id == key.id);
            all
        }
        None => {
            let found = scope::model(rotator, subject);
            // Every name may be a model where a key serves all of them: what looks like a key's id is one.
            let near = keys.iter().any(|key| strsim::jaro_winkler(key.id.as_str(), subject) > 0.9);
            if found.is_err() || near {
                let ids = keys.iter().map(|key| key.id.as_str());
                let models = keys.iter().flat_map(|key| match &key.models {
                    ModelFilter::Any => &[],
                    ModelFilter::Listed(models) => models.as_slice(),
                });
                let known = ids.chain(models.map(keyrot::ModelId::as_str));
                return Err(scope::unknown("key or model", subject, known));
            }
            rotator.explain(subject.strip_prefix("models/").unwrap_or(subject)).await
        }
    };
    let truth = rotator.truth();
    if json {
        let result = json!({ "schema": 1, "status": "ok", "truth": truth, "explanations": explanations });
        return print_json(result).map(|()| 0);
    }
    let now = keyrot::SystemClock::start().now();
    let colour = colour(made.settings.no_color);
    let paragraphs: Vec<String> = explanations.iter().map(|e| paragraph(e, now, colour)).collect();
    print(&paragraphs.join("\n\n"))?;
    print(&format!("\n{}", footer(&truth, now)))?;
    Ok(0)
}

fn default_model(key: &Key, default: &str) -> String {
    match &key.models {
        ModelFilter::Listed(models) if !key.models.serves(&model_id(default)) => {
            models.first().map_or(default, |model| model.as_str()).to_owned()
        }
        _ => default.to_owned(),
    }
}

fn paragraph(explanation: &Explanation, now: Timestamp, colour: bool) -> String {
    let Explanation { model, key, scope, learned_from, remedy, lifted_by: _, doubt } = explanation;
    let head = cut(&format!("{} for {model}: ", key.key_id), WIDTH - 8);
    let mut lines = vec![format!("{head}{}", painted(state(key.state), key.state, colour))];
    let mut line = |name: &str, value: &str| {
        let indent = " ".repeat(16);
        let text = folded(&format!("{} {value}", "x".repeat(15)), &indent);
        lines.push(format!("  {name:13} {}", &text[16..]));
    };
    if let Some(doubt) = doubt {
        line("the model", doubt);
    }
    if let Some(why) = &key.why {
        line("why", first_line(why));
        let until = key.until.map_or_else(
            || "something changes".to_owned(),
            |until| format!("{} (in {})", time::local(until, now), in_words(until.since(now))),
        );
        line("until", &until);
    }
    if let Some(scope) = scope {
        line("what is out", scope);
    }
    if let Some(from) = learned_from {
        line("learned from", from);
    }
    if let Some(remedy) = remedy {
        line("what helps", remedy);
    }
    line("project", &format!("{}, counted under {}", key.project, key.bucket));
    line("limits", &limits(&key.limits));
    if key.limits != key.configured {
        line("configured", &limits(&key.configured));
    }
    for learned in &key.learned {
        let name = format!("{:?}", learned.quantity).to_lowercase();
        let at = time::local(learned.at, now);
        let from = Some(&learned.source).filter(|source| !source.is_empty());
        let from = from.map_or_else(String::new, |source| format!(" ({source})"));
        line("learned", &format!("{} {name}, at {at}, named by Google in a refusal{from}", learned.limit));
    }
    line(
        "used",
        &format!(
            "{} requests and {} tokens in the last minute, {} requests today, {} in flight",
            key.requests_per_minute, key.tokens_per_minute, key.requests_per_day, key.in_flight
        ),
    );
    lines.join("\n")
}
