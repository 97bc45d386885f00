//! Exact limits for Gemini quota: never more than the limit in any window, wherever it starts.

pub mod day;
pub mod guard;
pub mod ledger;
pub mod memory;
pub mod window;

mod account;
mod facts;
mod flight;
mod scopes;
mod sweep;

pub use facts::MemoryFacts;
pub use memory::MemoryLimiter;
