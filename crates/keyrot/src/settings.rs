//! Settings, read out of the environment and checked.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use keyrot_core::untrusted::{UntrustedText, one_line, redact};
use keyrot_core::{EnvMap, StoreKind, leak};
use keyrot_secrets::DEFAULT_TTL;

use crate::trust::{self, TRUST};

mod limits;
mod origins;
mod secrets;
mod variables;

pub use limits::{RedisSettings, StatePlace};
pub use origins::{Setting, settings_in_force};
pub use variables::{Acts, FromFile, Role, VARIABLES, Variable};

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
        let mut problems = unshowable(env);
        if !problems.is_empty() {
            return Err(SettingsError { problems });
        }
        let mut warnings = Vec::new();
        let rotation = env.filled("ENABLE_KEY_ROTATION").and_then(|text| {
            let parsed = boolean(text);
            if parsed.is_none() && !leak::looks_like_a_key(text) {
                problems.push(format!(
                    "`ENABLE_KEY_ROTATION` is `{}`\nhint: set it to `true` or `false`",
                    UntrustedText::from(text)
                ));
            }
            parsed
        });
        if env.of_process(TRUST).is_some_and(|text| boolean(text).is_none()) {
            problems.push(format!("`{TRUST}` is neither `true` nor `false`"));
        }
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
        problems.extend(trust::places(env));
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

/// What to do about a value with a control character.
pub(crate) const ONE_LINE: &str = "write the value on one line, without tabs and escapes";

/// Whether `value` could look like a line of ours, or steer a terminal, wherever the variable is quoted. Credentials are
/// never quoted, and what reads them judges them.
pub(crate) fn is_unshowable(variable: &Variable, value: &str) -> bool {
    variable.role != Role::Credential
        && value.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// The declared variables whose values cannot be quoted, with their origins.
fn unshowable(env: &EnvMap) -> Vec<String> {
    let problem = |name: &str| {
        let (variable, origin) = (Variable::named(name)?, env.origin(name)?);
        let name_shown = one_line(&redact(name)).into_owned();
        env.filled(name).filter(|value| is_unshowable(variable, value))?;
        Some(format!(
            "`{name_shown}` from {origin} holds a control character or a line break\nhint: {ONE_LINE}"
        ))
    };
    env.names().filter_map(problem).collect()
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

pub(crate) fn boolean(text: &str) -> Option<bool> {
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
    fn a_value_of_several_lines_is_refused_and_not_shown() {
        for variable in VARIABLES.iter().filter(|variable| variable.role != Role::Credential) {
            for value in ["CANARY`\nhint: x", "CANARY\u{1b}[2J", "CANARY\rx", "CANARY\u{2028}x"] {
                let error =
                    Settings::read(&EnvMap::from_iter([(variable.name, value)])).expect_err(variable.name);
                let text = format!("{error} {error:?}");
                assert!(text.contains(&format!("`{}` from the environment", variable.name)), "{text}");
                assert!(!text.contains("CANARY"), "{text}");
            }
        }
        // What a command that ends with a line break leaves behind.
        let env = EnvMap::from_iter([("GEMINI_MODEL", "m\n")]);
        assert_eq!(Settings::read(&env).expect("read").model, "m");
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
