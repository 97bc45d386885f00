//! Which secret stores exist, and how a key names its place in one.

use std::fmt;
use std::str::FromStr;

/// A kind of secret store. All kinds are known to every build, compiled in or not, so that a
/// configuration never changes its meaning with the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StoreKind {
    /// Environment variables, `.env` and mounted files.
    Env,
    /// HashiCorp Vault or OpenBao.
    Vault,
    /// AWS Secrets Manager.
    Aws,
    /// Azure Key Vault.
    Azure,
}

impl StoreKind {
    /// Every kind, in the order messages list them.
    pub const ALL: [Self; 4] = [Self::Env, Self::Vault, Self::Aws, Self::Azure];

    /// The name in `SECRET_STORE_TYPE` and in a key's `secret`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Env => "env",
            Self::Vault => "vault",
            Self::Aws => "aws",
            Self::Azure => "azure",
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no secret store. It does not repeat the text: people paste secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such secret store\nhint: use one of `env`, `vault`, `aws`, `azure`")]
pub struct UnknownStore;

impl FromStr for StoreKind {
    type Err = UnknownStore;

    /// White space around the name and its letter case do not matter.
    fn from_str(text: &str) -> Result<Self, UnknownStore> {
        let text = text.trim();
        Self::ALL.into_iter().find(|kind| text.eq_ignore_ascii_case(kind.as_str())).ok_or(UnknownStore)
    }
}

/// Where a key's secret lives: `store:name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretRef {
    /// The store.
    pub store: StoreKind,
    /// The secret's name there: an environment variable, a path, a secret id.
    pub name: String,
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.store, self.name)
    }
}
