//! Why no rotator could be made.

use keyrot_core::keys::Findings;

use crate::settings::SettingsError;

/// Why no rotator could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A variable's value makes no sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// keys.json has errors: all of them.
    #[error("{0}")]
    KeysFile(Findings),
    /// keys.json is there and cannot be read.
    #[error("cannot read `{path}`: {why}\nhint: check the file's permissions, or set `KEYS_FILE`")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// Another setting makes no sense together with the rest.
    #[error("{0}")]
    Invalid(String),
    /// A file of settings or keys.json would have a credential sent where it does not belong.
    #[error("{why}\nhint: {hint}")]
    Untrusted {
        /// Both origins.
        why: String,
        /// The way out.
        hint: &'static str,
    },
    /// There is no usable key.
    #[error("No API keys available: {why}\nhint: {hint}")]
    NoKeys {
        /// Why not.
        why: String,
        /// The way out.
        hint: String,
    },
}

impl SetupError {
    /// Whether the configuration is wrong, as opposed to there being no usable key.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Settings(_)
            | Self::KeysFile(_)
            | Self::Unreadable { .. }
            | Self::Invalid(_)
            | Self::Untrusted { .. } => true,
            Self::NoKeys { .. } => false,
        }
    }
}
