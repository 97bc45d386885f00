//! One entry of keys.json: a [`Key`] without its secret.

use std::collections::BTreeMap;

use super::store::SecretRef;
use crate::bucket::bucket_of;
use crate::clock::Timestamp;
use crate::id::{KeyId, ModelId, Project};
use crate::quota::Limits;

/// The models a key may serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelFilter {
    /// Every model: `"*"`, or no `model_name` at all.
    Any,
    /// These alone.
    Listed(Vec<ModelId>),
}

impl ModelFilter {
    /// Whether `model` is among them.
    #[must_use]
    pub fn serves(&self, model: &ModelId) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(models) => models.contains(model),
        }
    }
}

/// What keys.json says about one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its label.
    pub id: KeyId,
    /// The models it may serve.
    pub models: ModelFilter,
    /// The owner of its quota; the key id itself where none was given.
    pub project: Project,
    /// Whether the file named the project.
    pub project_given: bool,
    /// Limits of each model bucket of the project. `burst` is `None` unless given: see
    /// [`limits_for`](Self::limits_for).
    pub limits: Limits,
    /// Limits that differ for some models.
    pub model_limits: BTreeMap<ModelId, Limits>,
    /// Requests in flight at once; `None` is unlimited.
    pub concurrency: Option<u32>,
    /// The tier, lower first: a tier is used only when every lower one has no capacity now.
    pub priority: u32,
    /// The share inside the tier; finite and above zero.
    pub weight: f64,
    /// The kind of work it is for, where one is named.
    pub workload: Option<String>,
    /// `false` is never selected, and still shown.
    pub active: bool,
    /// Free labels, matched when a request asks for them.
    pub tags: BTreeMap<String, String>,
    /// Where its secret lives; `None` is the default store under the key id.
    pub secret: Option<SecretRef>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When its secret was last changed.
    pub updated_at: Option<Timestamp>,
    /// When it ceases to be valid.
    pub expires_at: Option<Timestamp>,
}

impl Key {
    /// The tier of a key that names none.
    pub const DEFAULT_PRIORITY: u32 = 100;
    /// The weight of a key that names none.
    pub const DEFAULT_WEIGHT: f64 = 1.0;

    /// A key of which nothing is known but its label: every model, no limits, its own project.
    #[must_use]
    pub fn new(id: KeyId) -> Self {
        Self {
            project: Project::new(id.as_str()),
            id,
            models: ModelFilter::Any,
            project_given: false,
            limits: Limits::default(),
            model_limits: BTreeMap::new(),
            concurrency: None,
            priority: Self::DEFAULT_PRIORITY,
            weight: Self::DEFAULT_WEIGHT,
            workload: None,
            active: true,
            tags: BTreeMap::new(),
            secret: None,
            created_at: None,
            updated_at: None,
            expires_at: None,
        }
    }

    /// The limits `model` has in this key's project: those given for it or for another model of
    /// its bucket, or else the key's. A burst that was not given is the requests per minute.
    #[must_use]
    pub fn limits_for(&self, model: &ModelId) -> Limits {
        let bucket = bucket_of(model);
        let own: Vec<&Limits> = self
            .model_limits
            .iter()
            .filter_map(|(other, limits)| (bucket_of(other) == bucket).then_some(limits))
            .chain([&self.limits])
            .collect();
        let first = |pick: fn(&Limits) -> Option<u64>| own.iter().find_map(|limits| pick(limits));
        let rpm = first(|limits| limits.rpm);
        Limits {
            rpm,
            tpm: first(|limits| limits.tpm),
            rpd: first(|limits| limits.rpd),
            burst: first(|limits| limits.burst).or(rpm),
        }
    }
}
