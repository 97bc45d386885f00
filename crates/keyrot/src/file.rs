//! Reading and opening files that a user named, without waiting for ever.
//!
//! A path may lead to a named pipe that nobody writes to, to a device without an end, or to a socket. All of them are
//! refused once they are open, by what the descriptor is, and opening them does not wait either.
//!
//! ```
//! use keyrot::file::{Links, ReadError, read};
//! let error = read(std::path::Path::new("/"), Links::Follow, 10).unwrap_err();
//! assert!(matches!(error, ReadError::NotAFile("a directory")));
//! assert_eq!(error.to_string(), "it is a directory, not a regular file");
//! ```

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// No list of keys is larger, in bytes: 4 MiB are some ten thousand.
pub const LARGEST_KEYS_FILE: u64 = 4 << 20;

/// Whether a symbolic link is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Yes, and a pipe of the shell's (`<(...)`, `/dev/stdin`) is read like a file: for what the user named.
    Follow,
    /// No: for what the program named itself, in a folder that others may have filled.
    Refuse,
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// What the system said.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is something else, such as `a directory`.
    #[error("it is {0}, not a regular file")]
    NotAFile(&'static str),
    /// It has more bytes than were asked for.
    #[error("it is larger than {}", in_units(*.most))]
    TooLarge {
        /// The most that is read, in bytes.
        most: u64,
    },
}

impl ReadError {
    /// Whether there is no file of that name.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

fn in_units(bytes: u64) -> String {
    match bytes {
        small if small < 1 << 20 => format!("{} KiB", small >> 10),
        large => format!("{} MiB", large >> 20),
    }
}

/// Reads a whole file of at most `most` bytes.
///
/// # Errors
/// [`ReadError`]; no more than one byte above `most` was read then.
pub fn read(path: &Path, links: Links, most: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    open(path, links, OpenOptions::new().read(true))?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(ReadError::TooLarge { most }) } else { Ok(bytes) }
}

/// Opens a regular file as `options` say.
///
/// # Errors
/// [`ReadError`], but never that it is too large.
pub fn open(path: &Path, links: Links, options: &mut OpenOptions) -> Result<File, ReadError> {
    let file = open_at_once(path, links, options)?;
    let what = file.metadata()?;
    match other_than_file(&what) {
        None => Ok(file),
        Some("a named pipe") if links == Links::Follow && is_of_the_shell(path) => Ok(waiting(file)?),
        Some(other) => Err(ReadError::NotAFile(other)),
    }
}

/// Whether the path means a descriptor that this process was given.
fn is_of_the_shell(path: &Path) -> bool {
    path == Path::new("/dev/stdin")
        || ["/dev/fd", "/proc/self/fd"].iter().any(|folder| path.parent() == Some(Path::new(folder)))
}

#[cfg(unix)]
fn open_at_once(path: &Path, links: Links, options: &mut OpenOptions) -> Result<File, ReadError> {
    use std::os::unix::fs::OpenOptionsExt as _;

    use rustix::fs::OFlags;
    use rustix::io::Errno;

    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    if links == Links::Refuse {
        flags |= OFlags::NOFOLLOW;
    }
    options.custom_flags(flags.bits().cast_signed());
    options.open(path).map_err(|error| match Errno::from_io_error(&error) {
        // A socket, or a device that is not there.
        Some(Errno::NXIO) => {
            let other = std::fs::metadata(path).ok().as_ref().and_then(other_than_file);
            other.map_or_else(|| error.into(), ReadError::NotAFile)
        }
        Some(Errno::LOOP) if links == Links::Refuse => ReadError::NotAFile("a symbolic link"),
        Some(Errno::ISDIR) => ReadError::NotAFile("a directory"),
        _ => error.into(),
    })
}

/// Reads wait for the writer again: opening did not.
#[cfg(unix)]
fn waiting(file: File) -> io::Result<File> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

#[cfg(unix)]
fn other_than_file(what: &Metadata) -> Option<&'static str> {
    use std::os::unix::fs::FileTypeExt as _;

    match what.file_type() {
        kind if kind.is_file() => None,
        kind if kind.is_dir() => Some("a directory"),
        kind if kind.is_fifo() => Some("a named pipe"),
        kind if kind.is_socket() => Some("a socket"),
        _ => Some("a device"),
    }
}

#[cfg(not(unix))]
fn open_at_once(path: &Path, links: Links, options: &mut OpenOptions) -> Result<File, ReadError> {
    if links == Links::Refuse && std::fs::symlink_metadata(path).is_ok_and(|what| what.is_symlink()) {
        return Err(ReadError::NotAFile("a symbolic link"));
    }
    Ok(options.open(path)?)
}

#[cfg(not(unix))]
fn waiting(file: File) -> io::Result<File> {
    Ok(file)
}

#[cfg(not(unix))]
fn other_than_file(what: &Metadata) -> Option<&'static str> {
    if what.is_dir() { Some("a directory") } else { None }
}
