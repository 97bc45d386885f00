//! The folder of a run, seen by others, and after a program that was killed.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::user::User;

/// Tells that it runs, and ends when it is allowed to.
const SLOW: &str = "\
import os, time
from backtesting import Strategy
class Slow(Strategy):
    def init(self):
        os.mkdir('inside')
        with open('inside/file', 'w') as file:
            file.write('x')
        time.sleep(60)
    def next(self):
        pass
";

/// A run in a place of its own.
pub(super) struct Running {
    program: Child,
    place: TempDir,
}

impl Running {
    pub(super) fn start(user: &User, umask: &str) -> Self {
        let place = tempfile::tempdir().expect("a folder");
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).expect("ours");
        fs::write(place.path().join("slow.py"), SLOW).expect("written");
        let mut command = Command::new("sh");
        command.args(["-c", "umask \"$0\"; exec \"$@\"", umask]).arg(user.program());
        command.args(["run", "slow.py", "--data", "synthetic", "--no-check", "--python"]).arg(user.python());
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TMPDIR", place.path())
            .env("HOME", place.path());
        command.env("STRATEGY_GEN_HISTORY", "off").current_dir(place.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        user.become_by(&mut command);
        let program = command.spawn().expect("started");
        Self { program, place }
    }

    /// The folders of runs.
    fn folders(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.place.path()).expect("read").flatten().map(|entry| entry.path());
        entries
            .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("keyrot-run-")))
            .collect()
    }

    /// Of the program.
    pub(super) fn id(&self) -> u32 {
        self.program.id()
    }

    /// The folder of the run, once Python runs in it.
    pub(super) fn folder(&self) -> PathBuf {
        for _ in 0..3_000 {
            let all = self.folders();
            if let Some(folder) = all.iter().find(|folder| is_in_use(folder)) {
                return folder.clone();
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        panic!("no run has begun");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Whether a Python has its harness there.
fn is_in_use(folder: &Path) -> bool {
    let harness = folder.join("input/harness.py").display().to_string();
    let processes = fs::read_dir("/proc").expect("read").flatten();
    let mut lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| {
        let line = String::from_utf8_lossy(&line);
        line.contains(&harness) && !line.contains("__sandbox-stage")
    })
}

fn is_closed_to_others(user: &User, umask: &str) {
    let running = Running::start(user, umask);
    let folder = running.folder();
    for inner in ["", "input", "scratch"] {
        let about = fs::metadata(folder.join(inner)).expect("there");
        assert_eq!(about.permissions().mode() & 0o7777, 0o700, "`{inner}` with umask {umask}");
        assert_eq!(about.uid(), user.uid());
    }
}

#[test]
fn no_other_user_sees_the_folder_of_a_run() {
    for umask in ["000", "022", "077"] {
        is_closed_to_others(&User::this(), umask);
    }
}

#[test]
fn no_other_user_sees_the_folder_of_an_ordinary_users_run() {
    if rustix::process::geteuid().is_root() {
        let user = User::nobody();
        for umask in ["000", "022", "077"] {
            is_closed_to_others(&user, umask);
        }
    }
}

/// What a killed program leaves is gone with the next run; what another run uses is not.
#[test]
fn the_next_run_removes_what_a_killed_one_has_left() {
    let user = User::this();
    let mut running = Running::start(&user, "022");
    let left = running.folder();
    running.program.kill().expect("killed");
    running.program.wait().expect("ended");
    assert!(left.exists());
    let place = running.place.path();
    fs::write(place.join("quick.py"), SLOW.replace("time.sleep(60)", "pass")).expect("written");
    let mut command = Command::new(user.program());
    command.args(["run", "quick.py", "--data", "synthetic", "--no-check", "--python"]).arg(user.python());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", place).env("HOME", place);
    command.env("STRATEGY_GEN_HISTORY", "off").current_dir(place);
    let output = command.output().expect("started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(running.folders().is_empty(), "{:?}", running.folders());
}
