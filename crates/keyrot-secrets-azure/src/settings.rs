//! Settings: where the vault is, and what to log in with.

use std::path::PathBuf;

use keyrot_core::{EnvMap, SecretError};
use secrecy::SecretString;
use url::Url;

use crate::name::STORE;

const PUBLIC_CLOUD: &str = "https://login.microsoftonline.com";

/// What the environment says, checked.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The vault's address, without a path.
    pub(crate) vault: Url,
    /// Where logins happen.
    pub(crate) authority: Url,
    /// Where managed identities are, if not where they always are.
    pub(crate) metadata: Option<Url>,
    /// What to log in with.
    pub(crate) identity: Identity,
}

/// Who we are.
#[derive(Debug, Clone)]
pub(crate) enum Identity {
    /// An application with a client secret.
    Application { tenant: String, client: String, secret: SecretString },
    /// A workload whose platform keeps a token for it in a file.
    Workload { tenant: String, client: String, file: PathBuf },
    /// Whoever the machine, else somebody logged in on it, is.
    Ambient { client: Option<String> },
}

impl Settings {
    pub(crate) fn read(env: &EnvMap) -> Result<Self, SecretError> {
        let vault = env.filled("AZURE_VAULT_URL").ok_or_else(|| {
            wrong(
                "`AZURE_VAULT_URL` is not set",
                "set it to the vault's address, `https://NAME.vault.azure.net`",
            )
        })?;
        let vault = address("AZURE_VAULT_URL", vault, "https://NAME.vault.azure.net")?;
        if vault.path() != "/" {
            return Err(wrong(
                "`AZURE_VAULT_URL` has a path",
                "set it to the vault's address alone, `https://NAME.vault.azure.net`; a secret is named in keys.json",
            ));
        }
        let authority = env.filled("AZURE_AUTHORITY_HOST").unwrap_or(PUBLIC_CLOUD);
        Ok(Self {
            vault,
            authority: address("AZURE_AUTHORITY_HOST", authority, PUBLIC_CLOUD)?,
            metadata: env.filled("AZURE_POD_IDENTITY_AUTHORITY_HOST").map(metadata).transpose()?,
            identity: identity(env)?,
        })
    }

    /// Whether the vault is on this machine: an emulator, whose challenge names another host.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.vault.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }
}

/// An address that a secret may be sent to. Never repeats what it was given: it may hold a password.
fn address(name: &str, text: &str, example: &str) -> Result<Url, SecretError> {
    let hint = format!("set it to an address like `{example}`");
    let url = Url::parse(text).map_err(|error| wrong(format!("`{name}` is no URL: {error}"), &*hint))?;
    if url.scheme() != "https" {
        return Err(wrong(format!("`{name}` is not an `https` address: secrets travel on TLS only"), hint));
    }
    let more = !url.username().is_empty() || url.password().is_some() || url.query().is_some();
    if more || url.fragment().is_some() || url.host().is_none() {
        return Err(wrong(format!("`{name}` has more than a host, or none"), hint));
    }
    Ok(url)
}

/// Managed identities are asked without TLS: the address leads no further than the machine or the pod.
fn metadata(text: &str) -> Result<Url, SecretError> {
    let plain = Url::parse(text).ok().filter(|url| url.scheme() == "http" && url.host().is_some());
    plain.ok_or_else(|| {
        wrong(
            "`AZURE_POD_IDENTITY_AUTHORITY_HOST` is no `http` address",
            "set it to an address like `http://169.254.169.254`, or unset it",
        )
    })
}

fn identity(env: &EnvMap) -> Result<Identity, SecretError> {
    let named = |name: &str, with: &str| {
        env.filled(name).map(str::to_owned).ok_or_else(|| {
            wrong(
                format!("`{with}` is set, and `{name}` is not"),
                format!("set `{name}` too, or unset `{with}` to log in otherwise"),
            )
        })
    };
    let (tenant, client) = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID");
    if let Some(secret) = env.filled("AZURE_CLIENT_SECRET") {
        let with = "AZURE_CLIENT_SECRET";
        let (tenant, client) = (named(tenant, with)?, named(client, with)?);
        return Ok(Identity::Application { tenant, client, secret: secret.into() });
    }
    if let Some(file) = env.filled("AZURE_FEDERATED_TOKEN_FILE") {
        let with = "AZURE_FEDERATED_TOKEN_FILE";
        let (tenant, client) = (named(tenant, with)?, named(client, with)?);
        return Ok(Identity::Workload { tenant, client, file: file.into() });
    }
    if env.filled("AZURE_CLIENT_CERTIFICATE_PATH").is_some() {
        return Err(wrong(
            "`AZURE_CLIENT_CERTIFICATE_PATH` is set, and keyrot does not log in with certificates",
            "set `AZURE_CLIENT_SECRET`, or unset it to log in otherwise",
        ));
    }
    Ok(Identity::Ambient { client: env.filled(client).map(str::to_owned) })
}

fn wrong(why: impl Into<String>, hint: impl Into<String>) -> SecretError {
    SecretError::Misconfigured { store: STORE, why: why.into(), hint: hint.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: (&str, &str) = ("AZURE_VAULT_URL", "https://v.vault.azure.net/");
    const APPLICATION: [(&str, &str); 3] =
        [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "CANARY")];

    fn read(more: &[(&str, &str)]) -> Result<Settings, SecretError> {
        Settings::read(&[&[VAULT], more].concat().into_iter().collect())
    }

    #[test]
    fn what_is_wrong_is_said_with_the_variable_and_a_hint_and_not_repeated() {
        for (name, bad) in [
            ("AZURE_VAULT_URL", ""),
            ("AZURE_VAULT_URL", "http://CANARY.vault.azure.net"),
            ("AZURE_VAULT_URL", "https://u:CANARY@v.vault.azure.net"),
            ("AZURE_VAULT_URL", "https://v.vault.azure.net/secrets/CANARY"),
            ("AZURE_VAULT_URL", "CANARY"),
            ("AZURE_AUTHORITY_HOST", "http://CANARY"),
            ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "CANARY"),
            ("AZURE_CLIENT_CERTIFICATE_PATH", "CANARY"),
            ("AZURE_CLIENT_SECRET", "CANARY"),
            ("AZURE_FEDERATED_TOKEN_FILE", "CANARY"),
        ] {
            let error = read(&[(name, bad)]).expect_err(name);
            assert!(matches!(error, SecretError::Misconfigured { .. }), "{error:?}");
            let said = format!("{error} {error:?}");
            assert!(said.contains(name) && said.contains("hint: ") && !said.contains("CANARY"), "{said}");
        }
    }

    #[test]
    fn a_secret_comes_before_a_token_file_and_that_before_the_machine() {
        let file = ("AZURE_FEDERATED_TOKEN_FILE", "/token");
        let identity = |more: &[(&str, &str)]| read(more).expect("enough").identity;
        let both = [&APPLICATION[..], &[file]].concat();
        assert!(matches!(identity(&both), Identity::Application { .. }));
        assert!(matches!(identity(&[APPLICATION[0], APPLICATION[1], file]), Identity::Workload { .. }));
        assert!(matches!(identity(&APPLICATION[..2]), Identity::Ambient { client: Some(_) }));
        assert!(matches!(identity(&[]), Identity::Ambient { client: None }));
        assert!(!format!("{:?}", identity(&both)).contains("CANARY"));
    }

    #[test]
    fn only_a_vault_on_this_machine_may_be_challenged_for_another_host() {
        for (url, loopback) in [
            ("https://localhost:1", true),
            ("https://v.localhost", true),
            ("https://127.0.0.9", true),
            ("https://[::1]", true),
            ("https://v.vault.azure.net", false),
            ("https://localhost.example.com", false),
            ("https://127.0.0.1.example.com", false),
        ] {
            assert_eq!(read(&[("AZURE_VAULT_URL", url)]).expect(url).is_loopback(), loopback, "{url}");
        }
    }
}
