//! What the rotator must know of a call, and nothing else: how it ended, and how its stream goes.

use crate::outcome::{Outcome, Usage};

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
