//! From keys back to text.

use serde_json::{Map, Value, json};

use super::key::{Key, ModelFilter};
use super::set::{KeySet, PoolConfig};
use crate::clock::Timestamp;
use crate::quota::Limits;

/// The whole file, indented.
pub(super) fn file(set: &KeySet) -> String {
    let KeySet { keys, config } = set;
    let keys: Vec<Value> = keys.iter().map(key).collect();
    format!("{:#}\n", json!({ "keys": keys, "config": pool(config) }))
}

/// A key; what is as it would be anyway is left out.
pub(super) fn key(key: &Key) -> Value {
    let Key {
        id,
        models,
        project,
        project_given,
        limits,
        model_limits,
        concurrency,
        priority,
        weight,
        workload,
        active,
        tags,
        secret,
        created_at,
        updated_at,
        expires_at,
    } = key;
    let mut out = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    put("key_id", Some(id.as_str().into()));
    put(
        "model_name",
        match models {
            ModelFilter::Any => None,
            ModelFilter::Listed(models) => Some(json!(models)),
        },
    );
    put("project", project_given.then(|| project.as_str().into()));
    for (name, value) in numbers(limits) {
        put(name, value.map(Value::from));
    }
    let overrides: Map<String, Value> =
        model_limits.iter().map(|(model, limits)| (model.to_string(), object(limits))).collect();
    put("limits", (!overrides.is_empty()).then(|| overrides.into()));
    put("concurrency", concurrency.map(Value::from));
    put("priority", (*priority != Key::DEFAULT_PRIORITY).then(|| json!(priority)));
    put("weight", (weight.to_bits() != Key::DEFAULT_WEIGHT.to_bits()).then(|| json!(weight)));
    put("workload_type", workload.as_deref().map(Value::from));
    put("active", (!active).then(|| json!(active)));
    put("tags", (!tags.is_empty()).then(|| json!(tags)));
    put("secret", secret.as_ref().map(|place| place.to_string().into()));
    put("created_at", created_at.map(date));
    put("updated_at", updated_at.map(date));
    put("expires_at", expires_at.map(date));
    out.into()
}

fn numbers(limits: &Limits) -> [(&'static str, Option<u64>); 4] {
    let Limits { rpm, tpm, rpd, burst } = *limits;
    [("rpm", rpm), ("tpm", tpm), ("rpd", rpd), ("burst_capacity", burst)]
}

fn object(limits: &Limits) -> Value {
    let given = numbers(limits).into_iter().filter_map(|(name, n)| Some((name.to_owned(), n?.into())));
    Value::Object(given.collect())
}

/// To the millisecond: `Timestamp`'s own text is rounded to seconds.
fn date(at: Timestamp) -> Value {
    let exact = i64::try_from(at.as_millis()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    exact.unwrap_or(jiff::Timestamp::MAX).to_string().into()
}

fn pool(config: &PoolConfig) -> Value {
    let PoolConfig {
        model_fallback,
        max_retries,
        base_backoff,
        max_backoff,
        max_wait,
        enable_fallback,
        rotate_after_days,
    } = config;
    let millis = |d: &std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    json!({
        "model_fallback": model_fallback,
        "max_retries": max_retries,
        "base_backoff_ms": millis(base_backoff),
        "max_backoff_ms": millis(max_backoff),
        "max_wait_ms": millis(max_wait),
        "enable_fallback": enable_fallback,
        "rotate_after_days": rotate_after_days,
    })
}
