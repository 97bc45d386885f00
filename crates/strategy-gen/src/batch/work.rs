//! The workers of a batch: all ask one pool, and none stops for another's failure.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use keyrot::settings::SHUTDOWN;
use keyrot::{Clock as _, Event, SystemClock};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet, spawn_blocking};

use super::board;
use super::ideas::Idea;
use super::log::{LOG, Line, Log, LogError};
use super::outcome::{BatchError, Item, State, Step};
use super::run::{Ran, Runs, save_page};
use crate::failure::GenerateError;
use crate::generator::{Strategy, StrategyGenerator};
use crate::output::{Existing, WriteError, file_name, write};
use crate::python::ClassName;
use crate::sandbox::Cancel;
use crate::shelf::{Made, Sidecar, digest};

/// How long the sandboxes of a batch that is given up may take to end.
const END: Duration = Duration::from_secs(2);

/// Who is told of each step: by the place of the description, or without one where it is about the whole.
pub type Told = Arc<dyn Fn(Option<usize>, &Step<'_>) + Send + Sync>;

tokio::task_local! {
    /// What the task that asks the pool is about, for whoever watches the pool.
    static CURRENT: Arc<Current>;
}

#[derive(Debug)]
struct Current {
    item: usize,
    worker: usize,
    keys: Mutex<BTreeSet<String>>,
}

/// A batch about to be run.
#[expect(missing_debug_implementations, reason = "it is made of closures")]
pub struct Batch {
    folder: PathBuf,
    generator: StrategyGenerator,
    options: String,
    jobs: usize,
    runs: Option<Runs>,
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
            runs: None,
            command: Box::new(|_| String::new()),
        }
    }

    /// How many descriptions are worked on at a time.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Runs each strategy as well.
    #[must_use]
    pub fn runs(mut self, runs: Option<Runs>) -> Self {
        self.runs = runs;
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
            let _ = CURRENT.try_with(|current| {
                if let Event::Started { key, .. } = event {
                    current.keys.lock().insert(key.to_string());
                }
                watching(Some(current.item), &Step::Called { worker: current.worker, event });
            });
        }));
        let (end, ended) = mpsc::channel();
        let keys = ideas.iter().map(|idea| key(idea, &self.options)).collect();
        let shared = Arc::new(Shared {
            items: Mutex::new(ideas.iter().map(Item::of).collect()),
            ideas,
            keys,
            folder: self.folder,
            log,
            generator,
            command: self.command,
            slots: Arc::new(Semaphore::new(self.runs.as_ref().map_or(1, |runs| runs.at_once))),
            runs: self.runs,
            todo: Mutex::default(),
            running: Mutex::default(),
            naming: Mutex::default(),
            cancel: Cancel::new(),
            end: Mutex::new(Some(end)),
            clock: SystemClock::start(),
            told,
        });
        let _ending = Ending { shared: Arc::clone(&shared), ended };
        shared.all(self.jobs).await?;
        let items = shared.items.lock().clone();
        let page = board::page(&items);
        if let Err(warning) = save_page(&shared.folder.join(board::BOARD), &page) {
            shared.tell(None, &Step::Noted { warning });
        }
        Ok(items)
    }
}

/// What tells one description and its options from the next.
fn key(idea: &Idea, options: &str) -> String {
    digest(&format!("{}\0{}\0{options}", idea.description, idea.name.as_deref().unwrap_or_default()))
}

struct Shared {
    ideas: Vec<Idea>,
    keys: Vec<String>,
    items: Mutex<Vec<Item>>,
    folder: PathBuf,
    log: Log,
    generator: StrategyGenerator,
    command: Box<dyn Fn(&Idea) -> String + Send + Sync>,
    runs: Option<Runs>,
    todo: Mutex<VecDeque<usize>>,
    /// Backtests that wait or run. One at a time per slot; the workers do not wait for them.
    running: Mutex<JoinSet<Result<(), LogError>>>,
    slots: Arc<Semaphore>,
    /// Held while a free name is looked for and taken.
    naming: Mutex<()>,
    cancel: Cancel,
    /// Every backtest holds one; when all are gone, all have ended.
    end: Mutex<Option<mpsc::Sender<()>>>,
    clock: SystemClock,
    told: Told,
}

/// Leaving a batch, by Ctrl-C for one, ends its sandboxes, and waits until they have ended.
struct Ending {
    shared: Arc<Shared>,
    ended: mpsc::Receiver<()>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.cancel.cancel();
        self.shared.running.lock().abort_all();
        *self.shared.end.lock() = None;
        // The senders only ever go away.
        let _ = self.ended.recv_timeout(END);
    }
}

impl Shared {
    async fn all(self: &Arc<Self>, jobs: usize) -> Result<(), BatchError> {
        for n in 0..self.ideas.len() {
            if !self.is_kept(n) {
                self.todo.lock().push_back(n);
            }
        }
        let todo = self.todo.lock().len();
        if todo > 0 {
            // Before anything is begun: what is wrong with settings and keys is wrong for all.
            for warning in self.generator.warnings().await? {
                self.tell(None, &Step::Noted { warning });
            }
        }
        let mut workers = JoinSet::new();
        for worker in 0..jobs.min(todo) {
            workers.spawn(Arc::clone(self).work(worker));
        }
        while let Some(ended) = workers.join_next().await {
            ended.map_err(|error| self.broken(error)).flatten()?;
        }
        // Taken out: a lock is not held while one waits.
        let mut running = std::mem::take(&mut *self.running.lock());
        while let Some(ended) = running.join_next().await {
            ended.map_err(|error| self.broken(error)).flatten()?;
        }
        if todo > 0 {
            self.generator.shutdown(SHUTDOWN).await;
        }
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

    /// Whether an earlier run has made the strategy, and nobody has changed its file since.
    fn is_kept(self: &Arc<Self>, n: usize) -> bool {
        let past = self.log.past(&self.keys[n]);
        let Some((name, file, sha256)) = past.made else { return false };
        let path = self.folder.join(&file);
        let Some(code) = fs::read_to_string(&path).ok().filter(|code| digest(code) == sha256) else {
            return false;
        };
        self.set(n, |item| {
            (item.name, item.file, item.state, item.error) = (Some(name), Some(file), State::Kept, None);
        });
        self.tell(Some(n), &Step::Kept);
        match (&self.runs, past.ran) {
            // What failed is tried again.
            (Some(runs), Some((with, run, ..))) if runs.with != with || run.exit_code != 0 => {
                self.run_later(n, path, code);
            }
            (Some(_), None) => self.run_later(n, path, code),
            (_, Some((_, run, curve, page))) => self.set(n, |item| {
                (item.run, item.curve, item.page) = (Some(run), curve, page);
            }),
            (None, None) => {}
        }
        true
    }

    async fn work(self: Arc<Self>, worker: usize) -> Result<(), LogError> {
        loop {
            let next = self.todo.lock().pop_front();
            let Some(n) = next else { return Ok(()) };
            self.tell(Some(n), &Step::Began { worker });
            let idea = &self.ideas[n];
            let mut generator = self.generator.sharing();
            if let Some(name) = &idea.name {
                generator = generator.name(name);
            }
            let current = Arc::new(Current { item: n, worker, keys: Mutex::default() });
            let made = CURRENT.scope(Arc::clone(&current), generator.generate(&idea.description)).await;
            let shared = Arc::clone(&self);
            // It waits for the disk.
            let saved = spawn_blocking(move || {
                let keys = std::mem::take(&mut *current.keys.lock());
                match made {
                    Ok(strategy) => shared.save(n, worker, &strategy, keys),
                    Err(error) => shared.failed(n, worker, &error),
                }
            });
            saved.await.map_err(|error| self.broken(error)).flatten()?;
        }
    }

    fn save(
        self: &Arc<Self>,
        n: usize,
        worker: usize,
        strategy: &Strategy,
        keys: BTreeSet<String>,
    ) -> Result<(), LogError> {
        match self.written(n, strategy, keys)? {
            Ok(path) => {
                self.set(n, |item| {
                    (item.name, item.file) = (Some(strategy.name.clone()), Some(file_in(&path)));
                    (item.state, item.error) = (State::Done, None);
                });
                self.tell(Some(n), &Step::Made { worker, strategy, path: path.clone() });
                self.run_later(n, path, strategy.code.clone());
                Ok(())
            }
            Err(error) => self.failed(n, worker, &error.into()),
        }
    }

    /// Writes the strategy under the first free name.
    fn written(
        &self,
        n: usize,
        strategy: &Strategy,
        keys: BTreeSet<String>,
    ) -> Result<Result<PathBuf, WriteError>, LogError> {
        let _naming = self.naming.lock();
        let wanted = file_name(&ClassName::new(&strategy.name));
        let stem = wanted.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut path = self.folder.join(&wanted);
        for next in 2_u32.. {
            if fs::symlink_metadata(&path).is_err() {
                // The log first, the file last: only a file that is there makes a line count.
                self.log.write(&Line::Made {
                    key: self.keys[n].clone(),
                    description: strategy.description.clone(),
                    name: strategy.name.clone(),
                    file: file_in(&path),
                    sha256: digest(&strategy.code),
                    at: self.now(),
                })?;
                let made = Made {
                    path: &path,
                    date: self.now(),
                    command: (self.command)(&self.ideas[n]),
                    keys: keys.clone(),
                };
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
            path = self.folder.join(format!("{stem}_{next}.py"));
        }
        Ok(Err(WriteError::Exists { path }))
    }

    fn failed(&self, n: usize, worker: usize, error: &GenerateError) -> Result<(), LogError> {
        self.log.write(&Line::Failed {
            key: self.keys[n].clone(),
            description: self.ideas[n].description.clone(),
            error: error.to_string(),
            exit_code: error.exit_code(),
            at: self.now(),
        })?;
        self.set(n, |item| item.fail(error.to_string(), error.exit_code()));
        self.tell(Some(n), &Step::Failed { worker, error });
        Ok(())
    }

    /// Runs a strategy as soon as there is a slot.
    fn run_later(self: &Arc<Self>, n: usize, path: PathBuf, code: String) {
        let Some(end) = self.end.lock().clone().filter(|_| self.runs.is_some()) else { return };
        let shared = Arc::clone(self);
        self.running.lock().spawn(async move {
            let Ok(slot) = Arc::clone(&shared.slots).acquire_owned().await else { return Ok(()) };
            let here = Arc::clone(&shared);
            let ran = spawn_blocking(move || {
                let ran = here.backtest(n, &path, &code);
                drop((slot, end));
                ran
            });
            ran.await.map_err(|error| shared.broken(error)).flatten()
        });
    }

    fn backtest(&self, n: usize, path: &Path, code: &str) -> Result<(), LogError> {
        let Some(runs) = &self.runs else { return Ok(()) };
        let ran = match runs.run(path, code, self.now(), &self.cancel) {
            Ok(ran) => ran,
            Err(fault) => {
                self.set(n, |item| item.fail(fault.to_string(), 5));
                return Ok(());
            }
        };
        // Interrupted otherwise.
        let Some(Ran { run, curve, page, warning }) = ran else { return Ok(()) };
        self.log.write(&Line::Ran {
            key: self.keys[n].clone(),
            with: runs.with.clone(),
            run: run.clone(),
            curve: curve.clone(),
            page: page.clone(),
        })?;
        if let Some(warning) = warning {
            self.tell(Some(n), &Step::Noted { warning });
        }
        self.tell(Some(n), &Step::Ran { path, run: &run });
        self.set(n, |item| {
            if run.exit_code != 0 {
                let why = run.failed().unwrap_or("the result is not confirmed");
                item.fail(why.to_owned(), run.exit_code);
            }
            (item.run, item.curve, item.page) = (Some(run), curve, page);
        });
        Ok(())
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
