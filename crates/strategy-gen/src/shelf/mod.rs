//! Strategies in a folder, and what is known of each: a file beside each file says how it was made.
//!
//! ```
//! use strategy_gen::shelf::Sidecar;
//! assert_eq!(Sidecar::path(std::path::Path::new("a/rsi.py")), std::path::Path::new("a/rsi.strategy.json"));
//! ```

mod folder;
mod headline;
mod record_key;
mod sidecar;

pub use folder::{Book, Condition, books};
pub use headline::{Headline, LastRun};
pub use record_key::{RecordKey, RecordKeyError, Signer};
pub use sidecar::{Checks, Made, Record, Sidecar, SidecarError};

use sha2::{Digest as _, Sha256};

/// SHA-256 in hexadecimal: what tells one text of a file from the next.
#[must_use]
pub fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
