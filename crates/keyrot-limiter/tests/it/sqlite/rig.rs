//! Few words for what tests of a file do.

use std::path::Path;
use std::time::Duration;

use keyrot_core::{Grant, PermitId, Refusal, Standing};
use keyrot_limiter::SqliteStore;
use keyrot_testkit::limiter::{Way, tokens};
use pollster::block_on;
use rusqlite::Connection;

/// Asks for 5 tokens, and waits for the answer.
pub(super) fn go(store: &SqliteStore, way: &Way, permit: u128) -> Result<Grant, Refusal> {
    block_on(way.ask(store, PermitId(permit), tokens(5))).expect("the store is there")
}

pub(super) fn standing(store: &SqliteStore, way: &Way) -> Standing {
    block_on(way.standing(store)).expect("the store is there")
}

pub(super) fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path).expect("a file of ours")
}

/// Another program that looks into the file.
pub(super) fn visit(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a database");
    connection.busy_timeout(Duration::from_secs(20)).expect("a number");
    connection
}

pub(super) fn count(visitor: &Connection, table: &str) -> u32 {
    let sql = format!("SELECT count(*) FROM {table}");
    visitor.query_row(&sql, [], |row| row.get(0)).expect("a table")
}

/// Panics unless SQLite finds the file whole.
pub(super) fn assert_whole(path: &Path) {
    let said: String =
        visit(path).query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a database");
    assert_eq!(said, "ok");
}
