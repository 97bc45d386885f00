//! The store: one vault, asked through the SDK.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::headers::Headers;
use azure_core::http::{RawResponse, RequestContent};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use keyrot_core::{EnvMap, KeyId, Secret, SecretError, SecretStore};
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroize as _;

use crate::answer::Held;
use crate::login::Login;
use crate::name::STORE;
use crate::refusal::{self, Refusal};
use crate::settings::Settings;
use crate::wire::Wire;
use crate::{name, tls};

/// How many secrets are read at the same time.
const ABREAST: usize = 8;
/// For everything that belongs to one secret, a login included.
const PATIENCE: Duration = Duration::from_secs(10);

/// The secrets of one Azure Key Vault.
///
/// The secret of the key `flash_01` is called `flash-01`, for Key Vault has no `_`: see [`collisions`](crate::collisions).
/// Its text is the key, or a JSON object with the key in `value`, in `api_key` or in its only field.
///
/// ```
/// use keyrot_core::{EnvMap, KeyId, SecretStore as _};
/// let env = EnvMap::from_iter([("AZURE_VAULT_URL", "https://keys.vault.azure.net")]);
/// let store = keyrot_secrets_azure::AzureStore::new(&env)?;
/// assert_eq!(store.name_of(&KeyId::new("flash_01").unwrap())?, "flash-01");
/// # Ok::<(), keyrot_core::SecretError>(())
/// ```
pub struct AzureStore {
    settings: Settings,
    /// Authorities trusted besides the system's.
    more: Vec<CertificateDer<'static>>,
    /// Made when it is first needed, and anew when the vault takes its token no more.
    client: Mutex<Option<Arc<SecretClient>>>,
}

impl AzureStore {
    /// The vault that `env` names. Nothing is asked yet.
    ///
    /// # Errors
    /// [`SecretError::Misconfigured`] when a setting is missing or makes no sense.
    pub fn new(env: &EnvMap) -> Result<Self, SecretError> {
        Ok(Self { settings: Settings::read(env)?, more: Vec::new(), client: Mutex::new(None) })
    }

    /// Trusts the certificates in the PEM text too, for the vault and for logins: an emulator's, or a proxy's.
    ///
    /// # Errors
    /// [`SecretError::Misconfigured`] when there is no certificate in it.
    pub fn trusting(mut self, pem: &[u8]) -> Result<Self, SecretError> {
        self.more.extend(tls::certificates(pem)?);
        Ok(self)
    }

    fn client(&self) -> Result<Arc<SecretClient>, SecretError> {
        let mut client = self.client.lock();
        if let Some(client) = &*client {
            return Ok(Arc::clone(client));
        }
        let login = Login::new(self.settings.clone(), self.more.clone());
        let options = SecretClientOptions {
            client_options: Wire::outside(&self.more)?.options(),
            // A login is for this vault alone, or somebody in between could use it. What is on this machine has
            // nobody in between.
            verify_challenge_resource: Some(!self.settings.is_loopback()),
            ..SecretClientOptions::default()
        };
        let made = SecretClient::new(self.settings.vault.as_str(), Arc::new(login), Some(options));
        let made = made.map(Arc::new).map_err(|error| SecretError::Misconfigured {
            store: STORE,
            why: format!("there is no client for the vault: {}", refusal::one_line(&error.to_string())),
            hint: "look at `AZURE_VAULT_URL`".to_owned(),
        })?;
        *client = Some(Arc::clone(&made));
        Ok(made)
    }

    fn understood(&self, error: &azure_core::Error, name: &str) -> Refusal {
        let refusal = Refusal::new(error, name);
        if refusal.of_token {
            // The SDK would go on with the same token for as long as it is dated.
            *self.client.lock() = None;
        }
        refusal
    }

    async fn held(&self, name: &str) -> Result<(Held, Headers), Refusal> {
        let client = self.client().map_err(Refusal::of_all)?;
        match client.get_secret(name, None).await {
            Ok(answer) => read(answer.into(), name),
            Err(error) => {
                let refusal = self.understood(&error, name);
                match &refusal.error {
                    SecretError::NotFound { .. } => Err(self.lost(&client, name).await.unwrap_or(refusal)),
                    _ => Err(refusal),
                }
            }
        }
    }

    /// Whether a secret that is not there was deleted and can be had back. Who may not know does not learn it.
    async fn lost(&self, client: &SecretClient, name: &str) -> Option<Refusal> {
        let found = client.get_deleted_secret(name, None).await;
        found.ok().map(|_| Refusal::of_one(refusal::deleted(name)))
    }

    async fn read(&self, name: &str) -> Result<Secret, Refusal> {
        name::check(name).map_err(Refusal::of_one)?;
        patient(async {
            let (held, headers) = self.held(name).await?;
            held.secret(name, &headers).map_err(Refusal::of_one)
        })
        .await
    }

    async fn write(&self, name: &str, key: &SecretString) -> Result<Option<String>, Refusal> {
        let (held, _) = self.held(name).await?;
        let body = held.next(name, key.expose_secret()).map_err(Refusal::of_one)?;
        let body: RequestContent<_> = Bytes::from_owner(body).into();
        let client = self.client().map_err(Refusal::of_all)?;
        match client.set_secret(name, body, None).await {
            Ok(answer) => read(answer.into(), name).map(|(written, _)| written.version()),
            Err(error) => Err(self.understood(&error, name)),
        }
    }
}

async fn patient<T>(work: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| {
        Err(Refusal::of_all(refusal::unavailable(
            format!("neither login nor vault were done within {} s", PATIENCE.as_secs()),
            "look at the network, a firewall, and `HTTPS_PROXY`",
        )))
    })
}

/// What the vault holds, out of a body that is overwritten once it is read.
fn read(answer: RawResponse, name: &str) -> Result<(Held, Headers), Refusal> {
    let (_, headers, body) = answer.deconstruct();
    let held = serde_json::from_slice(body.as_ref());
    if let Ok(mut bytes) = Bytes::from(body).try_into_mut() {
        bytes.as_mut().zeroize();
    }
    held.map(|held| (held, headers)).map_err(|_| {
        Refusal::of_one(refusal::unavailable(
            format!("its answer for `{name}` is no secret of Key Vault"),
            "look whether `AZURE_VAULT_URL` is the vault's address",
        ))
    })
}

#[async_trait]
impl SecretStore for AzureStore {
    fn name_of(&self, key: &KeyId) -> Result<String, SecretError> {
        name::of(key)
    }

    async fn fetch(&self, name: &str) -> Result<Secret, SecretError> {
        self.read(name).await.map_err(|refusal| refusal.error)
    }

    async fn fetch_all(&self, names: &[String]) -> Vec<Result<Secret, SecretError>> {
        // What is wrong with all of them is found out once.
        let outage: OnceLock<SecretError> = OnceLock::new();
        let ask = async |name: &String| {
            if let Some(error) = outage.get() {
                return Err(error.clone());
            }
            self.read(name).await.map_err(|refusal| {
                if refusal.of_all {
                    return outage.get_or_init(|| refusal.error).clone();
                }
                refusal.error
            })
        };
        let Some((first, others)) = names.split_first() else { return Vec::new() };
        // Alone, so that there is one login.
        let mut answers = vec![ask(first).await];
        answers.extend(stream::iter(others).map(ask).buffered(ABREAST).collect::<Vec<_>>().await);
        answers
    }

    async fn put(&self, name: &str, value: &SecretString) -> Result<Option<String>, SecretError> {
        name::check(name)?;
        patient(self.write(name, value)).await.map_err(|refusal| refusal.error)
    }
}

impl fmt::Debug for AzureStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureStore").field("settings", &self.settings).finish_non_exhaustive()
    }
}
