//! Load by tasks, each of which asks again as soon as it has its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What a load came to.
#[derive(Debug)]
pub(crate) struct Figures {
    pub p50: Duration,
    pub p99: Duration,
    pub per_second: f64,
}

/// Keeps `tasks` tasks doing `what` for `span`, after a tenth of it to warm up. It says how long that
/// part took which is looked at; the whole of it is counted.
pub(crate) async fn load<F, T>(tasks: usize, span: Duration, what: F) -> Result<Figures>
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = Result<Duration>> + Send + 'static,
{
    let what = Arc::new(what);
    let from = now() + span / 10;
    let until = from + span;
    let all: Vec<_> = (0..tasks).map(|_| tokio::spawn(one(Arc::clone(&what), from, until))).collect();
    let mut took = Vec::new();
    for task in all {
        took.extend(task.await??);
    }
    if took.is_empty() {
        bail!("not one answer in {span:?}");
    }
    took.sort_unstable();
    let per_second = took.len() as f64 / span.as_secs_f64();
    Ok(Figures { p50: took[took.len() / 2], p99: took[took.len() * 99 / 100], per_second })
}

async fn one<F, T>(what: Arc<F>, from: Instant, until: Instant) -> Result<Vec<Duration>>
where
    F: Fn() -> T,
    T: Future<Output = Result<Duration>>,
{
    let mut took = Vec::new();
    for n in 1_u32.. {
        let start = now();
        if start >= until {
            break;
        }
        let part = what().await?;
        if start >= from {
            took.push(part);
        }
        // What never waits gives way now and then.
        if n.is_multiple_of(64) {
            tokio::task::yield_now().await;
        }
    }
    Ok(took)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark of real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
