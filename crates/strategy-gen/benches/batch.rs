//! A batch of a hundred descriptions over six keys with a limit each: how much of the keys' capacity it uses, by the
//! simulator's own log. Run by `cargo xtask soak batch`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use gemini_sim::{Answer, Asked, KeySpec, LogEntry, ProjectSpec, Quota, Sim, Verdict};
use serde_json::json;
use strategy_gen::{StrategyGenerator, prompt};

const IDEAS: usize = 100;
const KEYS: usize = 6;
/// Requests a minute of each key: so few that a hundred take more than three minutes.
const RPM: u32 = 5;
const WORKERS: usize = 12;
/// Milliseconds.
const MINUTE: u64 = 60_000;
/// The share of the capacity that is asked for.
const LEAST: f64 = 0.95;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let option = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    match soak(option("--python").map(String::as_str), option("--keep").map(Path::new)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs it; whether every promise was kept.
#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn soak(python: Option<&str>, keep: Option<&Path>) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let place = folder.path();
    let ideas: String = (1..=IDEAS).fold(String::new(), |mut text, n| {
        let _ = writeln!(
            text,
            "Buy when RSI({}) < {}, sell when RSI({}) > 70",
            5 + n % 20,
            20 + n / 5,
            5 + n % 20
        );
        text
    });
    fs::write(place.join("ideas.txt"), ideas)?;
    let keys: Vec<String> = (1..=KEYS).map(|n| format!("key_{n}")).collect();
    let file: Vec<_> =
        keys.iter().map(|key| json!({ "key_id": key, "project": format!("of-{key}"), "rpm": RPM })).collect();
    fs::write(place.join("keys.json"), json!({ "keys": file }).to_string())?;
    let mut sim = Sim::builder().answer(Arc::new(answer));
    for key in &keys {
        let quota = Quota { rpm: Some(RPM.into()), ..Quota::UNLIMITED };
        let project = format!("of-{key}");
        sim = sim
            .project(ProjectSpec::new(&project).default_quota(quota))
            .key(KeySpec::new(format!("AIza-{key}"), project));
    }
    let server = sim.start().await?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_strategy-gen"));
    command.args(["batch", "ideas.txt", "-d", "out", "--max-wait", "600", "--jobs", &WORKERS.to_string()]);
    match python {
        Some(python) => command.args(["--python", python]),
        None => command.arg("--no-run"),
    };
    command.current_dir(place).env_clear();
    command.envs([("KEYROT_STATE", ":memory:"), ("ENABLE_KEY_ROTATION", "true")]);
    command.env("GEMINI_BASE_URL", server.base_url());
    command.envs(keys.iter().map(|key| (format!("GEMINI_KEY_{key}"), format!("AIza-{key}"))));
    let ended = tokio::task::spawn_blocking(move || command.output()).await??;
    let told = String::from_utf8_lossy(&ended.stderr);
    if !ended.status.success() {
        bail!("the batch ended with {}:\n{told}", ended.status);
    }
    let log = server.log();
    server.shutdown().await;
    let (report, kept) = judged(&log, python.is_some(), told.lines().last().unwrap_or_default())?;
    println!("{report}");
    if let Some(path) = keep {
        fs::write(path, report).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(kept)
}

/// What the model says: the offline engine's file.
fn answer(asked: &Asked) -> Answer {
    let description = prompt::description_of(&asked.prompt_text).unwrap_or_default();
    match StrategyGenerator::offline().translate(description) {
        Ok(strategy) => {
            let code = strategy.code.split_once("\n\n").map_or("", |(_, code)| code);
            Answer::text(format!("```python\n{code}```\n"))
        }
        Err(error) => Answer::text(error.to_string()),
    }
}

fn judged(log: &[LogEntry], ran: bool, last: &str) -> Result<(String, bool)> {
    let mut admitted: Vec<u64> =
        log.iter().filter(|entry| entry.verdict == Verdict::Admitted).map(|entry| entry.at_ms).collect();
    admitted.sort_unstable();
    let refused = log.len() - admitted.len();
    let at_once = KEYS * RPM as usize;
    // The fill in which the last request is, from 0: as many full minutes lie before it.
    let fills = admitted.len().saturating_sub(1) / at_once;
    let (Some(first), Some(begun)) = (admitted.first(), admitted.get(fills * at_once)) else {
        bail!("nothing was admitted");
    };
    #[expect(clippy::cast_precision_loss, reason = "minutes, in milliseconds")]
    let (least, took) = ((fills as u64 * MINUTE) as f64, (begun - first) as f64);
    let used = least / took;
    let kept = refused == 0 && used >= LEAST && admitted.len() >= IDEAS;
    let runs =
        if ran { "each made by the simulated model and run in the sandbox" } else { "each made, none run" };
    let report = format!(
        "# A batch, soaked\n\n\
         The last output of `cargo xtask soak batch`: `strategy-gen batch` with {IDEAS} descriptions,\n\
         {runs}, {WORKERS} workers, {KEYS} keys of {RPM} requests a minute each, over HTTP, on {} cores.\n\n\
         | calls | refused by the server | full minutes | begun after | use | promise |\n\
         |---|---|---|---|---|---|\n\
         | {} | {refused} | {fills} | {:.1} s | {:.2} % | {} |\n\n\
         The program: {last}\n\n\
         Use is the full minutes, each of {at_once} calls, ÷ the time from the first call to the first one behind them, by the\n\
         server's log; at least {:.0} % is asked for, and no call that a limit refuses.\n",
        std::thread::available_parallelism().map_or(1, usize::from),
        admitted.len(),
        took / 1_000.0,
        used * 100.0,
        if kept { "kept" } else { "broken" },
        LEAST * 100.0,
    );
    Ok((report, kept))
}
