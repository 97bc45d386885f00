//! Why a vault gave nothing, in words that say what to do.

use std::error::Error as StdError;

use azure_core::error::{Error, ErrorKind};
use azure_core::http::RawResponse;
use keyrot_core::{SecretError, untrusted};
use serde::Deserialize;

use crate::name::STORE;
use crate::wire::{Cause, Silence, retry_after};

/// What somebody else said is repeated up to this length.
const MOST: usize = 240;

/// A failed call.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: SecretError,
    /// Whether every other secret of the vault would be refused alike.
    pub(crate) of_all: bool,
    /// Whether the vault did not take our token.
    pub(crate) of_token: bool,
}

impl Refusal {
    pub(crate) fn of_one(error: SecretError) -> Self {
        Self { error, of_all: false, of_token: false }
    }

    pub(crate) fn of_all(error: SecretError) -> Self {
        Self { error, of_all: true, of_token: false }
    }

    /// What the SDK's error means for the secret called `name`.
    pub(crate) fn new(error: &Error, name: &str) -> Self {
        if let Some(login) = within::<SecretError>(error) {
            return Self::of_all(login.clone());
        }
        if let Some(silence) = within::<Silence>(error) {
            return Self::of_all(unreachable(silence, "the vault", "AZURE_VAULT_URL"));
        }
        if let Some(answer) = refused(error) {
            return Self::answered(answer, name);
        }
        let said = deepest(error);
        if said.contains("challenge") {
            let hint = "set `AZURE_VAULT_URL` to a vault's address, `https://NAME.vault.azure.net`; what is there \
                        asks for a login as no vault of that name does";
            return Self::of_all(SecretError::Misconfigured {
                store: STORE,
                why: format!("`AZURE_VAULT_URL` is no vault to be trusted with a login: {said}"),
                hint: hint.to_owned(),
            });
        }
        Self::of_one(unavailable(
            format!("its answer makes no sense: {said}"),
            "look whether `AZURE_VAULT_URL` is the vault's address",
        ))
    }

    fn answered(answer: &RawResponse, name: &str) -> Self {
        let said = Said::of(answer);
        let code = said.inner.as_str();
        match u16::from(answer.status()) {
            404 if said.code == "SecretNotFound" => Self::of_one(not_found(name)),
            403 if code == "SecretDisabled" || said.message.contains("disabled secret") => {
                Self::of_one(denied(
                    format!("the secret `{name}` is disabled"),
                    format!(
                        "`az keyvault secret set-attributes --enabled true --name {name} --vault-name VAULT`"
                    ),
                ))
            }
            403 if code.starts_with("ForbiddenByFirewall") || code.starts_with("ForbiddenByConnection") => {
                Self::of_all(denied(
                    format!("the vault's firewall does not let this machine in: {}", said.message),
                    "add this machine's address, its network or a private endpoint under the vault's Networking",
                ))
            }
            403 => Self::of_one(denied(
                format!("a right is missing for the secret `{name}`: {}", said.message),
                "assign the role `Key Vault Secrets User` on the vault (`Key Vault Secrets Officer` to write), or the \
                 access policy `get` (`set` to write); a new assignment takes some minutes",
            )),
            401 => Self {
                of_token: true,
                ..Self::of_all(denied(
                    format!("the vault does not accept our login: {}", said.message),
                    "look whether `AZURE_TENANT_ID` is the tenant that the vault belongs to",
                ))
            },
            409 if code == "ObjectIsDeletedButRecoverable" => Self::of_one(deleted(name)),
            429 => {
                let wait =
                    retry_after(answer.headers()).map_or(String::new(), |wait| format!(" for {wait} s"));
                Self::of_all(unavailable(
                    format!("the vault throttles us{wait}"),
                    "a vault answers 4000 reads in 10 s: look who else reads it, and raise `KEYROT_SECRET_TTL`",
                ))
            }
            status @ 500.. => Self::of_all(unavailable(
                format!("the vault answered with status {status}: {}", said.message),
                "look at Azure's service health; it is asked again later",
            )),
            400 => Self::of_one(denied(
                format!("the vault takes no such request: {}", said.message),
                "a secret has 25 kB at most",
            )),
            status => Self::of_all(SecretError::Misconfigured {
                store: STORE,
                why: format!("`AZURE_VAULT_URL` answers with status {status}, as no vault does"),
                hint: "set it to the vault's address, `https://NAME.vault.azure.net`".to_owned(),
            }),
        }
    }
}

/// No answer from `whom`, whose address is in `variable`.
pub(crate) fn unreachable(silence: &Silence, whom: &str, variable: &str) -> SecretError {
    let hint = match silence.cause {
        Cause::Certificate => {
            format!(
                "is `{variable}` right? a proxy that looks into TLS needs its authority in `SSL_CERT_FILE`"
            )
        }
        Cause::Connect => format!("look at `{variable}`, the network, and `HTTPS_PROXY`"),
        Cause::Timeout | Cause::Broken => "look at the network, a firewall, and `HTTPS_PROXY`".to_owned(),
    };
    unavailable(format!("{whom} gave no answer: {silence}"), hint)
}

pub(crate) fn not_found(name: &str) -> SecretError {
    SecretError::NotFound {
        store: STORE,
        name: name.to_owned(),
        hint: format!("`az keyvault secret set --vault-name VAULT --name {name} --file KEYFILE`"),
    }
}

pub(crate) fn deleted(name: &str) -> SecretError {
    SecretError::NotFound {
        store: STORE,
        name: name.to_owned(),
        hint: format!(
            "it was deleted and can be had back: `az keyvault secret recover --vault-name VAULT --name {name}`"
        ),
    }
}

pub(crate) fn denied(why: impl Into<String>, hint: impl Into<String>) -> SecretError {
    SecretError::Denied { store: STORE, why: why.into(), hint: hint.into() }
}

pub(crate) fn unavailable(why: impl Into<String>, hint: impl Into<String>) -> SecretError {
    SecretError::Unavailable { store: STORE, why: why.into(), hint: hint.into() }
}

/// The `T` that caused `error`, if one did.
pub(crate) fn within<T: StdError + 'static>(error: &Error) -> Option<&T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The answer that the SDK took for a refusal.
pub(crate) fn refused(error: &Error) -> Option<&RawResponse> {
    causes(error).find_map(|cause| match cause.downcast_ref::<Error>()?.kind() {
        ErrorKind::HttpResponse { raw_response, .. } => raw_response.as_deref(),
        _ => None,
    })
}

fn causes(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(Some(error as &(dyn StdError + 'static)), |&error| error.source())
}

/// What the deepest cause says: those above it only tell that nothing is tried again.
pub(crate) fn deepest(error: &Error) -> String {
    one_line(&causes(error).last().map_or_else(String::new, ToString::to_string))
}

/// What somebody else said, fit for an error of ours.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    untrusted::redact(&words.join(" ")).chars().take(MOST).collect()
}

/// A vault's own words.
struct Said {
    code: String,
    inner: String,
    message: String,
}

#[derive(Deserialize, Default)]
struct Envelope {
    #[serde(default)]
    error: Words,
}

#[derive(Deserialize, Default)]
struct Words {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    innererror: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    code: String,
}

impl Said {
    fn of(answer: &RawResponse) -> Self {
        let Envelope { error } = serde_json::from_slice(answer.body().as_ref()).unwrap_or_default();
        let message =
            if error.message.is_empty() { "it says no more".to_owned() } else { one_line(&error.message) };
        Self { code: error.code, inner: error.innererror.map_or(String::new(), |inner| inner.code), message }
    }
}
