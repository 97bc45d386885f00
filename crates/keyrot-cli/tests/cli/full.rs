//! A state file on a disk without room.

use std::fs;
use std::path::Path;
use std::process::Command;

use keyrot_testkit::disk::{fill, run_on_small_disk};

use crate::shared::{At, pool, run, states, truth};

/// Where the child finds its small disk.
const DISK: &str = "KEYROT_CLI_TEST_DISK";
const LIVED_THROUGH_IT: &str = "lived through it";

#[test]
fn on_a_full_disk_it_works_and_says_what_that_costs() {
    let disk = tempfile::tempdir().expect("a directory");
    let mut child = Command::new(std::env::current_exe().expect("this binary"));
    child.args(["--exact", "full::lives_through_it", "--nocapture"]).env(DISK, disk.path());
    let output = run_on_small_disk(&child, disk.path(), 1 << 20);
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success() && said[0].contains(LIVED_THROUGH_IT), "{}\n{}", said[0], said[1]);
}

/// Nothing by itself: what the test above starts again where its disk is mounted.
#[test]
fn lives_through_it() {
    #[expect(clippy::disallowed_methods, reason = "how the parent test tells this process where to run")]
    let Some(disk) = std::env::var_os(DISK) else { return };
    let (disk, place) = (Path::new(&disk), pool());
    let file = disk.join("state.db");
    let at = At("KEYROT_STATE", file.to_str().expect("UTF-8"));
    run(&place, at, ["disable", "flash_01"]).code(0);
    let before = fs::read(&file).expect("a file");

    // No room at all: the file cannot even be opened.
    fill(disk, 0);
    let ended = run(&place, at, ["status"]);
    ended.code(0).says(&["warning: ", "limits and cooldowns end with this process", "state.db"]);
    ended.fits().shows(&["flash_01", "counts and cooldowns: memory", "suspended: ", "cannot be opened"]);
    run(&place, at, ["disable", "flash_02"]).code(0).says(&["this changed nothing elsewhere"]);

    // Room to open and to read it, and none to write.
    fill(disk, 40 << 10);
    assert_eq!(states(&place, at), ["disabled", "ready"]);
    run(&place, at, ["disable", "flash_02"])
        .fails(6, &["cannot be used any more", "disk is full", "this changed nothing for other processes"]);

    fs::remove_file(disk.join("filler")).expect("a file");
    assert_eq!(fs::read(&file).expect("a file"), before, "it was left as it was");
    assert_eq!(states(&place, at), ["disabled", "ready"]);
    assert_eq!(truth(&place, at)["suspended"], serde_json::Value::Null);
    run(&place, at, ["disable", "flash_02"]).code(0);
    assert_eq!(states(&place, at), ["disabled", "disabled"]);
    println!("\n{LIVED_THROUGH_IT}");
}
