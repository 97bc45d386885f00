//! The settings that lead to a server, out of the environment.

use std::fmt;
use std::path::PathBuf;

use keyrot_core::{EnvMap, SecretError};
use secrecy::SecretString;
use url::{Host, Url};

/// As `SECRET_STORE_TYPE` names this store.
pub(crate) const STORE: &str = "vault";
/// The fields of a secret that a key is looked for in, in this order.
pub(crate) const FIELDS: [&str; 2] = ["value", "api_key"];

const DEFAULT_PATH: &str = "secret/keyrot";
const KUBERNETES_MOUNT: &str = "kubernetes";
/// Where Kubernetes puts the token of a pod's service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Where the server is, how to log in, and where the secrets are.
pub(crate) struct Settings {
    pub(crate) url: Url,
    pub(crate) namespace: Option<String>,
    /// Mount and path, without slashes around them.
    pub(crate) path: String,
    pub(crate) way: Way,
    /// Authorities in place of the system's.
    pub(crate) authorities: Option<PathBuf>,
}

/// How to log in.
pub(crate) enum Way {
    Token(SecretString),
    TokenFile(PathBuf),
    AppRole { role: String, secret: SecretId },
    Kubernetes { role: String, mount: String, token: PathBuf },
}

/// The secret half of AppRole.
pub(crate) enum SecretId {
    Given(SecretString),
    /// Read at each login: something else keeps it fresh.
    File(PathBuf),
}

impl Settings {
    pub(crate) fn read(env: &EnvMap) -> Result<Self, SecretError> {
        let path = env.filled("VAULT_SECRET_PATH").unwrap_or(DEFAULT_PATH).trim_matches('/').to_owned();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_/.-".contains(c);
        if !path.chars().all(is_plain) || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(wrong(
                "`VAULT_SECRET_PATH` is no path",
                "write mount and path, as in `secret/keyrot`: letters, digits, `_`, `.`, `-`, `/`",
            ));
        }
        let namespace = env.filled("VAULT_NAMESPACE").map(|name| name.trim_matches('/').to_owned());
        if namespace.as_ref().is_some_and(|name| !name.chars().all(is_plain)) {
            return Err(wrong("`VAULT_NAMESPACE` is no namespace", "write it like `team` or `org/team`"));
        }
        Ok(Self {
            url: url(env)?,
            namespace,
            path,
            way: Way::read(env)?,
            authorities: env.filled("VAULT_CACERT").map(PathBuf::from),
        })
    }
}

fn url(env: &EnvMap) -> Result<Url, SecretError> {
    let hint = "write it like `https://vault.example.com:8200`";
    let Some(text) = env.filled("VAULT_ADDR") else {
        return Err(wrong("`VAULT_ADDR` is not set", hint));
    };
    // It may hold a password: it is not repeated.
    let url = Url::parse(text).map_err(|_| wrong("`VAULT_ADDR` is no URL", hint))?;
    let more = !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
        || !matches!(url.path(), "" | "/");
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || more {
        return Err(wrong("`VAULT_ADDR` is more or less than `http` or `https`, host and port", hint));
    }
    let allowed = env
        .filled("VAULT_ALLOW_HTTP")
        .is_some_and(|text| matches!(text.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"));
    if url.scheme() == "http" && !allowed && !is_loopback(&url) {
        return Err(wrong(
            "`VAULT_ADDR` is plain http to another machine: keys and token would travel in the clear",
            "use https; `VAULT_ALLOW_HTTP=true` allows http where something else protects the way",
        ));
    }
    Ok(url)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// Whether a header may hold it: `vaultrs` takes that for granted.
pub(crate) fn can_be_sent(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Way {
    /// The first that is set: a token, a file with one, AppRole, Kubernetes, and the file that `vault login`
    /// leaves.
    fn read(env: &EnvMap) -> Result<Self, SecretError> {
        if let Some(token) = env.filled("VAULT_TOKEN") {
            if !can_be_sent(token) {
                return Err(wrong(
                    "`VAULT_TOKEN` holds white space or a character that no token has",
                    "set it to the token alone",
                ));
            }
            return Ok(Self::Token(token.into()));
        }
        if let Some(path) = env.filled("VAULT_TOKEN_FILE") {
            return Ok(Self::TokenFile(path.into()));
        }
        let given = env.filled("VAULT_SECRET_ID").map(|secret| SecretId::Given(secret.into()));
        let file = env.filled("VAULT_SECRET_ID_FILE").map(|path| SecretId::File(path.into()));
        match (env.filled("VAULT_ROLE_ID"), given.or(file)) {
            (Some(role), Some(secret)) => return Ok(Self::AppRole { role: role.to_owned(), secret }),
            (None, None) => {}
            _ => {
                return Err(wrong(
                    "of `VAULT_ROLE_ID` and `VAULT_SECRET_ID` one is set alone",
                    "AppRole needs both; `VAULT_SECRET_ID_FILE` may stand for the second",
                ));
            }
        }
        if let Some(role) = env.filled("VAULT_K8S_ROLE") {
            let mount =
                env.filled("VAULT_K8S_MOUNT").unwrap_or(KUBERNETES_MOUNT).trim_matches('/').to_owned();
            let token = env.filled("VAULT_K8S_TOKEN_FILE").unwrap_or(SERVICE_ACCOUNT).into();
            return Ok(Self::Kubernetes { role: role.to_owned(), mount, token });
        }
        let left = env.filled("HOME").map(|home| PathBuf::from(home).join(".vault-token"));
        left.filter(|path| path.exists()).map(Self::TokenFile).ok_or_else(|| {
            wrong(
                "nothing says how to log in",
                "set `VAULT_TOKEN`, `VAULT_TOKEN_FILE`, `VAULT_ROLE_ID` with `VAULT_SECRET_ID`, or `VAULT_K8S_ROLE`; or \
                 run `vault login`",
            )
        })
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, namespace, path, way: _, authorities } = self;
        f.debug_struct("Settings")
            .field("url", &url.as_str())
            .field("namespace", namespace)
            .field("path", path)
            .field("authorities", authorities)
            .finish_non_exhaustive()
    }
}

pub(crate) fn wrong(why: &str, hint: &str) -> SecretError {
    SecretError::Misconfigured { store: STORE, why: why.to_owned(), hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: (&str, &str) = ("VAULT_TOKEN", "hvs.CANARY");

    fn read(more: &[(&str, &str)]) -> Result<Settings, String> {
        let env: EnvMap = more.iter().copied().collect();
        Settings::read(&env).map_err(|error| {
            assert!(matches!(error, SecretError::Misconfigured { .. }), "{error:?}");
            format!("{error} {error:?}")
        })
    }

    #[test]
    fn the_first_way_to_log_in_that_is_set_is_taken() {
        let addr = ("VAULT_ADDR", "http://127.0.0.1:8200");
        let mut ways = vec![
            ("VAULT_K8S_ROLE", "r"),
            ("VAULT_ROLE_ID", "r"),
            ("VAULT_SECRET_ID", "s"),
            ("VAULT_TOKEN_FILE", "/f"),
        ];
        ways.extend([TOKEN, addr]);
        let taken = |skip: &[&str]| {
            let env: Vec<_> = ways.iter().copied().filter(|(name, _)| !skip.contains(name)).collect();
            match read(&env).expect("legal").way {
                Way::Token(_) => "token",
                Way::TokenFile(_) => "file",
                Way::AppRole { .. } => "approle",
                Way::Kubernetes { .. } => "kubernetes",
            }
        };
        assert_eq!(taken(&[]), "token");
        assert_eq!(taken(&["VAULT_TOKEN"]), "file");
        assert_eq!(taken(&["VAULT_TOKEN", "VAULT_TOKEN_FILE"]), "approle");
        assert_eq!(
            taken(&["VAULT_TOKEN", "VAULT_TOKEN_FILE", "VAULT_ROLE_ID", "VAULT_SECRET_ID"]),
            "kubernetes"
        );
    }

    #[test]
    fn what_cannot_work_names_its_variable_and_shows_no_secret() {
        for (env, says) in [
            (vec![TOKEN], "`VAULT_ADDR` is not set"),
            (vec![TOKEN, ("VAULT_ADDR", "vault.example.com")], "`VAULT_ADDR`"),
            (vec![TOKEN, ("VAULT_ADDR", "https://u:CANARY@v.example.com")], "`VAULT_ADDR`"),
            (vec![TOKEN, ("VAULT_ADDR", "https://v.example.com/ui")], "`VAULT_ADDR`"),
            (vec![TOKEN, ("VAULT_ADDR", "http://v.example.com")], "in the clear"),
            (vec![("VAULT_ADDR", "https://v.example.com"), ("VAULT_TOKEN", "CANARY\nb")], "`VAULT_TOKEN`"),
            (vec![("VAULT_ADDR", "https://v.example.com"), ("VAULT_TOKEN", "CANARY\u{e9}")], "`VAULT_TOKEN`"),
            (vec![("VAULT_ADDR", "https://v.example.com")], "how to log in"),
            (vec![("VAULT_ADDR", "https://v.example.com"), ("VAULT_ROLE_ID", "r")], "`VAULT_SECRET_ID`"),
            (
                vec![TOKEN, ("VAULT_ADDR", "https://v"), ("VAULT_SECRET_PATH", "a/../b")],
                "`VAULT_SECRET_PATH`",
            ),
            (vec![TOKEN, ("VAULT_ADDR", "https://v"), ("VAULT_NAMESPACE", "a b")], "`VAULT_NAMESPACE`"),
        ] {
            let said = read(&env).expect_err(says);
            assert!(said.contains(says) && said.contains("hint: ") && !said.contains("CANARY"), "{said}");
        }
        read(&[TOKEN, ("VAULT_ADDR", "http://v"), ("VAULT_ALLOW_HTTP", "true")]).expect("allowed");
        let settings =
            read(&[TOKEN, ("VAULT_ADDR", "https://v"), ("VAULT_SECRET_PATH", "/kv/team/")]).expect("legal");
        assert_eq!(settings.path, "kv/team");
        assert!(!format!("{settings:?}").contains("CANARY"));
    }
}
