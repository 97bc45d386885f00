//! What went wrong, told apart: each case has its own words and its own remedy.

use std::error::Error as StdError;

use keyrot_core::{SecretError, leak};
use rustls::CertificateError;

use crate::settings::{STORE, misconfigured};
use crate::wire::Answer;

/// The most that is repeated of what somebody else said.
const MOST: usize = 200;

/// Why there is no answer.
pub(crate) enum Fault {
    /// Who asks has no token to ask with.
    NoLogin(SecretError),
    /// The server answered, and does not grant it.
    Refused { status: u16, said: String, body: Answer },
    /// Another server is meant, and was not asked.
    Elsewhere(String),
    /// An answer, and not one of Vault's.
    Garbled,
    /// It cannot be put into a request.
    Unsendable,
    /// Nobody is there.
    Unreachable(String),
    /// Nothing came in time.
    Silent,
    /// The connection ended too soon.
    Broken(String),
    /// What answers speaks no TLS.
    NoTls,
    /// The certificate does not count.
    Certificate(Doubt),
}

/// What is wrong with a certificate.
pub(crate) enum Doubt {
    Authority,
    Name,
    Date,
    Other(String),
}

impl Fault {
    pub(crate) fn of(error: reqwest::Error) -> Self {
        match tls_error(&error) {
            Some(rustls::Error::InvalidCertificate(doubt)) => Self::Certificate(Doubt::of(doubt)),
            Some(rustls::Error::InvalidMessage(_)) => Self::NoTls,
            Some(error) => Self::Certificate(Doubt::Other(error.to_string())),
            None if error.is_timeout() => Self::Silent,
            None if error.is_connect() => Self::Unreachable(detail(error)),
            None => Self::Broken(detail(error)),
        }
    }

    /// Whether the token does not count, or lacks a right: the server does not say which.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { status: 403, .. })
    }

    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// What it means when it befalls the server, whatever was asked; else the words of a refusal.
    pub(crate) fn common(self, place: &str) -> Result<SecretError, Refusal> {
        Ok(match self {
            Self::NoLogin(error) => error,
            Self::Refused { status, said, body } => {
                return refused(place, status, &said).ok_or_else(|| Refusal {
                    status,
                    said: line(&said),
                    body,
                });
            }
            Self::Elsewhere(to) => unavailable(
                format!("{place} is not the active server, and sends us to {}", line(&to)),
                "set `VAULT_ADDR` to the active server, or to an address that always leads to it",
            ),
            Self::Garbled => unavailable(
                format!("{place} answers, but not as Vault or OpenBao do"),
                "see `VAULT_ADDR`: it must lead to the server's API",
            ),
            Self::Unsendable => misconfigured("the request cannot be sent", "see the name of the secret"),
            Self::Unreachable(detail) => unavailable(
                format!("{place} cannot be reached: {detail}"),
                "see `VAULT_ADDR`, and whether the server runs",
            ),
            Self::Silent => silent(place),
            Self::Broken(detail) => unavailable(
                format!("the connection to {place} broke: {detail}"),
                "see whether the server runs, and what stands before it",
            ),
            Self::NoTls => unavailable(
                format!("{place} does not speak TLS"),
                "with `VAULT_ADDR` as `http://…` it may answer",
            ),
            Self::Certificate(doubt) => doubt.error(place),
        })
    }

    /// What it means for a login.
    pub(crate) fn of_login(self, way: &str, place: &str, hint: &str) -> SecretError {
        self.common(place)
            .unwrap_or_else(|refusal| denied(format!("the login by {way} failed: {refusal}"), hint))
    }
}

/// What a server said that is about the question and not about itself.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) said: String,
    pub(crate) body: Answer,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, said, body: _ } = self;
        if said.is_empty() { write!(f, "HTTP {status}") } else { write!(f, "{said} (HTTP {status})") }
    }
}

fn refused(place: &str, status: u16, said: &str) -> Option<SecretError> {
    let words = said.to_ascii_lowercase();
    Some(match status {
        _ if words.contains("is sealed") => unavailable(
            format!("the server at {place} is sealed"),
            "somebody who holds its unseal keys has to unseal it: `vault operator unseal`",
        ),
        _ if words.contains("not initialized") => unavailable(
            format!("the server at {place} was never initialized"),
            "set it up with `vault operator init`",
        ),
        _ if status >= 429 && (words.contains("standby") || words.contains("active")) => unavailable(
            format!("{place} is a standby, and knows no active server"),
            "wait until one is elected; `vault status` tells",
        ),
        472 | 473 => unavailable(
            format!("{place} is a standby of another cluster"),
            "set `VAULT_ADDR` to the active server",
        ),
        429 => unavailable(
            format!("{place} is asked too often: its rate limit is reached"),
            "it is asked again later; a longer `KEYROT_SECRET_TTL` asks less, and a quota of the server decides",
        ),
        412 => unavailable(
            format!("{place} has not heard yet of what another server of its cluster knows"),
            "it is asked again later",
        ),
        400 if said.is_empty() => misconfigured(
            format!("{place} does not understand us (HTTP 400)"),
            "see `VAULT_ADDR`: is it `https`?",
        ),
        500.. => unavailable(
            format!("{place} fails: HTTP {status} {}", line(said)).trim_end().to_owned(),
            "see the server's own log; it is asked again later",
        ),
        _ => return None,
    })
}

impl Doubt {
    fn of(error: &CertificateError) -> Self {
        match error {
            // The second: an authority of the same name, and another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Authority,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::Name,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::Date,
            other => Self::Other(other.to_string()),
        }
    }

    fn error(self, place: &str) -> SecretError {
        match self {
            Self::Authority => unavailable(
                format!("the certificate of {place} is signed by nobody who is trusted"),
                "set `VAULT_CACERT` to a file with the certificate of the authority that signed it",
            ),
            Self::Name => unavailable(
                format!("the certificate of {place} is for another name"),
                "set `VAULT_ADDR` to a name that the certificate has",
            ),
            Self::Date => unavailable(
                format!("the certificate of {place} has expired or is not valid yet"),
                "renew it, or set this machine's clock",
            ),
            Self::Other(why) => unavailable(
                format!("there is no secure connection to {place}: {}", line(&why)),
                "see the server's certificate and its versions of TLS",
            ),
        }
    }
}

/// Nobody answered in time.
pub(crate) fn silent(place: &str) -> SecretError {
    unavailable(
        format!("{place} did not answer in time"),
        "is it under heavy load, or does a firewall swallow what is sent to it?",
    )
}

pub(crate) fn unavailable(why: impl Into<String>, hint: &str) -> SecretError {
    SecretError::Unavailable { store: STORE, why: why.into(), hint: hint.to_owned() }
}

pub(crate) fn denied(why: impl Into<String>, hint: impl Into<String>) -> SecretError {
    SecretError::Denied { store: STORE, why: why.into(), hint: hint.into() }
}

/// What somebody else said, as a line of sane length and without what looks like a key.
fn line(said: &str) -> String {
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    leak::scrub(&words).chars().filter(|c| !c.is_control()).take(MOST).collect()
}

fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error passes over what it carries when it is asked for its source.
        let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match carried {
            Some(carried) => Some(carried),
            None => error.source(),
        };
    }
    None
}

/// The deepest cause: the rest only repeats that a request failed.
pub(crate) fn detail(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut deepest: &dyn StdError = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    line(&deepest.to_string())
}
