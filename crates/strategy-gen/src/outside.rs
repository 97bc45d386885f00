//! Programs of the system, started outside of the current folder.
//!
//! Python, pip, uv and the wrappers of pyenv look for modules and settings in the folder they are started in, and some
//! of them in its parents. That folder may have come from a stranger, so none of them is started there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where they are started: nothing but the system puts files here, and it has no parent.
const ROOT: &str = "/";

/// The program with an empty environment, to be started in the root of the file system. A bare name, and every relative
/// part of `PATH`, is looked up from there; see [`absolute`] for a path.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(ROOT).env_clear();
    command
}

/// A path that means the same outside of the current folder. A bare name, which is looked up on `PATH`, stays one.
pub(crate) fn absolute(program: &Path) -> PathBuf {
    let is_bare =
        program.components().count() <= 1 && !program.as_os_str().as_encoded_bytes().contains(&b'/');
    // Fails where there is no current folder, and then a relative path leads nowhere anyway.
    if is_bare {
        program.to_owned()
    } else {
        std::path::absolute(program).unwrap_or_else(|_| program.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_its_meaning_and_a_name_stays_a_name() {
        for name in ["python3", "/usr/bin/python3"] {
            assert_eq!(absolute(Path::new(name)), Path::new(name));
        }
        let here = std::env::current_dir().expect("a folder");
        for path in ["./python3", "venv/bin/python"] {
            let full = absolute(Path::new(path));
            assert!(full.is_absolute() && full.starts_with(&here), "{}", full.display());
        }
    }
}
