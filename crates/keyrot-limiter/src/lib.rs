//! Exact limits for Gemini quota: never more than the limit in any window, wherever it starts.

pub mod day;
pub mod guard;
pub mod ledger;
pub mod memory;
pub mod window;

mod account;
#[cfg(feature = "sqlite")]
mod bytes;
#[cfg(feature = "sqlite")]
mod closed;
#[cfg(feature = "degrading")]
mod degrading;
mod facts;
mod flight;
mod lifts;
#[cfg(feature = "redis")]
mod redis;
mod scopes;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "degrading", feature = "sqlite"))]
mod suspended;
mod sweep;

#[cfg(feature = "degrading")]
pub use degrading::{Beat, Charges, DayCharge, Degrading, Manner, Mark, Reading, Shared, Used};
pub use facts::MemoryFacts;
pub use memory::MemoryLimiter;
#[cfg(feature = "redis")]
pub use redis::{RedisConfig, RedisConfigError, RedisStore};
#[cfg(feature = "sqlite")]
pub use sqlite::{OpenError, SqliteStore};
#[cfg(any(feature = "degrading", feature = "sqlite"))]
pub use suspended::Suspended;
