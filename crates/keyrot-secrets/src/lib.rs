//! Where keyrot's secrets come from: which store holds which key, and one cache over all stores.

mod cache;
#[cfg(feature = "env")]
pub mod env;
mod resolver;
mod slot;

pub use cache::{DEFAULT_TTL, News, Refreshed, SecretCache};
pub use keyrot_core::keys::{SecretRef, StoreKind};
pub use resolver::Resolver;
pub use slot::{Problem, Resolved};
