//! What was made and run, on this machine, by this user: one small database beside keyrot's own.
//!
//! It is a convenience. Whatever is wrong with the file is a warning, and never a reason to lose a strategy.
//!
//! ```
//! use strategy_gen::history::place;
//! let env = [("KEYROT_STATE", "/state/keys.db")].into_iter().collect();
//! assert_eq!(place(&env), Some("/state/history.db".into()));
//! ```

#[cfg(feature = "sqlite")]
mod entries;
#[cfg(not(feature = "sqlite"))]
mod no_file;
#[cfg(feature = "sqlite")]
mod open;
#[cfg(feature = "sqlite")]
mod schema;

use std::path::PathBuf;

use keyrot::settings::StatePlace;
use keyrot::{EnvMap, Timestamp};
use serde::{Serialize, Serializer};

use crate::shelf::LastRun;

#[cfg(feature = "sqlite")]
pub use entries::History;
#[cfg(not(feature = "sqlite"))]
pub use no_file::History;

const FILE: &str = "history.db";
/// Turns it off.
const SWITCH: &str = "STRATEGY_GEN_HISTORY";

/// Entries that were asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entries {
    /// Those that can be read.
    pub read: Vec<Entry>,
    /// How many were passed over because they cannot: damaged ones, and those of a newer release.
    pub odd: usize,
}

/// Something that was made or run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Its number; 0 before it is kept.
    pub id: i64,
    /// When it ended.
    #[serde(serialize_with = "in_words")]
    pub at: Timestamp,
    /// What was done.
    pub kind: Kind,
    /// How it ended.
    pub exit_code: u8,
    /// The user's words; empty where they are not known.
    pub description: String,
    /// The class.
    pub name: Option<String>,
    /// The file, in full.
    pub path: Option<String>,
    /// Of the file as it was then.
    pub sha256: Option<String>,
    /// The model; `None` for the offline engine.
    pub model: Option<String>,
    /// Answers of the model.
    pub rounds: u32,
    /// Input tokens of all answers, where reported.
    pub prompt_tokens: Option<u64>,
    /// Output tokens of all answers, where reported.
    pub output_tokens: Option<u64>,
    /// Why it ended without success.
    pub error: Option<String>,
    /// What the run gave.
    pub run: Option<LastRun>,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A strategy was made.
    New,
    /// A strategy was made as one of many.
    Batch,
    /// A file was mended.
    Fix,
    /// A file was changed as its user asked.
    Improve,
    /// A file was run.
    Run,
}

impl Kind {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Batch => "batch",
            Self::Fix => "fix",
            Self::Improve => "improve",
            Self::Run => "run",
        }
    }
}

impl Entry {
    /// One that says nothing yet but what was done, when and how it ended.
    #[must_use]
    pub const fn new(kind: Kind, at: Timestamp, exit_code: u8) -> Self {
        Self {
            id: 0,
            at,
            kind,
            exit_code,
            description: String::new(),
            name: None,
            path: None,
            sha256: None,
            model: None,
            rounds: 0,
            prompt_tokens: None,
            output_tokens: None,
            error: None,
            run: None,
        }
    }
}

/// Where the history of this user is; `None` where nothing outlives the process, or `STRATEGY_GEN_HISTORY=off`.
#[must_use]
pub fn place(env: &EnvMap) -> Option<PathBuf> {
    let off = |value: &str| ["off", "false", "no", "0"].iter().any(|word| value.eq_ignore_ascii_case(word));
    if env.filled(SWITCH).is_some_and(off) {
        return None;
    }
    StatePlace::read(env).beside(FILE)
}

/// The history cannot be used. Its file was left as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// It is something else.
    #[error("`{}` is no history of strategy-gen\nhint: move it away, or keep no history with `{SWITCH}=off`", keyrot::untrusted::path(&path))]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer release made it.
    #[error("history `{}` has version {found}, this build knows versions up to {known}\nhint: use the newer release", keyrot::untrusted::path(&path))]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// It is damaged.
    #[error("history `{}` is damaged: {why}\nhint: move it away; a new one is begun", keyrot::untrusted::path(&path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        why: String,
    },
    /// An entry cannot be read; the others can.
    #[error("entry #{id} of the history `{}` cannot be read: it is damaged, or a newer release wrote it\nhint: use the newer release", keyrot::untrusted::path(&path))]
    Odd {
        /// The file.
        path: PathBuf,
        /// Its number.
        id: i64,
    },
    /// Anything else: a folder without permission, a full disk.
    #[error("history `{}` cannot be used: {why}\nhint: see to its folder, or keep no history with `{SWITCH}=off`", keyrot::untrusted::path(&path))]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// Files are not in this build.
    #[error("this build keeps no history\nhint: build with the feature `sqlite`")]
    NotInThisBuild,
}

fn in_words<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

#[cfg(feature = "sqlite")]
#[cfg(test)]
mod tests;
