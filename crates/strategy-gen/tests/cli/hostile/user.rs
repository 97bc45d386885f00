//! As whom an attack is run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::rig::test_python;

/// Owns nothing, and belongs to nobody.
const NOBODY: u32 = 65_534;

/// A user, with the program and a Python that it can reach.
pub(super) struct User {
    id: Option<u32>,
    program: PathBuf,
    python: PathBuf,
    /// Where copies are, if there had to be any.
    _copies: Option<TempDir>,
}

impl User {
    /// Whoever runs the test.
    pub(super) fn this() -> Self {
        Self {
            id: None,
            program: PathBuf::from(env!("CARGO_BIN_EXE_strategy-gen")),
            python: test_python(),
            _copies: None,
        }
    }

    /// An ordinary user; only root can make one. The program and the packages are copied to where all may read, and
    /// the Python is one of the system's, as root's own home is closed to others.
    pub(super) fn nobody() -> Self {
        let copies = tempfile::tempdir().expect("a folder");
        fs::set_permissions(copies.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        let program = copies.path().join("strategy-gen");
        fs::copy(env!("CARGO_BIN_EXE_strategy-gen"), &program).expect("copied");
        let packages = said(Command::new(test_python()).args([
            "-c",
            "import os, sys, sysconfig; print(sys.version_info[:2], os.path.realpath(sys.executable), \
                sysconfig.get_path('purelib'), sep='\\n')",
        ]));
        let [version, real, packages] = packages.lines().collect::<Vec<_>>()[..] else {
            panic!("{packages}")
        };
        let fits = |python: &&str| {
            let version_of = ["-c", "import sys; print(sys.version_info[:2])"];
            let output = Command::new(python).args(version_of).output();
            open_to_all(Path::new(python))
                && output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == version)
        };
        let python = [real, "/usr/bin/python3", "/usr/local/bin/python3"].into_iter().find(fits);
        let python = python.unwrap_or_else(|| {
            panic!("no Python {version} that every user may start; hint: `apt-get install python3`")
        });
        let environment = copies.path().join("python");
        said(Command::new(python).args(["-m", "venv", "--without-pip"]).arg(&environment));
        let inner = environment.join("bin/python");
        let purelib = ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"];
        let site = said(Command::new(&inner).args(purelib));
        said(Command::new("cp").arg("-a").arg(format!("{packages}/.")).arg(site.trim()));
        Self { id: Some(NOBODY), program, python: inner, _copies: Some(copies) }
    }

    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    pub(super) fn python(&self) -> &Path {
        &self.python
    }

    pub(super) fn uid(&self) -> u32 {
        self.id.unwrap_or_else(|| rustix::process::geteuid().as_raw())
    }

    pub(super) fn gid(&self) -> u32 {
        self.id.unwrap_or_else(|| rustix::process::getegid().as_raw())
    }

    pub(super) fn become_by(&self, command: &mut Command) {
        if let Some(id) = self.id {
            command.uid(id).gid(id);
        }
    }
}

/// Whether everybody may pass every folder on the way.
fn open_to_all(path: &Path) -> bool {
    path.ancestors().all(|part| fs::metadata(part).is_ok_and(|about| about.permissions().mode() & 0o001 != 0))
}

pub(super) fn said(command: &mut Command) -> String {
    let output = command.output().expect("started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}
