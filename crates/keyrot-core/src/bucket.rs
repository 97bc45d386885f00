//! From a model id to the bucket it is counted under.

use crate::id::{Bucket, ModelId};

/// Model ids whose bucket has another name (gemini-wire §2.1, trap 2). What is not here is learned
/// from refusals.
const ALIASES: &[(&str, &str)] = &[
    ("gemini-2.5-flash-image-preview", "gemini-2.5-flash-preview-image"),
    ("gemini-3-pro-preview", "gemini-3-pro"),
    ("gemini-3.1-pro-preview", "gemini-3.1-pro"),
    ("gemini-3.1-pro-preview-customtools", "gemini-3.1-pro"),
];

/// Models that this build has heard of, beside those above.
const MODELS: &[&str] = &[
    "gemini-2.5-flash",
    "gemini-2.5-flash-image",
    "gemini-2.5-flash-lite",
    "gemini-2.5-pro",
    "gemini-3-flash",
    "gemini-3-pro",
    "gemini-3.1-flash-lite",
    "gemini-3.1-flash-tts",
    "gemini-3.1-pro",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.6-flash",
    "gemini-3.7-flash",
    "gemini-3.8-flash",
    "gemini-4-argon",
    "gemini-4-carbon",
    "gemini-4-hydrogen",
    "gemini-embedding-001",
    "gemini-flash-latest",
    "gemini-flash-lite-latest",
    "gemini-pro-latest",
];

/// Whether this build has heard of a model.
#[must_use]
pub fn is_known(model: &ModelId) -> bool {
    MODELS.contains(&model.as_str()) || ALIASES.iter().any(|(id, _)| *id == model.as_str())
}

/// Another known model whose name is nearest to `model`, if any is near: for a typo.
#[must_use]
pub fn nearest(model: &ModelId) -> Option<&'static str> {
    let known = MODELS.iter().chain(ALIASES.iter().map(|(id, _)| id)).copied();
    let distances = known.map(|name| (strsim::damerau_levenshtein(name, model.as_str()), name));
    distances.filter(|(distance, _)| (1..=3).contains(distance)).min().map(|(_, name)| name)
}

/// A model id as people write it, without `models/`.
#[must_use]
pub fn model_id(text: &str) -> ModelId {
    ModelId::new(text.strip_prefix("models/").unwrap_or(text))
}

/// The bucket a model is counted under, as far as this build knows.
///
/// ```
/// use keyrot_core::bucket::{bucket_of, model_id};
/// assert_eq!(bucket_of(&model_id("models/gemini-3-pro-preview")).as_str(), "gemini-3-pro");
/// assert_eq!(bucket_of(&model_id("gemini-2.5-flash")).as_str(), "gemini-2.5-flash");
/// ```
#[must_use]
pub fn bucket_of(model: &ModelId) -> Bucket {
    let known = ALIASES.iter().find(|(id, _)| *id == model.as_str()).map(|(_, bucket)| *bucket);
    Bucket::new(known.unwrap_or(model.as_str()))
}
