//! Settings: every environment variable, declared once.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use keyrot_core::{EnvMap, StoreKind, leak};
use keyrot_secrets::DEFAULT_TTL;

mod limits;
mod secrets;

pub use limits::{RedisSettings, StatePlace};

/// One environment variable: the table below is the only place that names it.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name; `{key_id}` stands for a key's label.
    pub name: &'static str,
    /// What holds when it is unset, in words.
    pub default: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Who acts on it.
    pub acts: Acts,
}

/// Who acts on a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acts {
    /// This build.
    Now,
    /// A part that is not in this build: setting it gets a warning that says what happens instead.
    NotInThisBuild(&'static str),
    /// A library underneath reads it by itself.
    Underneath,
}

const REDIS: Acts = if cfg!(feature = "redis") {
    Acts::Now
} else {
    Acts::NotInThisBuild("limits are not shared with other machines")
};
const SQLITE: Acts = if cfg!(feature = "sqlite") {
    Acts::Now
} else {
    Acts::NotInThisBuild("limits and cooldowns end with the process")
};
const AWS: Acts = if cfg!(feature = "aws") {
    Acts::Now
} else {
    Acts::NotInThisBuild("secrets do not come from AWS Secrets Manager")
};
const AZURE: Acts = if cfg!(feature = "azure") {
    Acts::Now
} else {
    Acts::NotInThisBuild("secrets do not come from Azure Key Vault")
};
const VAULT: Acts =
    if cfg!(feature = "vault") { Acts::Now } else { Acts::NotInThisBuild("secrets do not come from Vault") };

const fn var(name: &'static str, default: &'static str, about: &'static str, acts: Acts) -> Variable {
    Variable { name, default, about, acts }
}

/// Every variable keyrot knows.
pub const VARIABLES: &[Variable] = &[
    var(
        "GEMINI_API_KEY",
        "unset",
        "the single key; the last resort when rotation has no usable key",
        Acts::Now,
    ),
    var("GOOGLE_API_KEY", "unset", "another name for `GEMINI_API_KEY`, which wins", Acts::Now),
    var(
        "GEMINI_API_KEYS",
        "unset",
        "comma-separated keys without a keys.json, also `project=KEY`",
        Acts::Now,
    ),
    var(
        "ENABLE_KEY_ROTATION",
        "false; true with two or more `GEMINI_API_KEYS`",
        "rotation on or off",
        Acts::Now,
    ),
    var("KEYS_FILE", "keys.json", "where the key metadata is", Acts::Now),
    var("SECRET_STORE_TYPE", "env", "where secrets are: `env`, `vault`, `aws` or `azure`", Acts::Now),
    var("GEMINI_KEY_{key_id}", "unset", "the secret of one key of keys.json", Acts::Now),
    var("GEMINI_BASE_URL", "Google's", "endpoint of the Gemini API", Acts::Now),
    var("GOOGLE_GEMINI_BASE_URL", "Google's", "another name for `GEMINI_BASE_URL`, which wins", Acts::Now),
    var("GEMINI_MODEL", "gemini-2.5-flash", "the default model", Acts::Now),
    var("OPENAI_API_KEY", "unset", "the key for `strategy-gen --provider openai`", Acts::Now),
    var("OPENAI_BASE_URL", "OpenAI's", "endpoint for `strategy-gen --provider openai`", Acts::Now),
    var("REDIS_URL", "unset", "shared limiter; empty disables it", REDIS),
    var("REDIS_TIMEOUT", "1 s", "longest wait for Redis", REDIS),
    var("KEYROT_POOL", "default", "name of the pool in a shared store", REDIS),
    var("KEYROT_INSTANCES", "1", "instances to assume when none were ever seen", REDIS),
    var("KEYROT_FAIL_CLOSED", "false", "refuse instead of degrading", REDIS),
    var("KEYROT_STATE", "the platform's state directory", "embedded ledger", SQLITE),
    var("STRATEGY_GEN_HISTORY", "on", "`off`: `strategy-gen` keeps no history", Acts::Now),
    var("KEYROT_SECRET_TTL", "300 s", "how long a secret is used before it is read again", Acts::Now),
    var("VAULT_ADDR", "unset", "Vault or OpenBao", VAULT),
    var("VAULT_TOKEN", "unset", "Vault token", VAULT),
    var("VAULT_TOKEN_FILE", "unset", "file with the Vault token", VAULT),
    var("VAULT_NAMESPACE", "unset", "Vault namespace", VAULT),
    var("VAULT_SECRET_PATH", "secret/keyrot", "mount and path of the secrets", VAULT),
    var("VAULT_ROLE_ID", "unset", "AppRole role", VAULT),
    var("VAULT_SECRET_ID", "unset", "AppRole secret", VAULT),
    var("VAULT_SECRET_ID_FILE", "unset", "file with the AppRole secret, read at each login", VAULT),
    var("VAULT_K8S_ROLE", "unset", "Kubernetes auth role", VAULT),
    var("VAULT_K8S_MOUNT", "kubernetes", "Kubernetes auth mount", VAULT),
    var("VAULT_K8S_TOKEN_FILE", "the pod's", "file with the service account's token", VAULT),
    var("VAULT_CACERT", "unset", "CA file for Vault", VAULT),
    var("VAULT_ALLOW_HTTP", "false", "allow plain http to Vault", VAULT),
    var("AWS_REGION", "the profile's", "AWS Secrets Manager region", AWS),
    var("AWS_ENDPOINT_URL", "Amazon's", "AWS endpoint", AWS),
    var("AWS_ENDPOINT_URL_SECRETS_MANAGER", "`AWS_ENDPOINT_URL`", "the same for this service alone", AWS),
    var("AWS_SECRET_PREFIX", "keyrot/", "prefix of the secrets' names", AWS),
    var("AWS_PROFILE", "default", "profile in ~/.aws", AWS),
    var("AWS_ACCESS_KEY_ID", "the profile's", "AWS login", AWS),
    var("AWS_SECRET_ACCESS_KEY", "the profile's", "AWS login", AWS),
    var("AWS_SESSION_TOKEN", "unset", "AWS login, of temporary keys", AWS),
    var("AZURE_VAULT_URL", "unset", "the vault's address, `https://NAME.vault.azure.net`", AZURE),
    var("AZURE_TENANT_ID", "unset", "tenant to log in to", AZURE),
    var("AZURE_CLIENT_ID", "unset", "application to log in as, or which managed identity", AZURE),
    var("AZURE_CLIENT_SECRET", "unset", "the application's client secret", AZURE),
    var("AZURE_FEDERATED_TOKEN_FILE", "unset", "file with the token of a workload identity", AZURE),
    var("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com", "where logins to Azure happen", AZURE),
    var("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://169.254.169.254", "where managed identities are", AZURE),
    var("KEYROT_LOG", "warn", "log filter, like `RUST_LOG`, over which it wins", Acts::Now),
    var("RUST_LOG", "warn", "log filter", Acts::Now),
    var("NO_COLOR", "unset", "no colour in the output", Acts::Now),
    var("HTTPS_PROXY", "unset", "proxy for HTTPS", Acts::Underneath),
    var("SSL_CERT_FILE", "the system's", "CA certificates", Acts::Underneath),
];

/// Variables whose values are shown in messages, logs and status. A key that somebody put into one of
/// them would be shown with it.
const SHOWN: [&str; 9] = [
    "ENABLE_KEY_ROTATION",
    "KEYS_FILE",
    "GEMINI_BASE_URL",
    "GOOGLE_GEMINI_BASE_URL",
    "GEMINI_MODEL",
    "KEYROT_LOG",
    "RUST_LOG",
    "KEYROT_STATE",
    "KEYROT_POOL",
];

const TTLS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);

/// The default model.
pub const DEFAULT_MODEL: &str = "gemini-2.5-flash";

/// The settings of one process, checked.
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// `ENABLE_KEY_ROTATION`, where it was set.
    pub rotation: Option<bool>,
    /// `KEYS_FILE`.
    pub keys_file: PathBuf,
    /// `SECRET_STORE_TYPE`.
    pub secret_store: StoreKind,
    /// `KEYROT_SECRET_TTL`.
    pub secret_ttl: Duration,
    /// `GEMINI_BASE_URL`, where it was set.
    pub base_url: Option<String>,
    /// The variable that `base_url` came from, for messages.
    pub base_url_from: &'static str,
    /// `GEMINI_MODEL`.
    pub model: String,
    /// `KEYROT_LOG` or `RUST_LOG`.
    pub log: String,
    /// Whether `NO_COLOR` forbids colour.
    pub no_color: bool,
    /// `KEYROT_STATE`, or where the platform keeps such files.
    pub state: StatePlace,
    /// `REDIS_URL` and what belongs to it.
    pub redis: RedisSettings,
    /// What a user should know.
    pub warnings: Vec<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rotation,
            keys_file,
            secret_store,
            secret_ttl,
            base_url,
            base_url_from,
            model,
            log,
            no_color,
            state,
            redis,
            warnings,
        } = self;
        f.debug_struct("Settings")
            .field("rotation", rotation)
            .field("keys_file", keys_file)
            .field("secret_store", secret_store)
            .field("secret_ttl", secret_ttl)
            // Not checked yet: it may hold a password.
            .field("base_url", &base_url.as_ref().map(|_| "[REDACTED]"))
            .field("base_url_from", base_url_from)
            .field("model", model)
            .field("log", log)
            .field("no_color", no_color)
            .field("state", state)
            .field("redis", redis)
            .field("warnings", warnings)
            .finish()
    }
}

/// Settings that make no sense: all of them at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// One sentence each, with its hint.
    pub problems: Vec<String>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl Settings {
    /// Reads the settings out of `env`.
    ///
    /// # Errors
    /// [`SettingsError`] with every variable whose value makes no sense.
    pub fn read(env: &EnvMap) -> Result<Self, SettingsError> {
        secrets::remember(env);
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        let rotation = env.filled("ENABLE_KEY_ROTATION").and_then(|text| {
            let parsed = boolean(text);
            if parsed.is_none() && !leak::looks_like_a_key(text) {
                problems
                    .push(format!("`ENABLE_KEY_ROTATION` is `{text}`\nhint: set it to `true` or `false`"));
            }
            parsed
        });
        let secret_store = env.filled("SECRET_STORE_TYPE").map_or(Ok(StoreKind::Env), str::parse);
        let secret_store = secret_store.unwrap_or_else(|error| {
            problems.push(format!("`SECRET_STORE_TYPE`: {error}"));
            StoreKind::Env
        });
        for name in SHOWN {
            if env.filled(name).is_some_and(leak::looks_like_a_key) {
                problems.push(format!(
                    "`{name}` holds what looks like an API key\nhint: keys belong into `GEMINI_API_KEY`, \
                     `GEMINI_API_KEYS` or `GEMINI_KEY_{{key_id}}`"
                ));
            }
        }
        let (base_url, base_url_from) =
            first(env, "GEMINI_BASE_URL", "GOOGLE_GEMINI_BASE_URL", &mut warnings);
        for Variable { name, acts, .. } in VARIABLES {
            if let (Acts::NotInThisBuild(instead), Some(_)) = (acts, env.filled(name)) {
                // A token file or an AWS region is often set for other programs; a pool's settings are not.
                let ours = name.starts_with("REDIS_") || name.starts_with("KEYROT_");
                if ours {
                    warnings
                        .push(format!("`{name}` is set, and nothing in this build acts on it: {instead}"));
                }
            }
        }
        let secret_ttl = env.filled("KEYROT_SECRET_TTL").map_or(Some(DEFAULT_TTL), limits::duration);
        let secret_ttl = secret_ttl.filter(|ttl| TTLS.contains(ttl)).unwrap_or_else(|| {
            problems.push(
                "`KEYROT_SECRET_TTL` is no time from 1 s to 24 h\nhint: write seconds, as in `300`"
                    .to_owned(),
            );
            DEFAULT_TTL
        });
        let redis = RedisSettings::read(env, &mut problems);
        if !problems.is_empty() {
            return Err(SettingsError { problems });
        }
        Ok(Self {
            rotation,
            keys_file: env.filled("KEYS_FILE").unwrap_or("keys.json").into(),
            secret_store,
            secret_ttl,
            base_url: base_url.map(str::to_owned),
            base_url_from,
            model: env.filled("GEMINI_MODEL").unwrap_or(DEFAULT_MODEL).to_owned(),
            log: env.filled("KEYROT_LOG").or_else(|| env.filled("RUST_LOG")).unwrap_or("warn").to_owned(),
            no_color: env.filled("NO_COLOR").is_some(),
            state: StatePlace::read(env),
            redis,
            warnings,
        })
    }
}

/// Of two names for one thing the first wins, with a warning when they differ.
fn first<'a>(
    env: &'a EnvMap,
    name: &'static str,
    other: &'static str,
    warnings: &mut Vec<String>,
) -> (Option<&'a str>, &'static str) {
    match (env.filled(name), env.filled(other)) {
        (Some(value), also) => {
            if also.is_some_and(|also| also != value) {
                warnings.push(format!("`{name}` and `{other}` are both set and differ: `{name}` wins"));
            }
            (Some(value), name)
        }
        (None, value) => (value, other),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// The process's environment as it is now. Values that are not UTF-8 are left out.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the process's environment")]
pub fn process_env() -> EnvMap {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// How long a program may take to settle what is left when it ends.
pub const SHUTDOWN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_declared_once() {
        let mut names: Vec<_> = VARIABLES.iter().map(|v| v.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|w| w[0] != w[1]));
    }

    #[test]
    fn rotation_takes_the_usual_words_and_names_the_others() {
        for (text, expected) in [("true", Some(true)), ("FALSE", Some(false)), ("1", Some(true)), ("", None)]
        {
            let env = EnvMap::from_iter([("ENABLE_KEY_ROTATION", text)]);
            assert_eq!(Settings::read(&env).expect(text).rotation, expected);
        }
        let env = EnvMap::from_iter([("ENABLE_KEY_ROTATION", "maybe")]);
        assert!(Settings::read(&env).expect_err("refused").to_string().contains("`maybe`"));
    }

    #[test]
    fn a_key_in_a_variable_that_is_shown_is_refused_and_not_shown() {
        let key = format!("AIza{}", "CANARY-".repeat(5));
        for name in SHOWN {
            let env = EnvMap::from_iter([(name, format!("x/{key}"))]);
            let error = Settings::read(&env).expect_err(name);
            let text = format!("{error} {error:?}");
            assert!(text.contains(name) && !text.contains("CANARY"), "{text}");
        }
        let names = VARIABLES.iter().map(|variable| variable.name);
        assert!(SHOWN.iter().all(|shown| names.clone().any(|name| name == *shown)));
    }

    #[test]
    fn a_redis_url_that_nothing_acts_on_gets_a_warning_and_an_empty_one_none() {
        let set = EnvMap::from_iter([("REDIS_URL", "redis://localhost:6379/0")]);
        let warned = Settings::read(&set).expect("read").warnings.iter().any(|w| w.contains("REDIS_URL"));
        assert_eq!(warned, !cfg!(feature = "redis"));
        let empty = EnvMap::from_iter([("REDIS_URL", "")]);
        assert!(Settings::read(&empty).expect("read").warnings.is_empty());
    }

    #[test]
    fn of_two_names_the_first_wins_with_a_warning() {
        let env =
            EnvMap::from_iter([("GEMINI_BASE_URL", "http://a"), ("GOOGLE_GEMINI_BASE_URL", "http://b")]);
        let settings = Settings::read(&env).expect("read");
        assert_eq!(settings.base_url.as_deref(), Some("http://a"));
        assert_eq!(settings.warnings.len(), 1);
    }
}
