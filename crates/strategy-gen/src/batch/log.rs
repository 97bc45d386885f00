//! The log of a folder: what became of each description, a line of JSON for each thing that happened.
//!
//! A line is on the disk before what it promises is done, and counts only if that is found: a file, by its digest.
//! So whatever ends the program between two steps, nothing is done twice and nothing is taken for done that is not.
//! A line that was cut off by a crash is no line.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use keyrot::file::{self, Links, ReadError};
use keyrot::untrusted;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::output::is_bare_name;
use crate::shelf::{LastRun, RecordKey, Signer};

/// Its name.
pub const LOG: &str = "batch.jsonl";

/// How every log begins.
const BEGINNING: &str = "{\"event\":\"begun\"";

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// Another batch is at work in the folder.
    #[error("another batch is at work in this folder: `{}` is locked\nhint: wait for it, or choose another folder with `-d`", keyrot::untrusted::path(&path))]
    Busy {
        /// The log.
        path: PathBuf,
    },
    /// There is a file of that name that is something else.
    #[error("`{}` is no log of a batch and was left as it is\nhint: choose another folder with `-d`", keyrot::untrusted::path(&path))]
    Foreign {
        /// The log.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("cannot keep the log `{}`: {source}\nhint: see to the folder and the room on its disk; the same command goes on", keyrot::untrusted::path(&path))]
    Io {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Line {
    /// The first line: whose log it is.
    Begun { schema: u32, tool: String },
    /// A strategy is about to be saved.
    Made { key: String, description: String, name: String, file: String, sha256: String, at: String },
    /// There is no strategy.
    Failed { key: String, description: String, error: String, exit_code: u8, at: String },
    /// A backtest has ended.
    Ran { key: String, with: String, run: LastRun, curve: Vec<f64>, page: Option<String> },
}

/// What is known of a description.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    /// The class, the file and its digest.
    pub(super) made: Option<(String, String, String)>,
    /// What it was run with, what came of it, the curve and the page.
    pub(super) ran: Option<(String, LastRun, Vec<f64>, Option<String>)>,
}

/// An open log; nobody else has it open.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: Mutex<File>,
    key: Option<RecordKey>,
    past: HashMap<String, Past>,
    /// What is wrong with lines that do not count.
    pub(super) warnings: Vec<String>,
}

impl Log {
    /// Opens the log of `folder`, and reads what there is. Lines that were not signed with `key` do not count.
    pub(super) fn open(folder: &Path, key: Option<RecordKey>) -> Result<Self, LogError> {
        let path = folder.join(LOG);
        let failed = |source| LogError::Io { path: path.clone(), source };
        let opened =
            file::open(&path, Links::Refuse, OpenOptions::new().read(true).append(true).create(true));
        let mut file = opened.map_err(|error| match error {
            ReadError::Io(source) => failed(source),
            _ => LogError::Foreign { path: path.clone() },
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LogError::Busy { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        // A crash may have cut off the very first line.
        let is_begun = match lines.next() {
            Some(Line::Begun { schema: 1, .. }) => true,
            None if BEGINNING.starts_with(text.trim_end()) || text.starts_with(BEGINNING) => false,
            _ => return Err(LogError::Foreign { path }),
        };
        let (past, warnings) = remembered(&path, &text, key.as_ref());
        let log = Self { path: path.clone(), file: Mutex::new(file), key, past, warnings };
        if !bytes.is_empty() && bytes.last() != Some(&b'\n') {
            // What was cut off stays alone.
            log.file.lock().write_all(b"\n").map_err(failed)?;
        }
        if !is_begun {
            let tool = format!("strategy-gen {}", env!("CARGO_PKG_VERSION"));
            log.write(&Line::Begun { schema: 1, tool })?;
        }
        Ok(log)
    }

    /// What is known of the description with this key, from before this run.
    pub(super) fn past(&self, key: &str) -> Past {
        self.past.get(key).cloned().unwrap_or_default()
    }

    /// Adds a line; it is on the disk when this returns.
    pub(super) fn write(&self, line: &Line) -> Result<(), LogError> {
        let failed = |source| LogError::Io { path: self.path.clone(), source };
        let value = serde_json::to_value(line).map_err(|error| failed(error.into()))?;
        let mut text = untrusted::json_line(value);
        if let Some(key) = &self.key {
            text = key.sign(Signer::Log, &text);
        }
        text.push('\n');
        let mut file = self.file.lock();
        let before = file.metadata().map_err(failed)?.len();
        // In one call, so that a line is whole or cut off and never mixed with another.
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
        if written.is_err() {
            // Nobody is to write behind half a line.
            let _ = file.set_len(before);
        }
        written.map_err(failed)
    }
}

/// What the lines of a log say, and what is wrong with those that do not count: what is not in the folder, and what
/// was not signed with `signer`. A line that was cut off is none.
fn remembered(path: &Path, text: &str, signer: Option<&RecordKey>) -> (HashMap<String, Past>, Vec<String>) {
    let (mut past, mut warnings, mut unsigned) = (HashMap::<String, Past>::new(), Vec::new(), Vec::new());
    let shown = untrusted::path(path);
    for (number, text) in (1_usize..).zip(text.lines()) {
        let line = match serde_json::from_str(text) {
            Ok(Line::Begun { .. } | Line::Failed { .. }) => continue,
            Err(_) if !text.ends_with('}') => continue,
            Ok(line) => line,
            Err(error) => {
                // It quotes what it does not know.
                let why = untrusted::UntrustedText::from(error.to_string());
                warnings.push(format!("`{shown}`, line {number}, does not count: {why}"));
                continue;
            }
        };
        if let Some(name) = line.file().filter(|name| !is_bare_name(name)) {
            let name = untrusted::path(name);
            warnings.push(format!(
                "`{shown}`, line {number}, does not count: `{name}` is not the plain name of a file"
            ));
        } else if signer.is_some_and(|signer| signer.signed(Signer::Log, text)) {
            line.remember(&mut past);
        } else {
            unsigned.push(number);
        }
    }
    if let Some(first) = unsigned.first() {
        warnings.push(format!(
            "{} of the lines in `{shown}` do not count, the first is line {first}: they were not written by this \
             installation, or were changed since\nhint: what they describe is made again",
            unsigned.len(),
        ));
    }
    (past, warnings)
}

impl Line {
    /// The file that it tells of.
    fn file(&self) -> Option<&str> {
        match self {
            Self::Made { file, .. } => Some(file),
            Self::Ran { page, .. } => page.as_deref(),
            Self::Begun { .. } | Self::Failed { .. } => None,
        }
    }

    fn remember(self, past: &mut HashMap<String, Past>) {
        match self {
            Self::Made { key, name, file, sha256, .. } => {
                past.insert(key, Past { made: Some((name, file, sha256)), ran: None });
            }
            Self::Ran { key, with, run, curve, page } => {
                past.entry(key).or_default().ran = Some((with, run, curve, page));
            }
            Self::Begun { .. } | Self::Failed { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key for a test, in a folder of its own.
    fn key() -> Option<RecordKey> {
        let folder = tempfile::tempdir().expect("a folder");
        Some(RecordKey::read_or_make(&folder.path().join("records.key")).expect("made"))
    }

    fn made(key: &str) -> Line {
        let [description, name, file, sha256, at] =
            ["Buy", "Name", "name.py", "00", "now"].map(str::to_owned);
        Line::Made { key: key.to_owned(), description, name, file, sha256, at }
    }

    #[test]
    fn a_line_that_was_cut_off_anywhere_costs_itself_alone() {
        let (folder, key) = (tempfile::tempdir().expect("a folder"), key());
        let path = folder.path().join(LOG);
        let log = Log::open(folder.path(), key.clone()).expect("open");
        log.write(&made("a")).expect("written");
        log.write(&made("b")).expect("written");
        drop(log);
        let whole = std::fs::read(&path).expect("read");
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("cut");
            let log =
                Log::open(folder.path(), key.clone()).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
            let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
            // The last one may be whole but for its end.
            let known = usize::from(log.past("a").made.is_some()) + usize::from(log.past("b").made.is_some());
            assert!(known == lines.saturating_sub(1) || known == lines, "cut at {cut}: {known} of {lines}");
            log.write(&made("c")).expect("written");
            drop(log);
            assert!(
                Log::open(folder.path(), key.clone()).expect("open").past("c").made.is_some(),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn one_batch_at_a_time_and_no_file_of_somebody_else() {
        let (folder, key) = (tempfile::tempdir().expect("a folder"), key());
        let log = Log::open(folder.path(), key.clone()).expect("open");
        assert!(matches!(Log::open(folder.path(), key.clone()), Err(LogError::Busy { .. })));
        drop(log);
        for theirs in ["{}\n", "notes\n", "{\"event\":\"begun\",\"schema\":2,\"tool\":\"\"}\n"] {
            std::fs::write(folder.path().join(LOG), theirs).expect("theirs");
            let opened = Log::open(folder.path(), key.clone());
            if theirs.contains("begun") {
                // A newer one.
                assert!(matches!(opened, Err(LogError::Foreign { .. })));
            }
            assert!(opened.is_err(), "{theirs}");
            assert_eq!(std::fs::read_to_string(folder.path().join(LOG)).expect("read"), theirs);
        }
    }
}
