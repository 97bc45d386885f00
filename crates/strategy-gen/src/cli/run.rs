//! `strategy-gen run FILE`.

use strategy_gen::backtest::{DatasetReport, Failure as RunFailure, Report, RunError, Warning};
use strategy_gen::check::check;
use strategy_gen::data::DataError;
use strategy_gen::environment::EnvironmentFault;

use super::args::Run;
use super::command::typed;
use super::conditions::{Offer, trial};
use super::{Failure, INTERRUPTED, apart, checked, print, print_json_line, say, strictly, table};

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
    let Run { file, on, set, no_check, pages, strict, json, keep } = args;
    let name = keyrot::untrusted::path(&file);
    let (path, called, wanted) = (file.clone(), name.clone(), pages.clone());
    let ready = apart(move || {
        let source = checked::read(&path, &called)?;
        if !no_check && !passes(&source, &called)? {
            return Ok(None);
        }
        let trial = trial(&on, Offer::Install)?.drawn(wanted.plot.is_some());
        wanted.can_be_written(Some(&path), &trial)?;
        let trial = set.iter().fold(trial, |trial, (parameter, value)| trial.set(parameter, value));
        Ok(Some((source, trial)))
    });
    let Some((source, trial)) = ready.await? else { return Ok(1) };
    let report = trial.run(&source, &name).await?;
    show(&report, json)?;
    pages.write(&file, &trial, &source, !no_check, typed(None), &report)?;
    let noted = report.results.iter().any(|result| !result.warnings.is_empty());
    let code = strictly(strict, report.exit_code(), noted);
    for warning in apart(move || Ok(keep.ran(&file, &source, &report))).await? {
        say(&format!("warning: {warning}"));
    }
    Ok(code)
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

fn show(report: &Report, json: bool) -> Result<(), Failure> {
    let name = &report.strategy.path;
    if json {
        let value = serde_json::to_value(report).map_err(|error| Failure::usage(error.to_string()))?;
        print_json_line(value)?;
    } else if report.results.iter().any(|result| result.metrics.is_some()) {
        print(&table::results(&report.results))?;
    }
    for result in &report.results {
        for warning in warnings(result) {
            say(&warning);
        }
        if let Some(failure) = &result.failure {
            failed(&format!("{name}: {}", result.dataset), failure);
        }
    }
    if let Some(failure) = &report.failure {
        failed(name, failure);
    }
    if !report.output.is_empty() && report.exit_code() != 0 {
        say(&format!("the strategy printed:\n{}", report.output.block("  | ")));
    }
    say(&format!("sandbox: {}", report.sandbox.join(", ")));
    Ok(())
}

/// What to look at in a backtest, a line each.
pub(crate) fn warnings(result: &DatasetReport) -> impl Iterator<Item = String> {
    result.warnings.iter().map(|Warning { message, hint, .. }| {
        let hint = hint.as_ref().map_or_else(String::new, |hint| format!("; hint: {hint}"));
        format!("warning: {}: {message}{hint}", result.dataset)
    })
}

fn failed(what: &str, failure: &RunFailure) {
    say(&format!("error: {what}: {}", failure.line()));
    if let RunFailure::Strategy { hint: Some(hint), .. } = failure {
        say(&format!("hint: {hint}"));
    }
}
