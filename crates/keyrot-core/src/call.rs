//! What the rotator must know of a call, and nothing else: how it ended, and how its stream goes.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::id::ModelId;
use crate::outcome::{Outcome, Usage};

/// Questions to the server that cost nothing and that no quota counts.
///
/// `keyrot` knows no HTTP: whoever makes the calls answers these as well.
#[async_trait]
pub trait Prober: fmt::Debug + Send + Sync + 'static {
    /// Whether the server knows `key` and lets it see `model` (models.get).
    async fn probe(&self, key: &SecretString, model: &ModelId) -> Proof;

    /// The models that `key` may see (models.list); `None` when the server does not say.
    async fn models(&self, key: &SecretString) -> Option<Vec<ModelId>>;
}

/// What a free question showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The key is accepted and the model is there.
    Works,
    /// The server refuses, with this meaning.
    Refused(Outcome),
    /// Nothing: no answer, no such method at this server, or an answer that makes no sense.
    Unknown,
}

/// A failed call that can say what its failure means.
pub trait Judged {
    /// What the failure means for keys and retries.
    fn outcome(&self) -> Outcome;
}

/// One part of a streamed answer.
pub trait StreamPart {
    /// Whether it carries something a caller would see: once it is handed out, nothing can be
    /// replayed.
    fn has_content(&self) -> bool;

    /// Whether the answer is complete with it (`finishReason` or `blockReason`).
    fn finishes(&self) -> bool;

    /// The usage it reports: cumulative, so the last one counts.
    fn usage(&self) -> Usage;
}
