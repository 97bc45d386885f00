//! The names things go by: keys, projects, models, buckets, and a key's fingerprint.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::leak;
use crate::untrusted;

/// A text that is no legal [`KeyId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a legal key id\nhint: use 1 to 64 of the characters A-Z, a-z, 0-9, `_` and `-`, \
     for example `flash_01`"
)]
pub struct IllegalKeyId {
    /// The text, cut to 80 characters, stripped of control characters and of what looks like an API
    /// key.
    pub text: String,
}

/// The label of a key: the only name by which a key appears in logs, errors and status.
///
/// 1 to 64 characters of `[A-Za-z0-9_-]`. Cloning is cheap.
///
/// ```
/// use keyrot_core::KeyId;
/// assert_eq!(KeyId::new("flash_01")?.as_str(), "flash_01");
/// assert!(KeyId::new("flash 01").is_err());
/// # Ok::<(), keyrot_core::IllegalKeyId>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// The most characters a key id may have.
    pub const MAX_LEN: usize = 64;

    /// Checks `text` and makes it a key id.
    ///
    /// # Errors
    /// [`IllegalKeyId`] when it is empty, longer than [`Self::MAX_LEN`], or has another character.
    pub fn new(text: &str) -> Result<Self, IllegalKeyId> {
        let legal = !text.is_empty()
            && text.len() <= Self::MAX_LEN
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if legal { Ok(Self(text.into())) } else { Err(IllegalKeyId { text: leak::label(text, 80) }) }
    }

    /// The label as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyId {
    type Error = IllegalKeyId;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0.as_ref().to_owned()
    }
}

/// A plain name behind an `Arc<str>`: cheap to clone, printed on one line.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the name as it is.
            #[must_use]
            pub fn new(text: &str) -> Self {
                Self(text.into())
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

name! {
    /// The owner of quota: keys of one project share every limit and every cooldown.
    Project
}

name! {
    /// A model as a caller asks for it, without the `models/` prefix.
    ModelId
}

name! {
    /// What Google counts a model under: several model ids may share one bucket
    /// (gemini-wire §2.1, trap 2).
    Bucket
}

macro_rules! shown_as_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // A name may come from a server or a shared store.
                f.write_str(&untrusted::one_line(&self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}
shown_as_text!(KeyId, Project, ModelId, Bucket);

/// What tells one secret of a key from the next: condemnations name (key id, fingerprint), so a
/// new secret is a new key and a late report about the old one cannot harm it.
///
/// The first 8 bytes of SHA-256(`keyrot1` ‖ key id ‖ secret). It cannot be turned back into the
/// secret, and is shown in full in logs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of `secret` as the secret of `key`.
    #[must_use]
    pub fn of(key: &KeyId, secret: &str) -> Self {
        let digest =
            Sha256::new().chain_update("keyrot1").chain_update(key.as_str()).chain_update(secret).finalize();
        let mut first = [0_u8; 8];
        first.copy_from_slice(&digest[..8]);
        Self(u64::from_be_bytes(first))
    }

    /// The fingerprint that [`to_u64`](Self::to_u64) made a number of.
    #[must_use]
    pub fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The fingerprint as a number, for a store to hold.
    #[must_use]
    pub fn to_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Where requests go: what one endpoint says of a key, a project or a model says nothing of another's.
///
/// The default is Google itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Endpoint(u64);

impl Endpoint {
    const GOOGLE: &str = "generativelanguage.googleapis.com";

    /// The endpoint at `base_url`: one for all ways to write its scheme and host, whatever slashes it ends
    /// in.
    #[must_use]
    pub fn at(base_url: &str) -> Self {
        let url = base_url.trim().trim_end_matches('/');
        let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = host.to_ascii_lowercase();
        if host == Self::GOOGLE {
            return Self::default();
        }
        let name = format!("{}://{host}{path}", scheme.to_ascii_lowercase());
        let digest = Sha256::new().chain_update("keyrot1 endpoint").chain_update(name).finalize();
        let mut first = [0_u8; 8];
        first.copy_from_slice(&digest[..8]);
        // Never the one that stands for Google.
        Self(u64::from_be_bytes(first).max(1))
    }

    /// The endpoint as a number, for a store to hold; 0 for Google.
    #[must_use]
    pub fn to_u64(self) -> u64 {
        self.0
    }
}

/// A quota domain: what Google counts, one model bucket of one project.
///
/// Cloning is cheap; equality compares the names.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Domain {
    /// The quota owner.
    pub project: Project,
    /// The model bucket.
    pub bucket: Bucket,
}

impl Domain {
    /// The domain of `bucket` in `project`.
    #[must_use]
    pub fn new(project: impl Into<Project>, bucket: impl Into<Bucket>) -> Self {
        Self { project: project.into(), bucket: bucket.into() }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.bucket)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domain({self})")
    }
}

/// A permit's name, made by the client, so that an answer that got lost can still be given back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PermitId(pub u128);

impl fmt::Debug for PermitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PermitId({:032x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_ids_are_checked() {
        for bad in ["", "a b", "ä", "a/b", &"x".repeat(65), "a\nb"] {
            assert!(KeyId::new(bad).is_err(), "{bad:?}");
        }
        assert!(KeyId::new(&"x".repeat(64)).is_ok());
    }

    #[test]
    fn an_endpoint_is_where_requests_go_however_it_is_written() {
        assert_eq!(Endpoint::at("https://GenerativeLanguage.googleapis.com/"), Endpoint::default());
        let gateway = Endpoint::at("http://gateway:8080/gemini");
        assert_eq!(Endpoint::at(" HTTP://Gateway:8080/gemini// "), gateway);
        for other in
            ["https://gateway:8080/gemini", "http://gateway:8081/gemini", "http://gateway:8080/Gemini"]
        {
            assert_ne!(Endpoint::at(other), gateway, "{other}");
        }
        assert_ne!(gateway, Endpoint::default());
    }

    #[test]
    fn fingerprints_tell_keys_and_secrets_apart() -> Result<(), IllegalKeyId> {
        let (a, b) = (KeyId::new("a")?, KeyId::new("b")?);
        assert_ne!(Fingerprint::of(&a, "s"), Fingerprint::of(&b, "s"));
        assert_ne!(Fingerprint::of(&a, "s"), Fingerprint::of(&a, "t"));
        assert_eq!(Fingerprint::of(&a, "s"), Fingerprint::of(&a, "s"));
        Ok(())
    }
}
