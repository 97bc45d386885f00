//! What a vault answers when it is asked for a secret.

use std::collections::BTreeMap;

use azure_core::http::headers::{HeaderName, Headers};
use keyrot_core::{Secret, SecretError, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::name::STORE;
use crate::text;

const DATE: HeaderName = HeaderName::from_static("date");

/// A version of a secret.
#[derive(Deserialize)]
pub(crate) struct Held {
    #[serde(default)]
    pub(crate) value: Zeroizing<String>,
    #[serde(default)]
    id: String,
    #[serde(default, rename = "contentType")]
    content_type: Option<String>,
    #[serde(default)]
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    attributes: Attributes,
}

/// Seconds since the Unix epoch.
#[derive(Deserialize, Default)]
struct Attributes {
    nbf: Option<i64>,
    exp: Option<i64>,
    created: Option<i64>,
    updated: Option<i64>,
}

/// What is sent for a new version.
#[derive(Serialize)]
struct Written<'a> {
    value: &'a str,
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a BTreeMap<String, String>>,
}

impl Held {
    /// The version's own id: the last part of the secret's.
    pub(crate) fn version(&self) -> Option<String> {
        let mut parts = self.id.split("/secrets/").nth(1)?.split('/');
        parts.nth(1).filter(|version| !version.is_empty()).map(str::to_owned)
    }

    /// The key in it, if it may be used at this time.
    pub(crate) fn secret(&self, name: &str, headers: &Headers) -> Result<Secret, SecretError> {
        let unusable = |why| SecretError::Unusable { store: STORE, name: name.to_owned(), why };
        // A vault gives what is not valid too. The time is the vault's own: this machine's clock may be wrong.
        if let Some(now) = now(headers) {
            if self.attributes.exp.is_some_and(|exp| exp <= now) {
                return Err(unusable(
                    "it has expired\nhint: store a new version, or a later date: \
                     `az keyvault secret set-attributes --expires`",
                ));
            }
            if self.attributes.nbf.is_some_and(|nbf| nbf > now) {
                return Err(unusable(
                    "it is not valid yet\nhint: wait, or store an earlier date: \
                     `az keyvault secret set-attributes --not-before`",
                ));
            }
        }
        let key = text::key_in(&self.value).map_err(unusable)?;
        let mut secret = Secret::of(STORE, name, &key)?;
        secret.version = self.version();
        let written = self.attributes.updated.or(self.attributes.created);
        secret.written_at = written
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)));
        Ok(secret)
    }

    /// The body that makes `key` the next version, with the same content type, tags and other fields.
    pub(crate) fn next(&self, name: &str, key: &str) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let unusable = |why| SecretError::Unusable { store: STORE, name: name.to_owned(), why };
        let value = text::with_key(&self.value, key).map_err(unusable)?;
        let written =
            Written { value: &value, content_type: self.content_type.as_deref(), tags: self.tags.as_ref() };
        let body = serde_json::to_vec(&written).map_err(|_| unusable("it cannot be written as JSON"))?;
        Ok(Zeroizing::new(body))
    }
}

fn now(headers: &Headers) -> Option<i64> {
    let date = headers.get_optional_str(&DATE)?;
    azure_core::time::parse_rfc7231(date).ok().map(|date| date.unix_timestamp())
}
