//! The best answer so far, kept where the user finds it when nothing better comes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use strategy_gen::output::{Existing, draft_name, write_free};
use strategy_gen::{GenerateError, Round};

use super::progress::Progress;
use super::say;

/// Saves the best draft when it is dropped before [`done`](Self::done): after a failure, and after Ctrl-C.
#[derive(Debug)]
pub(crate) struct Draft {
    best: Arc<Mutex<Option<Round>>>,
    /// Where the strategy itself would go; `None` where nothing is to be written.
    place: Option<PathBuf>,
    /// The name of the class, where the user gave one.
    name: Option<String>,
    done: bool,
}

/// Keeps the best round for a [`Draft`].
#[derive(Debug, Clone)]
pub(crate) struct Keeper(Arc<Mutex<Option<Round>>>);

impl Keeper {
    pub(crate) fn keep(&self, round: &Round) {
        let mut best = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        round.keep_in(&mut best);
    }
}

impl Draft {
    /// Beside the file that is wanted, or named after the class; nowhere for `-`.
    pub(crate) fn beside(output: Option<&Path>, name: Option<&str>) -> Self {
        let place = match output {
            Some(path) if path == Path::new("-") => None,
            Some(path) => Some(path.to_owned()),
            None => Some(PathBuf::new()),
        };
        Self { best: Arc::default(), place, name: name.map(str::to_owned), done: false }
    }

    pub(crate) fn keeper(&self) -> Keeper {
        Keeper(Arc::clone(&self.best))
    }

    /// Something better came of it.
    pub(crate) fn done(mut self) {
        self.done = true;
    }

    /// Saves the best so far now; gives where.
    pub(crate) fn save(mut self) -> Option<PathBuf> {
        self.done = true;
        self.write()
    }

    fn write(&self) -> Option<PathBuf> {
        let best = self.best.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let place = self.place.clone()?;
        let name = match place.file_stem().map(|stem| stem.to_string_lossy()) {
            // A draft that is mended in vain has the next draft beside it.
            Some(stem) => PathBuf::from(format!("{}.draft.py", stem.strip_suffix(".draft").unwrap_or(&stem))),
            None => draft_name(self.name.as_deref(), &best.draft),
        };
        // What stands there is the user's.
        match write_free(&place.with_file_name(name), &best.draft, Existing::Keep) {
            Ok(path) => Some(path),
            Err(error) => {
                say(&format!("warning: {}", GenerateError::from(error)));
                None
            }
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.done
            && let Some(path) = self.write()
        {
            said(&path, None);
        }
    }
}

/// Says where the draft is and how to go on.
pub(crate) fn said(path: &Path, progress: Option<&Progress>) {
    let path = keyrot::untrusted::path(&path);
    let line = format!("the best answer is in `{path}`; `strategy-gen fix {path}` goes on from there");
    match progress {
        Some(progress) => progress.line(&line),
        None => say(&line),
    }
}
