//! While another program writes.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_util::future::poll_immediate;
use keyrot_core::{Ended, FactStore, PermitId, RateLimiter};
use keyrot_testkit::limiter::{Way, rpm, tokens};
use pollster::block_on;
use tempfile::tempdir;

use super::rig::{count, go, open, standing, visit};

/// Long enough for many looks at the lock.
const A_WHILE: Duration = Duration::from_millis(300);

#[test]
fn who_asks_waits_and_who_has_gone_is_not_charged() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let (store, way) = (open(&path), Way::sole(rpm(10)));
    let first = go(&store, &way, 1).expect("room").permit;
    let visitor = visit(&path);
    visitor.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
    let (answer, answered) = mpsc::channel();
    thread::scope(|scope| {
        let (store, way) = (&store, &way);
        // Accepted at once, though it cannot be done yet.
        block_on(store.settle(&first, 3)).expect("the store is there");
        block_on(store.release(&first, Ended::Succeeded)).expect("the store is there");
        for id in 10..15 {
            assert!(block_on(poll_immediate(way.ask(store, PermitId(id), tokens(5)))).is_none());
        }
        scope.spawn(move || answer.send(go(store, way, 20)).expect("somebody listens"));
        assert_eq!(answered.recv_timeout(A_WHILE).ok(), None, "nobody is admitted unrecorded");
        visitor.execute_batch("COMMIT").expect("ours to end");
        let reply = answered.recv_timeout(Duration::from_secs(20)).expect("an answer");
        assert!(reply.is_ok());
    });
    let now = standing(&store, &way);
    assert_eq!((now.requests, now.tokens), (2, 3 + 5));
    block_on(store.flush()).expect("the store is there");
    assert_eq!(count(&visitor, "permit"), 1);
    assert_eq!(store.suspended(), None, "busy is not broken");
}

/// A refusal and a look need no lock.
#[test]
fn refusals_and_looks_wait_for_nobody() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let (store, way) = (open(&path), Way::sole(rpm(1)));
    go(&store, &way, 1).expect("room");
    block_on(store.put("a", "b", None)).expect("the store is there");
    let visitor = visit(&path);
    visitor.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
    assert!(go(&store, &way, 2).is_err());
    assert_eq!(standing(&store, &way).requests, 1);
    assert!(block_on(store.get("a")).expect("the store is there").is_some());
    visitor.execute_batch("COMMIT").expect("ours to end");
}

/// What was accepted before the last handle went is in the file, also when somebody was writing.
#[test]
fn the_last_handle_leaves_nothing_undone() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let (store, way) = (open(&path), Way::sole(rpm(10)));
    let permit = go(&store, &way, 1).expect("room").permit;
    let visitor = visit(&path);
    visitor.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
    block_on(store.settle(&permit, 2)).expect("the store is there");
    block_on(store.release(&permit, Ended::Succeeded)).expect("the store is there");
    let dropped = thread::spawn(move || drop(store));
    thread::sleep(A_WHILE / 3);
    visitor.execute_batch("COMMIT").expect("ours to end");
    dropped.join().expect("no panic");
    assert_eq!(count(&visitor, "permit"), 0);
    assert_eq!(standing(&open(&path), &way).tokens, 2);
}
