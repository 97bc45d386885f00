//! The write-ahead log stays short, and nobody waits for that.

use std::fs;
use std::path::Path;

use keyrot_testkit::limiter::{FREE, Way};
use tempfile::tempdir;

use super::child;
use super::rig::{assert_whole, go, open};

/// Pages of the log's file, most of which may be old.
fn pages(path: &Path) -> u64 {
    fs::metadata(path.with_extension("db-wal")).map_or(0, |log| log.len() / (4_096 + 24))
}

/// Has a process take `each` permits on each of two threads, at three pages or more in two grants.
fn take(path: &Path, from: u64, each: u64) -> std::process::Child {
    child::start(&format!("take {} {from} {each} 1000000", path.display()))
}

#[test]
fn it_stays_short_under_a_load_that_never_pauses() {
    const GRANTS: u128 = 8_000;
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let (store, way) = (open(&path), Way::sole(FREE));
    for id in 0..GRANTS {
        go(&store, &way, id).expect("no limit");
    }
    // Each grant changes three pages at least. Who makes it longer than 4000 waits for the disk.
    assert!(pages(&path) < 8_000, "{} pages of more than 24000", pages(&path));
    drop(store);
    assert_eq!(pages(&path), 0, "who closes the file last takes the log away");
    assert_whole(&path);
}

/// The idle one writes nothing, so it moves nothing, and as it is there none of the others is the last
/// to close the file.
#[test]
fn it_stays_short_where_short_processes_write_beside_an_idle_one() {
    const EACH: u64 = 150;
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let idle = open(&path);
    go(&idle, &Way::sole(FREE), u128::MAX).expect("no limit");
    let mut longest = 0;
    for round in 0..12 {
        let mut child = take(&path, round * 1_000, EACH);
        assert!(child::lines(&mut child).count() as u64 >= 2 * EACH);
        assert!(child.wait().expect("a child").success());
        longest = longest.max(pages(&path));
    }
    // A process that finds it longer than 1000 moves it before it ends, and writes 1200 at most meanwhile.
    assert!((100..3_500).contains(&longest), "{longest} pages");
    assert_whole(&path);
}

/// What a killed process leaves undone, the next one does.
#[test]
fn it_stays_short_where_processes_are_killed() {
    const GRANTS: usize = 400;
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let idle = open(&path);
    go(&idle, &Way::sole(FREE), u128::MAX).expect("no limit");
    for round in 0..12 {
        let mut child = take(&path, round << 32, 1_000_000);
        let said = child::lines(&mut child).filter(|line| line.contains("got ")).take(GRANTS);
        assert_eq!(said.count(), GRANTS);
        child.kill().expect("a child that runs");
        child.wait().expect("a child that ended");
    }
    let mut last = take(&path, 1 << 60, 10);
    assert!(child::lines(&mut last).count() >= 20);
    assert!(last.wait().expect("a child").success());
    // Of some 10000 at the least, and no more than twice what one process writes before it is killed.
    assert!(pages(&path) < 8_000, "{} pages", pages(&path));
    assert_whole(&path);
}
