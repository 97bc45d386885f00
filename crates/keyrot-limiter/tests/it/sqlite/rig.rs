//! Few words for what tests of a file do.

use std::path::Path;
use std::time::Duration;

use keyrot_core::{
    Ask, Candidate, Cost, Domain, Fingerprint, KeyId, LimitError, Limits, Method, PermitId, RateLimiter,
    Reply, Standing,
};
use keyrot_limiter::SqliteStore;
use pollster::block_on;
use rusqlite::Connection;

/// One way to go: key `k` of project `p`, or whatever else is said.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub key: KeyId,
    pub domain: Domain,
    pub limits: Limits,
    pub concurrency: Option<u32>,
    pub tokens: u64,
    pub lease: Duration,
}

impl Way {
    pub(super) fn new(limits: Limits) -> Self {
        Self::of("k", "p", limits)
    }

    pub(super) fn of(key: &str, project: &str, limits: Limits) -> Self {
        let key = KeyId::new(key).expect("legal");
        let domain = Domain::new(project, "m");
        Self { key, domain, limits, concurrency: None, tokens: 5, lease: Duration::from_secs(60) }
    }

    fn candidate(&self) -> Candidate<'_> {
        let Self { key, domain, limits, concurrency, .. } = self;
        let fingerprint = Fingerprint::of(key, "secret");
        Candidate { key, fingerprint, domain, limits: *limits, concurrency: *concurrency }
    }

    pub(super) async fn ask(&self, store: &SqliteStore, permit: u128) -> Result<Reply, LimitError> {
        let candidates = [self.candidate()];
        let cost = Cost { requests: 1, tokens: self.tokens };
        let (permit, lease) = (PermitId(permit), self.lease);
        let ask = Ask { permit, candidates: &candidates, method: Method::Generate, cost, lease };
        store.reserve(&ask).await
    }

    /// Asks and waits for the answer.
    pub(super) fn go(&self, store: &SqliteStore, permit: u128) -> Reply {
        block_on(self.ask(store, permit)).expect("the store is there")
    }

    pub(super) fn standing(&self, store: &SqliteStore) -> Standing {
        let cost = Cost { requests: 1, tokens: 1 };
        let all = block_on(store.snapshot(&[self.candidate()], Method::Generate, cost));
        all.expect("the store is there").remove(0)
    }
}

pub(super) fn rpm(rpm: u64) -> Limits {
    Limits { rpm: Some(rpm), ..Limits::default() }
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
