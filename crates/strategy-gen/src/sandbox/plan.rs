//! What the hidden stage is told to do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Layers;

/// How much a run may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From start to end.
    pub wall: Duration,
    /// Address space, in bytes.
    pub memory: u64,
}

impl Default for Limits {
    /// A minute, 2 GiB.
    fn default() -> Self {
        Self { wall: Duration::from_secs(60), memory: 2 << 30 }
    }
}

/// The files of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Paths {
    /// May be read, with all below.
    pub(crate) read: Vec<PathBuf>,
    /// May be started.
    pub(crate) execute: Vec<PathBuf>,
    /// May be filled and emptied.
    pub(crate) scratch: PathBuf,
}

/// Everything the stage needs to know; handed over as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) layers: Layers,
    pub(crate) paths: Paths,
    /// Bytes of address space.
    pub(crate) memory: u64,
    /// Seconds of the processor.
    pub(crate) cpu: u64,
    pub(crate) program: PathBuf,
    /// The number of the channel's descriptor is added at the end.
    pub(crate) args: Vec<String>,
    /// The process that starts the stage: it must still be there.
    pub(crate) parent: u32,
}

/// The hidden stage's name on the command line.
pub(crate) const STAGE: &str = "__sandbox-stage";

/// The largest file that can be written.
pub(super) const FILE_BYTES: u64 = 16 << 20;
/// The most files that can be open.
pub(super) const OPEN_FILES: u64 = 256;
/// The most threads.
pub(super) const THREADS: u32 = 128;

/// Where a system keeps the libraries that Python loads, and what those read.
const SYSTEM: [&str; 8] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/urandom",
];

/// What loads a program that is linked dynamically.
const LOADERS: [&str; 5] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-linux-x86-64.so.2",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];

impl Paths {
    /// For an interpreter that reads `modules`, and a run with its own `input` and `scratch` folders. What holds the
    /// user's home is left out whoever names it.
    pub(crate) fn new(
        executable: &Path,
        modules: &[PathBuf],
        input: &Path,
        scratch: &Path,
        home: Option<&Path>,
    ) -> Self {
        let too_much = |path: &Path| {
            path.parent().is_none() || home.is_some_and(|home| home.starts_with(path)) || !path.is_absolute()
        };
        let mut read: Vec<PathBuf> = modules.iter().filter(|path| !too_much(path)).cloned().collect();
        read.extend(SYSTEM.iter().map(PathBuf::from));
        read.push(input.to_owned());
        let mut execute = vec![executable.to_owned()];
        execute.extend(LOADERS.iter().map(PathBuf::from));
        Self { read, execute, scratch: scratch.to_owned() }
    }
}

/// The rules for macOS's `sandbox-exec`: nothing but what is named.
pub(super) fn profile(paths: &Paths) -> String {
    let quoted = |path: &Path| {
        let text = path.display().to_string();
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    };
    let mut text = "(version 1)\n(deny default)\n(allow sysctl-read)\n(allow file-read-metadata)\n\
        (allow file-read* (subpath \"/System\") (subpath \"/usr/lib\") (literal \"/dev/urandom\") (literal \"/dev/null\"))\n\
        (allow signal (target self))\n"
        .to_owned();
    for path in &paths.read {
        text.push_str(&format!("(allow file-read* (subpath {}))\n", quoted(path)));
    }
    for path in &paths.execute {
        let path = quoted(path);
        text.push_str(&format!(
            "(allow process-exec (literal {path}))\n(allow file-read* (literal {path}))\n"
        ));
    }
    let scratch = quoted(&paths.scratch);
    text.push_str(&format!(
        "(allow file-read* (subpath {scratch}))\n(allow file-write* (subpath {scratch}))\n"
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_holds_the_home_is_not_opened() {
        let modules = ["/", "/home", "/home/me", "/home/me/venv/lib", "lib"].map(PathBuf::from);
        let paths = Paths::new(
            Path::new("/usr/bin/python3"),
            &modules,
            Path::new("/t/in"),
            Path::new("/t/out"),
            Some(Path::new("/home/me")),
        );
        let ours: Vec<_> =
            paths.read.iter().filter(|path| !SYSTEM.iter().any(|s| path.as_path() == Path::new(s))).collect();
        assert_eq!(ours, [Path::new("/home/me/venv/lib"), Path::new("/t/in")]);
    }

    #[test]
    fn the_profile_quotes_what_a_path_may_hold() {
        let paths = Paths { read: vec!["/a\"b".into()], execute: vec![], scratch: "/s\\t".into() };
        let text = profile(&paths);
        assert!(text.contains("(subpath \"/a\\\"b\")") && text.contains("(subpath \"/s\\\\t\")"), "{text}");
        assert!(!text.contains("network"), "nothing of the network is allowed: {text}");
    }
}
