//! The error that says of every key why it could not go, and until when.

use std::fmt;
use std::time::Duration;

use keyrot_core::bucket::nearest;
use keyrot_core::select;
use keyrot_core::{KeyId, ModelId, Project, Reason, Timestamp, Why};
use serde::Serialize;

/// What is free so soon is as good as free: by the time it is told, it is.
const SOON: Duration = Duration::from_millis(200);

/// Why a key is out that the store of limits knows nothing of.
const NO_SECRET: &str = "no usable secret";

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
    /// Every key of the pool, where these are few enough to be named.
    pub keys: Vec<KeyRefusal>,
    /// How much is out for each reason.
    pub reasons: Reasons,
    /// When the first of them may go; `None` when waiting is useless.
    pub earliest: Option<Timestamp>,
    /// `earliest` from now.
    pub eta: Option<Duration>,
    /// How long the request had waited.
    pub waited: Duration,
}

/// How many projects and single keys are out, by reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Reasons(pub Vec<Count>);

/// How many are out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The reason, in words.
    pub why: String,
    /// The same, where limits or cooldowns say so.
    pub cause: Option<Why>,
    /// Projects that are out for it.
    pub projects: u32,
    /// Single keys that are out for it, whatever their project.
    pub keys: u32,
}

impl Reasons {
    /// What a selector counted.
    pub(crate) fn of(counts: impl Iterator<Item = select::Count>) -> Self {
        let words = |why: Option<Why>| why.map_or_else(|| NO_SECRET.to_owned(), |why| why.to_string());
        let count =
            |c: select::Count| Count { why: words(c.why), cause: c.why, projects: c.groups, keys: c.keys };
        Self(counts.map(count).collect())
    }

    /// All `projects` are out for one reason.
    pub(crate) fn all(why: Option<Why>, projects: usize) -> Self {
        let groups = u32::try_from(projects).unwrap_or(u32::MAX);
        Self::of(std::iter::once(select::Count { why, groups, keys: 0 }))
    }
}

impl Exhausted {
    /// Whether no key is usable at all, so that waiting is useless.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        self.earliest.is_none()
    }

    /// Whether nothing is in the way but that the model was not found when it was last asked for: what
    /// helps is another name, not another key.
    #[must_use]
    pub fn is_model_not_found(&self) -> bool {
        let not_found =
            |count: &Count| matches!(count.cause, Some(Why::Cooling { reason: Reason::ModelNotFound, .. }));
        !self.reasons.0.is_empty() && self.reasons.0.iter().all(not_found)
    }

    fn not_found(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the model `{}` was not found when it was last asked for", self.model)?;
        if let Some(eta) = self.eta {
            write!(f, "; it is tried again in {}", in_words(eta))?;
        }
        f.write_str("\nhint: check its name")?;
        if let Some(nearest) = nearest(&self.model) {
            write!(f, " (did you mean `{nearest}`?)")?;
        }
        let at = self.keys.first().map_or("PROJECT", |key| key.project.as_str());
        write!(f, "; `keyrot uncool {at}/{}` has it tried at once", self.model)
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_model_not_found() {
            return self.not_found(f);
        }
        match (self.earliest, self.eta) {
            (Some(_), Some(eta)) if eta < SOON => {
                write!(f, "every key for `{}` is in use; the first may be free at any moment", self.model)?;
            }
            (Some(at), Some(eta)) => write!(
                f,
                "every key for `{}` is exhausted; the first is free in {} (at {at})",
                self.model,
                in_words(eta)
            )?,
            _ if self.keys.is_empty() && self.reasons.0.is_empty() => {
                write!(f, "No API keys available: no key is configured")?
            }
            _ => write!(f, "No API keys available: no key can serve `{}`", self.model)?,
        }
        for KeyRefusal { key, project, why, until } in &self.keys {
            write!(f, "\n  {key} (project {project}): {why}")?;
            if let Some(until) = until {
                write!(f, ", until {until}")?;
            }
        }
        if self.keys.is_empty() {
            for Count { why, projects, keys, cause: _ } in &self.reasons.0 {
                let of = |n: u32, what: &str| match n {
                    0 => None,
                    1 => Some(format!("1 {what}")),
                    n => Some(format!("{n} {what}s")),
                };
                let who = [of(*projects, "project"), of(*keys, "key")].into_iter().flatten();
                write!(f, "\n  {}: {why}", who.collect::<Vec<_>>().join(", "))?;
            }
        }
        match self.earliest {
            Some(_) if self.eta.is_some_and(|eta| eta < SOON) => f.write_str("\nhint: allow a longer wait"),
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
