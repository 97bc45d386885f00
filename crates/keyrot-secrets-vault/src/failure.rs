//! What went wrong, told apart: each case has its own words and its own remedy.

use std::error::Error;

use keyrot_core::{SecretError, untrusted};
use rustify::errors::ClientError as RestError;
use serde::Deserialize;
use vaultrs::error::ClientError;

use crate::connection::{CALL, Server};
use crate::settings::STORE;

/// The most that is repeated of what somebody else said.
const MOST: usize = 200;

/// What became of a call that did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server answered with this status.
    Refused {
        status: u16,
        /// What it said, in one line.
        said: String,
        /// A secret that is there, and whose newest version is not.
        gone: Option<Gone>,
    },
    /// There was no answer, or none that makes sense.
    Broken(SecretError),
}

/// The newest version of a secret, which was deleted.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Gone {
    pub(crate) version: u64,
    pub(crate) destroyed: bool,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

/// The body of a 404 that stands for a deleted version.
#[derive(Deserialize)]
struct Deleted {
    data: Holder,
}

#[derive(Deserialize)]
struct Holder {
    metadata: Gone,
}

impl Failure {
    pub(crate) fn of(error: ClientError, server: &Server) -> Self {
        match error {
            ClientError::APIError { code, errors } => Self::status(code, &errors),
            ClientError::RestClientError { source } => Self::rest(source, server),
            ClientError::ResponseDataEmptyError | ClientError::ResponseEmptyError => {
                Self::nonsense(server, "the answer holds nothing")
            }
            _ => Self::nonsense(server, "the answer makes no sense"),
        }
    }

    fn rest(error: RestError, server: &Server) -> Self {
        match error {
            RestError::ServerResponseError { code, content } => {
                Self::answer(code, content.unwrap_or_default().as_bytes())
            }
            RestError::RequestError { source, .. } | RestError::ResponseError { source } => {
                match source.downcast_ref::<reqwest::Error>() {
                    Some(error) => Self::network(error, server),
                    None => Self::unreachable(server, "the connection broke"),
                }
            }
            _ => Self::nonsense(server, "the answer is not Vault's"),
        }
    }

    /// What a body with this status says.
    pub(crate) fn answer(status: u16, body: &[u8]) -> Self {
        if let Ok(Errors { errors }) = serde_json::from_slice(body) {
            return Self::status(status, &errors);
        }
        let gone = serde_json::from_slice::<Deleted>(body).ok().map(|deleted| deleted.data.metadata);
        Self::Refused { status, said: String::new(), gone }
    }

    fn status(status: u16, errors: &[String]) -> Self {
        Self::Refused { status, said: line(&errors.join("; ")), gone: None }
    }

    pub(crate) fn network(error: &reqwest::Error, server: &Server) -> Self {
        if error.is_timeout() {
            return Self::unreachable(server, &format!("no answer within {} s", CALL.as_secs()));
        }
        let mut why = String::new();
        let mut cause = error.source();
        while let Some(inner) = cause {
            why = inner.to_string();
            cause = inner.source();
        }
        if why.contains("certificate") {
            return Self::Broken(SecretError::Unavailable {
                store: STORE,
                why: format!("the certificate of `{}` is not accepted: {}", server.place(), line(&why)),
                hint:
                    "set `VAULT_CACERT` to the authority's certificate, and `VAULT_ADDR` to a name that the \
                       certificate has"
                        .to_owned(),
            });
        }
        Self::unreachable(server, &line(&why))
    }

    pub(crate) fn nonsense(server: &Server, why: &str) -> Self {
        Self::Broken(SecretError::Unavailable {
            store: STORE,
            why: format!("`{}`: {why}", server.place()),
            hint: "see whether `VAULT_ADDR` leads to a Vault or OpenBao".to_owned(),
        })
    }

    fn unreachable(server: &Server, why: &str) -> Self {
        Self::Broken(SecretError::Unavailable {
            store: STORE,
            why: format!("`{}` cannot be reached: {why}", server.place()),
            hint: "see whether the server runs, and `VAULT_ADDR`".to_owned(),
        })
    }

    /// Whether the token may be the reason.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { status: 403, .. })
    }

    /// Whether it says nothing of a secret: neither one that is there, nor one that was deleted.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, gone: None, .. })
    }

    /// What it means for who wanted the secret called `name`.
    pub(crate) fn of_secret(self, name: &str, server: &Server, action: &str) -> SecretError {
        let (status, said, gone) = match self {
            Self::Broken(error) => return error,
            Self::Refused { status, said, gone } => (status, said, gone),
        };
        let missing = |hint: String| SecretError::NotFound { store: STORE, name: name.to_owned(), hint };
        match (status, gone) {
            (404, Some(Gone { version, destroyed: true })) => missing(format!(
                "its version {version} was destroyed: `vault kv put {name} value=-` stores a new one"
            )),
            (404, Some(Gone { version, .. })) => missing(format!(
                "its version {version} was deleted: `vault kv undelete -versions={version} {name}` brings it back"
            )),
            (404, None) => missing(format!("`vault kv put {name} value=-` stores it, the key on stdin")),
            (403, _) => SecretError::Denied {
                store: STORE,
                why: format!(
                    "no right to {action} `{name}`, or the token is no longer valid{}",
                    behind(&said)
                ),
                hint: format!(
                    "give the token's policy `{action}` on it; docs/secrets-vault.md has a policy to paste"
                ),
            },
            _ => Self::general(status, &said, server),
        }
    }

    /// What it means whatever was asked for.
    pub(crate) fn general(status: u16, said: &str, server: &Server) -> SecretError {
        let place = server.place();
        let (why, hint) = match status {
            503 if said.contains("sealed") => {
                (format!("`{place}` is sealed"), "unseal it: `vault operator unseal`".to_owned())
            }
            503 => (
                format!("`{place}` is not ready{}", behind(said)),
                "wait until it is unsealed and active".to_owned(),
            ),
            429 if said.contains("standby") => standby(place),
            472 | 473 => standby(place),
            429 => (
                format!("`{place}` is asked too often{}", behind(said)),
                "raise its rate limit, or `KEYROT_SECRET_TTL`".to_owned(),
            ),
            301..=308 => (
                format!("`{place}` sends its callers elsewhere"),
                "set `VAULT_ADDR` to the address of the active server, https if it says so".to_owned(),
            ),
            _ => (format!("`{place}` answered {status}{}", behind(said)), "see the server's log".to_owned()),
        };
        SecretError::Unavailable { store: STORE, why, hint }
    }
}

fn standby(place: &str) -> (String, String) {
    (
        format!("`{place}` is a standby that answers nobody"),
        "set `VAULT_ADDR` to the active server, or to the balancer before them".to_owned(),
    )
}

pub(crate) fn behind(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// One line of sane length, without anything that looks like a key or a token.
fn line(text: &str) -> String {
    let words = text.split_whitespace().map(|word| if is_token(word) { "[REDACTED]" } else { word });
    let line: String = words.collect::<Vec<_>>().join(" ");
    untrusted::redact(&line).chars().take(MOST).collect()
}

/// Vault's tokens begin so since 1.10, and OpenBao's as they did before.
fn is_token(word: &str) -> bool {
    ["hvs.", "hvb.", "hvr.", "s.", "b.", "r."]
        .iter()
        .any(|start| word.trim_matches('"').starts_with(start) && word.len() > 20)
}
