//! Why a step on the file did not happen: somebody else is writing, or the file is no good any more.

use std::thread;
use std::time::Duration;

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
    /// Whether it is only that another process is writing.
    pub(super) fn is_busy(error: &Error) -> bool {
        matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// A row of `table` makes no sense.
    pub(super) fn nonsense(table: &str) -> Self {
        Self::Broken(format!("a row of table `{table}` makes no sense"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if Self::is_busy(&error) { Self::Busy } else { Self::Broken(error.to_string()) }
    }
}

pub(super) type Done<T = ()> = Result<T, Failure>;

/// Waits a little for another process: the longer, the more often it was looked at the lock.
pub(super) fn wait(looks: i32) {
    let longest = (400_u64 << looks.clamp(0, 4)).min(5_000);
    thread::sleep(Duration::from_micros(fastrand::u64(200..=longest)));
}
