//! What every store must do, done by the one in a file: alone, and by two handles beside each other,
//! which have nothing in common but the file.

use std::path::Path;
use std::sync::Arc;

use keyrot_core::FakeClock;
use keyrot_limiter::{MemoryLimiter, SqliteStore};
use keyrot_testkit::{facts, limiter};
use tempfile::{TempDir, tempdir};

async fn in_memory(clock: FakeClock) -> SqliteStore {
    SqliteStore::with_clock(Path::new(":memory:"), Arc::new(clock)).expect("memory is there")
}

/// A new file's store.
fn in_file(folder: &TempDir) -> impl AsyncFn(FakeClock) -> SqliteStore {
    let next = std::cell::Cell::new(0);
    async move |clock: FakeClock| {
        next.set(next.get() + 1);
        let path = folder.path().join(format!("{}.db", next.get()));
        SqliteStore::with_clock(&path, Arc::new(clock)).expect("a new file")
    }
}

#[test]
fn it_keeps_every_promise() {
    pollster::block_on(limiter::suite(in_memory));
    let folder = tempdir().expect("a folder");
    pollster::block_on(limiter::suite(in_file(&folder)));
}

#[test]
fn facts_keep_every_promise() {
    pollster::block_on(facts::suite(in_memory));
    let folder = tempdir().expect("a folder");
    pollster::block_on(facts::suite(in_file(&folder)));
}

#[test]
fn it_agrees_with_the_naive_model() {
    limiter::explore(&limiter::scenarios(), |scenario| {
        pollster::block_on(limiter::replay(in_memory, scenario))
    });
}

#[test]
fn two_handles_on_a_file_agree_with_one_store_in_memory() {
    let reference = |clock: FakeClock| MemoryLimiter::new(Arc::new(clock));
    limiter::explore(&limiter::lives(), |life| {
        let folder = tempdir().expect("a folder");
        let path = folder.path().join("state.db");
        let make = async |clock: FakeClock| {
            let path = path.clone();
            async move || SqliteStore::with_clock(&path, Arc::new(clock.clone())).expect("a file of ours")
        };
        pollster::block_on(limiter::relive(reference, make, life))
    });
}
