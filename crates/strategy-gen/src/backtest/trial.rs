//! A runner with the prices that strategies are tried on.

use std::sync::{Arc, mpsc};
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::report::{Report, Status, Warning};
use super::runner::{Request, RunError, Runner};
use crate::data::Dataset;
use crate::interpreter::Python;
use crate::sandbox::Cancel;

/// How long an abandoned run may take to be gone.
const BURIAL: Duration = Duration::from_secs(2);

/// Tries strategies on the same prices, as many at a time as there are cores, whoever has a clone.
#[derive(Debug, Clone)]
pub struct Trial(Arc<Setting>);

/// Shared, as prices may be large and many may wait for a core.
#[derive(Debug, Clone)]
struct Setting {
    runner: Runner,
    request: Request,
    spare: Option<Dataset>,
    cores: Arc<Semaphore>,
}

impl Trial {
    /// On these prices, with a look for look-ahead.
    #[must_use]
    pub fn new(runner: Runner, data: Vec<Dataset>) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Setting {
            runner,
            request: Request::new("", "", data),
            spare: None,
            cores: Arc::new(Semaphore::new(cores)),
        }))
    }

    fn setting(&mut self) -> &mut Setting {
        Arc::make_mut(&mut self.0)
    }

    /// Prices for a strategy that makes no trade on any of the others: whether that lies in the rules or in the prices.
    #[must_use]
    pub fn or_else(mut self, spare: Option<Dataset>) -> Self {
        self.setting().spare = spare;
        self
    }

    /// With backtesting.py's own chart of every run that ends well.
    #[must_use]
    pub fn drawn(mut self, drawn: bool) -> Self {
        self.setting().request.plot = drawn;
        self
    }

    /// The Python that runs them.
    #[must_use]
    pub fn python(&self) -> &Python {
        self.0.runner.python()
    }

    /// The prices that were asked for.
    #[must_use]
    pub fn data(&self) -> &[Dataset] {
        &self.0.request.data
    }

    /// The prices of a report's results, in their order.
    pub fn data_of<'t>(&'t self, report: &Report) -> impl Iterator<Item = &'t Dataset> {
        self.0.request.data.iter().chain(&self.0.spare).take(report.results.len())
    }

    /// Overrides a parameter; numbers and truths are taken as such.
    #[must_use]
    pub fn set(mut self, name: &str, text: &str) -> Self {
        let setting = self.setting();
        setting.request = setting.request.clone().set(name, text);
        self
    }

    /// Runs a strategy that its user calls `path`. Whoever drops the future ends the sandbox.
    ///
    /// # Errors
    /// [`RunError`]; what the strategy does wrong is in the report.
    pub async fn run(&self, source: &str, path: &str) -> Result<Report, RunError> {
        let setting = Arc::clone(&self.0);
        let (source, path) = (source.to_owned(), path.to_owned());
        let core = Arc::clone(&setting.cores).acquire_owned().await.map_err(std::io::Error::other)?;
        let (done, end) = mpsc::channel::<()>();
        let tree = Tree { cancel: Cancel::new(), end };
        let cancel = tree.cancel.clone();
        let run = tokio::task::spawn_blocking(move || {
            let request = Request { source, path, ..setting.request.clone() };
            let report = setting.run(request, &cancel);
            drop((core, done));
            report
        });
        let report = run.await.map_err(std::io::Error::other)?;
        drop(tree);
        report
    }
}

impl Setting {
    fn run(&self, mut request: Request, cancel: &Cancel) -> Result<Report, RunError> {
        let mut report = self.runner.run(&request, cancel)?;
        let idle = report.results.iter().all(|r| r.metrics.as_ref().is_some_and(|m| m.trades == 0));
        let Some(spare) = self.spare.as_ref().filter(|_| report.status == Status::Ok && idle) else {
            return Ok(report);
        };
        let tried: Vec<String> = report.results.iter().map(|result| result.dataset.clone()).collect();
        request.data = vec![spare.clone()];
        let other = self.runner.run(&request, cancel)?;
        report.took_ms += other.took_ms;
        // Nobody asked for these prices, so that what fails on them alone is no failure.
        for mut result in other.results.into_iter().filter(|result| result.metrics.is_some()) {
            let message = format!("tried as well, as there was no trade on {}", tried.join(", "));
            result.warnings.insert(0, Warning { code: "other_data", message: message.into(), hint: None });
            report.results.push(result);
        }
        Ok(report)
    }
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
        let _ = self.end.recv_timeout(BURIAL);
    }
}
