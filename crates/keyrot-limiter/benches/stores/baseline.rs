//! What each store can do at best: the same round trip, and nothing decided at its end.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use parking_lot::Mutex;
use redis::Script;
use redis::aio::MultiplexedConnection;
use rusqlite::Connection;

/// A locked map with one counter a project.
#[derive(Debug)]
pub(crate) struct Counters(Mutex<HashMap<String, u64>>);

impl Counters {
    pub(crate) fn new() -> Self {
        Self(Mutex::new((0..1_000).map(|i| (format!("p{i}"), 0)).collect()))
    }

    pub(crate) fn count(&self) {
        *self.0.lock().entry("p7".to_owned()).or_default() += 1;
    }
}

/// A file in which nothing is written, in as many transactions as are asked for.
#[derive(Debug)]
pub(crate) struct Empty(Mutex<Connection>);

impl Empty {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = Connection::open(path)?;
        file.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE t (n)")?;
        Ok(Self(Mutex::new(file)))
    }

    pub(crate) fn transaction(&self) -> Result<()> {
        let file = self.0.lock();
        file.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        file.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

/// A script that does nothing, at the end of a round trip.
#[derive(Clone)]
pub(crate) struct Nothing {
    connection: MultiplexedConnection,
    script: Arc<Script>,
}

impl Nothing {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
        Ok(Self { connection, script: Arc::new(Script::new("return 0")) })
    }

    pub(crate) async fn call(mut self) -> Result<()> {
        let _zero: i64 = self.script.key("{keyrot:stores}").invoke_async(&mut self.connection).await?;
        Ok(())
    }
}
