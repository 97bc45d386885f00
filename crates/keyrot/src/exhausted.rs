//! The error that says of every key why it could not go, and until when.

use std::fmt;
use std::time::Duration;

use keyrot_core::{KeyId, ModelId, Project, Timestamp};
use serde::Serialize;

/// Why one key could not serve a request.
#[derive(Debug, Clone, Serialize)]
pub struct KeyRefusal {
    /// The key.
    pub key: KeyId,
    /// Its project.
    pub project: Project,
    /// Why not, in words.
    pub why: String,
    /// When it may go again; `None` for "not before something changes".
    pub until: Option<Timestamp>,
}

/// No key can serve the request within the time allowed.
#[derive(Debug, Clone, Serialize)]
pub struct Exhausted {
    /// The model asked for.
    pub model: ModelId,
    /// Every key of the pool.
    pub keys: Vec<KeyRefusal>,
    /// When the first of them may go; `None` when waiting is useless.
    pub earliest: Option<Timestamp>,
    /// `earliest` from now.
    pub eta: Option<Duration>,
    /// How long the request had waited.
    pub waited: Duration,
}

impl Exhausted {
    /// Whether no key is usable at all, so that waiting is useless.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        self.earliest.is_none()
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.earliest, self.eta) {
            (Some(at), Some(eta)) => write!(
                f,
                "every key for `{}` is exhausted; the first is free in {} (at {at})",
                self.model,
                in_words(eta)
            )?,
            _ if self.keys.is_empty() => write!(f, "No API keys available: no key is configured")?,
            _ => write!(f, "No API keys available: no key can serve `{}`", self.model)?,
        }
        for KeyRefusal { key, project, why, until } in &self.keys {
            write!(f, "\n  {key} (project {project}): {why}")?;
            if let Some(until) = until {
                write!(f, ", until {until}")?;
            }
        }
        match self.earliest {
            Some(_) => f.write_str("\nhint: wait, allow a longer wait, or add a key of another project"),
            None => f.write_str(
                "\nhint: check that `keys.json` names a key for this model and that its secret is set and valid",
            ),
        }
    }
}

impl std::error::Error for Exhausted {}

/// A duration as people say it: `850 ms`, `42 s`, `3 min 20 s`, `5 h 2 min`.
#[must_use]
pub fn in_words(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        0 => format!("{} ms", d.as_millis()),
        1..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}
