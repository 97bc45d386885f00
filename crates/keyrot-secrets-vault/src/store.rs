//! The store: what is asked of the server, in which order.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use keyrot_core::secret::text;
use keyrot_core::{EnvMap, KeyId, Secret, SecretError, SecretStore};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::time::timeout;
use vaultrs::api::kv2::requests::{ReadSecretRequest, SetSecretRequestOptions};
use vaultrs::{api, kv1, kv2};

use crate::connection::{Server, quietly};
use crate::failure::Failure;
use crate::mount::{Engine, Mount, Mounts};
use crate::reading::{Reading, unusable, wipe};
use crate::session::{Session, Token};
use crate::settings::{FIELDS, STORE, Settings, wrong};

/// The longest one question may take, with the login before it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many secrets are read at once.
const AT_ONCE: usize = 8;

/// Secrets in the key-value engine of HashiCorp Vault or OpenBao, with versions or without.
///
/// The secret of the key `flash_01` is at `secret/keyrot/flash_01`; `VAULT_SECRET_PATH` changes what stands before
/// the label. Its field `value` is the key, else `api_key`, else the only field.
///
/// ```
/// use keyrot_core::{EnvMap, KeyId, SecretStore};
/// use keyrot_secrets_vault::VaultStore;
///
/// let env = EnvMap::from_iter([("VAULT_ADDR", "https://vault.example.com"), ("VAULT_TOKEN", "hvs.example")]);
/// let store = VaultStore::new(&env)?;
/// assert_eq!(store.name_of(&KeyId::new("flash_01")?)?, "secret/keyrot/flash_01");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct VaultStore {
    server: Arc<Server>,
    session: Arc<Session>,
    mounts: Mounts,
    path: String,
}

impl VaultStore {
    /// A store with the settings in `env`. Asks nobody yet; the login comes with the first question.
    ///
    /// # Errors
    /// [`SecretError::Misconfigured`] for a setting that makes no sense; it names the variable.
    pub fn new(env: &EnvMap) -> Result<Self, SecretError> {
        let settings = Settings::read(env)?;
        let server = Arc::new(Server::new(&settings)?);
        let session = Session::new(Arc::clone(&server), settings.way);
        Ok(Self { server, session, mounts: Mounts::default(), path: settings.path })
    }

    /// Bounds `work`, which is everything one question takes.
    async fn patiently<T>(
        &self,
        work: impl Future<Output = Result<T, SecretError>>,
    ) -> Result<T, SecretError> {
        timeout(PATIENCE, work).await.unwrap_or_else(|_| {
            Err(SecretError::Unavailable {
                store: STORE,
                why: format!("`{}` did not answer within {} s", self.server.place(), PATIENCE.as_secs()),
                hint: "see whether the server is up, and how busy it is".to_owned(),
            })
        })
    }

    /// Reads with a token; once more with another one where it was refused and there is another.
    async fn read(&self, name: &str) -> Result<Reading, SecretError> {
        spelt(name)?;
        let token = self.session.token().await?;
        let failure = match self.read_with(name, &token).await {
            Ok(reading) => return Ok(reading),
            Err(failure) => failure,
        };
        let another = if failure.is_forbidden() { self.session.another(&token).await } else { None };
        let failure = match another {
            Some(token) => match self.read_with(name, &token).await {
                Ok(reading) => return Ok(reading),
                Err(failure) => failure,
            },
            None => failure,
        };
        Err(failure.of_secret(name, &self.server, "read"))
    }

    async fn read_with(&self, name: &str, token: &Token) -> Result<Reading, Failure> {
        let (mount, path) = self.mounts.of(name, &self.server, token).await?;
        let failure = match self.read_in(&mount, path, token).await {
            Ok(reading) => {
                self.mounts.learn(&mount);
                return Ok(reading);
            }
            Err(failure) => failure,
        };
        if mount.is_guess && (failure.is_forbidden() || failure.is_missing()) {
            let older = Mount { engine: Engine::V1, ..mount };
            if let Ok(reading) = self.read_in(&older, path, token).await {
                self.mounts.learn(&older);
                return Ok(reading);
            }
        } else if failure.is_missing() {
            self.mounts.forget(&mount);
        }
        Err(failure)
    }

    async fn read_in(&self, mount: &Mount, path: &str, token: &Token) -> Result<Reading, Failure> {
        let call = self.server.call(Some(&token.value));
        let failed = |error| Failure::of(error, &self.server);
        match mount.engine {
            Engine::V1 => {
                let data = quietly(kv1::get_raw(&call.0, &mount.path, path)).await.map_err(failed)?.data;
                Ok(Reading::of(data, None))
            }
            Engine::V2 => {
                let request = ReadSecretRequest::builder().mount(mount.path.as_str()).path(path).build();
                let request = request.map_err(|_| Failure::nonsense(&self.server, "no such question"))?;
                let answer = quietly(api::exec_with_result(&call.0, request)).await.map_err(failed)?;
                Ok(Reading::of(answer.data, Some(&answer.metadata)))
            }
        }
    }

    /// Writes what `before` held with another key, if nobody has written meanwhile.
    async fn write(
        &self,
        name: &str,
        before: &Reading,
        value: &SecretString,
    ) -> Result<Option<String>, SecretError> {
        let json = text::with_key(&before.json, &FIELDS, value.expose_secret())
            .map_err(|why| unusable(name, why))?;
        let mut data: Value =
            serde_json::from_str(&json).map_err(|_| unusable(name, "it is no JSON object"))?;
        let token = self.session.token().await?;
        let failed = |failure: Failure| failure.of_secret(name, &self.server, "update");
        let (mount, path) = self.mounts.of(name, &self.server, &token).await.map_err(failed)?;
        let call = self.server.call(Some(&token.value));
        let written = match before.version {
            Some(version) => {
                let cas = u32::try_from(version).unwrap_or(u32::MAX);
                let options = SetSecretRequestOptions { cas };
                let set = quietly(kv2::set_with_options(&call.0, &mount.path, path, &data, options)).await;
                set.map(|metadata| Some(metadata.version.to_string()))
            }
            None => {
                let fields: HashMap<&str, &Value> = data
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, item)| (name.as_str(), item))
                    .collect();
                quietly(kv1::set(&call.0, &mount.path, path, &fields)).await.map(|()| None)
            }
        };
        wipe(&mut data);
        written.map_err(|error| match Failure::of(error, &self.server) {
            Failure::Refused { status: 400, said, .. } if said.contains("check-and-set") => {
                SecretError::Unavailable {
                    store: STORE,
                    why: format!("somebody else has written `{name}` meanwhile"),
                    hint: "look at what is there now, and try again".to_owned(),
                }
            }
            failure => failed(failure),
        })
    }
}

#[async_trait]
impl SecretStore for VaultStore {
    fn name_of(&self, key: &KeyId) -> Result<String, SecretError> {
        Ok(format!("{}/{key}", self.path))
    }

    async fn fetch(&self, name: &str) -> Result<Secret, SecretError> {
        self.patiently(async { self.read(name).await?.secret(name) }).await
    }

    async fn fetch_all(&self, names: &[String]) -> Vec<Result<Secret, SecretError>> {
        let mut answers: Vec<Result<Secret, SecretError>> = Vec::with_capacity(names.len());
        for some in names.chunks(AT_ONCE) {
            let outage = answers.iter().find_map(|answer| match answer {
                Err(error @ SecretError::Unavailable { .. }) => Some(error.clone()),
                _ => None,
            });
            match outage {
                // A server that is away is not waited for again and again.
                Some(error) => answers.extend(some.iter().map(|_| Err(error.clone()))),
                None => answers.extend(join_all(some.iter().map(|name| self.fetch(name))).await),
            }
        }
        answers
    }

    async fn put(&self, name: &str, value: &SecretString) -> Result<Option<String>, SecretError> {
        self.patiently(async {
            let before = self.read(name).await?;
            self.write(name, &before, value).await
        })
        .await
    }
}

impl fmt::Debug for VaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, session: _, mounts: _, path } = self;
        f.debug_struct("VaultStore")
            .field("server", &server.place())
            .field("path", path)
            .finish_non_exhaustive()
    }
}

/// Refuses what would lead elsewhere in a URL.
fn spelt(name: &str) -> Result<(), SecretError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_/.-".contains(c);
    let parts = name.split('/').count();
    let odd = name.split('/').any(|part| matches!(part, "" | "." | ".."));
    if parts >= 2 && !odd && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(wrong(
        &format!("`{name}` is no secret's name"),
        "write mount, path and name, as in `vault:secret/keyrot/flash_01`: letters, digits, `_`, `.`, `-`, `/`",
    ))
}
