//! The backtests of a batch.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::board::thinned;
use crate::backtest::{Report, Request, RunError, Runner};
use crate::data::Dataset;
use crate::environment::EnvironmentFault;
use crate::output::{Existing, write};
use crate::report::{Run, Subject, is_page, page};
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
    pub(super) warning: Option<String>,
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
        path: &Path,
        code: &str,
        at: String,
        cancel: &Cancel,
    ) -> Result<Option<Ran>, EnvironmentFault> {
        let request = Request::new(code, path.display().to_string(), self.data.clone());
        let report = match self.runner.run(&request, cancel) {
            Ok(report) => report,
            Err(RunError::Cancelled) => return Ok(None),
            Err(RunError::Environment(fault)) => return Err(fault),
        };
        let run = LastRun::of(&report, &digest(code), at);
        let first = report.results.iter().zip(&self.data).find_map(|(result, data)| Run::of(result, data));
        let curve = first.map(|run| thinned(&run.equity)).unwrap_or_default();
        let (page, warning) = match self.tell(path, code, &report, &run) {
            Ok(page) => (Some(page), None),
            Err(warning) => (None, Some(warning)),
        };
        Ok(Some(Ran { run, curve, page, warning }))
    }

    /// Brings the sidecar up to date and writes the page; gives the page's name, or why there is none.
    fn tell(&self, path: &Path, code: &str, report: &Report, run: &LastRun) -> Result<String, String> {
        let sidecar = Sidecar::read(path).map_err(|error| error.to_string())?;
        let Some(mut sidecar) = sidecar.filter(|sidecar| sidecar.sha256 == run.sha256) else {
            return Err(format!("nothing says how `{}` was made", path.display()));
        };
        sidecar.run = Some(run.clone());
        sidecar.write(path).map_err(|error| error.to_string())?;
        let subject = Subject::of(report, &self.data, code, true, sidecar.command);
        save_page(&path.with_extension("html"), &page(&subject))
    }
}

/// Writes a page unless somebody else's file is there; gives its name, or why it was not written.
pub(super) fn save_page(path: &Path, text: &str) -> Result<String, String> {
    let mut beginning = Vec::new();
    let there = File::open(path).and_then(|file| file.take(2_048).read_to_end(&mut beginning));
    let existing = match there {
        Ok(_) if is_page(&String::from_utf8_lossy(&beginning)) => Existing::Replace,
        _ => Existing::Keep,
    };
    write(path, text, existing).map_err(|error| error.to_string())?;
    Ok(path.file_name().unwrap_or_default().to_string_lossy().into_owned())
}
