//! Keys from environment variables (and so from `.env`): one per key, a list, or a single one.

mod list;
mod single;
mod store;

pub use list::{ListError, Listed, list};
pub use single::{SINGLE_NAMES, single};
pub use store::{EnvStore, variable};
