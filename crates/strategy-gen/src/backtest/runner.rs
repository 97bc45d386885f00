//! Runs strategies in the sandbox.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::report::Report;
use super::told::{Judge, not_drawn, value};
use crate::data::Dataset;
use crate::environment::EnvironmentFault;
use crate::harness::{self, Job};
use crate::interpreter::Python;
use crate::sandbox::{Cancel, Caps, Ended, Layers, Level, Limits, Paths, Plan, closing_filter, run};

/// Bytes; what the script of a chart needs is a third of it.
const LARGEST_CHART: u64 = 16 << 20;

/// What to run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request {
    /// The text of the strategy's file.
    pub source: String,
    /// What the user calls that file.
    pub path: String,
    /// The prices.
    pub data: Vec<Dataset>,
    /// Parameters of the class to override.
    pub set: BTreeMap<String, Value>,
    /// Whether to try if decisions depend on the future.
    pub look_ahead: bool,
    /// Whether backtesting.py draws its own chart, which takes seconds.
    pub plot: bool,
}

impl Request {
    /// A strategy on some prices, with a look for look-ahead.
    #[must_use]
    pub fn new(source: impl Into<String>, path: impl Into<String>, data: Vec<Dataset>) -> Self {
        Self {
            source: source.into(),
            path: path.into(),
            data,
            set: BTreeMap::new(),
            look_ahead: true,
            plot: false,
        }
    }

    /// Overrides a parameter; numbers and truths are taken as such.
    #[must_use]
    pub fn set(mut self, name: &str, text: &str) -> Self {
        self.set.insert(name.to_owned(), value(text));
        self
    }
}

/// Why there is no report. Neither is the strategy's doing, and neither is for a model to repair.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Something is missing here.
    #[error(transparent)]
    Environment(#[from] EnvironmentFault),
    /// Ended by [`Cancel`].
    #[error("interrupted")]
    Cancelled,
}

impl From<std::io::Error> for RunError {
    fn from(error: std::io::Error) -> Self {
        Self::Environment(error.into())
    }
}

/// Runs strategies, one process each; blocks while it does.
///
/// The sandbox is entered by a program that starts itself again: `program` names it, and its `main` calls
/// [`sandbox::stage::enter_if_asked`](crate::sandbox::stage::enter_if_asked) first.
#[derive(Debug, Clone)]
pub struct Runner {
    python: Python,
    program: PathBuf,
    layers: Layers,
    limits: Limits,
    home: Option<PathBuf>,
}

impl Runner {
    /// With the default limits.
    ///
    /// # Errors
    /// [`EnvironmentFault::Sandbox`] where there are too few layers for `level`.
    pub fn new(python: Python, program: PathBuf, level: Level) -> Result<Self, EnvironmentFault> {
        let layers = Layers::here().for_level(level)?;
        Ok(Self { python, program, layers, limits: Limits::default(), home: None })
    }

    /// The Python that runs them.
    pub(super) fn python(&self) -> &Python {
        &self.python
    }

    /// With other limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The user's home, which no strategy may read as a whole, wherever Python's modules are.
    #[must_use]
    pub fn home(mut self, home: Option<PathBuf>) -> Self {
        self.home = home;
        self
    }

    /// Runs a strategy on all prices of the request, in one process.
    ///
    /// # Errors
    /// [`RunError`]; what the strategy does wrong is in the report.
    pub fn run(&self, request: &Request, cancel: &Cancel) -> Result<Report, RunError> {
        let folder = tempfile::Builder::new().prefix("strategy-").tempdir()?;
        // The rules of the sandbox are about real paths.
        let real = fs::canonicalize(folder.path())?;
        let (input, scratch) = (real.join("input"), real.join("scratch"));
        fs::create_dir(&input)?;
        fs::create_dir(&scratch)?;
        let job = Job {
            strategy: &request.source,
            data: &request.data,
            set: &request.set,
            look_ahead: request.look_ahead,
            plot: request.plot,
            filter: closing_filter(&self.layers),
        };
        job.write(&input)?;
        let command = self.command(&input, &scratch)?;
        let output = run(command, true, Some(&scratch), &Caps::new(self.limits.wall), cancel)?;
        if output.ended == Ended::Cancelled {
            return Err(RunError::Cancelled);
        }
        let judge = Judge {
            path: &request.path,
            data: &request.data,
            sandbox: self.layers.names(),
            limits: self.limits,
        };
        let mut report = judge.report(&output)?;
        if request.plot {
            for (i, result) in report.results.iter_mut().enumerate().filter(|(_, r)| r.metrics.is_some()) {
                match chart(&scratch.join(harness::plot(i))) {
                    Ok(chart) => result.plot = Some(chart),
                    Err(_) if result.warnings.iter().any(|warning| warning.code == "plot") => {}
                    Err(error) => result.warnings.push(not_drawn(&error.to_string())),
                }
            }
        }
        Ok(report)
    }

    fn command(&self, input: &Path, scratch: &Path) -> Result<Command, RunError> {
        let Python { program, executable, modules, .. } = &self.python;
        let plan = Plan {
            layers: self.layers.clone(),
            paths: Paths::new(executable, modules, input, scratch, self.home.as_deref()),
            memory: self.limits.memory,
            cpu: self.limits.wall.as_secs().saturating_add(1),
            program: program.clone(),
            args: ["-I", "-B", "-X", "utf8"]
                .map(str::to_owned)
                .into_iter()
                .chain([input.join(harness::FILE).display().to_string(), input.display().to_string()])
                .collect(),
            parent: std::process::id(),
        };
        let plan = serde_json::to_string(&plan).map_err(std::io::Error::other)?;
        let mut command = Command::new(&self.program);
        command.arg(crate::sandbox::STAGE).arg(plan).current_dir(scratch).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("OPENBLAS_NUM_THREADS", "1");
        command.env("HOME", scratch).env("TMPDIR", scratch);
        // A chart that fetches its script from elsewhere is none without a network.
        command.env("BOKEH_RESOURCES", "inline");
        Ok(command)
    }
}

/// A chart that a run left. A link would lead to where only we may read.
fn chart(path: &Path) -> io::Result<String> {
    let found = fs::symlink_metadata(path)?;
    if !found.is_file() || found.len() > LARGEST_CHART {
        return Err(io::Error::other("what was left in its place is no chart"));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_chart_is_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let [secret, link, file] = ["secret", "link", "file"].map(|name| folder.path().join(name));
        fs::write(&secret, "secret").unwrap();
        std::os::unix::fs::symlink(&secret, &link).unwrap();
        assert!(chart(&link).unwrap_err().to_string().contains("no chart"));
        assert!(chart(folder.path()).is_err());
        fs::write(&file, "<!doctype html>").unwrap();
        assert_eq!(chart(&file).unwrap(), "<!doctype html>");
        fs::File::create(&file).unwrap().set_len(LARGEST_CHART + 1).unwrap();
        assert!(chart(&file).is_err());
    }
}
