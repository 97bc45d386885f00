//! Places in flight of processes that end without giving them back, and of one that only stands still.

use std::path::Path;
use std::process::{Child, ChildStdin};
use std::time::Duration;

use keyrot_core::PermitId;
use keyrot_limiter::SqliteStore;
use keyrot_testkit::limiter::{FREE, Way};
use rusqlite::params;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use super::child;
use super::rig::{count, go, open, standing, visit};

/// Longer than it is taken for granted that a process runs that was seen to.
const LOOKS: u32 = 30;

fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

/// A process that holds one of `limit` places, and what it waits for.
fn holder(path: &Path, limit: u32) -> (Child, ChildStdin) {
    let mut child = child::start(&format!("hold {} {limit}", path.display()));
    let (mut said, listens) = child::said(&mut child);
    said.find(|line| line.contains("held")).expect("it has a place");
    (child, listens)
}

/// Goes as soon as there is a place, and says how often there was none.
fn soon(store: &SqliteStore, way: &Way, permit: u128) -> u32 {
    for refused in 0..200 {
        if go(store, way, permit).is_ok() {
            return refused;
        }
        pause();
    }
    panic!("the place of a process that has ended is never given away");
}

#[test]
fn a_place_dies_with_its_process_and_not_while_that_stands_still() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let (store, way) = (open(&path), Way::sole(FREE).at_once(3));
    let (mut killed, _listens) = holder(&path, 3);
    let (mut unburied, _listens) = holder(&path, 3);
    let (mut still, _listens) = holder(&path, 3);
    assert!(go(&store, &way, 1).is_err(), "three processes have three places");
    kill_process(Pid::from_child(&still), Signal::STOP).expect("it runs");

    killed.kill().expect("it runs");
    killed.wait().expect("it has ended");
    soon(&store, &way, 1);
    // Whoever started it does not want to know.
    unburied.kill().expect("it runs");
    soon(&store, &way, 2);
    assert_eq!(standing(&store, &way).in_flight, 3);
    for permit in 0..LOOKS {
        assert!(go(&store, &way, (100 + permit).into()).is_err(), "the third stands still");
        pause();
    }
    still.kill().expect("it stands still");
    still.wait().expect("it has ended");
    soon(&store, &way, 3);
    unburied.wait().expect("it has ended");
    assert_eq!(count(&visit(&path), "place_owner"), 3);
}

/// An older build says nothing of who took a place, and leaves behind whose one was that it deletes.
#[test]
fn places_of_an_older_build_last_for_their_leases() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let (store, way) = (open(&path), Way::sole(FREE).at_once(2));
    let grant = go(&store, &way, 1).expect("two places");
    let visitor = visit(&path);
    let long = 1_i64 << 50;
    let place = params![grant.permit.key.as_str(), PermitId(7).0.to_be_bytes(), long];
    visitor.execute("INSERT INTO place VALUES (?1, ?2, ?3)", place).expect("a table");
    for _ in 0..LOOKS {
        assert!(go(&store, &way, 2).is_err(), "it may be running");
        pause();
    }
    visitor.execute("DELETE FROM place WHERE permit <> ?1", [PermitId(7).0.to_be_bytes()]).expect("a table");
    go(&store, &way, 3).expect("one place");
    assert!(go(&store, &way, 4).is_err(), "what is known of a place that is gone counts for nothing");
}
