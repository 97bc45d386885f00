//! Benchmarks: run, then read back and print as ratios to the baseline of the same run, for absolute
//! times say little on a shared machine.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{capture, cargo, root, run, say};
use crate::servers;

/// Where the last whole report on goodput is kept.
const GOODPUT: &str = "docs/bench-goodput.md";
/// What every figure is compared with.
const BASELINE: &str = "baseline: a locked map, one counter";

/// Times selection + in-memory reserve + settle by the number of keys.
pub(crate) fn core(target: &Path, args: &[&str]) -> Result<()> {
    run(cargo().args(["bench", "-p", "keyrot", "--bench", "core", "--"]).args(args))?;
    let group = target.join("criterion/grant");
    let mut results = Vec::new();
    for entry in std::fs::read_dir(&group).with_context(|| format!("no results in {}", group.display()))? {
        let folder = entry?.path().join("new");
        let (Ok(about), Ok(estimates)) =
            (read(&folder.join("benchmark.json")), read(&folder.join("estimates.json")))
        else {
            continue;
        };
        let name = about["function_id"].as_str().unwrap_or_default().to_owned();
        if let Some(median) = estimates["median"]["point_estimate"].as_f64() {
            results.push((name, median));
        }
    }
    results.sort_by(|a, b| a.1.total_cmp(&b.1));
    let baseline = results.iter().find(|(name, _)| name == BASELINE).map(|(_, ns)| *ns);
    let baseline = baseline.context("the baseline was not run")?;
    say("\nselection + in-memory reserve + settle, median:");
    for (name, ns) in &results {
        say(&format!("  {name:<40} {ns:>8.0} ns  {:>6.1} × the baseline", ns / baseline));
    }
    Ok(())
}

/// Times reserve on each store by tasks and keys; the program prints its own ratios.
pub(crate) fn limiter(target: &Path, args: &[&str]) -> Result<()> {
    run(stores(target)?.arg("speed").args(args))
}

/// Runs the pool in virtual time, beside plain policies. Without arguments it is the whole table, which is kept.
pub(crate) fn goodput(args: &[&str]) -> Result<()> {
    let mut command = cargo();
    command.args(["bench", "-p", "keyrot-tests", "--bench", "goodput", "--"]).args(args);
    if args.is_empty() {
        let commit = capture(Command::new("git").args(["describe", "--always", "--dirty"]))?;
        command.arg("--keep").arg(root().join(GOODPUT)).args(["--commit", commit.trim()]);
    }
    run(&mut command)
}

/// The program that loads the stores, with the servers it needs.
pub(crate) fn stores(target: &Path) -> Result<Command> {
    let mut command = cargo();
    command.args(["bench", "-p", "keyrot-limiter", "--all-features", "--bench", "stores", "--"]);
    command.envs(servers::shared(target)?);
    Ok(command)
}

fn read(path: &Path) -> Result<Value> {
    Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
}
