//! What Redis must show, as ratios to a script that does nothing in the same run: microseconds say more
//! about the machine and its other users than about the store.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use keyrot_testkit::server::{Kind, Server};

use crate::baseline::Nothing;
use crate::clock::process_cpu;
use crate::load::load;
use crate::pool::Pool;
use crate::speed::{request, timed};
use crate::worker::redis_at;

const TASKS: usize = 64;
const KEYS: usize = 4;
/// Rounds, each of which measures everything once; their median is told.
const ROUNDS: usize = 5;

/// Whole requests a second, at least this share of the bare calls a second.
const REQUESTS: f64 = 0.3;
/// This process's CPU time per whole request, at most so many times that of a bare call: a third of
/// what it was when each question, settlement and release was a call of its own.
const CPU: f64 = 1.6;
/// A reserve on an idle store, at most so many times a bare call.
const LONE: f64 = 1.5;
/// The share of scripts that may keep the server for longer than a millisecond.
const SLOW: f64 = 0.01;

/// One round's figures.
#[derive(Debug, Default)]
struct Figures {
    requests: Vec<f64>,
    cpu: Vec<f64>,
    cpu_micros: Vec<f64>,
    lone: Vec<f64>,
    slow: Vec<f64>,
    server_micros: Vec<f64>,
}

/// Prints each ratio beside its target, and returns whether all targets are met.
pub(crate) fn run(seconds: u64) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figures = runtime.block_on(measure(Duration::from_secs(seconds)))?;
    println!("\n| Redis, beside a script that does nothing in the same run | rounds | median | target |");
    println!("|---|---|---|---|");
    let case = format!("{TASKS} tasks, {KEYS} keys");
    let mut met = true;
    let mut row = |what: &str, all: Vec<f64>, target: Option<(bool, f64)>| {
        let rounds: Vec<String> = all.iter().map(|n| format!("{n:.3}")).collect();
        let median = median(all);
        let told = target.map(|(least, bound)| format!("{} {bound}", if least { "≥" } else { "≤" }));
        println!("| {what} | {} | {median:.3} | {} |", rounds.join(" "), told.unwrap_or_default());
        met &= target.is_none_or(|(least, bound)| if least { median >= bound } else { median <= bound });
    };
    row(&format!("whole requests a second, {case}: ratio"), figures.requests, Some((true, REQUESTS)));
    row("this process's CPU per whole request: ratio", figures.cpu, Some((false, CPU)));
    row("this process's CPU per whole request: µs", figures.cpu_micros, None);
    row("a lone reserve, p50: ratio", figures.lone, Some((false, LONE)));
    row("scripts that keep the server for more than 1 ms: share", figures.slow, Some((false, SLOW)));
    row("the server's time for a script, mean: µs", figures.server_micros, None);
    Ok(met)
}

async fn measure(span: Duration) -> Result<Figures> {
    let server = Server::start(Kind::Redis, &[]);
    let nothing = Nothing::connect(&server.url()).await?;
    for (name, value) in [("slowlog-log-slower-than", "1000"), ("slowlog-max-len", "1000000")] {
        server.command(&["CONFIG", "SET", name, value]);
    }
    let store = Arc::new(redis_at(&server.url())?);
    let bare = move || {
        let nothing = nothing.clone();
        async move { Ok([timed(|| nothing.call()).await?]) }
    };
    let mut figures = Figures::default();
    // First, as in the table above: on a machine that has not just been loaded.
    for round in 0..ROUNDS {
        let pool = Arc::new(Pool::wide(KEYS, &format!("lone-{round}"))?);
        let both = {
            let (bare, store) = (bare.clone(), Arc::clone(&store));
            move || {
                let (bare, pool, store) = (bare.clone(), Arc::clone(&pool), Arc::clone(&store));
                async move {
                    let [floor] = bare().await?;
                    let took = request(&pool, &*store).await?;
                    store.flush().await;
                    Ok([floor, took])
                }
            }
        };
        let ([floor, took], _) = load(1, span, both).await?;
        figures.lone.push(took.p50.as_secs_f64() / floor.p50.as_secs_f64());
    }
    for round in 0..ROUNDS {
        let pool = Arc::new(Pool::wide(KEYS, &format!("ratios-{round}"))?);
        let whole = {
            let (pool, store) = (Arc::clone(&pool), Arc::clone(&store));
            move || {
                let (pool, store) = (Arc::clone(&pool), Arc::clone(&store));
                async move { Ok([request(&pool, &*store).await?]) }
            }
        };
        let (bare_rate, bare_cpu) = rate(span, bare.clone()).await?;
        server.command(&["CONFIG", "RESETSTAT"]);
        server.command(&["SLOWLOG", "RESET"]);
        let (whole_rate, whole_cpu) = rate(span, whole).await?;
        store.flush().await;
        let (slow, server_micros) = scripts(&server).context("the server has no statistics")?;
        figures.slow.push(slow);
        figures.server_micros.push(server_micros);
        figures.requests.push(whole_rate / bare_rate);
        figures.cpu.push(whole_cpu / bare_cpu);
        figures.cpu_micros.push(whole_cpu * 1e6);
    }
    Ok(figures)
}

/// How often `what` is done in a second, and this process's CPU seconds for each.
async fn rate<F, T>(span: Duration, what: F) -> Result<(f64, f64)>
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = Result<[Duration; 1]>> + Send + 'static,
{
    let before = process_cpu();
    let (_, per_second) = load(TASKS, span, what).await?;
    // A tenth more than is counted was spent warming up.
    let done = per_second * span.as_secs_f64() * 1.1;
    Ok((per_second, (process_cpu() - before).as_secs_f64() / done))
}

/// The share of the scripts since the last `RESETSTAT` that kept the server for longer than a
/// millisecond, and how long one takes on average, in microseconds.
fn scripts(server: &Server) -> Option<(f64, f64)> {
    let stats = server.command(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:"))?;
    let number = |name: &str| -> Option<f64> {
        line.split(',').find_map(|part| part.strip_prefix(name))?.trim().parse().ok()
    };
    let slow: f64 = server.command(&["SLOWLOG", "LEN"]).trim().trim_start_matches(':').parse().ok()?;
    Some((slow / number("calls=")?, number("usec_per_call=")?))
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}
