//! The backtests of a batch.

use std::fs;
use std::io;
use std::path::Path;

use super::board::thinned;
use super::log::{Log, LogError};
use crate::backtest::{Report, Request, RunError, Runner};
use crate::data::Dataset;
use crate::output::{Existing, write};
use crate::report::{Run, Subject, page};
use crate::sandbox::Cancel;
use crate::shelf::{LastRun, Sidecar, digest};

/// What every strategy of a batch is run with.
#[derive(Debug, Clone)]
pub struct Runs {
    runner: Runner,
    data: Vec<Dataset>,
    pub(super) at_once: usize,
    /// The prices and costs, so that a result can be told from one with others.
    pub(super) with: String,
}

/// What a backtest gave.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) run: LastRun,
    pub(super) curve: Vec<f64>,
    pub(super) page: Option<String>,
    /// What to look at, which is no failure.
    pub(super) warnings: Vec<String>,
}

impl Runs {
    /// `runner` on all of `data`, at most `at_once` strategies at a time.
    #[must_use]
    pub fn new(runner: Runner, data: Vec<Dataset>, at_once: usize) -> Self {
        let with: Vec<String> =
            data.iter().map(|set| digest(&format!("{:?}{}", set.costs, set.prices.csv()))).collect();
        Self { runner, data, at_once: at_once.max(1), with: digest(&with.concat()) }
    }

    /// Runs the strategy with the text `code`, whose file is `path`; `None` where it was interrupted. Its sidecar
    /// gets the result, and a page about it is written.
    pub(super) fn run(
        &self,
        log: &Log,
        path: &Path,
        code: &str,
        at: String,
        cancel: &Cancel,
    ) -> Result<Option<Ran>, Failed> {
        let request = Request::new(code, path.display().to_string(), self.data.clone());
        let report = match self.runner.run(&request, cancel) {
            Ok(report) => report,
            Err(RunError::Cancelled) => return Ok(None),
            Err(RunError::Environment(fault)) => return Err(Failed::Environment(fault.to_string())),
        };
        let run = LastRun::of(&report, &digest(code), at);
        let runs: Vec<Run> =
            report.results.iter().zip(&self.data).map(|(result, data)| Run::of(result, data)).collect();
        let curve = runs.first().map(|run| thinned(&run.equity)).unwrap_or_default();
        let mut warnings = Vec::new();
        let page = match self.tell(log, path, code, &report, run.clone(), runs)? {
            Ok(page) => Some(page),
            Err(warning) => {
                warnings.push(warning);
                None
            }
        };
        Ok(Some(Ran { run, curve, page, warnings }))
    }

    /// Brings the sidecar up to date and writes the page; gives the page's name, or why there is none.
    fn tell(
        &self,
        log: &Log,
        path: &Path,
        code: &str,
        report: &Report,
        run: LastRun,
        runs: Vec<Run>,
    ) -> Result<Result<String, String>, LogError> {
        let mut sidecar = match Sidecar::read(path) {
            Ok(Some(sidecar)) if sidecar.sha256 == run.sha256 => sidecar,
            Ok(_) => return Ok(Err(format!("nothing says how `{}` was made", path.display()))),
            Err(error) => return Ok(Err(error.to_string())),
        };
        sidecar.run = Some(run);
        if let Err(error) = sidecar.write(path) {
            return Ok(Err(error.to_string()));
        }
        let mut subject = Subject::of(&sidecar, code, runs);
        let told = report.results.iter().flat_map(|result| &result.warnings);
        subject.warnings.extend(told.map(|warning| warning.message.clone()));
        subject.warnings.extend(sidecar.run.as_ref().and_then(|run| run.failed().map(str::to_owned)));
        save_page(log, &path.with_extension("html"), &page(&subject))
    }
}

/// Why a strategy could not be run, which is not its doing.
#[derive(Debug)]
pub(super) enum Failed {
    /// Something is missing here.
    Environment(String),
    /// The log cannot be kept.
    Log(LogError),
}

impl From<LogError> for Failed {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

/// Writes a page unless somebody else's file is there; gives its name, or why it was not written.
pub(super) fn save_page(log: &Log, path: &Path, text: &str) -> Result<Result<String, String>, LogError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let there = match fs::read(path) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Ok(Err(format!("cannot look at `{}`: {error}", path.display()))),
    };
    if !log.may_write(&name, there.as_deref()) {
        return Ok(Err(format!("`{}` is not of this batch and was left as it is", path.display())));
    }
    log.page(&name, text)?;
    let existing = if there.is_some() { Existing::Replace } else { Existing::Keep };
    Ok(write(path, text, existing).map(|()| name).map_err(|error| error.to_string()))
}
