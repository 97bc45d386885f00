//! The log of a folder: what became of each description, a line of JSON for each thing that happened.
//!
//! A line is on the disk before what it promises is done, and counts only if that is found: a file, by its digest.
//! So whatever ends the program between two steps, nothing is done twice and nothing is taken for done that is not.
//! A line that was cut off by a crash is no line.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
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

/// No log is larger, in bytes: enough for some hundred thousand descriptions.
const LARGEST: u64 = 256 << 20;
/// No line is longer, in bytes.
const LONGEST_LINE: u64 = 1 << 20;
/// The most lines that are told one by one.
const MOST_TOLD: usize = 20;

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
    /// It is larger than any log that this program keeps, or one of its lines is.
    #[error("`{}` {what}, more than a log holds, and was left as it is\nhint: choose another folder with `-d`", keyrot::untrusted::path(&path))]
    TooLarge {
        /// The log.
        path: PathBuf,
        /// What is too large, as in "has more than 256 MiB".
        what: String,
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
        let file = opened.map_err(|error| match error {
            ReadError::Io(source) => failed(source),
            _ => LogError::Foreign { path: path.clone() },
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LogError::Busy { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let Read { past, warnings, is_begun, is_cut_off, .. } = Read::all(&path, &file, key.as_ref())?;
        let log = Self { path: path.clone(), file: Mutex::new(file), key, past, warnings };
        if is_cut_off {
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

/// What a log says.
#[derive(Default)]
struct Read {
    past: HashMap<String, Past>,
    /// What is wrong with lines that do not count.
    warnings: Vec<String>,
    /// Whether it has its first line.
    is_begun: bool,
    /// Whether its last line has no end.
    is_cut_off: bool,
    /// How many lines do not count for what they say.
    odd: usize,
    /// How many do not count for want of a signature, and the first of them.
    unsigned: (usize, usize),
}

impl Read {
    /// Reads a log line by line. What is not in its folder does not count, nor what was not signed with `signer`; a line
    /// that was cut off is none.
    fn all(path: &Path, file: &File, signer: Option<&RecordKey>) -> Result<Self, LogError> {
        let failed = |source| LogError::Io { path: path.to_owned(), source };
        let too_large = |what| LogError::TooLarge { path: path.to_owned(), what };
        if file.metadata().map_err(failed)?.len() > LARGEST {
            return Err(too_large(format!("has more than {} MiB", LARGEST >> 20)));
        }
        let (mut read, mut beginning) = (Self::default(), String::new());
        // It may have grown since it was asked.
        let (mut lines, mut bytes) = (BufReader::new(file.take(LARGEST)), Vec::new());
        for number in 1_usize.. {
            bytes.clear();
            let length =
                lines.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut bytes).map_err(failed)?;
            if length == 0 {
                break;
            }
            if bytes.len() as u64 > LONGEST_LINE {
                return Err(too_large(format!("has more than {} MiB in line {number}", LONGEST_LINE >> 20)));
            }
            read.is_cut_off = bytes.last() != Some(&b'\n');
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_end_matches(['\r', '\n']);
            let line = serde_json::from_str(text);
            if !read.is_begun {
                match &line {
                    Ok(Line::Begun { schema: 1, .. }) => read.is_begun = true,
                    Ok(_) => return Err(LogError::Foreign { path: path.to_owned() }),
                    // No more is needed to tell how it begins.
                    Err(_) if beginning.len() < BEGINNING.len() => beginning.push_str(text.trim_end()),
                    Err(_) => {}
                }
            }
            match line {
                Ok(Line::Begun { .. } | Line::Failed { .. }) => {}
                Err(_) if !text.ends_with('}') => {}
                // It quotes what it does not know.
                Err(error) => read.tell(path, number, &untrusted::UntrustedText::from(error.to_string())),
                Ok(line) => match line.file().filter(|name| !is_bare_name(name)) {
                    Some(name) => {
                        let why = format!("`{}` is not the plain name of a file", untrusted::path(name));
                        read.tell(path, number, &why);
                    }
                    None if signer.is_some_and(|signer| signer.signed(Signer::Log, text)) => {
                        line.remember(&mut read.past);
                    }
                    None if read.unsigned.0 == 0 => read.unsigned = (1, number),
                    None => read.unsigned.0 += 1,
                },
            }
        }
        // A crash may have cut off the very first line.
        if !read.is_begun && !BEGINNING.starts_with(&beginning) && !beginning.starts_with(BEGINNING) {
            return Err(LogError::Foreign { path: path.to_owned() });
        }
        read.sum_up(path);
        Ok(read)
    }

    fn tell(&mut self, path: &Path, number: usize, why: &dyn std::fmt::Display) {
        self.odd += 1;
        if self.odd <= MOST_TOLD {
            let shown = untrusted::path(path);
            self.warnings.push(format!("`{shown}`, line {number}, does not count: {why}"));
        }
    }

    /// Tells of the lines that were not told one by one.
    fn sum_up(&mut self, path: &Path) {
        let shown = untrusted::path(path);
        if let Some(more) = self.odd.checked_sub(MOST_TOLD).filter(|more| *more > 0) {
            self.warnings.push(format!("`{shown}`: {more} more lines do not count"));
        }
        if let (count @ 1.., first) = self.unsigned {
            self.warnings.push(format!(
                "{count} of the lines in `{shown}` do not count, the first is line {first}: they were not written by \
                 this installation, or were changed since\nhint: what they describe is made again"
            ));
        }
    }
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
    fn a_log_that_is_too_large_is_refused_unread() {
        let (folder, key) = (tempfile::tempdir().expect("a folder"), key());
        drop(Log::open(folder.path(), key.clone()).expect("open"));
        let path = folder.path().join(LOG);
        let begun = std::fs::metadata(&path).expect("made").len();
        let file = OpenOptions::new().write(true).open(&path).expect("open");
        let told = |size: u64, what: &str| {
            file.set_len(size).expect("a sparse file");
            let refused = Log::open(folder.path(), key.clone()).expect_err("too large").to_string();
            assert!(refused.contains(what) && refused.contains("hint: "), "{refused}");
            assert_eq!(std::fs::metadata(&path).expect("there").len(), size, "left as it was");
        };
        told(1 << 40, "has more than 256 MiB");
        told(LARGEST + 1, "has more than 256 MiB");
        told(LARGEST, "has more than 1 MiB in line 2");
        told(begun + LONGEST_LINE + 1, "has more than 1 MiB in line 2");
        file.set_len(begun).expect("shortened");
        let begun = std::fs::read_to_string(&path).expect("read");
        std::fs::write(&path, begun + &"{}\n".repeat(100_000)).expect("written");
        let log = Log::open(folder.path(), key.clone()).expect("a log");
        assert_eq!(log.warnings.len(), MOST_TOLD + 1, "{:?}", log.warnings);
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
