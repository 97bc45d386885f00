//! The settings of a program: its environment, and a file of settings that a folder brings along.

#[cfg(unix)]
mod pipe;
mod syntax;

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use keyrot_core::{EnvMap, Origin, leak, untrusted};

use crate::settings::{FromFile, ONE_LINE, Variable, is_unshowable, process_env};
use crate::setup::SetupError;
use crate::trust::TRUST;
use syntax::Line;

/// The file of the current folder.
const USUAL: &str = ".env";
/// No file of settings is larger.
const LARGEST: u64 = 256 * 1024;
/// Longest name that is repeated in a message.
const LONGEST_NAME: usize = 64;

/// The environment of a program with what a file adds to it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProgramEnv {
    /// Every variable, with where it came from.
    pub env: EnvMap,
    /// What a user should know: what the file holds and is not taken.
    pub warnings: Vec<String>,
}

/// Reads the environment of the process, and adds declared variables that are not set there from `file`, else from
/// `.env` of the current folder. Nothing in the file is expanded, and nothing is put into the process.
///
/// A file that is named is read whoever it belongs to, and a pipe to its end, as of `--env-file <(command)`. `.env` is read where it belongs to the user or root and nobody
/// else can write it; otherwise it is passed over with a warning. `trust` is what `KEYROT_TRUST_ENV=1` says, as a flag.
///
/// # Errors
/// [`SetupError::Invalid`] when a file that is named cannot be read.
pub fn program_env(file: Option<&Path>, trust: bool) -> Result<ProgramEnv, SetupError> {
    let mut env = process_env();
    if trust {
        env.set_by_flag(TRUST, "true");
    }
    let path = file.unwrap_or(Path::new(USUAL));
    let shown = untrusted::path(path);
    let warnings = match read(path, file.is_none()) {
        Ok(Some(text)) => take(&mut env, &text, &shown),
        Ok(None) => Vec::new(),
        Err(why) if file.is_some() => {
            return Err(SetupError::Invalid(format!(
                "`{shown}` cannot be read: {why}\nhint: name a text file of lines like `NAME=value` with `--env-file`"
            )));
        }
        Err(why) => vec![format!("`{shown}` is not read: {why}")],
    };
    Ok(ProgramEnv { env, warnings })
}

/// The text of the file; `None` where there is no file called `.env`. Everything is asked of the descriptor that is read from, for
/// a name may lead elsewhere the next moment.
fn read(path: &Path, usual: bool) -> Result<Option<String>, String> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if usual && error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let about = file.metadata().map_err(|error| error.to_string())?;
    // Some people's virtual environment has the name.
    if usual && about.is_dir() {
        return Ok(None);
    }
    let bytes = if about.is_file() {
        if usual {
            owned(&about)?;
        }
        let mut bytes = Vec::new();
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        bytes
    } else {
        special(file, &about, usual)?
    };
    if bytes.len() as u64 > LARGEST {
        return Err(format!("it is larger than {} KiB", LARGEST >> 10));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| "it is not UTF-8 text".to_owned())
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // A pipe without a writer would keep the program waiting before it can look at what it opened.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// What is no regular file: a pipe, if it was named.
#[cfg(unix)]
fn special(file: File, about: &Metadata, usual: bool) -> Result<Vec<u8>, String> {
    use std::os::unix::fs::FileTypeExt as _;
    if about.file_type().is_fifo() && !usual {
        return pipe::read(file, LARGEST);
    }
    Err("it is not a regular file".to_owned())
}

#[cfg(not(unix))]
fn special(_file: File, _about: &Metadata, _usual: bool) -> Result<Vec<u8>, String> {
    Err("it is not a regular file".to_owned())
}

/// Refuses a file that somebody else wrote or could write. Its folder does not matter: who may put files there cannot
/// make one that belongs to the user.
#[cfg(unix)]
fn owned(about: &Metadata) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    let hint = "if it is yours all the same, name it: `--env-file .env`";
    if about.uid() != user && about.uid() != 0 {
        return Err(format!("it belongs to another user\nhint: {hint}"));
    }
    let private = || user != 0 && about.gid() == user && is_private(user);
    if about.mode() & 0o002 != 0 || (about.mode() & 0o020 != 0 && !private()) {
        return Err(format!("other users can write it\nhint: `chmod go-w .env`; {hint}"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn owned(_about: &Metadata) -> Result<(), String> {
    Ok(())
}

/// Whether the group with the number of a user is that user's alone, as where new files are writable by their group.
#[cfg(unix)]
fn is_private(group: u32) -> bool {
    let mut text = String::new();
    let read = File::open("/etc/group").and_then(|file| file.take(1 << 20).read_to_string(&mut text));
    let mut lines = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let number = group.to_string();
    read.is_ok() && lines.any(|line| matches!(line[..], [name, _, gid, members] if gid == number && (members.is_empty() || members == name)))
}

/// Takes what may be taken, and tells the rest in a line for each kind.
fn take(env: &mut EnvMap, text: &str, shown: &str) -> Vec<String> {
    let path: Arc<str> = shown.into();
    let (mut odd, mut foreign, mut never, mut unshowable) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for line in syntax::lines(text) {
        let (line, name, value) = match line {
            Line::Variable { line, name, value } => (line, name, value),
            Line::Odd { line } => {
                odd.push(format!("line {line}"));
                continue;
            }
        };
        let variable = Variable::named(name);
        match variable.map(|variable| variable.file) {
            Some(FromFile::Allowed)
                if variable.is_some_and(|variable| is_unshowable(variable, value.trim())) =>
            {
                unshowable.push(format!("`{name}` (line {line})"));
            }
            Some(FromFile::Allowed) => env.add(name, value, Origin::File { path: Arc::clone(&path), line }),
            Some(FromFile::Never) => never.push(format!("`{name}` (line {line})")),
            None if is_showable(name) => foreign.push(format!("`{name}` (line {line})")),
            None => foreign.push(format!("line {line}")),
        }
    }
    let mut warnings = Vec::new();
    if !odd.is_empty() {
        warnings.push(format!("`{shown}`: not `NAME=value`, and ignored: {}", odd.join(", ")));
    }
    if !foreign.is_empty() {
        warnings
            .push(format!("`{shown}`: not settings of this program, and ignored: {}", foreign.join(", ")));
    }
    if !never.is_empty() {
        warnings.push(format!(
            "`{shown}`: never taken from a file, and ignored: {}\nhint: set it in the environment",
            never.join(", ")
        ));
    }
    if !unshowable.is_empty() {
        warnings.push(format!(
            "`{shown}`: a control character or a line break in the value, and ignored: {}\nhint: {ONE_LINE}",
            unshowable.join(", ")
        ));
    }
    warnings
}

/// Whether a name can be repeated: a line of a pasted secret may end with `=` as well, and has letters of both cases.
fn is_showable(name: &str) -> bool {
    let one_case =
        !(name.contains(|c: char| c.is_ascii_lowercase()) && name.contains(|c: char| c.is_ascii_uppercase()));
    one_case && name.len() <= LONGEST_NAME && !leak::looks_like_a_key(name)
}
