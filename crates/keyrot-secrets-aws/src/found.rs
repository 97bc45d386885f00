//! A secret as the service gave it.

use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use aws_sdk_secretsmanager::primitives::{Blob, DateTime};
use aws_sdk_secretsmanager::types::SecretValueEntry;
use keyrot_core::secret::text;
use keyrot_core::{Secret, SecretError, Timestamp};
use secrecy::zeroize::{Zeroize as _, Zeroizing};

use crate::name;
use crate::settings::{FIELDS, STORE};

/// The version that holds. One that a rotation is still trying out is `AWSPENDING`.
pub(crate) const CURRENT: &str = "AWSCURRENT";

/// One version of a secret. The text is wiped when it is dropped.
pub(crate) struct Found {
    arn: Option<String>,
    name: Option<String>,
    stages: Vec<String>,
    version: Option<String>,
    written_at: Option<Timestamp>,
    text: Result<Zeroizing<String>, &'static str>,
    /// Whether it is kept as bytes.
    pub(crate) is_binary: bool,
}

impl From<GetSecretValueOutput> for Found {
    fn from(output: GetSecretValueOutput) -> Self {
        Self {
            arn: output.arn,
            name: output.name,
            stages: output.version_stages.unwrap_or_default(),
            version: output.version_id,
            written_at: output.created_date.as_ref().and_then(timestamp),
            is_binary: output.secret_string.is_none() && output.secret_binary.is_some(),
            text: text(output.secret_string, output.secret_binary),
        }
    }
}

impl From<SecretValueEntry> for Found {
    fn from(entry: SecretValueEntry) -> Self {
        Self {
            arn: entry.arn,
            name: entry.name,
            stages: entry.version_stages.unwrap_or_default(),
            version: entry.version_id,
            written_at: entry.created_date.as_ref().and_then(timestamp),
            is_binary: entry.secret_string.is_none() && entry.secret_binary.is_some(),
            text: text(entry.secret_string, entry.secret_binary),
        }
    }
}

fn text(string: Option<String>, binary: Option<Blob>) -> Result<Zeroizing<String>, &'static str> {
    let bytes = match (string, binary) {
        (Some(text), _) => return Ok(Zeroizing::new(text)),
        (None, Some(bytes)) => bytes.into_inner(),
        (None, None) => return Err("it holds nothing"),
    };
    String::from_utf8(bytes).map(Zeroizing::new).map_err(|error| {
        error.into_bytes().zeroize();
        "it is binary, and no UTF-8 text"
    })
}

fn timestamp(date: &DateTime) -> Option<Timestamp> {
    Some(Timestamp::from_millis(date.to_millis().ok()?.try_into().ok()?))
}

impl Found {
    pub(crate) fn is_current(&self) -> bool {
        self.stages.iter().any(|stage| stage == CURRENT)
    }

    /// Whether it is what was asked for as `asked`.
    pub(crate) fn is(&self, asked: &str) -> bool {
        let told = if name::is_arn(asked) { &self.arn } else { &self.name };
        told.as_deref().is_some_and(|told| name::means(asked, told))
    }

    /// The text as it is kept.
    pub(crate) fn text(&self, asked: &str) -> Result<&str, SecretError> {
        self.text.as_ref().map(|text| text.as_str()).map_err(|why| unusable(asked, why))
    }

    /// The key in it, under the name it was asked for by.
    pub(crate) fn secret(&self, asked: &str) -> Result<Secret, SecretError> {
        let key = text::key(self.text(asked)?, &FIELDS).map_err(|why| unusable(asked, why))?;
        let mut secret = Secret::of(STORE, asked, &key)?;
        secret.version.clone_from(&self.version);
        secret.written_at = self.written_at;
        Ok(secret)
    }
}

pub(crate) fn unusable(asked: &str, why: &'static str) -> SecretError {
    SecretError::Unusable { store: STORE, name: asked.to_owned(), why }
}
