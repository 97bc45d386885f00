//! Settings of where limits, cooldowns and facts are kept.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use keyrot_core::EnvMap;
use secrecy::SecretString;

use super::boolean;

/// What `KEYROT_STATE` says for "in this process only".
const IN_MEMORY: &str = ":memory:";
const FILE: &str = "state.db";
const TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(1);

/// Where limits and cooldowns outlive the process, on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatePlace {
    /// Nowhere: `KEYROT_STATE=:memory:`.
    Memory,
    /// In the file that `KEYROT_STATE` names.
    Named(PathBuf),
    /// In the platform's state directory.
    Platform(PathBuf),
    /// Nobody says where this user's files are.
    Unknown,
}

/// The Redis that machines share, and how to get on without it.
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisSettings {
    /// `REDIS_URL`, where it was set and is not empty. May hold a password.
    pub url: Option<SecretString>,
    /// `REDIS_TIMEOUT`.
    pub timeout: Duration,
    /// `KEYROT_POOL`.
    pub pool: String,
    /// `KEYROT_INSTANCES`.
    pub instances: u64,
    /// `KEYROT_FAIL_CLOSED`.
    pub fail_closed: bool,
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password; the name of a pool has not been checked yet.
        let Self { url: _, timeout, pool: _, instances, fail_closed } = self;
        f.debug_struct("RedisSettings")
            .field("timeout", timeout)
            .field("instances", instances)
            .field("fail_closed", fail_closed)
            .finish_non_exhaustive()
    }
}

impl StatePlace {
    /// What `KEYROT_STATE` in `env` says, else where the platform keeps such files.
    #[must_use]
    pub fn read(env: &EnvMap) -> Self {
        match env.filled("KEYROT_STATE") {
            Some(IN_MEMORY) => Self::Memory,
            Some(path) => {
                let path = PathBuf::from(path);
                Self::Named(if path.is_dir() { path.join(FILE) } else { path })
            }
            None => {
                platform(env).map_or(Self::Unknown, |folder| Self::Platform(folder.join("keyrot").join(FILE)))
            }
        }
    }

    /// The file `name` in the folder of the state file; `None` where nothing outlives the process.
    #[must_use]
    pub fn beside(&self, name: &str) -> Option<PathBuf> {
        match self {
            Self::Named(path) | Self::Platform(path) => Some(path.with_file_name(name)),
            Self::Memory | Self::Unknown => None,
        }
    }
}

impl RedisSettings {
    pub(super) fn read(env: &EnvMap, problems: &mut Vec<String>) -> Self {
        let timeout = env.filled("REDIS_TIMEOUT").map_or(Some(TIMEOUT), duration);
        let timeout = timeout.filter(|timeout| TIMEOUTS.contains(timeout)).unwrap_or_else(|| {
            problems.push(
                "`REDIS_TIMEOUT` is no time from 10 ms to 60 s\nhint: write seconds, as in `0.5`, or `500ms`"
                    .to_owned(),
            );
            TIMEOUT
        });
        let instances = env.filled("KEYROT_INSTANCES").map_or(Some(1), |text| text.parse().ok());
        let instances = instances.filter(|n| (1..=10_000).contains(n)).unwrap_or_else(|| {
            problems.push("`KEYROT_INSTANCES` is no number from 1 to 10000".to_owned());
            1
        });
        let fail_closed =
            env.filled("KEYROT_FAIL_CLOSED").map_or(Some(false), boolean).unwrap_or_else(|| {
                problems.push("`KEYROT_FAIL_CLOSED` is neither `true` nor `false`".to_owned());
                false
            });
        Self {
            url: env.filled("REDIS_URL").map(SecretString::from),
            timeout,
            pool: env.filled("KEYROT_POOL").unwrap_or("default").to_owned(),
            instances,
            fail_closed,
        }
    }
}

/// The folder for state that is not worth a backup, by the platform's custom.
fn platform(env: &EnvMap) -> Option<PathBuf> {
    // A relative path is to be ignored: XDG Base Directory Specification.
    let absolute = |name| env.filled(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        absolute("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        absolute("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))
    }
}

/// Seconds, or milliseconds with `ms` behind.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let number: f64 = number.trim().parse().ok()?;
    let seconds = match unit.trim() {
        "" | "s" => number,
        "ms" => number / 1e3,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (RedisSettings, Vec<String>) {
        let mut problems = Vec::new();
        let env = EnvMap::from_iter(pairs.iter().copied());
        (RedisSettings::read(&env, &mut problems), problems)
    }

    #[test]
    fn times_are_seconds_or_say_otherwise() {
        for (text, ms) in [("1", 1_000), ("0.5", 500), ("500ms", 500), ("2 s", 2_000), ("60s", 60_000)] {
            let (settings, problems) = read(&[("REDIS_TIMEOUT", text)]);
            assert_eq!((settings.timeout, problems), (Duration::from_millis(ms), vec![]), "{text}");
        }
        for text in ["", "0", "-1", "1m", "61", "1ms", "s", "nan", "inf", "1e99"] {
            let (settings, problems) = read(&[("REDIS_TIMEOUT", text)]);
            assert_eq!(settings.timeout, TIMEOUT);
            assert_eq!(problems.len(), usize::from(!text.is_empty()), "{text}");
        }
    }

    #[test]
    fn every_value_without_sense_is_named() {
        let bad = [("KEYROT_INSTANCES", "0"), ("KEYROT_FAIL_CLOSED", "perhaps"), ("REDIS_TIMEOUT", "soon")];
        assert_eq!(read(&bad).1.len(), bad.len());
        let (settings, problems) = read(&[("KEYROT_INSTANCES", "4"), ("KEYROT_FAIL_CLOSED", "yes")]);
        assert_eq!((settings.instances, settings.fail_closed, problems), (4, true, vec![]));
    }

    #[test]
    fn no_password_in_debug_text() {
        let (settings, _) = read(&[("REDIS_URL", "redis://:CANARY@localhost")]);
        assert!(!format!("{settings:?}").contains("CANARY"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_state_is_where_the_platform_keeps_it_unless_said_otherwise() {
        let place = |pairs: &[(&str, &str)]| StatePlace::read(&EnvMap::from_iter(pairs.iter().copied()));
        let platform = |path: &str| StatePlace::Platform(path.into());
        assert_eq!(place(&[]), StatePlace::Unknown);
        assert_eq!(place(&[("HOME", "/h")]), platform("/h/.local/state/keyrot/state.db"));
        assert_eq!(place(&[("HOME", "/h"), ("XDG_STATE_HOME", "/x")]), platform("/x/keyrot/state.db"));
        assert_eq!(place(&[("XDG_STATE_HOME", "relative")]), StatePlace::Unknown);
        assert_eq!(place(&[("KEYROT_STATE", ":memory:")]), StatePlace::Memory);
        assert_eq!(place(&[("KEYROT_STATE", "a.db")]), StatePlace::Named("a.db".into()));
        assert_eq!(place(&[("KEYROT_STATE", "/")]), StatePlace::Named("/state.db".into()));
        let beside = |pairs: &[(&str, &str)]| place(pairs).beside("history.db");
        assert_eq!(beside(&[("HOME", "/h")]), Some("/h/.local/state/keyrot/history.db".into()));
        assert_eq!(beside(&[("KEYROT_STATE", "a.db")]), Some("history.db".into()));
        assert_eq!((beside(&[]), beside(&[("KEYROT_STATE", ":memory:")])), (None, None));
    }
}
