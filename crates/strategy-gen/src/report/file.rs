//! Pages as files: one of ours may be replaced by the next, and nothing else.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

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
    // Opening a pipe would wait for whoever writes to it.
    if !fs::metadata(path).is_ok_and(|there| there.is_file()) {
        return Existing::Keep;
    }
    let mut beginning = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning));
    match read {
        Ok(_) if is_page(&String::from_utf8_lossy(&beginning)) => Existing::Replace,
        _ => Existing::Keep,
    }
}
