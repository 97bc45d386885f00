//! The servers of this test run, and stores on them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use keyrot_core::FakeClock;
use keyrot_limiter::{RedisConfig, RedisStore};
use keyrot_testkit::server::{Kind, Server};

/// One of each for all tests that break nothing: every store has a pool of its own.
static REDIS: LazyLock<Server> = LazyLock::new(|| Server::start(Kind::Redis, &[]));
static VALKEY: LazyLock<Server> = LazyLock::new(|| Server::start(Kind::Valkey, &[]));

pub(crate) const KINDS: [Kind; 2] = [Kind::Redis, Kind::Valkey];

pub(crate) fn shared(kind: Kind) -> &'static Server {
    match kind {
        Kind::Redis => &REDIS,
        Kind::Valkey => &VALKEY,
    }
}

/// A pool nobody has used.
pub(crate) fn fresh_pool() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("pool-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn config(url: &str, pool: &str) -> RedisConfig {
    let timeout = Duration::from_secs(20);
    RedisConfig { url: url.to_owned().into(), pool: pool.to_owned(), timeout }
}

/// A store with an empty pool that decides by `clock`.
pub(crate) fn with_clock(url: &str, clock: FakeClock) -> RedisStore {
    RedisStore::with_clock(&config(url, &fresh_pool()), Arc::new(clock)).expect("a legal URL")
}
