//! The fields of keys.json: one table that drives both the reader and the JSON Schema.

use std::collections::BTreeMap;
use std::time::Duration;

use super::key::{Key, ModelFilter};
use super::set::PoolConfig;
use super::store::SecretRef;
use crate::clock::Timestamp;
use crate::id::{ModelId, Project};
use crate::quota::Limits;

/// No limit, wait or weight is larger: beyond it lies a slip of the finger.
pub(super) const LARGEST: u64 = 1_000_000_000_000;

const LARGEST_U32: u64 = u32::MAX as u64;

/// One field of an object that becomes a `T`.
pub(super) struct Field<T> {
    /// Its name in the file.
    pub(super) name: &'static str,
    /// What it accepts, and where that goes.
    pub(super) kind: Kind<T>,
    /// What its absence means, as JSON; `None` where there is no such value.
    pub(super) default: Option<&'static str>,
    /// What it means.
    pub(super) doc: &'static str,
}

/// What a field accepts, and where it goes.
pub(super) enum Kind<T> {
    /// The key's label. The reader takes it before all other fields.
    Id,
    /// `gemini`, and no other.
    Provider,
    /// A whole number from `min` to `max`.
    Whole { min: u64, max: u64, set: fn(&mut T, u64) },
    /// A number above zero, at most [`LARGEST`].
    Share(fn(&mut T, f64)),
    /// `true` or `false`.
    Flag(fn(&mut T, bool)),
    /// A text that is not blank.
    Text(fn(&mut T, &str)),
    /// A model, a list of models, or `"*"`.
    Models(fn(&mut T, ModelFilter)),
    /// Model → limits.
    Overrides(fn(&mut T, BTreeMap<ModelId, Limits>)),
    /// Model → models.
    Fallback(fn(&mut T, BTreeMap<ModelId, Vec<ModelId>>)),
    /// Text → text.
    Tags(fn(&mut T, BTreeMap<String, String>)),
    /// `store:name`.
    Secret(fn(&mut T, SecretRef)),
    /// An RFC 3339 date and time; without an offset it is UTC.
    Date(fn(&mut T, Timestamp)),
}

fn u32_of(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

const fn limit<T>(set: fn(&mut T, u64)) -> Kind<T> {
    Kind::Whole { min: 1, max: LARGEST, set }
}

/// The fields of a key.
pub(super) const KEY: &[Field<Key>] = &[
    Field {
        name: "key_id",
        kind: Kind::Id,
        default: None,
        doc: "The label of the key: its only name in logs, errors and status. It must be unique.",
    },
    Field {
        name: "model_name",
        kind: Kind::Models(|key, models| key.models = models),
        default: Some("\"*\""),
        doc: "The models this key may serve: one, a list, or \"*\" for all.",
    },
    Field { name: "provider", kind: Kind::Provider, default: Some("\"gemini\""), doc: "Whose key it is." },
    Field {
        name: "project",
        kind: Kind::Text(|key, text| {
            key.project = Project::new(text);
            key.project_given = true;
        }),
        default: None,
        doc: "The Google Cloud project that owns the quota: keys of one project share every limit and \
              cooldown. Without it the key counts as a project of its own.",
    },
    Field {
        name: "rpm",
        kind: limit(|key, n| key.limits.rpm = Some(n)),
        default: None,
        doc: "Requests per minute for each model of the project. Without it: no limit until Google names one.",
    },
    Field {
        name: "tpm",
        kind: limit(|key, n| key.limits.tpm = Some(n)),
        default: None,
        doc: "Input tokens per minute for each model of the project. Without it: no limit until Google names one.",
    },
    Field {
        name: "rpd",
        kind: limit(|key, n| key.limits.rpd = Some(n)),
        default: None,
        doc: "Requests per Pacific day for each model of the project. Without it: no limit until Google names one.",
    },
    Field {
        name: "limits",
        kind: Kind::Overrides(|key, map| key.model_limits = map),
        default: Some("{}"),
        doc: "Limits that differ for some models: model to rpm, tpm, rpd, burst_capacity.",
    },
    Field {
        name: "concurrency",
        kind: Kind::Whole { min: 1, max: LARGEST_U32, set: |key, n| key.concurrency = Some(u32_of(n)) },
        default: None,
        doc: "Requests in flight at once on this key. Without it: unlimited.",
    },
    Field {
        name: "priority",
        kind: Kind::Whole { min: 0, max: LARGEST_U32, set: |key, n| key.priority = u32_of(n) },
        default: Some("100"),
        doc: "The tier, lower first: a tier is used only when every lower one has no capacity now.",
    },
    Field {
        name: "weight",
        kind: Kind::Share(|key, share| key.weight = share),
        default: Some("1"),
        doc: "The share of the requests inside the tier.",
    },
    Field {
        name: "workload_type",
        kind: Kind::Text(|key, text| key.workload = Some(text.to_owned())),
        default: None,
        doc: "The kind of work the key is for, such as light or heavy: matched when a request names one.",
    },
    Field {
        name: "burst_capacity",
        kind: limit(|key, n| key.limits.burst = Some(n)),
        default: None,
        doc: "The most requests admitted in one second. Without it: rpm.",
    },
    Field {
        name: "active",
        kind: Kind::Flag(|key, flag| key.active = flag),
        default: Some("true"),
        doc: "false is never selected, and still shown.",
    },
    Field {
        name: "tags",
        kind: Kind::Tags(|key, tags| key.tags = tags),
        default: Some("{}"),
        doc: "Free labels, matched when a request asks for them.",
    },
    Field {
        name: "secret",
        kind: Kind::Secret(|key, place| key.secret = Some(place)),
        default: None,
        doc: "Where the secret lives, as store:name with store env, vault, aws or azure. Without it: the store of \
              SECRET_STORE_TYPE, under the key_id. Never the secret itself.",
    },
    Field {
        name: "created_at",
        kind: Kind::Date(|key, at| key.created_at = Some(at)),
        default: None,
        doc: "When the key was made.",
    },
    Field {
        name: "updated_at",
        kind: Kind::Date(|key, at| key.updated_at = Some(at)),
        default: None,
        doc: "When the secret was last changed.",
    },
    Field {
        name: "expires_at",
        kind: Kind::Date(|key, at| key.expires_at = Some(at)),
        default: None,
        doc: "When the key ceases to be valid.",
    },
];

/// The limits of one model.
pub(super) const LIMITS: &[Field<Limits>] = &[
    Field {
        name: "rpm",
        kind: limit(|limits, n| limits.rpm = Some(n)),
        default: None,
        doc: "Requests per minute. Without it: the key's.",
    },
    Field {
        name: "tpm",
        kind: limit(|limits, n| limits.tpm = Some(n)),
        default: None,
        doc: "Input tokens per minute. Without it: the key's.",
    },
    Field {
        name: "rpd",
        kind: limit(|limits, n| limits.rpd = Some(n)),
        default: None,
        doc: "Requests per Pacific day. Without it: the key's.",
    },
    Field {
        name: "burst_capacity",
        kind: limit(|limits, n| limits.burst = Some(n)),
        default: None,
        doc: "The most requests admitted in one second. Without it: the key's.",
    },
];

/// The fields of `config`.
pub(super) const CONFIG: &[Field<PoolConfig>] = &[
    Field {
        name: "model_fallback",
        kind: Kind::Fallback(|config, map| config.model_fallback = map),
        default: Some("{}"),
        doc: "Models to try, in order, when one has no capacity within the wait.",
    },
    Field {
        name: "max_retries",
        kind: Kind::Whole { min: 0, max: LARGEST_U32, set: |config, n| config.max_retries = u32_of(n) },
        default: Some("3"),
        doc: "Retries after server and network errors. Failing over to another key is not counted.",
    },
    Field {
        name: "base_backoff_ms",
        kind: Kind::Whole {
            min: 1,
            max: LARGEST,
            set: |config, n| config.base_backoff = Duration::from_millis(n),
        },
        default: Some("500"),
        doc: "The first backoff, in milliseconds.",
    },
    Field {
        name: "max_backoff_ms",
        kind: Kind::Whole {
            min: 1,
            max: LARGEST,
            set: |config, n| config.max_backoff = Duration::from_millis(n),
        },
        default: Some("60000"),
        doc: "The longest backoff, in milliseconds.",
    },
    Field {
        name: "max_wait_ms",
        kind: Kind::Whole {
            min: 0,
            max: LARGEST,
            set: |config, n| config.max_wait = Duration::from_millis(n),
        },
        default: Some("120000"),
        doc: "The longest a request waits for capacity, in milliseconds; 0 never waits.",
    },
    Field {
        name: "enable_fallback",
        kind: Kind::Flag(|config, flag| config.enable_fallback = flag),
        default: Some("true"),
        doc: "Whether GEMINI_API_KEY may serve when no key is usable.",
    },
    Field {
        name: "rotate_after_days",
        kind: Kind::Whole { min: 1, max: LARGEST_U32, set: |config, n| config.rotate_after_days = u32_of(n) },
        default: Some("90"),
        doc: "The age in days from which a key's secret should be changed.",
    },
];
