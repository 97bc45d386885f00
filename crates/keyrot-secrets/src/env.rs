//! Keys that environment variables name by themselves, without a keys.json.

pub use keyrot_secrets_env::{EnvStore, ListError, Listed, list, single, variable};
