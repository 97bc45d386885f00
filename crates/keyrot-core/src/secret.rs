//! The door to secret stores: [`SecretStore`], what it gives, and how it fails.

pub mod text;

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::clock::Timestamp;
use crate::id::KeyId;
use crate::untrusted::{one_line, redact};

/// A secret as a store gave it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Secret {
    /// The key itself. Zeroized when the last clone is dropped.
    pub value: SecretString,
    /// The store's own version label, where it has one.
    pub version: Option<String>,
    /// When this version was written, where the store knows.
    pub written_at: Option<Timestamp>,
    /// What was mended on the way (white space trimmed, quotes removed), for a warning.
    pub mended: Option<&'static str>,
}

impl Secret {
    /// A secret of which nothing else is known.
    #[must_use]
    pub fn new(value: SecretString) -> Self {
        Self { value, version: None, written_at: None, mended: None }
    }

    /// What `store` holds under `name`, cleaned of what people paste along with a key: see [`mend`].
    ///
    /// # Errors
    /// [`SecretError::Unusable`] when it cannot be a key.
    pub fn of(store: &'static str, name: &str, raw: &str) -> Result<Self, SecretError> {
        let unusable = |why| SecretError::Unusable { store, name: name.to_owned(), why };
        let (value, mended) = mend(raw).map_err(unusable)?;
        Ok(Self { mended, ..Self::new(value) })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value: _, version, written_at, mended } = self;
        f.debug_struct("Secret")
            .field("value", &"[REDACTED]")
            .field("version", version)
            .field("written_at", written_at)
            .field("mended", mended)
            .finish()
    }
}

/// Why a store gave no secret. Never holds a secret's text.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The store answered, and has no such secret.
    #[error("{store} has no secret `{name}`\nhint: {hint}")]
    NotFound {
        /// The store, as `SECRET_STORE_TYPE` names it.
        store: &'static str,
        /// The name looked for.
        name: String,
        /// What would make it found.
        hint: String,
    },
    /// There is a secret, and it cannot be a key: empty, or with a character no header may hold.
    #[error("the secret `{name}` in {store} cannot be a key: {why}")]
    Unusable {
        /// The store, as `SECRET_STORE_TYPE` names it.
        store: &'static str,
        /// The name looked for.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The store is known, and not compiled in.
    #[error("secret store `{store}` is not in this build\nhint: rebuild with `--features {feature}`")]
    BackendDisabled {
        /// The store, as `SECRET_STORE_TYPE` names it.
        store: &'static str,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// The settings that lead to the store make no sense: found before it is asked anything.
    #[error("secret store {store} cannot be used: {why}\nhint: {hint}")]
    Misconfigured {
        /// The store, as `SECRET_STORE_TYPE` names it.
        store: &'static str,
        /// What is wrong.
        why: String,
        /// What would make it right.
        hint: String,
    },
    /// The store answered, and does not let us do this: a login that failed, a right that is missing.
    #[error("secret store {store} refuses: {why}\nhint: {hint}")]
    Denied {
        /// The store, as `SECRET_STORE_TYPE` names it.
        store: &'static str,
        /// What it said, scrubbed.
        why: String,
        /// What would make it allowed.
        hint: String,
    },
    /// The store did not answer, or could not; trying again later may help.
    #[error("secret store {store} is unavailable: {why}\nhint: {hint}")]
    Unavailable {
        /// The store, as `SECRET_STORE_TYPE` names it.
        store: &'static str,
        /// What it said, scrubbed.
        why: String,
        /// What to look at.
        hint: String,
    },
    /// Secrets are not written to this store by keyrot.
    #[error("keyrot does not write to this secret store\nhint: {hint}")]
    ReadOnly {
        /// How the secret is changed instead.
        hint: String,
    },
}

impl SecretError {
    /// The same without secrets, and with each text on one line, whatever the store put into it.
    #[must_use]
    pub fn scrubbed(self) -> Self {
        let clean = |text: String| one_line(&redact(&text)).into_owned();
        match self {
            Self::NotFound { store, name, hint } => {
                Self::NotFound { store, name: clean(name), hint: clean(hint) }
            }
            Self::Unusable { store, name, why } => Self::Unusable { store, name: clean(name), why },
            Self::Misconfigured { store, why, hint } => {
                Self::Misconfigured { store, why: clean(why), hint: clean(hint) }
            }
            Self::Denied { store, why, hint } => Self::Denied { store, why: clean(why), hint: clean(hint) },
            Self::Unavailable { store, why, hint } => {
                Self::Unavailable { store, why: clean(why), hint: clean(hint) }
            }
            Self::ReadOnly { hint } => Self::ReadOnly { hint: clean(hint) },
            Self::BackendDisabled { .. } => self,
        }
    }
}

/// A place that holds secrets.
///
/// Implementations do no caching and no retries beyond their SDK's: both belong to
/// `keyrot-secrets`.
#[async_trait]
pub trait SecretStore: fmt::Debug + Send + Sync + 'static {
    /// The full name under which this store has the secret of `key`, if keys.json names no other.
    ///
    /// # Errors
    /// [`SecretError::Misconfigured`] when the key's label cannot be spelt in this store.
    fn name_of(&self, key: &KeyId) -> Result<String, SecretError> {
        Ok(key.to_string())
    }

    /// Whether what it holds stays the same for as long as the process runs: then nothing is read twice.
    fn is_fixed(&self) -> bool {
        false
    }

    /// Reads the secret with the full name `name` as it is now.
    ///
    /// # Errors
    /// [`SecretError`], which never carries the secret's text.
    async fn fetch(&self, name: &str) -> Result<Secret, SecretError>;

    /// Reads several at once, in as few calls as the store's interface allows: an answer for each of
    /// `names`, in their order.
    async fn fetch_all(&self, names: &[String]) -> Vec<Result<Secret, SecretError>> {
        let mut answers = Vec::with_capacity(names.len());
        for name in names {
            answers.push(self.fetch(name).await);
        }
        answers
    }

    /// Makes `value` the secret with the full name `name`, which exists; where the store keeps versions,
    /// the older ones stay. Gives the new version's label, where the store has one.
    ///
    /// # Errors
    /// [`SecretError`]; [`SecretError::ReadOnly`] from a store that keyrot does not write to.
    async fn put(&self, _name: &str, _value: &SecretString) -> Result<Option<String>, SecretError> {
        Err(SecretError::ReadOnly { hint: "change the secret where it is kept".to_owned() })
    }
}

const _: fn(&dyn SecretStore) = |_| {};

/// Cleans what people paste: white space and one pair of quotes around a secret are removed.
///
/// # Errors
/// Says what is wrong when nothing is left, or when a character remains that no HTTP header may
/// hold.
pub fn mend(raw: &str) -> Result<(SecretString, Option<&'static str>), &'static str> {
    let trimmed = raw.trim();
    let unquoted = ['"', '\'']
        .into_iter()
        .find_map(|q| trimmed.strip_prefix(q)?.strip_suffix(q))
        .map_or(trimmed, str::trim);
    if unquoted.is_empty() {
        return Err("it is empty");
    }
    if unquoted.bytes().any(|b| !b.is_ascii_graphic()) {
        return Err("it holds white space, a line break or a non-ASCII character");
    }
    let mended = match (unquoted.len() == trimmed.len(), trimmed.len() == raw.len()) {
        (true, true) => None,
        (true, false) => Some("white space around it was removed"),
        (false, _) => Some("quotes around it were removed"),
    };
    Ok((SecretString::from(unquoted), mended))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn what_people_paste_is_mended_and_what_cannot_be_a_key_is_refused() {
        for (raw, clean, mended) in [
            ("AIza1", "AIza1", false),
            (" AIza1\n", "AIza1", true),
            ("\"AIza1\"", "AIza1", true),
            ("' AIza1 '", "AIza1", true),
            ("'AIza1", "'AIza1", false),
        ] {
            let (value, note) = mend(raw).expect(raw);
            assert_eq!(value.expose_secret(), clean, "{raw:?}");
            assert_eq!(note.is_some(), mended, "{raw:?}");
        }
        for raw in ["", "  ", "\"\"", "a b", "a\nb", "schlüssel"] {
            assert!(mend(raw).is_err(), "{raw:?}");
        }
    }
}
