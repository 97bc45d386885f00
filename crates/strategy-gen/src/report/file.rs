//! Pages as files: one of ours may be replaced by the next, and nothing else.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::path::Path;

use keyrot::file::{self, Links};

use super::is_page;
use crate::output::{Existing, WriteError, can_write, write};

/// As much of a file as tells whether it is a page of ours, in bytes.
const BEGINNING: u64 = 2_048;

/// Looks whether [`save`] has a chance, without writing.
///
/// # Errors
/// As [`save`].
pub fn can_save(path: &Path) -> Result<(), WriteError> {
    can_write(path, existing(path)).map_err(of_a_page)
}

/// Writes a page.
///
/// # Errors
/// [`WriteError::NotAPage`] where something else is; nothing was written then.
pub fn save(path: &Path, page: &str) -> Result<(), WriteError> {
    write(path, page, existing(path)).map_err(of_a_page)
}

fn of_a_page(error: WriteError) -> WriteError {
    match error {
        WriteError::Exists { path } => WriteError::NotAPage { path },
        error => error,
    }
}

fn existing(path: &Path) -> Existing {
    let mut beginning = Vec::new();
    // A link may lead to a page in another folder, which is not the one that was asked for.
    let read = file::open(path, Links::Refuse, OpenOptions::new().read(true))
        .and_then(|file| Ok(file.take(BEGINNING).read_to_end(&mut beginning)?));
    match read {
        Ok(_) if is_page(&String::from_utf8_lossy(&beginning)) => Existing::Replace,
        _ => Existing::Keep,
    }
}
