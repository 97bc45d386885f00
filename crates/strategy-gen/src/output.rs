//! Saving a file whole or not at all.
//!
//! The text goes to a temporary file in the same directory, is flushed to the disk, and takes its name in one step. A
//! crash leaves the old file or the new one, never half of one.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use crate::interpreter::Python;
use crate::python::{ClassName, is_installed};

/// What to do when the file exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it and fail.
    Keep,
    /// Replace it, keeping its permissions; a symbolic link is followed.
    Replace,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file exists and may not be replaced.
    #[error(
        "`{}` exists; hint: choose another name with `-o`, or replace it with `--force`",
        keyrot::untrusted::path(path)
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is something else than a page of ours, which alone is replaced.
    #[error(
        "`{}` exists and is no page of strategy-gen; hint: choose another name",
        keyrot::untrusted::path(path)
    )]
    NotAPage {
        /// The file.
        path: PathBuf,
    },
    /// The path is a directory.
    #[error("`{}` is a directory; hint: name a file in it", keyrot::untrusted::path(path))]
    IsDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The path is neither a file nor free, such as a device or a pipe, and must not be replaced by a file.
    #[error("`{}` is no regular file; hint: name one that is", keyrot::untrusted::path(path))]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The directory of the path does not exist.
    #[error("the directory `{}` does not exist; hint: create it first", keyrot::untrusted::path(directory))]
    NoDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory or the file may not be written.
    #[error("no permission to write `{}`; hint: choose another place", keyrot::untrusted::path(path))]
    Denied {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else, such as a full disk.
    #[error("cannot write `{}`: {source}; hint: choose another place", keyrot::untrusted::path(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The file name for a strategy in `folder` when the user gives none: `RsiStrategy` becomes `rsi_strategy.py`, or gets
/// a number where that would hide something that is installed for `python`.
pub fn file_name(class: &ClassName, folder: &Path, python: Option<&Python>) -> PathBuf {
    let name = PathBuf::from(format!("{}.py", class.file_stem()));
    let hides = |name: &PathBuf| {
        let stem = name.file_stem().unwrap_or_default().to_string_lossy();
        python.is_some_and(|python| is_installed(&python.modules, folder, &stem))
    };
    let free = free_names(&name).find(|name| !hides(name));
    free.unwrap_or(name)
}

/// The file name for an answer that is not good: of the class the user asked for, else of the first in the `draft`.
pub fn draft_name(class: Option<&str>, draft: &str) -> PathBuf {
    let class = class.map(ClassName::new).or_else(|| ClassName::first_in(draft));
    // What has a dot in its name cannot be imported.
    PathBuf::from(format!("{}.draft.py", class.unwrap_or_else(|| ClassName::new("")).file_stem()))
}

/// Whether `name` names a file in a folder and can lead nowhere else: a single part of a path on every system.
pub(crate) fn is_bare_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let is_one =
        matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    is_one && !name.contains(['/', '\\', ':', '\0'])
}

/// Looks whether [`write()`] has a chance, without writing: before a call is paid for.
///
/// # Errors
/// [`WriteError`] as [`write()`] would give it, as far as it can be told now.
pub fn can_write(path: &Path, existing: Existing) -> Result<(), WriteError> {
    let target = Target::of(path, existing)?;
    // A link that leads nowhere is in the way as well.
    if existing == Existing::Keep && fs::symlink_metadata(&target.file).is_ok() {
        return Err(WriteError::Exists { path: path.to_owned() });
    }
    can_write_in(&target.directory).map_err(|source| failure(path, source))
}

/// `path`, then the same with a number before its ending: `a.py`, `a_2.py`, `a_3.py`, without end.
pub fn free_names(path: &Path) -> impl Iterator<Item = PathBuf> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    let numbered = (2_u32..).map(move |n| format!("{stem}_{n}{ending}"));
    std::iter::once(path.to_owned()).chain(numbered.map(|name| path.with_file_name(name)))
}

/// Writes the file under the first of its [`free_names`], of which only the first one may be taken by an `existing`
/// file; gives the name. For what nobody chose the name of, and what was paid for.
///
/// # Errors
/// [`WriteError`], but never that a file exists.
pub fn write_free(path: &Path, text: &str, existing: Existing) -> Result<PathBuf, WriteError> {
    let mut existing = existing;
    for name in free_names(path) {
        match write(&name, text, existing) {
            Ok(()) => return Ok(name),
            Err(WriteError::Exists { .. } | WriteError::IsDirectory { .. }) => existing = Existing::Keep,
            Err(error) => return Err(error),
        }
    }
    Err(WriteError::Exists { path: path.to_owned() })
}

/// Looks whether files can be made in a directory.
///
/// # Errors
/// What the system says.
pub fn can_write_in(directory: &Path) -> io::Result<()> {
    tempfile::tempfile_in(directory).map(drop)
}

/// The file that is written, links followed.
struct Target {
    file: PathBuf,
    directory: PathBuf,
    /// Those of the file that is replaced.
    permissions: Option<Permissions>,
}

impl Target {
    fn of(path: &Path, existing: Existing) -> Result<Self, WriteError> {
        // `a/` names a directory even where `a` does not exist.
        if path.is_dir() || path.as_os_str().to_string_lossy().ends_with(std::path::is_separator) {
            return Err(WriteError::IsDirectory { path: path.to_owned() });
        }
        let file = match (existing, fs::canonicalize(path)) {
            (Existing::Replace, Ok(real)) => real,
            _ => path.to_owned(),
        };
        let directory = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        if !directory.is_dir() {
            return Err(WriteError::NoDirectory { directory });
        }
        if file.file_name().is_none() {
            return Err(WriteError::IsDirectory { path: path.to_owned() });
        }
        let old = fs::metadata(&file).ok();
        if existing == Existing::Replace
            && let Some(old) = &old
        {
            if !old.is_file() {
                return Err(WriteError::NotAFile { path: path.to_owned() });
            }
            if old.permissions().readonly() {
                return Err(failure(path, io::ErrorKind::PermissionDenied.into()));
            }
        }
        Ok(Self { file, directory, permissions: old.map(|old| old.permissions()) })
    }
}

/// Writes the file.
///
/// # Errors
/// [`WriteError`]; nothing was written then, and no temporary file is left.
pub fn write(path: &Path, text: &str, existing: Existing) -> Result<(), WriteError> {
    let failed = |source: io::Error| failure(path, source);
    let Target { file: target, directory, permissions } = Target::of(path, existing)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".strategy-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(&directory).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions).map_err(failed)?;
    }
    file.as_file().sync_all().map_err(failed)?;
    let named = match existing {
        Existing::Replace => file.persist(&target),
        Existing::Keep => file.persist_noclobber(&target),
    };
    named.map_err(|error| failed(error.error))?;
    // The name itself lives in the directory; where a directory cannot be synced, the file is still whole.
    if let Ok(directory) = File::open(&directory) {
        let _ = directory.sync_all();
    }
    Ok(())
}

fn failure(path: &Path, source: io::Error) -> WriteError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::AlreadyExists => WriteError::Exists { path },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            WriteError::Denied { path, source }
        }
        io::ErrorKind::IsADirectory => WriteError::IsDirectory { path },
        _ => WriteError::Io { path, source },
    }
}

#[cfg(test)]
mod tests;
