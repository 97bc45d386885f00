//! `strategy-gen run FILE`.

use std::io::{BufRead as _, IsTerminal as _};
use std::sync::mpsc;
use std::time::Duration;

use keyrot::{EnvMap, process_env};
use strategy_gen::backtest::{Failure as RunFailure, Report, Request, RunError, Runner, Warning};
use strategy_gen::check::check;
use strategy_gen::data::{Costs, DataError, Dataset, Period};
use strategy_gen::environment::EnvironmentFault;
use strategy_gen::interpreter::Python;
use strategy_gen::sandbox::{Cancel, Level, Limits};

use super::args::Run;
use super::pages::Pages;
use super::{Failure, INTERRUPTED, apart, checked, keep, print, say, table};

impl From<EnvironmentFault> for Failure {
    fn from(fault: EnvironmentFault) -> Self {
        Self { exit_code: 5, message: fault.to_string() }
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Environment(fault) => fault.into(),
            _ => Self { exit_code: INTERRUPTED, message: error.to_string() },
        }
    }
}

/// Runs a file; 1 when the strategy fails, 7 when it was stopped at a limit.
pub(crate) async fn run(args: Run) -> Result<u8, Failure> {
    let cancel = Cancel::new();
    let (done, end) = mpsc::channel::<()>();
    let _tree = Tree { cancel: cancel.clone(), end };
    apart(move || {
        let outcome = run_here(&args, &cancel);
        drop(done);
        outcome
    })
    .await
}

/// Leaving it, by Ctrl-C for one, ends the sandbox, and waits until it has ended.
struct Tree {
    cancel: Cancel,
    end: mpsc::Receiver<()>,
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.cancel.cancel();
        // The sender only ever goes away.
        let _ = self.end.recv_timeout(Duration::from_secs(2));
    }
}

fn run_here(args: &Run, cancel: &Cancel) -> Result<u8, Failure> {
    let name = args.file.display().to_string();
    let source = checked::read(&args.file, &name)?;
    if !args.no_check && !passes(&source, &name)? {
        return Ok(1);
    }
    let env = process_env();
    let python = python(args, &env)?;
    let program = std::env::current_exe().map_err(EnvironmentFault::from)?;
    let limits = Limits { wall: Duration::from_secs(args.timeout), memory: args.memory };
    let home = env.filled("HOME").map(std::path::PathBuf::from);
    let data = data(args, &python)?;
    let runner = Runner::new(python, program, args.sandbox)?.limits(limits).home(home);
    if args.sandbox == Level::None {
        say("warning: without a sandbox the strategy may do whatever you may");
    }
    let pages = Pages::wanted(args, &data)?;
    let mut request = Request::new(source, &name, data);
    request.plot = pages.plots();
    for (parameter, value) in &args.set {
        request = request.set(parameter, value);
    }
    let report = runner.run(&request, cancel)?;
    keep::ran(&args.keep, &args.file, &request.source, &report);
    show(&report, args.json)?;
    pages.write(args, &request.source, &request.data, &report)?;
    Ok(report.exit_code())
}

fn passes(source: &str, name: &str) -> Result<bool, Failure> {
    let report = check(source).map_err(strategy_gen::GenerateError::from)?;
    if report.has_errors() {
        say(report.text(name).trim_end());
        say(
            "error: the strategy must be repaired before it is run\nhint: `--no-check` runs it as it is, in the sandbox",
        );
    }
    Ok(!report.has_errors())
}

/// The Python to use; on a terminal one can be made after a yes.
fn python(args: &Run, env: &EnvMap) -> Result<Python, Failure> {
    let fault = match Python::find(args.python.as_deref(), env) {
        Ok(python) => return Ok(python),
        Err(fault) => fault,
    };
    let asks = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !asks || !matches!(fault, EnvironmentFault::NoPython { .. }) {
        return Err(fault.into());
    }
    say("no Python with backtesting.py was found; make one in the cache folder (about 200 MB)? [y/N]");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_err() || !matches!(answer.trim(), "y" | "Y" | "yes") {
        return Err(fault.into());
    }
    Ok(Python::install(env)?)
}

fn data(args: &Run, python: &Python) -> Result<Vec<Dataset>, Failure> {
    let period = Period { from: args.from, to: args.to };
    let one = |source: &strategy_gen::data::Source| {
        let usual = Costs::usual(source);
        let costs = Costs {
            cash: args.cash.unwrap_or(usual.cash),
            commission: args.commission.unwrap_or(usual.commission),
            spread: args.spread.unwrap_or(usual.spread),
        };
        Ok(Dataset { prices: source.load(python.library_folder(), period)?, costs })
    };
    args.data.iter().map(one).collect()
}

fn show(report: &Report, json: bool) -> Result<(), Failure> {
    let name = &report.strategy.path;
    if json {
        let text = serde_json::to_string(report).map_err(|error| Failure::usage(error.to_string()))?;
        print(&text)?;
    } else if report.results.iter().any(|result| result.metrics.is_some()) {
        print(&table::results(&report.results))?;
    }
    for result in &report.results {
        for Warning { message, hint, .. } in &result.warnings {
            let hint = hint.as_ref().map_or_else(String::new, |hint| format!("; hint: {hint}"));
            say(&format!("warning: {}: {message}{hint}", result.dataset));
        }
        if let Some(failure) = &result.failure {
            failed(&format!("{name}: {}", result.dataset), failure);
        }
    }
    if let Some(failure) = &report.failure {
        failed(name, failure);
    }
    if !report.output.is_empty() && report.exit_code() != 0 {
        say(&format!("the strategy printed:\n{}", report.output.trim_end()));
    }
    say(&format!("sandbox: {}", report.sandbox.join(", ")));
    Ok(())
}

fn failed(what: &str, failure: &RunFailure) {
    say(&format!("error: {what}: {}", failure.line()));
    if let RunFailure::Strategy { hint: Some(hint), .. } = failure {
        say(&format!("hint: {hint}"));
    }
}
