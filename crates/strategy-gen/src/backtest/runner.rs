//! Runs strategies in the sandbox.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::folders::Folders;
use super::report::Report;
use super::told::{Judge, value};
use crate::data::Dataset;
use crate::environment::EnvironmentFault;
use crate::harness::{self, Job};
use crate::interpreter::Python;
use crate::sandbox::{
    Attached, Cancel, Caps, Ended, Layers, Level, Limits, Output, Paths, Plan, Room, closing_filter, run,
};

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
    /// Whether backtesting.py draws its own chart, in a process after the run, which takes seconds.
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
    pub(super) limits: Limits,
    home: Option<PathBuf>,
    pub(super) temporary: PathBuf,
}

impl Runner {
    /// With the default limits.
    ///
    /// # Errors
    /// [`EnvironmentFault::Sandbox`] where there are too few layers for `level`.
    pub fn new(python: Python, program: PathBuf, level: Level) -> Result<Self, EnvironmentFault> {
        let layers = Layers::here().for_level(level)?;
        Ok(Self {
            python,
            program,
            layers,
            limits: Limits::default(),
            home: None,
            temporary: std::env::temp_dir(),
        })
    }

    /// With other layers than those of the level, such as an older kernel's.
    #[must_use]
    pub fn layers(mut self, layers: Layers) -> Self {
        self.layers = layers;
        self
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

    /// Where the folders of runs are made, instead of where the system keeps temporary files.
    #[must_use]
    pub fn temporary(mut self, folder: PathBuf) -> Self {
        self.temporary = folder;
        self
    }

    /// Runs a strategy on all prices of the request, in one process.
    ///
    /// # Errors
    /// [`RunError`]; what the strategy does wrong is in the report.
    pub fn run(&self, request: &Request, cancel: &Cancel) -> Result<Report, RunError> {
        let folders = Folders::new(&self.temporary)?;
        let job = Job {
            strategy: &request.source,
            data: &request.data,
            set: &request.set,
            look_ahead: request.look_ahead,
            plot: request.plot,
            filter: closing_filter(&self.layers),
        };
        job.write(&folders.input)?;
        let mut judge = Judge::new(request, self.limits, self.layers.clone());
        let bounds = judge.bounds();
        let size = (bounds.line(), bounds.total());
        let output = self.start(harness::FILE, &folders, size, &mut |line| judge.keep(line), cancel)?;
        let mut report = judge.finish(&output)?;
        if let Some(result) = report.results.first_mut() {
            result.warnings.extend(folders.close());
        }
        if request.plot {
            self.draw(&request.data, &mut report, cancel)?;
        }
        Ok(report)
    }

    /// Runs one of the files in the input folder to its end. A line of its channel, and all of them, have no more than
    /// `size` bytes.
    pub(super) fn start(
        &self,
        file: &str,
        folders: &Folders,
        size: (usize, usize),
        lines: &mut dyn FnMut(&[u8]),
        cancel: &Cancel,
    ) -> Result<Output, RunError> {
        let command = self.command(file, &folders.input, &folders.scratch)?;
        let caps = Caps { line: size.0, channel: size.1, ..Caps::new(self.limits.wall) };
        let attached = Attached { lines, room: Room::of(&folders.scratch)? };
        match run(command, Some(attached), &caps, cancel)? {
            Output { ended: Ended::Cancelled, .. } => Err(RunError::Cancelled),
            output => Ok(output),
        }
    }

    /// Python in the sandbox, with one of the files in `input` as its program.
    fn command(&self, file: &str, input: &Path, scratch: &Path) -> Result<Command, RunError> {
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
                .chain([input.join(file).display().to_string(), input.display().to_string()])
                .collect(),
            parent: std::process::id(),
        };
        let plan = serde_json::to_string(&plan).map_err(std::io::Error::other)?;
        let mut command = Command::new(&self.program);
        command.arg(crate::sandbox::STAGE).arg(plan).current_dir(scratch).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("OPENBLAS_NUM_THREADS", "1");
        command.env("HOME", scratch).env("TMPDIR", scratch);
        Ok(command)
    }
}
