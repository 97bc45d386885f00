//! A disk without room, from the first process that meets it to the one that finds room again.

use std::fs;
use std::path::Path;

use keyrot_testkit::disk::{fill, run_on_small_disk};
use keyrot_testkit::limiter::{Way, rpm};
use pollster::block_on;
use tempfile::tempdir;

use super::child;
use super::rig::{assert_whole, count, go, open, visit};

const LIVED_THROUGH_IT: &str = "lived through it";

#[test]
fn a_full_disk_suspends_the_promise_and_harms_nothing() {
    let folder = tempdir().expect("a folder");
    let mut command = child::command();
    command.env(child::WHAT, format!("fill {}", folder.path().display()));
    let output = run_on_small_disk(&command, folder.path(), 1 << 20);
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success() && said[0].contains(LIVED_THROUGH_IT), "{said:?}");
}

/// What the child does on the small disk that `folder` is.
pub(super) fn live_through_it(folder: &Path) {
    let (path, way) = (folder.join("state.db"), Way::sole(rpm(10)).at_once(u32::MAX));
    let store = open(&path);
    for id in 0..3 {
        go(&store, &way, id).expect("room");
    }
    block_on(store.flush()).expect("the store is there");
    assert_eq!(store.suspended(), None);
    fill(folder, 0);
    for id in 3..10 {
        assert!(go(&store, &way, id).is_ok(), "{id}");
    }
    assert!(go(&store, &way, 10).is_err(), "what the file said counts");
    let suspended = store.suspended().expect("it is noticed");
    assert!(suspended.why.contains("disk is full"), "{}", suspended.why);
    assert!(suspended.bounds.is_some());
    assert_whole(&path);
    assert_eq!(count(&visit(&path), "permit"), 3);
    fs::remove_file(folder.join("filler")).expect("a file");
    // This process has made up its mind; a new one has room for what the file does not know of.
    let mut other = child::start(&format!("take {} 100 5 10", path.display()));
    assert_eq!(child::lines(&mut other).filter(|line| line.contains("got ")).count(), 7);
    assert!(other.wait().expect("a child").success());
    assert_whole(&path);
    assert_eq!(count(&visit(&path), "permit"), 10);
    assert!(store.suspended().is_some());
    println!("\n{LIVED_THROUGH_IT}");
}
