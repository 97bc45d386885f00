//! Many at once: threads on one handle, handles on one file, processes on one file.

use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;

use keyrot_core::{FakeClock, Limits};
use keyrot_limiter::SqliteStore;
use keyrot_testkit::limiter::{FREE, NOON, Way, rpm};
use tempfile::tempdir;

use super::child;
use super::rig::{assert_whole, go, open, standing};

/// How many of `n` threads, which start together, get a permit for five tokens of a hundred.
fn granted(n: u128, store: impl Fn() -> SqliteStore + Sync) -> usize {
    let way = Way::sole(Limits { tpm: Some(100), ..FREE });
    let barrier = Barrier::new(n as usize);
    thread::scope(|scope| {
        let (way, barrier, store) = (&way, &barrier, &store);
        let ask = |id| {
            move || {
                let store = std::panic::catch_unwind(std::panic::AssertUnwindSafe(store));
                barrier.wait();
                let store = store.expect("a store");
                go(&store, way, id).ok()
            }
        };
        let all: Vec<_> = (0..n).map(|id| scope.spawn(ask(id))).collect();
        all.into_iter().filter_map(|thread| thread.join().expect("no panic")).count()
    })
}

#[test]
fn fifty_threads_of_five_tokens_find_exactly_twenty_places_in_a_hundred() {
    for _ in 0..20 {
        let clock = Arc::new(FakeClock::new(NOON));
        let store = SqliteStore::with_clock(Path::new(":memory:"), clock).expect("memory is there");
        assert_eq!(granted(50, || store.clone()), 20);
    }
}

/// Each opens the file for itself, while the others create it.
#[test]
fn so_do_fifty_that_share_only_the_file() {
    for _ in 0..3 {
        let folder = tempdir().expect("a folder");
        let path = folder.path().join("state.db");
        let clock = FakeClock::new(NOON);
        let open = || SqliteStore::with_clock(&path, Arc::new(clock.clone())).expect("a file of ours");
        assert_eq!(granted(50, open), 20);
        assert_whole(&path);
    }
}

#[test]
fn processes_together_get_exactly_the_limit() {
    const CHILDREN: u64 = 4;
    const LIMIT: u64 = 300;
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let begin = |i| child::start(&format!("take {} {} 100 {LIMIT}", path.display(), i * 1_000));
    let mut children: Vec<_> = (0..CHILDREN).map(begin).collect();
    let said: Vec<_> = children.iter_mut().map(child::lines).collect();
    let got = |said: &mut dyn Iterator<Item = String>| said.filter(|line| line.contains("got ")).count();
    let got: Vec<usize> = said.into_iter().map(|mut said| got(&mut said)).collect();
    for mut child in children {
        assert!(child.wait().expect("a child").success());
    }
    assert_eq!(got.iter().sum::<usize>() as u64, LIMIT, "{got:?}");
    let now = standing(&open(&path), &Way::sole(rpm(LIMIT)).at_once(u32::MAX));
    assert_eq!((now.requests, now.tokens, now.in_flight), (LIMIT, LIMIT * 5, LIMIT as u32));
}
