//! The strategies of a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use keyrot::UntrustedText;
use keyrot::file::{self, Links, ReadError};
use serde::{Serialize, Serializer};

use super::{RecordKey, Sidecar, digest};
use crate::check::MAX_SOURCE;
use crate::python::{description_in, header_of};

/// A strategy's file, and what is known of it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Book {
    /// The file.
    #[serde(serialize_with = "as_shown")]
    pub path: PathBuf,
    /// The class, where a verified sidecar names it, else the name of the file.
    pub name: String,
    /// The user's words, as far as they are known.
    pub description: Option<UntrustedText>,
    /// Of the file as it is now.
    pub sha256: String,
    /// Whether it is still as it was saved.
    pub condition: Condition,
    /// What the file beside it says.
    pub sidecar: Option<Sidecar>,
    /// Why what is beside it says nothing.
    pub problem: Option<String>,
}

/// Whether a file is still as it was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It is.
    Saved,
    /// Somebody changed it.
    Changed,
    /// What says how it was saved was not written by this installation, or was changed since.
    Unverified,
    /// Nothing says how it was saved.
    Unknown,
}

/// A name need not be UTF-8, and JSON is.
fn as_shown<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl Condition {
    /// In words.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Saved => "as saved",
            Self::Changed => "changed since",
            Self::Unverified => "unverified",
            Self::Unknown => "no record",
        }
    }
}

/// The strategies in `folder`, by name of the file, with `key` to tell their records from anybody's; what neither has our header nor a sidecar is none.
///
/// # Errors
/// What the system says of the folder; a file that cannot be read is left out.
pub fn books(folder: &Path, key: Option<&RecordKey>) -> io::Result<Vec<Book>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .collect();
    paths.sort();
    Ok(paths.iter().filter_map(|path| Book::open(path, key).ok()).filter(Book::is_strategy).collect())
}

impl Book {
    /// What is known of the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no text of a size that a strategy has.
    pub fn open(path: &Path, key: Option<&RecordKey>) -> io::Result<Self> {
        let bytes = file::read(path, Links::Follow, MAX_SOURCE as u64).map_err(|error| match error {
            ReadError::Io(error) => error,
            other => io::Error::other(other),
        })?;
        let source = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))?;
        let (record, problem) = match Sidecar::read(path, key) {
            Ok(record) => (record, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let sha256 = digest(&source);
        let condition = match &record {
            Some(record) if !record.verified => Condition::Unverified,
            Some(record) if record.sidecar.sha256 == sha256 => Condition::Saved,
            Some(_) => Condition::Changed,
            None => Condition::Unknown,
        };
        let sidecar = record.map(|record| match condition {
            // Nobody is to paste a stranger's command into a shell.
            Condition::Unverified => Sidecar { command: UntrustedText::default(), ..record.sidecar },
            _ => record.sidecar,
        });
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let own = sidecar.as_ref().filter(|_| condition != Condition::Unverified);
        let described = description_in(header_of(&source).0);
        Ok(Self {
            path: path.to_owned(),
            name: own.map_or_else(|| stem.into_owned(), |sidecar| sidecar.name.to_string()),
            description: own
                .map(|sidecar| sidecar.description.clone())
                .or_else(|| described.map(UntrustedText::whole))
                .or_else(|| Some(sidecar.as_ref()?.description.clone())),
            sha256,
            condition,
            sidecar,
            problem,
        })
    }

    fn is_strategy(&self) -> bool {
        self.sidecar.is_some() || self.description.is_some()
    }

    /// Whether `name` means this one: its class, its file, or its file without the ending, whatever the case.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        [self.name.as_str(), &stem, &file].iter().any(|own| own.eq_ignore_ascii_case(name))
    }
}
