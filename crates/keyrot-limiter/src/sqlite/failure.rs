//! Why a step on the file did not happen: somebody else is writing, or the file is no good any more.

use rusqlite::{Error, ErrorCode};

/// What went wrong.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another process is writing: try again.
    Busy,
    /// The file cannot be used any more.
    Broken(String),
}

impl Failure {
    /// A row of `table` makes no sense.
    pub(super) fn nonsense(table: &str) -> Self {
        Self::Broken(format!("a row of table `{table}` makes no sense"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Broken(error.to_string()),
        }
    }
}

pub(super) type Done<T = ()> = Result<T, Failure>;
