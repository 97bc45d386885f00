//! A file that goes away, or goes bad, while it is used: the store goes on with what it said.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{FakeClock, Limits};
use keyrot_limiter::SqliteStore;
use keyrot_testkit::limiter::{NOON, Way, rpm};
use pollster::block_on;
use tempfile::tempdir;

use super::child;
use super::rig::{assert_whole, count, go, open, visit};

/// The path is looked at once a second, also when every answer is the caller's own thread's.
fn goes_on_without_its_file(lose: impl Fn(&Path)) {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let clock = FakeClock::new(NOON);
    let store = SqliteStore::with_clock(&path, Arc::new(clock.clone())).expect("a file of ours");
    let way = Way::sole(rpm(5));
    for id in 0..3 {
        go(&store, &way, id).expect("room");
    }
    block_on(store.flush()).expect("the store is there");
    lose(&path);
    clock.advance(Duration::from_secs(1));
    assert!(go(&store, &way, 3).is_ok());
    let why = store.suspended().expect("it was looked at").why;
    assert!(why.contains("it was deleted or replaced"), "{why}");
    assert!(go(&store, &way, 4).is_ok());
    assert!(go(&store, &way, 5).is_err(), "what the file said counts");
}

/// One row makes no sense: it keeps no key out, is told, and is left as it is.
#[test]
fn a_ledger_that_makes_no_sense_keeps_no_key_out() {
    let endless = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    // No limits, since when, no day, one slot: its number, requests, tokens.
    let slot = [&[0, 0, 0, 1, 1][..], &endless, &[0]].concat();
    // No limits, since when, a day of no length that has seen too much, no slots.
    let day = [&[0, 0, 1, 0][..], &endless, &[0], &endless, &[0, 0]].concat();
    for odd in [slot, day, vec![0xff; 40], Vec::new()] {
        let folder = tempdir().expect("a folder");
        let (path, way) = (folder.path().join("state.db"), Way::sole(Limits { rpd: Some(2), ..rpm(2) }));
        drop(go(&open(&path), &way, 1).expect("room"));
        visit(&path).execute("UPDATE domain SET ledger = ?1", [&odd]).expect("a row");
        let store = open(&path);
        assert!(go(&store, &way, 2).is_ok(), "{odd:?}");
        let why = store.suspended().expect("it is noticed").why;
        assert!(why.contains("a row of table `domain` makes no sense"), "{why}");
        assert!(go(&store, &way, 3).is_ok() && go(&store, &way, 4).is_err(), "it counts for itself");
    }
}

#[test]
fn a_deleted_file_is_missed() {
    goes_on_without_its_file(|path| fs::remove_file(path).expect("a file"));
}

#[test]
fn a_file_in_its_place_is_left_alone() {
    let beside = tempdir().expect("a folder");
    let other = beside.path().join("other.db");
    drop(open(&other));
    let before = fs::read(&other).expect("a file");
    goes_on_without_its_file(|path| {
        fs::rename(path, path.with_extension("old")).expect("a file");
        fs::copy(&other, path).expect("room");
    });
    assert_whole(&other);
    assert_eq!((fs::read(&other).expect("a file"), count(&visit(&other), "permit")), (before, 0));
}

#[test]
fn a_file_that_goes_bad_is_left_alone() {
    let folder = tempdir().expect("a folder");
    let (path, way) = (folder.path().join("state.db"), Way::sole(rpm(2)));
    drop(go(&open(&path), &way, 1).expect("room"));
    let store = open(&path);
    // By another process: one that closes a file lets go of all its locks.
    assert!(child::start(&format!("damage {}", path.display())).wait().expect("a child").success());
    let damaged = fs::read(&path).expect("a file");
    assert!(go(&store, &way, 2).is_ok());
    let why = store.suspended().expect("it is noticed").why;
    assert!(why.contains("malformed"), "{why}");
    assert!(go(&store, &way, 3).is_ok() && go(&store, &way, 4).is_err(), "it counts for itself");
    drop(store);
    assert!(fs::read(&path).expect("a file") == damaged, "it was touched");
}
