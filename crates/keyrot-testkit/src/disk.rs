//! A file system with next to no room, which one command and what it starts see, and nobody else; it is
//! gone with them. Linux alone has such a thing without rights of its own.

use std::path::Path;
use std::process::{Command, Output};

/// Ways to a view of the file systems that is one's own: root's, and everybody else's.
const VIEWS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
/// Mounts `$1` bytes on `$2`, and runs the rest there.
const MOUNT: &str = r#"mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@""#;

/// Runs `command`, with what was added to its environment, where a file system of `bytes` is mounted on
/// `folder`.
///
/// # Panics
/// Where this user may not mount anything, and when `command` cannot be started.
#[must_use]
#[expect(clippy::panic, clippy::expect_used, reason = "a test without its disk must fail")]
pub fn run_on_small_disk(command: &Command, folder: &Path, bytes: u64) -> Output {
    let mut why = Vec::new();
    for view in VIEWS {
        let on_disk = |command: &Command| {
            let mut all = Command::new("unshare");
            all.args(view).args(["--", "sh", "-c", MOUNT, "sh", &bytes.to_string()]).arg(folder);
            all.arg(command.get_program()).args(command.get_args());
            all.envs(command.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
            all.output().expect("`unshare` is there; hint: install util-linux")
        };
        let tried = on_disk(&Command::new("true"));
        if tried.status.success() {
            return on_disk(command);
        }
        why.push(String::from_utf8_lossy(&tried.stderr).trim().to_owned());
    }
    panic!(
        "no file system can be mounted here: {why:?}; hint: run the tests as root, or allow user \
         namespaces (`sysctl kernel.apparmor_restrict_unprivileged_userns=0`)"
    )
}

/// Takes all the room there is in `folder` but about `but` bytes, by a file of the name `filler`.
///
/// # Panics
/// When that cannot be written at all.
#[expect(clippy::expect_used, reason = "a test without its disk must fail")]
pub fn fill(folder: &Path, but: u64) {
    use std::io::Write;
    let mut file = std::fs::File::create(folder.join("filler")).expect("a file");
    while file.write_all(&[1; 4_096]).is_ok() {}
    let len = file.metadata().expect("a file").len();
    file.set_len(len.saturating_sub(but)).expect("a shorter file");
}
