//! What is going on in a batch: on a terminal a bar for each worker and one over all, elsewhere a line for each end.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use keyrot::{Event, KeyState, Status, in_words, untrusted};
use parking_lot::Mutex;
use strategy_gen::batch::Step;
use strategy_gen::shelf::LastRun;
use strategy_gen::{Round, StrategyGenerator, Then};

use crate::cli::progress::{plain, words};
use crate::cli::say;

/// How often the state of the keys is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Characters of a description beside its worker.
const SHORT: usize = 48;

/// The state of a batch, as it is shown.
pub(super) struct Bars {
    descriptions: Vec<String>,
    terminal: Option<Terminal>,
    ended: AtomicUsize,
    failed: AtomicUsize,
    /// Over the pool of the batch; asked how its keys stand.
    pool: Arc<StrategyGenerator>,
    looking: AtomicBool,
    finished: Arc<AtomicBool>,
}

struct Terminal {
    all: MultiProgress,
    overall: ProgressBar,
    workers: Mutex<Vec<Option<ProgressBar>>>,
}

impl Bars {
    pub(super) fn new(descriptions: Vec<String>, workers: usize, pool: StrategyGenerator) -> Self {
        let terminal = std::io::stderr().is_terminal().then(|| Terminal::new(descriptions.len(), workers));
        Self {
            descriptions,
            terminal,
            ended: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            pool: Arc::new(pool),
            looking: AtomicBool::new(false),
            finished: Arc::default(),
        }
    }

    /// The words of a description.
    pub(super) fn description(&self, item: usize) -> &str {
        self.descriptions.get(item).map_or("", String::as_str)
    }

    /// Shows a step.
    pub(super) fn step(&self, item: Option<usize>, step: &Step<'_>) {
        let what = || short(item.map_or("", |item| self.description(item)));
        match step {
            Step::Kept => self.ended(),
            Step::Began { worker } => {
                self.look();
                self.at_work(*worker, what);
            }
            Step::Called { worker, event } => self.called(*worker, event, what),
            Step::Judged { worker, round } => self.judged(*worker, round, what),
            Step::Made { path, run, .. } => {
                let result = run.map(|run| format!("; {}", result_of(run))).unwrap_or_default();
                self.line(&format!("made: {}: {}{result}", keyrot::untrusted::path(&path), what()));
                self.count_failure(*run);
            }
            Step::Ran { path, run } => {
                self.line(&format!("ran: {}: {}", keyrot::untrusted::path(&path), result_of(run)));
                self.count_failure(Some(run));
            }
            Step::Failed { error, draft, .. } => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                let draft = draft
                    .as_ref()
                    .map(|draft| format!("\nthe best answer is in `{}`", keyrot::untrusted::path(&draft)));
                self.line(&format!("failed: {}: {error}{}", what(), draft.unwrap_or_default()));
            }
            Step::Ended { worker } => {
                if let Some(terminal) = &self.terminal {
                    terminal.rest(*worker);
                }
                self.ended();
            }
            Step::Noted { warning } => self.line(&format!("warning: {warning}")),
            _ => {}
        }
    }

    fn judged(&self, worker: usize, round: &Round, what: impl Fn() -> String) {
        if let Then::Repair { n, of, .. } = round.then {
            let error = round.errors().next().map(|error| format!(": {error}")).unwrap_or_default();
            self.line(&format!("repair {n} of {of}: {}{error}", what()));
            self.at_work(worker, || format!("{}: repair {n} of {of}", what()));
        }
    }

    fn count_failure(&self, run: Option<&LastRun>) {
        if run.is_some_and(|run| run.exit_code != 0) {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn called(&self, worker: usize, event: &Event, what: impl Fn() -> String) {
        match event {
            Event::Waiting { eta, ahead, .. } => {
                self.at_work(worker, || {
                    format!("{}: waiting {} for quota ({ahead} ahead)", what(), in_words(*eta))
                });
            }
            Event::Started { key, attempt, .. } => {
                self.at_work(worker, || format!("{}: key {key}, attempt {attempt}", what()));
            }
            // What went well shows in the end.
            Event::Ended { key, outcome, condemned, .. } if outcome.label() != "success" => {
                let then = condemned.as_ref().map_or_else(String::new, |what| format!("; out: {what}"));
                self.line(&format!("key {key}: {}{then}", words(outcome)));
            }
            other => {
                if let Some(line) = plain(other) {
                    self.line(&line);
                }
            }
        }
    }

    /// A line that stays.
    pub(super) fn line(&self, line: &str) {
        match &self.terminal {
            Some(terminal) => terminal.all.suspend(|| say(line)),
            None => say(line),
        }
    }

    /// Takes the bars away.
    pub(super) fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
        if let Some(terminal) = &self.terminal {
            terminal.clear();
        }
    }

    /// How far it came.
    pub(super) fn so_far(&self) -> String {
        let count = |of: &AtomicUsize| of.load(Ordering::Relaxed);
        format!(
            "stopped: {} of {} are finished, {} of them without success",
            count(&self.ended),
            self.descriptions.len(),
            count(&self.failed)
        )
    }

    fn ended(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        if let Some(terminal) = &self.terminal {
            terminal.overall.inc(1);
        }
    }

    fn at_work(&self, worker: usize, what: impl FnOnce() -> String) {
        if let Some(terminal) = &self.terminal {
            terminal.show(worker, &what());
        }
    }

    /// Begins to look at the keys: from the first description that is worked on, for the pool is made by then.
    fn look(&self) {
        let Some(terminal) = &self.terminal else { return };
        if self.looking.swap(true, Ordering::Relaxed) {
            return;
        }
        let (pool, finished, overall) =
            (Arc::clone(&self.pool), Arc::clone(&self.finished), terminal.overall.clone());
        tokio::spawn(async move {
            let mut beat = tokio::time::interval(LOOK);
            while !finished.load(Ordering::Relaxed) {
                beat.tick().await;
                // There is none offline.
                let Some(status) = pool.health().await else { return };
                overall.set_message(keys(&status));
            }
        });
    }
}

impl Terminal {
    fn new(total: usize, workers: usize) -> Self {
        let all = MultiProgress::new();
        let overall = all.add(ProgressBar::new(total as u64));
        let template = "{bar:24} {pos} of {len}, {elapsed} so far, about {eta} to go  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            overall.set_style(style);
        }
        overall.enable_steady_tick(Duration::from_millis(250));
        Self { all, overall, workers: Mutex::new(vec![None; workers]) }
    }

    fn show(&self, worker: usize, what: &str) {
        let mut workers = self.workers.lock();
        let Some(place) = workers.get_mut(worker) else { return };
        let bar = place.get_or_insert_with(|| {
            let bar = self.all.insert_before(&self.overall, ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        bar.set_message(untrusted::for_terminal(what));
    }

    /// Takes a worker's bar away until it works again.
    fn rest(&self, worker: usize) {
        if let Some(bar) = self.workers.lock().get_mut(worker).and_then(Option::take) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }

    /// Takes all away; each would go on ticking.
    fn clear(&self) {
        let workers = self.workers.lock().len();
        for worker in 0..workers {
            self.rest(worker);
        }
        self.overall.finish_and_clear();
    }
}

fn result_of(run: &LastRun) -> String {
    match (run.failed(), run.results.first().and_then(|result| result.return_pct)) {
        (Some(why), _) => format!("failed: {why}"),
        (None, Some(value)) => format!("return {value:.1}%"),
        (None, None) => "no result".to_owned(),
    }
}

/// How many keys are free, cooling and out.
fn keys(status: &Status) -> String {
    let count = |states: &[KeyState]| status.keys.iter().filter(|key| states.contains(&key.state)).count();
    format!(
        "keys: {} free, {} cooling, {} out",
        count(&[KeyState::Ready]),
        count(&[KeyState::Cooling]),
        count(&[KeyState::Out, KeyState::Disabled])
    )
}

/// The first line, and not all of a long one.
fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = untrusted::for_terminal(&untrusted::one_line(line));
    let shown: String = line.chars().take(SHORT).collect();
    if shown.len() < line.len() { format!("{shown}…") } else { shown }
}
