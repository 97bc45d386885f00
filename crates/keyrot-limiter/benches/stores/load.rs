//! Load by tasks, each of which asks again as soon as it has its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long something took.
#[derive(Debug)]
pub(crate) struct Figures {
    pub p50: Duration,
    pub p99: Duration,
}

impl Figures {
    fn of(mut took: Vec<Duration>) -> Result<Self> {
        if took.is_empty() {
            bail!("not one answer");
        }
        took.sort_unstable();
        Ok(Self { p50: took[took.len() / 2], p99: took[took.len() * 99 / 100] })
    }
}

/// Keeps `tasks` tasks doing `what` for `span`, after a tenth of it to warm up. It says how long the `N`
/// parts took which are looked at; beside these it gives how often the whole was done in a second.
pub(crate) async fn load<const N: usize, F, T>(
    tasks: usize,
    span: Duration,
    what: F,
) -> Result<([Figures; N], f64)>
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = Result<[Duration; N]>> + Send + 'static,
{
    let what = Arc::new(what);
    let from = now() + span / 10;
    let until = from + span;
    let all: Vec<_> = (0..tasks).map(|_| tokio::spawn(one(Arc::clone(&what), from, until))).collect();
    let mut took = Vec::new();
    for task in all {
        took.extend(task.await??);
    }
    let mut figures = Vec::with_capacity(N);
    for part in 0..N {
        figures.push(Figures::of(took.iter().map(|parts| parts[part]).collect())?);
    }
    let Ok(figures) = figures.try_into() else { bail!("as many figures as parts") };
    Ok((figures, took.len() as f64 / span.as_secs_f64()))
}

async fn one<const N: usize, F, T>(what: Arc<F>, from: Instant, until: Instant) -> Result<Vec<[Duration; N]>>
where
    F: Fn() -> T,
    T: Future<Output = Result<[Duration; N]>>,
{
    let mut took = Vec::new();
    for n in 1_u32.. {
        let start = now();
        if start >= until {
            break;
        }
        let parts = what().await?;
        if start >= from {
            took.push(parts);
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
