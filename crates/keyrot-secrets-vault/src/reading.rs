//! A secret as the server gave it.

use jiff::Timestamp as Instant;
use keyrot_core::secret::text;
use keyrot_core::{Secret, SecretError, Timestamp};
use secrecy::zeroize::{Zeroize as _, Zeroizing};
use serde_json::Value;
use vaultrs::api::kv2::responses::SecretVersionMetadata;

use crate::settings::{FIELDS, STORE};

/// What a secret holds, as JSON, and which version of it that is. Wiped when it is dropped.
pub(crate) struct Reading {
    pub(crate) json: Zeroizing<String>,
    /// Only where versions are kept.
    pub(crate) version: Option<u64>,
    written_at: Option<Timestamp>,
}

impl Reading {
    pub(crate) fn of(mut data: Value, metadata: Option<&SecretVersionMetadata>) -> Self {
        // Written into room enough for all of it: growing would leave a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(size(&data)));
        let written = serde_json::to_writer(&mut *bytes, &data);
        wipe(&mut data);
        let json = match (written, std::str::from_utf8(&bytes)) {
            (Ok(()), Ok(json)) => Zeroizing::new(json.to_owned()),
            _ => Zeroizing::default(),
        };
        let created = metadata.and_then(|metadata| metadata.created_time.parse::<Instant>().ok());
        let millis = created.and_then(|at| u64::try_from(at.as_millisecond()).ok());
        Self {
            json,
            version: metadata.map(|metadata| metadata.version),
            written_at: millis.map(Timestamp::from_millis),
        }
    }

    /// The key in it.
    pub(crate) fn secret(&self, name: &str) -> Result<Secret, SecretError> {
        let key = text::key(&self.json, &FIELDS).map_err(|why| unusable(name, why))?;
        let mut secret = Secret::of(STORE, name, &key)?;
        secret.version = self.version.map(|version| version.to_string());
        secret.written_at = self.written_at;
        Ok(secret)
    }
}

pub(crate) fn unusable(name: &str, why: &'static str) -> SecretError {
    SecretError::Unusable { store: STORE, name: name.to_owned(), why }
}

/// No text's JSON is longer: each byte may become six.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 32,
        Value::String(text) => 6 * text.len() + 2,
        Value::Array(items) => items.iter().map(|item| size(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => {
            fields.iter().map(|(name, item)| 6 * name.len() + size(item) + 4).sum::<usize>() + 2
        }
    }
}

/// Wipes every text in `value`.
pub(crate) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
