//! The ways to log in, and what a login gives.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyrot_core::{EnvMap, SecretError};
use secrecy::zeroize::{Zeroize, Zeroizing};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use vaultrs::api::auth::approle::requests::LoginWithApproleRequest;
use vaultrs::api::auth::kubernetes::requests::LoginWithKubernetesRequest;
use vaultrs::api::token::requests::{LookupTokenSelfRequest, RenewTokenSelfRequest};

use crate::fault::Fault;
use crate::settings::misconfigured;
use crate::wire::{Answer, Wire};

/// Where Kubernetes puts a service account's token.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// How to log in. The first that is set of those here, in this order.
#[derive(Clone)]
pub(crate) enum Way {
    /// `VAULT_TOKEN`.
    Token(SecretString),
    /// `VAULT_TOKEN_FILE`, or `~/.vault-token` where nothing else is set.
    TokenFile(PathBuf),
    /// `VAULT_ROLE_ID` and `VAULT_SECRET_ID`.
    AppRole { role_id: Source, secret_id: Option<Source> },
    /// `VAULT_K8S_ROLE`.
    Kubernetes { mount: String, role: String, account: PathBuf },
}

/// A credential, or the file it is in: `@/path/of/the/file`, read at every login.
#[derive(Clone)]
pub(crate) enum Source {
    Text(SecretString),
    File(PathBuf),
}

/// What a token is good for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease {
    /// Zero: for ever.
    pub(crate) lasts: Duration,
    pub(crate) renewable: bool,
}

#[derive(Deserialize)]
struct LoggedIn<'a> {
    #[serde(borrow)]
    auth: Auth<'a>,
}

#[derive(Deserialize)]
struct Auth<'a> {
    #[serde(borrow)]
    client_token: Cow<'a, str>,
    lease_duration: u64,
    renewable: bool,
}

#[derive(Deserialize)]
struct Looked {
    data: Ttl,
}

#[derive(Deserialize)]
struct Ttl {
    ttl: u64,
    #[serde(default)]
    renewable: bool,
}

impl Auth<'_> {
    fn lease(&self) -> Lease {
        Lease { lasts: Duration::from_secs(self.lease_duration), renewable: self.renewable }
    }
}

impl Drop for Auth<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(token) = &mut self.client_token {
            token.zeroize();
        }
    }
}

impl Way {
    /// # Errors
    /// [`SecretError::Misconfigured`] when there is none, or one that cannot work.
    pub(crate) fn read(env: &EnvMap) -> Result<Self, SecretError> {
        if let Some(token) = env.filled("VAULT_TOKEN") {
            return token_of(token).map(Self::Token).ok_or_else(|| {
                misconfigured(
                    "`VAULT_TOKEN` has white space or a character no token has",
                    "copy the token alone, as one line",
                )
            });
        }
        if let Some(file) = env.filled("VAULT_TOKEN_FILE") {
            return Ok(Self::TokenFile(file.into()));
        }
        match (env.filled("VAULT_ROLE_ID"), env.filled("VAULT_SECRET_ID")) {
            (Some(role), secret) => {
                return Ok(Self::AppRole { role_id: Source::of(role), secret_id: secret.map(Source::of) });
            }
            (None, Some(_)) => {
                return Err(misconfigured(
                    "`VAULT_SECRET_ID` is set and `VAULT_ROLE_ID` is not",
                    "AppRole needs both: `vault read auth/approle/role/NAME/role-id` tells the other",
                ));
            }
            (None, None) => {}
        }
        if let Some(role) = env.filled("VAULT_K8S_ROLE") {
            let mount = env.filled("VAULT_K8S_MOUNT").unwrap_or("kubernetes").trim_matches('/').to_owned();
            return Ok(Self::Kubernetes { mount, role: role.to_owned(), account: SERVICE_ACCOUNT.into() });
        }
        let of_cli = env.filled("HOME").map(|home| Path::new(home).join(".vault-token"));
        of_cli.filter(|file| file.exists()).map(Self::TokenFile).ok_or_else(|| {
            misconfigured(
                "there is no way to log in",
                "set `VAULT_TOKEN`, `VAULT_TOKEN_FILE`, `VAULT_ROLE_ID` with `VAULT_SECRET_ID`, or \
                 `VAULT_K8S_ROLE`; `vault login` is enough for a person",
            )
        })
    }

    /// The same with a service account's token elsewhere.
    pub(crate) fn with_service_account(self, file: &Path) -> Self {
        match self {
            Self::Kubernetes { mount, role, account: _ } => {
                Self::Kubernetes { mount, role, account: file.into() }
            }
            other => other,
        }
    }

    /// Whether logging in again gives another token than before.
    pub(crate) fn makes_tokens(&self) -> bool {
        matches!(self, Self::AppRole { .. } | Self::Kubernetes { .. })
    }

    /// Who must do something when the server refuses what this way gave.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Token(_) => "see `VAULT_TOKEN`: it may have expired or been revoked",
            Self::TokenFile(_) => "see the token file: its token may have expired or been revoked",
            Self::AppRole { .. } => "see the policies of the AppRole role",
            Self::Kubernetes { .. } => "see the policies of the Kubernetes role",
        }
    }

    /// What is sent: the token as it is, or what a login gives.
    pub(crate) async fn token(&self, wire: &Wire) -> Result<(SecretString, Option<Lease>), SecretError> {
        match self {
            Self::Token(token) => Ok((token.clone(), None)),
            Self::TokenFile(file) => Ok((read_token(file)?, None)),
            Self::AppRole { role_id, secret_id } => {
                let secret_id =
                    secret_id.as_ref().map(|source| source.read("VAULT_SECRET_ID")).transpose()?;
                let mut request = LoginWithApproleRequest {
                    mount: "approle".to_owned(),
                    role_id: role_id.read("VAULT_ROLE_ID")?.expose_secret().to_owned(),
                    secret_id: secret_id.map(|id| id.expose_secret().to_owned()).unwrap_or_default(),
                };
                let granted = wire.call(&request, None).await.and_then(|answer| granted(&answer));
                request.role_id.zeroize();
                request.secret_id.zeroize();
                granted.map_err(|fault| fault.of_login("AppRole", &wire.place, APPROLE))
            }
            Self::Kubernetes { mount, role, account } => {
                let mut request = LoginWithKubernetesRequest {
                    mount: mount.clone(),
                    role: role.clone(),
                    jwt: read_token(account)?.expose_secret().to_owned(),
                };
                let granted = wire.call(&request, None).await.and_then(|answer| granted(&answer));
                request.jwt.zeroize();
                granted.map_err(|fault| fault.of_login("Kubernetes", &wire.place, KUBERNETES))
            }
        }
    }
}

const APPROLE: &str = "`VAULT_ROLE_ID` or `VAULT_SECRET_ID` is wrong, expired or used up, or AppRole is not enabled at \
                       `auth/approle`; `vault write -f auth/approle/role/NAME/secret-id` makes a new one";
const KUBERNETES: &str = "see `VAULT_K8S_ROLE` and `VAULT_K8S_MOUNT`: the role must be bound to this service account and \
                          namespace";

fn granted(answer: &Answer) -> Result<(SecretString, Option<Lease>), Fault> {
    let LoggedIn { auth } = answer.parse()?;
    let token = token_of(&auth.client_token).ok_or(Fault::Garbled)?;
    Ok((token, Some(auth.lease())))
}

/// How long a token that somebody else made lasts.
pub(crate) async fn look_up(wire: &Wire, token: &SecretString) -> Result<Lease, Fault> {
    let answer = wire.call(&LookupTokenSelfRequest {}, Some(token)).await?;
    let Looked { data: Ttl { ttl, renewable } } = answer.parse()?;
    Ok(Lease { lasts: Duration::from_secs(ttl), renewable })
}

/// Asks for a longer life of the same token.
pub(crate) async fn renew(wire: &Wire, token: &SecretString) -> Result<Lease, Fault> {
    let answer = wire.call(&RenewTokenSelfRequest { increment: None }, Some(token)).await?;
    let LoggedIn { auth } = answer.parse()?;
    Ok(auth.lease())
}

impl Source {
    fn of(text: &str) -> Self {
        match text.strip_prefix('@') {
            Some(file) => Self::File(file.into()),
            None => Self::Text(text.into()),
        }
    }

    fn read(&self, variable: &str) -> Result<SecretString, SecretError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(file) => text_of(file).map_err(|why| {
                let why = format!("`{variable}` is in `{}`, which cannot be read: {why}", file.display());
                misconfigured(why, "see that the file exists, and that this user may read it")
            }),
        }
    }
}

fn read_token(file: &Path) -> Result<SecretString, SecretError> {
    let token = text_of(file).and_then(|text| {
        token_of(text.expose_secret()).ok_or_else(|| "it holds no token, or more than a token".to_owned())
    });
    token.map_err(|why| {
        misconfigured(
            format!("there is no token in `{}`: {why}", file.display()),
            "see that the file holds a token, and that this user may read it",
        )
    })
}

fn text_of(file: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(file).map(Zeroizing::new).map_err(|error| error.to_string())?;
    Ok(text.trim().into())
}

/// What can be put into a header.
fn token_of(text: &str) -> Option<SecretString> {
    let text = text.trim();
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| text.into())
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token",
            Self::TokenFile(_) => "TokenFile",
            Self::AppRole { .. } => "AppRole",
            Self::Kubernetes { .. } => "Kubernetes",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(pairs: &[(&str, &str)]) -> String {
        let way = Way::read(&pairs.iter().copied().collect());
        way.map_or_else(|error| error.to_string(), |way| format!("{way:?}"))
    }

    #[test]
    fn of_several_ways_the_first_in_the_documented_order_is_taken() {
        let all = [
            ("VAULT_TOKEN", "t"),
            ("VAULT_TOKEN_FILE", "/f"),
            ("VAULT_ROLE_ID", "r"),
            ("VAULT_K8S_ROLE", "k"),
        ];
        for (from, expected) in ["Token", "TokenFile", "AppRole", "Kubernetes"].into_iter().enumerate() {
            assert_eq!(way(&all[from..]), expected);
        }
        assert!(way(&[]).contains("no way to log in"));
    }

    #[test]
    fn the_file_of_the_command_line_program_is_the_last_resort() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().to_str().expect("plain");
        assert!(way(&[("HOME", path)]).contains("no way to log in"));
        std::fs::write(home.path().join(".vault-token"), "t\n").expect("room");
        assert_eq!(way(&[("HOME", path)]), "TokenFile");
        assert_eq!(way(&[("HOME", path), ("VAULT_K8S_ROLE", "k")]), "Kubernetes");
    }
}
