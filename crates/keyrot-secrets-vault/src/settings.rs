//! Settings: the `VAULT_…` variables, checked.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use keyrot_core::{EnvMap, SecretError};
use url::{Host, Url};

use crate::login::Way;
use crate::name;
use crate::tls::Trust;

/// The store, as `SECRET_STORE_TYPE` names it.
pub(crate) const STORE: &str = "vault";

pub(crate) struct Settings {
    pub(crate) address: Url,
    pub(crate) namespace: Option<String>,
    /// Mount and path, without a slash at either end.
    pub(crate) path: String,
    pub(crate) way: Way,
    pub(crate) trust: Trust,
}

pub(crate) fn misconfigured(why: impl Into<String>, hint: impl Into<String>) -> SecretError {
    SecretError::Misconfigured { store: STORE, why: why.into(), hint: hint.into() }
}

impl Settings {
    /// # Errors
    /// [`SecretError::Misconfigured`] for the first variable that makes no sense.
    pub(crate) fn read(env: &EnvMap) -> Result<Self, SecretError> {
        let address = address(env)?;
        let namespace = env.filled("VAULT_NAMESPACE").map(|text| text.trim_matches('/').to_owned());
        if namespace.as_deref().is_some_and(|text| text.bytes().any(|byte| !byte.is_ascii_graphic())) {
            return Err(misconfigured(
                "`VAULT_NAMESPACE` has a character no namespace has",
                "set it to a path such as `team-a`",
            ));
        }
        let path = env.filled("VAULT_SECRET_PATH").unwrap_or("secret/keyrot").trim_matches('/').to_owned();
        name::check(&format!("{path}/key"))?;
        Ok(Self { trust: trust(env, &address)?, way: Way::read(env)?, address, namespace, path })
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("path", &self.path).field("way", &self.way).finish_non_exhaustive()
    }
}

fn address(env: &EnvMap) -> Result<Url, SecretError> {
    let like = "set it to the server's address, such as `https://vault.example.com:8200`";
    let text = env.filled("VAULT_ADDR").ok_or_else(|| misconfigured("`VAULT_ADDR` is not set", like))?;
    // What is wrong is not shown: a password may be part of it.
    let url =
        Url::parse(text).map_err(|error| misconfigured(format!("`VAULT_ADDR` is no URL: {error}"), like))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(misconfigured("`VAULT_ADDR` begins with neither `https://` nor `http://`", like));
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(misconfigured("`VAULT_ADDR` has a user, a password, a `?` or a `#`", like));
    }
    let allowed = match env.filled("VAULT_ALLOW_HTTP").map(str::to_ascii_lowercase).as_deref() {
        None | Some("0" | "false" | "no" | "off") => false,
        Some("1" | "true" | "yes" | "on") => true,
        Some(_) => {
            return Err(misconfigured(
                "`VAULT_ALLOW_HTTP` is neither `true` nor `false`",
                "set it to one of them",
            ));
        }
    };
    if url.scheme() == "http" && !is_loopback(&url) && !allowed {
        return Err(misconfigured(
            "`VAULT_ADDR` is plain http to another machine, where everybody on the way can read keys and tokens",
            "use `https`; in a network you trust, set `VAULT_ALLOW_HTTP=true`",
        ));
    }
    Ok(url)
}

/// Whether nothing leaves the machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn trust(env: &EnvMap, address: &Url) -> Result<Trust, SecretError> {
    let Some(file) = env.filled("VAULT_CACERT") else {
        return Ok(if address.scheme() == "https" { Trust::System } else { Trust::Nobody });
    };
    let wrong = |why: String| {
        misconfigured(
            format!("`VAULT_CACERT` is `{file}`, which cannot be used: {why}"),
            "give a PEM file with the certificate of the authority that signed the server's",
        )
    };
    let pem = fs::read(PathBuf::from(file)).map_err(|error| wrong(error.to_string()))?;
    Trust::these(&pem).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, SecretError> {
        let token = [("VAULT_TOKEN", "CANARY-token")];
        Settings::read(&pairs.iter().copied().chain(token).collect())
    }

    #[test]
    fn plain_http_stays_on_the_machine_unless_it_is_allowed() {
        for address in [
            "http://127.0.0.1:8200",
            "http://localhost:8200",
            "http://[::1]:8200",
            "https://vault.example.com",
        ] {
            assert!(read(&[("VAULT_ADDR", address)]).is_ok(), "{address}");
        }
        let away = ("VAULT_ADDR", "http://vault.example.com:8200");
        let error = read(&[away]).expect_err("refused").to_string();
        assert!(error.contains("VAULT_ALLOW_HTTP"), "{error}");
        assert!(read(&[away, ("VAULT_ALLOW_HTTP", "true")]).is_ok());
        assert!(read(&[away, ("VAULT_ALLOW_HTTP", "false")]).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_named_and_never_shown() {
        for (variable, value) in [
            ("VAULT_ADDR", ""),
            ("VAULT_ADDR", "vault.example.com:8200"),
            ("VAULT_ADDR", "https://user:CANARY@vault.example.com"),
            ("VAULT_ADDR", "https://vault.example.com/?token=CANARY"),
            ("VAULT_NAMESPACE", "a b"),
            ("VAULT_SECRET_PATH", "secret/../sys"),
            ("VAULT_ALLOW_HTTP", "maybe"),
            ("VAULT_CACERT", "/does/not/exist"),
            ("VAULT_SECRET_ID", "CANARY"),
            ("VAULT_TOKEN", "CANARY with spaces"),
        ] {
            let fine = [("VAULT_ADDR", "https://vault.example.com"), ("HOME", "/does/not/exist")];
            let env: EnvMap = fine.into_iter().chain([(variable, value)]).collect();
            let error = Settings::read(&env).expect_err(variable).to_string();
            assert!(error.contains(variable) && error.contains("hint: "), "{error}");
            assert!(!error.contains("CANARY"), "{error}");
        }
    }

    #[test]
    fn the_path_has_no_slash_at_its_ends() {
        let address = ("VAULT_ADDR", "https://vault.example.com");
        assert_eq!(read(&[address]).expect("legal").path, "secret/keyrot");
        let settings = read(&[address, ("VAULT_SECRET_PATH", "/team/kv/algoagent/")]).expect("legal");
        assert_eq!(settings.path, "team/kv/algoagent");
    }
}
