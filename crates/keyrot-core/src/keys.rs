//! `keys.json`: what is known about each key, read strictly and reported kindly.
//!
//! The reader never stops at the first mistake: it reports all of them, each with file, line,
//! column, key and field. The file holds metadata only; secrets live in secret stores.

mod check;
mod edit;
mod field;
mod finding;
mod key;
mod read;
mod report;
mod schema;
mod set;
mod store;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use edit::{AddError, Added, add};
pub use finding::{Finding, Findings, Severity};
pub use key::{Key, ModelFilter};
pub use schema::schema;
pub use set::{KeySet, Parsed, PoolConfig};
pub use store::{SecretRef, StoreKind, UnknownStore};
