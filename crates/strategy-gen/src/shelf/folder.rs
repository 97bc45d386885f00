//! The strategies of a folder.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use keyrot::UntrustedText;
use serde::{Serialize, Serializer};

use super::{Sidecar, digest};
use crate::check::MAX_SOURCE;
use crate::python::{description_in, header_of};

/// A strategy's file, and what is known of it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Book {
    /// The file.
    #[serde(serialize_with = "as_shown")]
    pub path: PathBuf,
    /// The class, where its sidecar names it, else the name of the file.
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
            Self::Unknown => "no record",
        }
    }
}

/// The strategies in `folder`, by name of the file; what neither has our header nor a sidecar is none.
///
/// # Errors
/// What the system says of the folder; a file that cannot be read is left out.
pub fn books(folder: &Path) -> io::Result<Vec<Book>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .collect();
    paths.sort();
    Ok(paths.iter().filter_map(|path| Book::open(path).ok()).filter(Book::is_strategy).collect())
}

impl Book {
    /// What is known of the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no text of a size that a strategy has.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut source = String::new();
        if !fs::metadata(path)?.is_file() {
            // Opening a pipe would wait for whoever writes to it.
            return Err(io::Error::other("it is no regular file"));
        }
        // It may have no end.
        File::open(path)?.take(MAX_SOURCE as u64 + 1).read_to_string(&mut source)?;
        let (sidecar, problem) = match Sidecar::read(path) {
            Ok(sidecar) => (sidecar, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let sha256 = digest(&source);
        let condition = match &sidecar {
            Some(sidecar) if sidecar.sha256 == sha256 => Condition::Saved,
            Some(_) => Condition::Changed,
            None => Condition::Unknown,
        };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let described = description_in(header_of(&source).0);
        Ok(Self {
            path: path.to_owned(),
            name: sidecar.as_ref().map_or_else(|| stem.into_owned(), |sidecar| sidecar.name.to_string()),
            description: sidecar
                .as_ref()
                .map(|sidecar| sidecar.description.clone())
                .or_else(|| described.map(UntrustedText::whole)),
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
