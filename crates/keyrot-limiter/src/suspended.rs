//! When and why a store's promise across processes is suspended.

use keyrot_core::Timestamp;

/// The limits hold in this process, but no longer over all that share the store: for status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspended {
    /// Since when, by this process's clock.
    pub since: Timestamp,
    /// What happened.
    pub why: String,
    /// How far a limit may be overrun meanwhile, in words with numbers, where that is known.
    pub bounds: Option<String>,
}
