//! Builds without SQLite keep no history.

use std::path::Path;

use super::{Entries, Entry, HistoryError};

/// A history that cannot be opened in this build.
#[derive(Debug)]
pub enum History {}

impl History {
    /// Refuses.
    ///
    /// # Errors
    /// [`HistoryError::NotInThisBuild`], always.
    pub fn open(_: &Path) -> Result<Self, HistoryError> {
        Err(HistoryError::NotInThisBuild)
    }

    /// Keeps an entry; gives its number.
    ///
    /// # Errors
    /// None: there is no history to call it on.
    pub fn keep(&self, _: &Entry) -> Result<i64, HistoryError> {
        match *self {}
    }

    /// The newest entries, at most `limit`.
    ///
    /// # Errors
    /// None: there is no history to call it on.
    pub fn entries(&self, _: Option<&str>, _: u32) -> Result<Entries, HistoryError> {
        match *self {}
    }

    /// The entry with this number.
    ///
    /// # Errors
    /// None: there is no history to call it on.
    pub fn entry(&self, _: i64) -> Result<Option<Entry>, HistoryError> {
        match *self {}
    }

    /// The newest entries about a file.
    ///
    /// # Errors
    /// None: there is no history to call it on.
    pub fn about(&self, _: &str, _: u32) -> Result<Entries, HistoryError> {
        match *self {}
    }

    /// Forgets everything; gives how much that was.
    ///
    /// # Errors
    /// None: there is no history to call it on.
    pub fn clear(&self) -> Result<usize, HistoryError> {
        match *self {}
    }
}
