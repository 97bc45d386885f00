//! `keys.json`: what is known about each key, read strictly and reported kindly.
//!
//! The reader never stops at the first mistake: it reports all of them, each with file, line,
//! column, key and field. The file holds metadata only; secrets live in secret stores.

mod finding;
mod key;
mod set;
mod store;

pub use finding::{Finding, Findings, Severity};
pub use key::{Key, ModelFilter};
pub use set::{KeySet, Parsed, PoolConfig};
pub use store::{SecretRef, StoreKind, UnknownStore};
