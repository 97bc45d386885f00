//! Environment variables as data, so that no library reads the process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Where a variable's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The process's environment, or the code that made the map.
    Process,
    /// A command line flag.
    Flag,
    /// A line of a file of settings.
    File {
        /// The file as its user knows it, such as `.env`.
        path: Arc<str>,
        /// The line, from 1.
        line: usize,
    },
}

impl Origin {
    /// Whether a file said so, which may be somebody else's than the user's.
    #[must_use]
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("the environment"),
            Self::Flag => f.write_str("a flag"),
            Self::File { path, line } => write!(f, "`{path}` line {line}"),
        }
    }
}

/// A snapshot of environment variables that remembers where each came from. Its `Debug` shows names, never
/// values: some are secrets.
///
/// ```
/// use keyrot_core::{EnvMap, Origin};
/// let mut env = EnvMap::from_iter([("GEMINI_MODEL", "gemini-2.5-pro")]);
/// let line_1 = Origin::File { path: ".env".into(), line: 1 };
/// env.add("GEMINI_MODEL", "another", line_1.clone());
/// env.add("KEYS_FILE", "keys.json", line_1);
/// assert_eq!(env.get("GEMINI_MODEL"), Some("gemini-2.5-pro"));
/// assert_eq!(env.of_process("KEYS_FILE"), None);
/// ```
#[derive(Clone, Default)]
pub struct EnvMap(BTreeMap<String, (String, Origin)>);

impl EnvMap {
    /// The value of `name`, unless it is unset.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|(value, _)| value.as_str())
    }

    /// The value of `name`, unless it is unset or only white space.
    #[must_use]
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// The value of `name` as [`filled`](Self::filled), unless a file set it. Whatever chooses a program, a folder
    /// or a way into the network is read like this.
    #[must_use]
    pub fn of_process(&self, name: &str) -> Option<&str> {
        self.filled(name).filter(|_| self.origin(name).is_some_and(|origin| !origin.is_file()))
    }

    /// Where the value of `name` came from; `None` when it is unset.
    #[must_use]
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        self.0.get(name).map(|(_, origin)| origin)
    }

    /// Sets a variable that is not in the map yet. One that is there keeps its value, even an empty one.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>, origin: Origin) {
        self.0.entry(name.into()).or_insert_with(|| (value.into(), origin));
    }

    /// Sets a variable to what a flag says, over whatever was there.
    pub fn set_by_flag(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), (value.into(), Origin::Flag));
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for EnvMap {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), (value.into(), Origin::Process))).collect())
    }
}

impl fmt::Debug for EnvMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
