//! How long a reserve takes, and how many requests there are in a second (reserved, settled and
//! released), by tasks and keys, beside the store's bare round trip in the same run.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use keyrot_core::{Ended, Grant, RateLimiter};
use keyrot_limiter::{MemoryLimiter, SqliteStore};
use keyrot_testkit::server::{Kind, Server};

use crate::baseline::{Counters, Empty, Nothing};
use crate::clock::Wall;
use crate::load::{Figures, load, now};
use crate::pool::{COST, Pool};
use crate::worker::redis_at;

const TASKS: [usize; 3] = [1, 16, 64];
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
    compare("memory", "a locked map", Arc::new(MemoryLimiter::new(Arc::new(Wall))), bare, span).await
}

async fn sqlite(span: Duration) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let empty = Arc::new(Empty::open(&folder.path().join("empty.db"))?);
    let bare = move || std::future::ready(empty.transaction());
    let store = SqliteStore::open(&folder.path().join("state.db"))?;
    compare("sqlite", "an empty transaction", Arc::new(store), bare, span).await
}

async fn redis(span: Duration) -> Result<()> {
    let server = Server::start(Kind::Redis, &[]);
    let nothing = Nothing::connect(&server.url()).await?;
    let bare = move || nothing.clone().call();
    let store = redis_at(&server.url())?;
    compare("redis", "a script that does nothing", Arc::new(store), bare, span).await
}

/// Times `bare` and the store's reserve in turn.
async fn compare<B: Future<Output = Result<()>> + Send + 'static>(
    name: &str,
    baseline: &str,
    store: Arc<impl RateLimiter>,
    bare: impl Fn() -> B + Clone + Send + Sync + 'static,
    span: Duration,
) -> Result<()> {
    for tasks in TASKS {
        let timed = bare.clone();
        let floor = move || {
            let (start, answer) = (now(), timed());
            async move {
                answer.await?;
                Ok(start.elapsed())
            }
        };
        let floor = load(tasks, span, floor).await?;
        print(&format!("{name}: {baseline}"), tasks, "", &floor, &floor);
        for keys in KEYS {
            // A model of its own: each case begins with an empty ledger.
            let pool = Arc::new(Pool::wide(keys, &format!("m{tasks}-{keys}"))?);
            let store = Arc::clone(&store);
            let reserve = move || {
                let (pool, store) = (Arc::clone(&pool), Arc::clone(&store));
                async move {
                    let start = now();
                    let grant = pool.reserve(&*store).await?.grant;
                    let took = start.elapsed();
                    let Some(Grant { permit, .. }) = grant else { bail!("refused, though nothing is full") };
                    store.settle(&permit, COST.tokens).await?;
                    store.release(&permit, Ended::Succeeded).await?;
                    Ok(took)
                }
            };
            let figures = load(tasks, span, reserve).await?;
            print(name, tasks, &keys.to_string(), &figures, &floor);
        }
    }
    Ok(())
}

fn print(name: &str, tasks: usize, keys: &str, figures: &Figures, floor: &Figures) {
    let micros = |span: Duration| span.as_nanos() as f64 / 1e3;
    let Figures { p50, p99, per_second } = *figures;
    println!(
        "| {name} | {tasks} | {keys} | {:.1} µs | {:.1} µs | {:.2} | {per_second:.0} |",
        micros(p50),
        micros(p99),
        micros(p50) / micros(floor.p50),
    );
}
