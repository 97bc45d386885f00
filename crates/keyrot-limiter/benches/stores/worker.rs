//! One process of a soak: asks as fast as it can, sleeps when refused exactly as long as it is told
//! to, and writes down every admission.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use keyrot_core::{Ended, RateLimiter};
use keyrot_limiter::{MemoryLimiter, RedisConfig, RedisStore, SqliteStore};

use crate::clock::{Wall, monotonic};
use crate::load::now;
use crate::pool::{COST, Pool};
use crate::soak::{LIMITS, MODEL};

/// The name of this process's part of the program.
pub(crate) const COMMAND: &str = "worker";

/// Drives the store at `place` for `seconds`, and leaves the log of it in `log`.
pub(crate) fn run(store: &str, place: &str, seconds: u64, log: &Path) -> Result<()> {
    let span = Duration::from_secs(seconds);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match store {
            // To see the verdict fail: in memory no process knows of the others.
            "memory" => drive(MemoryLimiter::new(Arc::new(Wall)), span, log).await,
            "sqlite" => {
                let store = SqliteStore::open(place.as_ref())?;
                drive(store.clone(), span, log).await?;
                match store.suspended() {
                    None => Ok(()),
                    Some(suspended) => bail!("the promise was suspended: {}", suspended.why),
                }
            }
            "redis" => {
                let store = redis_at(place)?;
                drive(store, span, log).await
            }
            _ => bail!("no store `{store}` at {place}"),
        }
    })
}

/// The store on the server at `url`.
pub(crate) fn redis_at(url: &str) -> Result<RedisStore> {
    let timeout = Duration::from_secs(5);
    Ok(RedisStore::connect(&RedisConfig { url: url.into(), pool: "stores".to_owned(), timeout })?)
}

async fn drive(store: impl RateLimiter, span: Duration, log: &Path) -> Result<()> {
    let pool = Pool::new(&LIMITS, MODEL)?;
    let mut log = BufWriter::new(File::create(log)?);
    let until = now() + span;
    let (mut asked, mut refused) = (0_u64, 0_u64);
    while now() < until {
        asked += 1;
        let reply = pool.reserve(&store).await?;
        let at = monotonic();
        match reply.grant {
            Some(grant) => {
                let domain = &grant.permit.domain.project;
                let stamp = grant.permit.stamp.admitted.as_millis();
                writeln!(log, "{domain} {stamp} {} {}", at.as_micros(), COST.tokens)?;
                store.settle(&grant.permit, COST.tokens).await?;
                store.release(&grant.permit, Ended::Succeeded).await?;
            }
            None => {
                refused += 1;
                let left = until.saturating_duration_since(now());
                tokio::time::sleep(reply.retry_after().min(left)).await;
            }
        }
    }
    writeln!(log, "asked {asked} refused {refused}")?;
    log.flush()?;
    Ok(())
}
