//! How long a reserve takes, and how many requests there are in a second (reserved, settled and
//! released), by tasks and keys, beside the store's bare round trip in the same run.
//!
//! One task takes turns with the bare call, so that both find the machine alike: a call that is
//! repeated in a tight loop lets no CPU fall idle, and takes a fraction of what the same call takes
//! after a pause, however short.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use keyrot_core::{Ended, Grant, RateLimiter};
use keyrot_limiter::{MemoryLimiter, RedisStore, SqliteStore};
use keyrot_testkit::server::{Kind, Server};

use crate::baseline::{Counters, Empty, Nothing};
use crate::clock::Wall;
use crate::load::{Figures, load, now};
use crate::pool::{COST, Pool};
use crate::worker::redis_at;

const TASKS: [usize; 2] = [16, 64];
/// Keys in the pool, each of its own project; 1 is one hot project.
const KEYS: [usize; 4] = [1, 4, 100, 1_000];

/// Times the stores, each case for `seconds`.
pub(crate) fn run(stores: &str, seconds: u64) -> Result<()> {
    let span = Duration::from_secs(seconds);
    let stores = match stores {
        "all" => vec!["memory", "sqlite", "redis"],
        one => vec![one],
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("| store | tasks | keys | p50 | p99 | p50 ÷ bare | requests a second |");
    println!("|---|---|---|---|---|---|---|");
    for store in stores {
        match store {
            "memory" => runtime.block_on(memory(span))?,
            "sqlite" => runtime.block_on(sqlite(span))?,
            "redis" => runtime.block_on(redis(span))?,
            _ => bail!("no store `{store}`"),
        }
    }
    Ok(())
}

async fn memory(span: Duration) -> Result<()> {
    let counters = Arc::new(Counters::new());
    let bare = move || {
        counters.count();
        std::future::ready(Ok(()))
    };
    let store = Arc::new(MemoryLimiter::new(Arc::new(Wall)));
    compare("memory", "a locked map", store, bare, async |_| Ok(()), span).await
}

async fn sqlite(span: Duration) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let empty = Arc::new(Empty::open(&folder.path().join("empty.db"))?);
    let bare = move || std::future::ready(empty.transaction());
    let store = Arc::new(SqliteStore::open(&folder.path().join("state.db"))?);
    compare("sqlite", "an empty transaction", store, bare, async |store| Ok(store.flush().await?), span).await
}

async fn redis(span: Duration) -> Result<()> {
    let server = Server::start(Kind::Redis, &[]);
    let nothing = Nothing::connect(&server.url()).await?;
    let bare = move || nothing.clone().call();
    let store = Arc::new(redis_at(&server.url())?);
    let flush = async |store: Arc<RedisStore>| {
        store.flush().await;
        Ok(())
    };
    compare("redis", "a script that does nothing", store, bare, flush, span).await
}

/// One task first: `bare` and a reserve in turn, each beginning when nothing is under way, so that both
/// meet the same machine. Then many, who wait for nobody.
async fn compare<S, B, Q>(
    name: &str,
    baseline: &str,
    store: Arc<S>,
    bare: impl Fn() -> B + Clone + Send + Sync + 'static,
    quiet: impl Fn(Arc<S>) -> Q + Clone + Send + Sync + 'static,
    span: Duration,
) -> Result<()>
where
    S: RateLimiter,
    B: Future<Output = Result<()>> + Send + 'static,
    Q: Future<Output = Result<()>> + Send + 'static,
{
    for keys in KEYS {
        let pool = Arc::new(Pool::wide(keys, &format!("m1-{keys}"))?);
        let (store, bare, quiet) = (Arc::clone(&store), bare.clone(), quiet.clone());
        let both = move || {
            let (pool, store) = (Arc::clone(&pool), Arc::clone(&store));
            let (bare, quiet) = (bare.clone(), quiet.clone());
            async move {
                let floor = timed(bare).await?;
                let took = request(&pool, &*store).await?;
                quiet(store).await?;
                Ok([floor, took])
            }
        };
        let ([floor, took], _) = load(1, span, both).await?;
        if keys == KEYS[0] {
            print(&format!("{name}: {baseline}"), 1, "", &floor, &floor, None);
        }
        print(name, 1, &keys.to_string(), &took, &floor, None);
    }
    for tasks in TASKS {
        let bare = bare.clone();
        let floor = move || {
            let bare = bare.clone();
            async move { Ok([timed(bare).await?]) }
        };
        let ([floor], per_second) = load(tasks, span, floor).await?;
        print(&format!("{name}: {baseline}"), tasks, "", &floor, &floor, Some(per_second));
        for keys in KEYS {
            // A model of its own: each case begins with an empty ledger.
            let pool = Arc::new(Pool::wide(keys, &format!("m{tasks}-{keys}"))?);
            let store = Arc::clone(&store);
            let request = move || {
                let (pool, store) = (Arc::clone(&pool), Arc::clone(&store));
                async move { Ok([request(&pool, &*store).await?]) }
            };
            let ([took], per_second) = load(tasks, span, request).await?;
            print(name, tasks, &keys.to_string(), &took, &floor, Some(per_second));
        }
    }
    Ok(())
}

/// A request as it is in life: reserved, settled and released; how long the first took.
pub(crate) async fn request(pool: &Pool, store: &impl RateLimiter) -> Result<Duration> {
    let start = now();
    let grant = pool.reserve(store).await?.grant;
    let took = start.elapsed();
    let Some(Grant { permit, .. }) = grant else { bail!("refused, though nothing is full") };
    store.settle(&permit, COST.tokens).await?;
    store.release(&permit, Ended::Succeeded).await?;
    Ok(took)
}

pub(crate) async fn timed<T: Future<Output = Result<()>>>(what: impl FnOnce() -> T) -> Result<Duration> {
    let start = now();
    what().await?;
    Ok(start.elapsed())
}

fn print(name: &str, tasks: usize, keys: &str, took: &Figures, floor: &Figures, per_second: Option<f64>) {
    let micros = |span: Duration| span.as_nanos() as f64 / 1e3;
    let per_second = per_second.map(|n| format!("{n:.0}")).unwrap_or_default();
    println!(
        "| {name} | {tasks} | {keys} | {:.1} µs | {:.1} µs | {:.2} | {per_second} |",
        micros(took.p50),
        micros(took.p99),
        micros(took.p50) / micros(floor.p50),
    );
}
