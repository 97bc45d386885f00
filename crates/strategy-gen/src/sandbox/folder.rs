//! The folder of a run: closed to other users, watched while it is filled, and removed whatever was put into it.
//!
//! A strategy may nest folders deeper than a path can name or a stack can follow, and take its own permissions away.
//! So nothing here follows names or recurses further than [`DEEPEST`]: folders are opened from their parents, and a
//! folder is removed after its subfolders were moved out of it.

use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// What the names of the folders of runs begin with.
const PREFIX: &str = "keyrot-run-";
/// The most files that a run may have at a time.
pub(super) const FILES: u64 = 1_000;
/// The most bytes that they may hold.
pub(super) const BYTES: u64 = 64 << 20;
/// The deepest that folders may be nested where they are counted.
const DEEPEST: u32 = 32;

/// The folder of one run. Whoever ends it without [`close`](Self::close) does not learn what could not be removed.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    /// Locked as long as the run lasts: an unlocked folder is the leftover of a program that was killed.
    folder: Option<OwnedFd>,
}

impl RunFolder {
    /// Makes a folder that its owner alone can enter, whatever the umask.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn create(temporary: &Path) -> io::Result<Self> {
        for _ in 0..16 {
            let permissions = fs::Permissions::from_mode(0o700);
            let made =
                tempfile::Builder::new().prefix(PREFIX).permissions(permissions).tempdir_in(temporary)?;
            // Removing it is for us: the crate would recurse.
            let path = made.keep();
            let folder = open(rustix::fs::CWD, path.as_os_str())?;
            rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive)?;
            // Another program may have taken it for a leftover before it was locked.
            if same(&folder, &path) {
                let path = fs::canonicalize(path)?;
                return Ok(Self { path, folder: Some(folder) });
            }
        }
        Err(io::Error::other("the folder of the run is removed as soon as it is made"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder inside it, closed to other users as well.
    pub(crate) fn subfolder(&self, name: &str) -> io::Result<PathBuf> {
        use std::os::unix::fs::DirBuilderExt as _;
        let path = self.path.join(name);
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(path)
    }

    /// Removes it.
    ///
    /// # Errors
    /// What the system says; then something is left.
    pub(crate) fn close(mut self) -> io::Result<()> {
        self.remove()
    }

    fn remove(&mut self) -> io::Result<()> {
        match self.folder.take() {
            Some(folder) => remove(&folder, &self.path),
            None => Ok(()),
        }
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // The run has failed by itself, which is told; the next start of the program tries again.
        let _ = self.remove();
    }
}

/// Removes the folders of runs whose program was killed; names those that it could not remove, with the reason.
pub(crate) fn sweep(temporary: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(temporary) else { return Vec::new() };
    let ours =
        entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    let mut left = Vec::new();
    for path in ours.map(|entry| entry.path()) {
        // Another user's, a link, or one that has gone meanwhile is none of our business.
        let Ok(folder) = open(rustix::fs::CWD, path.as_os_str()) else { continue };
        let mine =
            rustix::fs::fstat(&folder).is_ok_and(|about| about.st_uid == rustix::process::geteuid().as_raw());
        if mine
            && rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok()
            && let Err(error) = remove(&folder, &path)
        {
            left.push(format!(
                "cannot remove `{}`, which a run that was killed has left: {error}",
                keyrot::untrusted::path(&path)
            ));
        }
    }
    left
}

/// How much the folder of a run holds, counted from outside.
#[derive(Debug)]
pub(crate) struct Room(OwnedFd);

/// What was counted so far.
#[derive(Default)]
struct Count {
    files: u64,
    bytes: u64,
}

/// There is too much, or something that cannot be counted.
struct Exceeded;

impl Room {
    /// Of a folder that nothing has been put into.
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
        open(rustix::fs::CWD, folder.as_os_str()).map(Self)
    }

    /// Whether there is too much by now. What cannot be looked into counts as too much; what vanishes meanwhile, as
    /// nothing.
    pub(super) fn is_exceeded(&mut self) -> bool {
        Count::default().add(&self.0, 0).is_err()
    }
}

impl Count {
    fn add(&mut self, folder: &OwnedFd, depth: u32) -> Result<(), Exceeded> {
        if depth > DEEPEST {
            return Err(Exceeded);
        }
        for entry in Dir::read_from(folder).map_err(|_| Exceeded)? {
            let Ok(entry) = entry else { return Err(Exceeded) };
            let name = entry.file_name();
            if is_itself(name) {
                continue;
            }
            let about = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(about) => about,
                Err(Errno::NOENT) => continue,
                Err(_) => return Err(Exceeded),
            };
            self.files += 1;
            if FileType::from_raw_mode(about.st_mode) == FileType::Directory {
                match open(folder, name) {
                    Ok(inner) => self.add(&inner, depth + 1)?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(_) => return Err(Exceeded),
                }
            } else {
                self.bytes = self.bytes.saturating_add(u64::try_from(about.st_size).unwrap_or(u64::MAX));
            }
            if self.files > FILES || self.bytes > BYTES {
                return Err(Exceeded);
            }
        }
        Ok(())
    }
}

fn is_itself(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// A folder, and not what a link leads to.
fn open(parent: impl std::os::fd::AsFd, name: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
}

fn same(folder: &OwnedFd, path: &Path) -> bool {
    let (here, there) = (rustix::fs::fstat(folder), rustix::fs::lstat(path));
    matches!((here, there), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

/// Removes a folder that is open, with all that is in it. Every folder found is moved to the top before it is emptied,
/// so that neither the depth of the nesting nor the length of a path matters.
fn remove(top: &OwnedFd, path: &Path) -> io::Result<()> {
    rustix::fs::fchmod(top, Mode::RWXU)?;
    let mut waiting: VecDeque<CString> = empty(top)?.into();
    let mut last = 0_u64;
    while let Some(name) = waiting.pop_front() {
        let folder = open_at_any_cost(top, &name)?;
        for inner in empty(&folder)? {
            // Its parent is written into it, so that it must be writable to be moved.
            drop(open_at_any_cost(&folder, &inner)?);
            let free = loop {
                last += 1;
                let name = CString::new(format!(".removed-{last}")).map_err(io::Error::other)?;
                if rustix::fs::statat(top, &name, AtFlags::SYMLINK_NOFOLLOW).is_err() {
                    break name;
                }
            };
            rustix::fs::renameat(&folder, &inner, top, &free)?;
            waiting.push_back(free);
        }
        rustix::fs::unlinkat(top, &name, AtFlags::REMOVEDIR)?;
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Removes the files of a folder, and names the folders in it.
fn empty(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    // Listed to the end first: a listing may miss what changes under it.
    let names: Result<Vec<CString>, _> =
        Dir::read_from(folder)?.map(|entry| entry.map(|entry| entry.file_name().to_owned())).collect();
    let mut folders = Vec::new();
    for name in names?.into_iter().filter(|name| !is_itself(name)) {
        let about = rustix::fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(about.st_mode) == FileType::Directory {
            folders.push(name);
        } else {
            rustix::fs::unlinkat(folder, &name, AtFlags::empty())?;
        }
    }
    Ok(folders)
}

/// A folder that its owner may have closed to himself.
fn open_at_any_cost(parent: &OwnedFd, name: &CStr) -> io::Result<OwnedFd> {
    let folder = match open(parent, name) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
            open(parent, name)?
        }
        opened => opened?,
    };
    rustix::fs::fchmod(&folder, Mode::RWXU)?;
    Ok(folder)
}

#[cfg(test)]
mod tests;
