//! The workers of a batch: all ask one pool, and none stops for another's failure.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyrot::settings::SHUTDOWN;
use keyrot::{Clock as _, Event, SystemClock};
use parking_lot::Mutex;
use tokio::task::{JoinError, JoinSet, spawn_blocking};

use super::board;
use super::ideas::Idea;
use super::log::{LOG, Line, Log, LogError};
use super::outcome::{BatchError, Item, State, Step};
use crate::backtest::{Report, RunError, Trial};
use crate::failure::GenerateError;
use crate::generator::{Round, Strategy, StrategyGenerator};
use crate::output::{Existing, WriteError, file_name, free_names, write, write_free};
use crate::python::ClassName;
use crate::report::{Run, Subject, page, save};
use crate::shelf::{LastRun, Made, Sidecar, digest};

/// Who is told of each step: by the place of the description, or without one where it is about the whole.
pub type Told = Arc<dyn Fn(Option<usize>, &Step<'_>) + Send + Sync>;

tokio::task_local! {
    /// What the task that asks the pool is about, for whoever watches the pool.
    static CURRENT: Current;
}

#[derive(Debug, Clone, Copy)]
struct Current {
    item: usize,
    worker: usize,
}

/// A batch about to be run.
#[expect(missing_debug_implementations, reason = "it is made of closures")]
pub struct Batch {
    folder: PathBuf,
    generator: StrategyGenerator,
    options: String,
    jobs: usize,
    command: Box<dyn Fn(&Idea) -> String + Send + Sync>,
}

impl Batch {
    /// Strategies by `generator` in `folder`, which is created if it is not there. `options` says in words what else
    /// decides on the outcome: with other options, nothing counts as done.
    #[must_use]
    pub fn new(folder: &Path, generator: StrategyGenerator, options: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            generator,
            options: options.to_owned(),
            jobs: 1,
            command: Box::new(|_| String::new()),
        }
    }

    /// How many descriptions are worked on at a time.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// What repeats one description alone, to be pasted into a shell.
    #[must_use]
    pub fn command(mut self, command: impl Fn(&Idea) -> String + Send + Sync + 'static) -> Self {
        self.command = Box::new(command);
        self
    }

    /// Runs it. Dropped before its end, it ends its sandboxes, and what is finished is kept.
    ///
    /// # Errors
    /// [`BatchError`] where nothing can go on; what fails of one description is in its [`Item`].
    pub async fn run(self, ideas: Vec<Idea>, told: Told) -> Result<Vec<Item>, BatchError> {
        let folder = self.folder.clone();
        fs::create_dir_all(&folder).map_err(|source| BatchError::Folder { folder, source })?;
        let log = Log::open(&self.folder)?;
        let watching = Arc::clone(&told);
        let generator = self.generator.observer(Arc::new(move |event: &Event| {
            // What happens on nobody's behalf is no step.
            let _ = CURRENT.try_with(|&Current { item, worker }| {
                watching(Some(item), &Step::Called { worker, event });
            });
        }));
        let keys = ideas.iter().map(|idea| key(idea, &self.options)).collect();
        let shared = Arc::new(Shared {
            items: Mutex::new(ideas.iter().map(Item::of).collect()),
            with: generator.trial().map(with).unwrap_or_default(),
            ideas,
            keys,
            folder: self.folder,
            log,
            generator,
            command: self.command,
            todo: Mutex::default(),
            naming: Mutex::default(),
            clock: SystemClock::start(),
            told,
        });
        shared.all(self.jobs).await?;
        let items = shared.items.lock().clone();
        if let Err(error) = save(&shared.folder.join(board::BOARD), &board::page(&items)) {
            shared.tell(None, &Step::Noted { warning: error.to_string() });
        }
        Ok(items)
    }
}

/// What tells one description and its options from the next.
fn key(idea: &Idea, options: &str) -> String {
    digest(&format!("{}\0{}\0{options}", idea.description, idea.name.as_deref().unwrap_or_default()))
}

/// The prices and costs, so that a result can be told from one with others.
fn with(trial: &Trial) -> String {
    let sets = trial.data().iter().map(|set| digest(&format!("{:?}{}", set.costs, set.prices.csv())));
    digest(&sets.collect::<String>())
}

/// What is left to do of a description.
enum Todo {
    /// All of it.
    Make,
    /// The strategy of an earlier run is to be run.
    Run { path: PathBuf, code: String },
}

struct Shared {
    ideas: Vec<Idea>,
    keys: Vec<String>,
    items: Mutex<Vec<Item>>,
    folder: PathBuf,
    log: Log,
    generator: StrategyGenerator,
    with: String,
    command: Box<dyn Fn(&Idea) -> String + Send + Sync>,
    todo: Mutex<VecDeque<(usize, Todo)>>,
    /// Held while a free name is looked for and taken.
    naming: Mutex<()>,
    clock: SystemClock,
    told: Told,
}

impl Shared {
    async fn all(self: &Arc<Self>, jobs: usize) -> Result<(), BatchError> {
        let todo: VecDeque<_> =
            (0..self.ideas.len()).filter_map(|n| self.left_of(n).map(|todo| (n, todo))).collect();
        let (count, asks) = (todo.len(), todo.iter().any(|(_, todo)| matches!(todo, Todo::Make)));
        *self.todo.lock() = todo;
        if asks {
            // Before anything is begun: what is wrong with settings and keys is wrong for all.
            for warning in self.generator.warnings().await? {
                self.tell(None, &Step::Noted { warning });
            }
        }
        let mut workers = JoinSet::new();
        for worker in 0..jobs.min(count) {
            workers.spawn(Arc::clone(self).work(worker));
        }
        while let Some(ended) = workers.join_next().await {
            ended.map_err(|error| self.broken(error)).flatten()?;
        }
        self.generator.shutdown(SHUTDOWN).await;
        Ok(())
    }

    fn broken(&self, error: JoinError) -> LogError {
        LogError::Io { path: self.folder.join(LOG), source: error.into() }
    }

    fn set(&self, n: usize, change: impl FnOnce(&mut Item)) {
        change(&mut self.items.lock()[n]);
    }

    fn tell(&self, item: Option<usize>, step: &Step<'_>) {
        (self.told)(item, step);
    }

    fn now(&self) -> String {
        self.clock.now().to_string()
    }

    /// What an earlier run has left to do. What it has made counts if nobody has changed the file since.
    fn left_of(&self, n: usize) -> Option<Todo> {
        let past = self.log.past(&self.keys[n]);
        let Some((name, file, sha256)) = past.made else { return Some(Todo::Make) };
        let path = self.folder.join(&file);
        let Some(code) = fs::read_to_string(&path).ok().filter(|code| digest(code) == sha256) else {
            return Some(Todo::Make);
        };
        self.set(n, |item| {
            (item.name, item.file, item.state, item.error) = (Some(name), Some(file), State::Kept, None);
        });
        match (self.generator.trial(), past.ran) {
            // What failed is tried again.
            (Some(_), Some((with, run, ..))) if self.with != with || run.exit_code != 0 => {}
            (Some(_), None) => {}
            (_, ran) => {
                if let Some((_, run, curve, page)) = ran {
                    self.set(n, |item| (item.run, item.curve, item.page) = (Some(run), curve, page));
                }
                self.tell(Some(n), &Step::Kept);
                return None;
            }
        }
        Some(Todo::Run { path, code })
    }

    async fn work(self: Arc<Self>, worker: usize) -> Result<(), LogError> {
        loop {
            let next = self.todo.lock().pop_front();
            let Some((n, todo)) = next else { return Ok(()) };
            self.tell(Some(n), &Step::Began { worker });
            match todo {
                Todo::Make => self.make(n, worker).await?,
                Todo::Run { path, code } => self.run_again(n, path, code).await?,
            }
            self.tell(Some(n), &Step::Ended { worker });
        }
    }

    /// Does what waits for the disk.
    async fn apart(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<(), LogError> + Send + 'static,
    ) -> Result<(), LogError> {
        let shared = Arc::clone(self);
        spawn_blocking(move || work(&shared)).await.map_err(|error| self.broken(error)).flatten()
    }

    async fn make(self: &Arc<Self>, n: usize, worker: usize) -> Result<(), LogError> {
        let idea = &self.ideas[n];
        let told = Arc::clone(&self.told);
        let mut generator = self
            .generator
            .sharing()
            .on_round(move |round: &Round| told(Some(n), &Step::Judged { worker, round }));
        if let Some(name) = &idea.name {
            generator = generator.name(name);
        }
        let made = CURRENT.scope(Current { item: n, worker }, generator.generate(&idea.description)).await;
        let saved = move |shared: &Self| match made {
            Ok(strategy) => shared.save(n, &strategy),
            Err(error) => shared.given_up(n, &error),
        };
        self.apart(saved).await
    }

    fn save(&self, n: usize, strategy: &Strategy) -> Result<(), LogError> {
        let path = match self.written(n, strategy)? {
            Ok(path) => path,
            Err(error) => return self.failed(n, &error.to_string(), 2, None),
        };
        self.set(n, |item| {
            (item.name, item.file) = (Some(strategy.name.clone()), Some(file_in(&path)));
            (item.state, item.error) = (State::Done, None);
        });
        let run = match &strategy.run {
            Some(report) => Some(self.ran(n, &path, &strategy.code, report)?),
            None => None,
        };
        self.tell(Some(n), &Step::Made { strategy, path, run: run.as_ref() });
        match &strategy.not_run {
            // The strategy is there and a run was wanted; the next batch runs it.
            Some(why) => self.failed(n, why, 5, None),
            None => Ok(()),
        }
    }

    /// Writes the strategy under the first free name.
    fn written(&self, n: usize, strategy: &Strategy) -> Result<Result<PathBuf, WriteError>, LogError> {
        let _naming = self.naming.lock();
        let wanted = self.folder.join(file_name(&ClassName::new(&strategy.name)));
        for path in free_names(&wanted).filter(|path| fs::symlink_metadata(path).is_err()) {
            // The log first, the file last: only a file that is there makes a line count.
            self.log.write(&Line::Made {
                key: self.keys[n].clone(),
                description: strategy.description.clone(),
                name: strategy.name.clone(),
                file: file_in(&path),
                sha256: digest(&strategy.code),
                at: self.now(),
            })?;
            let made = Made { path: &path, date: self.now(), command: (self.command)(&self.ideas[n]) };
            let kept = Sidecar::of(strategy, made).and_then(|sidecar| sidecar.write(&path));
            match write(&path, &strategy.code, Existing::Keep) {
                Err(WriteError::Exists { .. } | WriteError::IsDirectory { .. }) => {}
                written => {
                    if let Err(error) = kept {
                        self.tell(Some(n), &Step::Noted { warning: error.to_string() });
                    }
                    return Ok(written.map(|()| path));
                }
            }
        }
        Ok(Err(WriteError::Exists { path: wanted }))
    }

    /// There is no strategy; the best answer is kept for a look at it.
    fn given_up(&self, n: usize, error: &GenerateError) -> Result<(), LogError> {
        let draft = match error {
            GenerateError::StillInvalid(invalid) if !invalid.draft.is_empty() => {
                let class = self.ideas[n].name.as_deref().map(ClassName::new);
                let class = class.or_else(|| ClassName::first_in(&invalid.draft));
                let name = file_name(&class.unwrap_or_else(|| ClassName::new(""))).with_extension("draft.py");
                let _naming = self.naming.lock();
                write_free(&self.folder.join(name), &invalid.draft, Existing::Keep).ok()
            }
            _ => None,
        };
        self.failed(n, &error.to_string(), error.exit_code(), draft)
    }

    fn failed(&self, n: usize, error: &str, exit_code: u8, draft: Option<PathBuf>) -> Result<(), LogError> {
        self.log.write(&Line::Failed {
            key: self.keys[n].clone(),
            description: self.ideas[n].description.clone(),
            error: error.to_owned(),
            exit_code,
            at: self.now(),
        })?;
        self.set(n, |item| {
            item.fail(error.to_owned(), exit_code);
            item.draft = draft.as_deref().map(file_in);
        });
        self.tell(Some(n), &Step::Failed { error, exit_code, draft });
        Ok(())
    }

    async fn run_again(self: &Arc<Self>, n: usize, path: PathBuf, code: String) -> Result<(), LogError> {
        let Some(trial) = self.generator.trial() else { return Ok(()) };
        let ran = trial.run(&code, &path.display().to_string()).await;
        let told = move |shared: &Self| match ran {
            Ok(report) => {
                let run = shared.ran(n, &path, &code, &report)?;
                shared.tell(Some(n), &Step::Ran { path, run: &run });
                Ok(())
            }
            Err(RunError::Environment(fault)) => shared.failed(n, &fault.to_string(), 5, None),
            Err(RunError::Cancelled) => Ok(()),
        };
        self.apart(told).await
    }

    /// Keeps what a run gave: in the log, beside the file, and as a page.
    fn ran(&self, n: usize, path: &Path, code: &str, report: &Report) -> Result<LastRun, LogError> {
        let Some(trial) = self.generator.trial() else { return Ok(LastRun::of(report, code, self.now())) };
        let run = LastRun::of(report, code, self.now());
        let drawn = report.results.iter().zip(trial.data_of(report)).find_map(|(r, data)| Run::of(r, data));
        let curve = drawn.map(|run| board::thinned(&run.equity)).unwrap_or_default();
        let page = match self.shown(n, path, code, report, &run) {
            Ok(page) => Some(page),
            Err(warning) => {
                self.tell(Some(n), &Step::Noted { warning });
                None
            }
        };
        self.log.write(&Line::Ran {
            key: self.keys[n].clone(),
            with: self.with.clone(),
            run: run.clone(),
            curve: curve.clone(),
            page: page.clone(),
        })?;
        self.set(n, |item| {
            if run.exit_code != 0 {
                let why = run.failed().unwrap_or("the result is not confirmed");
                item.fail(why.to_owned(), run.exit_code);
            }
            (item.run, item.curve, item.page) = (Some(run.clone()), curve, page);
        });
        Ok(run)
    }

    /// Brings the sidecar up to date and writes the page; gives the page's name, or why there is none.
    fn shown(
        &self,
        n: usize,
        path: &Path,
        code: &str,
        report: &Report,
        run: &LastRun,
    ) -> Result<String, String> {
        Sidecar::ran(path, run).map_err(|error| error.to_string())?;
        let data = self.generator.trial().into_iter().flat_map(|trial| trial.data_of(report));
        let subject = Subject::of(report, data, code, true, (self.command)(&self.ideas[n]));
        let place = path.with_extension("html");
        save(&place, &page(&subject)).map_err(|error| error.to_string())?;
        Ok(file_in(&place))
    }
}

fn file_in(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Item {
    fn of(idea: &Idea) -> Self {
        Self {
            line: idea.line,
            description: idea.description.clone(),
            state: State::Failed,
            name: None,
            file: None,
            draft: None,
            page: None,
            error: Some("not reached".to_owned()),
            exit_code: 0,
            run: None,
            curve: Vec::new(),
        }
    }

    fn fail(&mut self, why: String, exit_code: u8) {
        (self.state, self.error, self.exit_code) = (State::Failed, Some(why), exit_code);
    }
}
