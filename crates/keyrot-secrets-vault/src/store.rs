//! The store: names become requests, and answers become secrets.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use keyrot_core::{EnvMap, KeyId, Secret, SecretError, SecretStore, Timestamp};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::timeout;
use vaultrs::api::kv1::requests::GetSecretRequest;
use vaultrs::api::kv2::requests::ReadSecretRequest;

use crate::desk::Desk;
use crate::fault::{self, Fault, Refusal, denied, unavailable};
use crate::mount::{Kv, Mount, Mounts};
use crate::request::Write;
use crate::settings::{STORE, Settings, misconfigured};
use crate::wire::{Answer, Wire};
use crate::{name, text};

/// For one secret, with login and all.
const PATIENCE: Duration = Duration::from_secs(10);
/// Secrets read at the same time.
const AT_ONCE: usize = 8;

/// Secrets in a KV mount of HashiCorp Vault or OpenBao.
///
/// ```
/// use keyrot_core::EnvMap;
/// use keyrot_secrets_vault::VaultStore;
/// let env = EnvMap::from_iter([("VAULT_ADDR", "https://vault.example.com:8200"), ("VAULT_TOKEN", "…")]);
/// assert!(VaultStore::new(&env).is_err(), "a token has no such character");
/// ```
pub struct VaultStore {
    desk: Arc<Desk>,
    mounts: Mounts,
    path: String,
}

#[derive(Deserialize)]
struct One<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Two<'a> {
    #[serde(borrow)]
    data: Version<'a>,
}

#[derive(Deserialize)]
struct Version<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    version: u64,
    created_time: String,
    #[serde(default)]
    deletion_time: String,
    #[serde(default)]
    destroyed: bool,
}

#[derive(Deserialize)]
struct Written {
    data: WrittenVersion,
}

#[derive(Deserialize)]
struct WrittenVersion {
    version: u64,
}

/// A secret as it was read, with all its fields.
struct Found {
    mount: Mount,
    kv: Kv,
    answer: Answer,
}

impl Found {
    /// The object of fields, and of which version it is.
    fn fields(&self) -> Result<(&str, Option<Metadata>), Fault> {
        match self.kv {
            Kv::One => Ok((self.answer.parse::<One<'_>>()?.data.get(), None)),
            Kv::Two => {
                let Two { data: Version { data, metadata } } = self.answer.parse()?;
                Ok((data.ok_or(Fault::Garbled)?.get(), Some(metadata)))
            }
        }
    }

    fn secret(&self, name: &str) -> Result<Result<Secret, SecretError>, Fault> {
        let (object, metadata) = self.fields()?;
        let secret = text::key(object).map_err(|why| unusable(name, why));
        Ok(secret.and_then(|key| Secret::of(STORE, name, &key)).map(|mut secret| {
            if let Some(metadata) = metadata {
                secret.written_at = time(&metadata.created_time);
                secret.version = Some(metadata.version.to_string());
            }
            secret
        }))
    }
}

impl VaultStore {
    /// A store by the `VAULT_…` variables of `env`. Asks nobody: the login is for the first fetch.
    ///
    /// # Errors
    /// [`SecretError::Misconfigured`] when they make no sense.
    pub fn new(env: &EnvMap) -> Result<Self, SecretError> {
        let Settings { address, namespace, path, way, trust } = Settings::read(env)?;
        let wire = Wire::new(address, namespace.as_deref(), trust)?;
        Ok(Self { desk: Desk::new(wire, way), mounts: Mounts::default(), path })
    }

    /// The same with a service account's token in another file than Kubernetes puts it.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_service_account(env: &EnvMap, file: &std::path::Path) -> Result<Self, SecretError> {
        let Settings { address, namespace, path, way, trust } = Settings::read(env)?;
        let wire = Wire::new(address, namespace.as_deref(), trust)?;
        Ok(Self { desk: Desk::new(wire, way.with_service_account(file)), mounts: Mounts::default(), path })
    }

    async fn patiently<T>(
        &self,
        work: impl Future<Output = Result<T, SecretError>>,
    ) -> Result<T, SecretError> {
        timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(fault::silent(&self.desk.wire.place)))
    }

    async fn find(&self, name: &str) -> Result<Found, SecretError> {
        let (mount, path) = match self.mounts.of(&self.desk, name).await {
            Ok(found) => found,
            Err(fault) => return Err(self.error(fault, name, None)),
        };
        if let Some(other) = &mount.other {
            return Err(misconfigured(
                format!("`{}` is a mount of the engine `{other}`, not of `kv`", mount.path),
                "see `VAULT_SECRET_PATH`, or `secret` of the key in keys.json",
            ));
        }
        let fault = match (self.read(&mount, mount.kv.unwrap_or(Kv::Two), path).await, mount.kv) {
            (Ok(found), Some(_)) => return Ok(found),
            (Ok(found), None) => {
                self.mounts.learn(&mount, Kv::Two).await;
                return Ok(found);
            }
            (Err(fault), Some(_)) => fault,
            // Nobody told which version it is: where the second finds nothing, the first may.
            (Err(fault), None) if fault.is_forbidden() || fault.is_missing() && !is_deleted(&fault) => {
                match self.read(&mount, Kv::One, path).await {
                    Ok(found) => {
                        self.mounts.learn(&mount, Kv::One).await;
                        return Ok(found);
                    }
                    Err(_) => fault,
                }
            }
            (Err(fault), None) => fault,
        };
        if !is_deleted(&fault) {
            self.mounts.forget(&mount).await;
        }
        Err(self.error(fault, name, Some(&mount)))
    }

    /// An outage is not waited for more than once.
    async fn fetch_unless(&self, outage: &OnceLock<SecretError>, name: &str) -> Result<Secret, SecretError> {
        if let Some(error) = outage.get() {
            return Err(error.clone());
        }
        let answer = self.fetch(name).await;
        if let Err(error @ SecretError::Unavailable { .. }) = &answer {
            outage.get_or_init(|| error.clone());
        }
        answer
    }

    async fn read(&self, mount: &Mount, kv: Kv, path: &str) -> Result<Found, Fault> {
        let (at, path) = (mount.path.clone(), path.to_owned());
        let answer = match kv {
            Kv::One => self.desk.ask(&GetSecretRequest { mount: at, path }).await?,
            Kv::Two => self.desk.ask(&ReadSecretRequest { mount: at, path, version: None }).await?,
        };
        let found = Found { mount: mount.clone(), kv, answer };
        // A first version's answer to a question for the second has no such form.
        found.fields()?;
        Ok(found)
    }

    /// What a fault means for who asked for `name`.
    fn error(&self, fault: Fault, name: &str, mount: Option<&Mount>) -> SecretError {
        let place = &self.desk.wire.place;
        let refusal = match fault.common(place) {
            Ok(error) => return error,
            Err(refusal) => refusal,
        };
        match refusal.status {
            404 => not_found(&refusal, name, mount, place),
            401 | 403 => denied(
                format!("no right to `{name}`: {refusal}"),
                format!(
                    "{}; a policy must allow `read` on {}",
                    self.desk.way.remedy(),
                    mount.map_or_else(|| format!("`{name}`"), |mount| policy_path(mount, name)),
                ),
            ),
            400 if refusal.said.contains("check-and-set") => unavailable(
                format!("`{name}` was changed by somebody else at the same moment"),
                "look at what is there now, and write again",
            ),
            _ => misconfigured(
                format!("{place} does not take the question for `{name}`: {refusal}"),
                "see `VAULT_SECRET_PATH`, or `secret` of the key in keys.json",
            ),
        }
    }

    async fn change(&self, name: &str, value: &SecretString) -> Result<Option<String>, SecretError> {
        let found = self.find(name).await?;
        let failed = |fault| self.error(fault, name, Some(&found.mount));
        let (object, metadata) = found.fields().map_err(failed)?;
        let new = text::with_key(object, value.expose_secret()).map_err(|why| unusable(name, why))?;
        let mount = &found.mount.path;
        let rest = name.strip_prefix(mount.as_str()).unwrap_or(name).trim_start_matches('/');
        let Some(metadata) = metadata else {
            let write = Write { path: format!("{mount}/{rest}"), body: new };
            return self.desk.ask(&write).await.map(|_| None).map_err(failed);
        };
        // Only onto the version that was read: another's change is not lost.
        let before = format!(r#"{{"options":{{"cas":{}}},"data":"#, metadata.version);
        let mut body = Zeroizing::new(String::with_capacity(before.len() + new.len() + 1));
        body.push_str(&before);
        body.push_str(&new);
        body.push('}');
        let write = Write { path: format!("{mount}/data/{rest}"), body };
        let written = self.desk.ask(&write).await.and_then(|answer| answer.parse::<Written>());
        Ok(Some(written.map_err(failed)?.data.version.to_string()))
    }
}

#[async_trait]
impl SecretStore for VaultStore {
    fn name_of(&self, key: &KeyId) -> Result<String, SecretError> {
        Ok(format!("{}/{key}", self.path))
    }

    async fn fetch(&self, name: &str) -> Result<Secret, SecretError> {
        name::check(name)?;
        let work = async {
            let found = self.find(name).await?;
            found.secret(name).unwrap_or_else(|fault| Err(self.error(fault, name, Some(&found.mount))))
        };
        self.patiently(work).await
    }

    async fn fetch_all(&self, names: &[String]) -> Vec<Result<Secret, SecretError>> {
        let outage = OnceLock::new();
        let answers: Vec<_> = names.iter().map(|name| self.fetch_unless(&outage, name)).collect();
        stream::iter(answers).buffered(AT_ONCE).collect().await
    }

    async fn put(&self, name: &str, value: &SecretString) -> Result<Option<String>, SecretError> {
        name::check(name)?;
        self.patiently(self.change(name, value)).await
    }
}

impl fmt::Debug for VaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultStore")
            .field("server", &self.desk.wire.place)
            .field("path", &self.path)
            .field("login", &self.desk.way)
            .finish_non_exhaustive()
    }
}

fn unusable(name: &str, why: &'static str) -> SecretError {
    SecretError::Unusable { store: STORE, name: name.to_owned(), why }
}

fn time(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(Timestamp::from_millis)
}

/// What a policy has to name.
fn policy_path(mount: &Mount, name: &str) -> String {
    let rest = name.strip_prefix(mount.path.as_str()).unwrap_or(name).trim_start_matches('/');
    match mount.kv {
        Some(Kv::Two) => format!("`{}/data/{rest}`", mount.path),
        Some(Kv::One) => format!("`{name}`"),
        None => format!("`{}/data/{rest}`, in a mount of KV version 1 on `{name}`", mount.path),
    }
}

/// What is left of a version that was deleted: its metadata.
fn is_deleted(fault: &Fault) -> bool {
    matches!(fault, Fault::Refused { status: 404, body, .. } if body.parse::<Two<'_>>().is_ok())
}

fn not_found(refusal: &Refusal, name: &str, mount: Option<&Mount>, place: &str) -> SecretError {
    let hint = if let Ok(Two { data: Version { metadata, .. } }) = refusal.body.parse() {
        let Metadata { version, deletion_time, destroyed, .. } = metadata;
        if destroyed {
            format!(
                "its version {version} was destroyed, for ever; `vault kv put {name} value=-` writes a new one"
            )
        } else {
            let when = time(&deletion_time).map(|at| format!(" at {at}")).unwrap_or_default();
            format!(
                "its version {version} was deleted{when}; `vault kv undelete -versions={version} {name}` brings it \
                 back, `vault kv put {name} value=-` writes a new one"
            )
        }
    } else if refusal.said.contains("no handler for route") || mount.is_none_or(|mount| mount.kv.is_none()) {
        let first = name.split('/').next().unwrap_or(name);
        format!(
            "{place} has no secrets engine mounted at `{first}/` here: see `VAULT_SECRET_PATH` and `VAULT_NAMESPACE`; \
             `vault secrets list` shows what is mounted"
        )
    } else if let Some(rest) = mount.and_then(|mount| mount.rest(name)?.strip_prefix("data/")) {
        let path = mount.map_or("", |mount| mount.path.as_str());
        format!("names have no `data/` behind the mount: is `{path}/{rest}` meant?")
    } else {
        format!("`vault kv put {name} value=-` stores a key that is typed in")
    };
    SecretError::NotFound { store: STORE, name: name.to_owned(), hint }
}
