//! What becomes of a batch and of each description in it.

use std::io;
use std::path::PathBuf;

use keyrot::Event;
use serde::Serialize;

use super::log::LogError;
use crate::failure::GenerateError;
use crate::generator::{Round, Strategy};
use crate::shelf::LastRun;

/// Something that happened to a description, by its place in the batch.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// It was done by an earlier run.
    Kept,
    /// A worker begins with it.
    Began {
        /// Which worker, from 0.
        worker: usize,
    },
    /// Something happened in the pool on its behalf.
    Called {
        /// Which worker, from 0.
        worker: usize,
        /// What.
        event: &'a Event,
    },
    /// An answer of the model is judged.
    Judged {
        /// Which worker, from 0.
        worker: usize,
        /// The answer.
        round: &'a Round,
    },
    /// Its strategy is saved.
    Made {
        /// The strategy.
        strategy: &'a Strategy,
        /// Its file.
        path: PathBuf,
        /// What running it gave.
        run: Option<&'a LastRun>,
    },
    /// A strategy of an earlier run was run again.
    Ran {
        /// Its file.
        path: PathBuf,
        /// What it gave.
        run: &'a LastRun,
    },
    /// It failed.
    Failed {
        /// Why.
        error: &'a str,
        /// The exit code of a program that does this alone.
        exit_code: u8,
        /// Where the best answer is kept.
        draft: Option<PathBuf>,
    },
    /// Something to look at, which is no failure.
    Noted {
        /// What.
        warning: String,
    },
    /// A worker has ended with it.
    Ended {
        /// Which worker, from 0.
        worker: usize,
    },
}

/// What became of a batch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Done {
    /// Of each description, in their order.
    pub items: Vec<Item>,
    /// The page that ranks them; `None` where it could not be written.
    pub board: Option<PathBuf>,
}

/// What became of a description.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Item {
    /// Its line in the list of ideas.
    pub line: usize,
    /// The user's words.
    pub description: String,
    /// How it stands.
    pub state: State,
    /// The class.
    pub name: Option<String>,
    /// The file, in the folder of the batch.
    pub file: Option<String>,
    /// The best answer where none is good, in the folder of the batch.
    pub draft: Option<String>,
    /// The page about it, in the folder of the batch.
    pub page: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// The exit code of a program that does this alone.
    pub exit_code: u8,
    /// What its backtest gave.
    pub run: Option<LastRun>,
    /// Its equity, thinned for a drawing.
    #[serde(skip)]
    pub curve: Vec<f64>,
}

/// How a description stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It was done by an earlier run.
    Kept,
    /// It was done by this run.
    Done,
    /// It failed, or was not reached.
    Failed,
}

/// Why a batch as a whole cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The folder cannot be made.
    #[error("cannot make the folder `{}`: {source}\nhint: choose another one with `-d`", keyrot::untrusted::path(&folder))]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Settings or keys have errors, or there is no key.
    #[error(transparent)]
    Generate(#[from] GenerateError),
}

impl BatchError {
    /// The exit code of a program that ends with this.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Folder { .. } | Self::Log(_) => 2,
            Self::Generate(error) => error.exit_code(),
        }
    }
}
