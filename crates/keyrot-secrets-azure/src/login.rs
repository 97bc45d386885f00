//! Logging in: by what the environment names, else as whoever the machine or its user is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use azure_core::http::ClientOptions;
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use keyrot_core::SecretError;
use rustls::pki_types::CertificateDer;
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::refusal::{deepest, denied, one_line, refused, unavailable, unreachable, within};
use crate::settings::{Identity, Settings};
use crate::wire::{Silence, Wire};

/// How long the machine may take to give its identity; the SDK would go on asking for more than a minute.
const MACHINE: Duration = Duration::from_secs(4);

type Credential = Arc<dyn TokenCredential>;

/// Gives tokens; every failure is a [`SecretError`] inside the SDK's error.
#[derive(Debug)]
pub(crate) struct Login {
    settings: Settings,
    more: Vec<CertificateDer<'static>>,
    /// What gave the first token gives the others.
    credential: OnceCell<Credential>,
}

impl Login {
    pub(crate) fn new(settings: Settings, more: Vec<CertificateDer<'static>>) -> Self {
        Self { settings, more, credential: OnceCell::new() }
    }

    async fn token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> Result<AccessToken, SecretError> {
        if let Identity::Ambient { client } = &self.settings.identity {
            return self.ambient(client.as_deref(), scopes).await;
        }
        let credential = self.credential.get_or_try_init(|| async { self.named() }).await?;
        credential.get_token(scopes, options).await.map_err(|error| refusal(&error))
    }

    /// The credential that the environment names.
    fn named(&self) -> Result<Credential, SecretError> {
        let options = self.options()?;
        let made: Result<Credential, Error> = match &self.settings.identity {
            Identity::Application { tenant, client, secret } => {
                let secret = Secret::new(secret.expose_secret().to_owned());
                let options = ClientSecretCredentialOptions { client_options: options };
                ClientSecretCredential::new(tenant, client.clone(), secret, Some(options))
                    .map(|made| made as _)
            }
            Identity::Workload { tenant, client, file } => {
                let options = WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions { client_options: options },
                    client_id: Some(client.clone()),
                    tenant_id: Some(tenant.clone()),
                    token_file_path: Some(file.clone()),
                };
                readable(file)?;
                WorkloadIdentityCredential::new(Some(options)).map(|made| made as _)
            }
            Identity::Ambient { .. } => DeveloperToolsCredential::new(None).map(|made| made as _),
        };
        made.map_err(|error| SecretError::Misconfigured {
            store: crate::name::STORE,
            why: format!("the settings to log in with make no sense: {}", deepest(&error)),
            hint: "look at `AZURE_TENANT_ID` and `AZURE_CLIENT_ID`".to_owned(),
        })
    }

    fn options(&self) -> Result<ClientOptions, SecretError> {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = self.settings.authority.to_string();
        // Given in any case: else the SDK looks into the process's environment.
        Ok(ClientOptions { cloud: Some(Arc::new(cloud.into())), ..Wire::outside(&self.more)?.options() })
    }

    /// Asks the machine, then the tools of whoever is logged in on it.
    async fn ambient(&self, client: Option<&str>, scopes: &[&str]) -> Result<AccessToken, SecretError> {
        if let Some(credential) = self.credential.get() {
            return credential.get_token(scopes, None).await.map_err(|error| refusal(&error));
        }
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: client.map(|client| UserAssignedId::ClientId(client.to_owned())),
            client_options: Wire::machine(self.settings.metadata.clone())?.options(),
        };
        let machine = match ManagedIdentityCredential::new(Some(options)) {
            Ok(machine) => match tokio::time::timeout(MACHINE, machine.get_token(scopes, None)).await {
                Ok(Ok(token)) => return Ok(self.keep(machine, token)),
                Ok(Err(error)) => {
                    within::<Silence>(&error).map_or_else(|| deepest(&error), ToString::to_string)
                }
                Err(_) => "it did not answer in time".to_owned(),
            },
            Err(error) => deepest(&error),
        };
        let person = match DeveloperToolsCredential::new(None) {
            Ok(tools) => match tools.get_token(scopes, None).await {
                Ok(token) => return Ok(self.keep(tools, token)),
                Err(error) => deepest(&error),
            },
            Err(error) => deepest(&error),
        };
        Err(denied(
            format!(
                "nothing to log in with was found; managed identity: {machine}; command line tools: {person}"
            ),
            "set `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`, give the machine an identity, or \
             `az login`",
        ))
    }

    fn keep(&self, credential: Credential, token: AccessToken) -> AccessToken {
        // Who else found one meanwhile found the same.
        drop(self.credential.set(credential));
        token
    }
}

/// What the SDK's error says of a login.
fn refusal(error: &Error) -> SecretError {
    if let Some(silence) = within::<Silence>(error) {
        return unreachable(silence, "the login", "AZURE_AUTHORITY_HOST");
    }
    let Some(answer) = refused(error) else {
        return unavailable(
            format!("the login's answer makes no sense: {}", deepest(error)),
            "look at `AZURE_AUTHORITY_HOST`",
        );
    };
    let status = u16::from(answer.status());
    let said: Said = serde_json::from_slice(answer.body().as_ref()).unwrap_or_default();
    let words = one_line(said.error_description.split("Trace ID").next().unwrap_or_default());
    if status == 429 || status >= 500 {
        return unavailable(
            format!("the login answered with status {status}: {words}"),
            "look at Azure's service health; it is tried again later",
        );
    }
    denied(format!("the login failed: {words}"), said.hint())
}

fn readable(file: &Path) -> Result<(), SecretError> {
    std::fs::metadata(file).map(drop).map_err(|error| {
        denied(
            format!("the token in `{}` cannot be read: {error}", keyrot_core::untrusted::path(file)),
            "look at `AZURE_FEDERATED_TOKEN_FILE`, and at the workload identity of the pod",
        )
    })
}

/// What Entra says of a login that failed.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Said {
    error_codes: Vec<u32>,
    error_description: String,
}

impl Said {
    fn hint(&self) -> &'static str {
        match self.error_codes.first() {
            Some(7_000_215) => "`AZURE_CLIENT_SECRET` is not right: set the secret's value, not its id",
            Some(7_000_222) => "the client secret has expired: make a new one and set `AZURE_CLIENT_SECRET`",
            Some(700_016) => "there is no application `AZURE_CLIENT_ID` in the tenant `AZURE_TENANT_ID`",
            Some(90_002) => "there is no tenant `AZURE_TENANT_ID`",
            Some(70_021 | 700_211 | 700_212 | 700_213) => {
                "the application's federated credential does not match the token: compare issuer, subject and audience"
            }
            _ => "look at `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and what proves them",
        }
    }
}

#[async_trait]
impl TokenCredential for Login {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        // `Other`: nothing that the SDK would try again by itself.
        self.token(scopes, options).await.map_err(|error| Error::new(ErrorKind::Other, error))
    }
}
