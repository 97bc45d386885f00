//! The workers of a batch: all ask one pool, and none stops for another's failure.

use std::collections::VecDeque;
use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use keyrot::file::{self, Links};
use keyrot::settings::SHUTDOWN;
use keyrot::{Clock as _, Event, SystemClock};
use parking_lot::Mutex;
use tokio::task::{JoinError, JoinSet, spawn_blocking};

use super::board;
use super::ideas::Idea;
use super::log::{LOG, Log, LogError};
use super::outcome::{BatchError, Done, Item, State, Step};
use crate::backtest::{RunError, Trial};
use crate::check::MAX_SOURCE;
use crate::generator::{Round, StrategyGenerator};
use crate::report::save;
use crate::shelf::{RecordKey, digest};

/// How long what is at work may take to end when a batch is given up.
const END: Duration = Duration::from_secs(2);

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
    key: Option<RecordKey>,
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
            key: None,
        }
    }

    /// What signs the log and the files beside the strategies. Without it, nothing counts as done by an earlier run.
    #[must_use]
    pub fn signed_with(mut self, key: Option<RecordKey>) -> Self {
        self.key = key;
        self
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
    pub async fn run(self, ideas: Vec<Idea>, told: Told) -> Result<Done, BatchError> {
        let (folder, trial) = (self.folder.clone(), self.generator.trial().cloned());
        let signer = self.key.clone();
        let begun = spawn_blocking(move || {
            fs::create_dir_all(&folder)
                .map_err(|source| BatchError::Folder { folder: folder.clone(), source })?;
            Ok::<_, BatchError>((Log::open(&folder, signer)?, trial.as_ref().map(with).unwrap_or_default()))
        });
        let (log, with) = begun.await.map_err(|error| broken(&self.folder, error))??;
        let watching = Arc::clone(&told);
        let generator = self.generator.observer(Arc::new(move |event: &Event| {
            // What happens on nobody's behalf is no step.
            let _ = CURRENT.try_with(|&Current { item, worker }| {
                watching(Some(item), &Step::Called { worker, event });
            });
        }));
        let (end, ended) = mpsc::channel();
        let keys = ideas.iter().map(|idea| key(idea, &self.options)).collect();
        let shared = Arc::new(Shared {
            items: Mutex::new(ideas.iter().map(Item::of).collect()),
            with,
            ideas,
            keys,
            folder: self.folder,
            log,
            generator,
            command: self.command,
            key: self.key,
            todo: Mutex::default(),
            naming: Mutex::default(),
            clock: SystemClock::start(),
            told,
            end: Mutex::new(Some(end)),
        });
        let _ending = Ending { shared: Arc::clone(&shared), ended };
        for warning in &shared.log.warnings {
            shared.tell(None, &Step::Noted { warning: warning.clone() });
        }
        shared.all(self.jobs).await?;
        let items = shared.items.lock().clone();
        let (place, page) = (shared.folder.join(board::BOARD), board::page(&items));
        let path = place.clone();
        let saved = spawn_blocking(move || save(&path, &page)).await;
        let board = match saved.map_err(|error| broken(&shared.folder, error))? {
            Ok(()) => Some(place),
            Err(error) => {
                shared.tell(None, &Step::Noted { warning: error.to_string() });
                None
            }
        };
        Ok(Done { items, board })
    }
}

fn broken(folder: &Path, error: JoinError) -> LogError {
    LogError::Io { path: folder.join(LOG), source: error.into() }
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

pub(super) struct Shared {
    pub(super) ideas: Vec<Idea>,
    pub(super) keys: Vec<String>,
    items: Mutex<Vec<Item>>,
    pub(super) folder: PathBuf,
    pub(super) log: Log,
    pub(super) generator: StrategyGenerator,
    /// What is run on.
    pub(super) with: String,
    pub(super) command: Box<dyn Fn(&Idea) -> String + Send + Sync>,
    pub(super) key: Option<RecordKey>,
    todo: Mutex<VecDeque<(usize, Todo)>>,
    /// Everything at work holds one; when all are gone, all have ended.
    end: Mutex<Option<mpsc::Sender<()>>>,
    /// Held while a free name is looked for and taken.
    pub(super) naming: Mutex<()>,
    clock: SystemClock,
    told: Told,
}

/// Leaving a batch, by Ctrl-C for one, waits until what its workers were at has ended: sandboxes and half-written files
/// are not left to whoever comes after.
struct Ending {
    shared: Arc<Shared>,
    ended: mpsc::Receiver<()>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        *self.shared.end.lock() = None;
        // The senders only ever go away.
        let _ = self.ended.recv_timeout(END);
    }
}

/// The best answer so far, kept as a draft when its task is dropped before it comes to an end.
struct Best {
    shared: Arc<Shared>,
    n: usize,
    round: Arc<Mutex<Option<Round>>>,
}

impl Best {
    fn take(&self) -> Option<Round> {
        self.round.lock().take()
    }
}

impl Drop for Best {
    fn drop(&mut self) {
        if let Some(round) = self.take() {
            self.shared.drafted(self.n, &round);
        }
    }
}

impl Shared {
    async fn all(self: &Arc<Self>, jobs: usize) -> Result<(), BatchError> {
        let look = |shared: &Self| {
            let left = |n| shared.left_of(n).map(|todo| (n, todo));
            let todo: VecDeque<_> = (0..shared.ideas.len()).filter_map(left).collect();
            *shared.todo.lock() = todo;
            Ok(())
        };
        self.apart(look).await?;
        let (count, asks) = {
            let todo = self.todo.lock();
            (todo.len(), todo.iter().any(|(_, todo)| matches!(todo, Todo::Make)))
        };
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
            ended.map_err(|error| broken(&self.folder, error)).flatten()?;
        }
        self.generator.shutdown(SHUTDOWN).await;
        Ok(())
    }

    pub(super) fn set(&self, n: usize, change: impl FnOnce(&mut Item)) {
        change(&mut self.items.lock()[n]);
    }

    pub(super) fn tell(&self, item: Option<usize>, step: &Step<'_>) {
        (self.told)(item, step);
    }

    pub(super) fn now(&self) -> String {
        self.clock.now().to_string()
    }

    /// What an earlier run has left to do. What it has made counts if nobody has changed the file since.
    fn left_of(&self, n: usize) -> Option<Todo> {
        let past = self.log.past(&self.keys[n]);
        let Some((name, file, sha256)) = past.made else { return Some(Todo::Make) };
        let path = self.folder.join(&file);
        let code = file::read(&path, Links::Refuse, MAX_SOURCE as u64).ok();
        let code = code.and_then(|code| String::from_utf8(code).ok()).filter(|code| digest(code) == sha256);
        let Some(code) = code else { return Some(Todo::Make) };
        self.set(n, |item| {
            (item.name, item.file, item.state, item.error) = (Some(name), Some(file), State::Kept, None);
        });
        let ran = past.ran.filter(|(_, run, ..)| run.sha256 == sha256);
        match (self.generator.trial(), ran) {
            // What failed is tried again.
            (Some(_), Some((with, run, ..))) if self.with != with || run.exit_code != 0 => {}
            (Some(_), None) => {}
            (_, ran) => {
                if let Some((_, run, curve, page)) = ran {
                    self.set(n, |item| item.ran(run, curve, page));
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
            // A task of its own: a panic over one description is no reason to stop. Dropped, the set ends it.
            let mut one = JoinSet::new();
            one.spawn(Arc::clone(&self).one(n, worker, todo));
            match one.join_next().await {
                None => {}
                Some(Ok(done)) => done?,
                Some(Err(error)) => {
                    let told = format!("a mistake of strategy-gen's own, please report it: {error}");
                    self.apart(move |shared| shared.failed(n, &told, 1, None)).await?;
                }
            }
            self.tell(Some(n), &Step::Ended { worker });
        }
    }

    async fn one(self: Arc<Self>, n: usize, worker: usize, todo: Todo) -> Result<(), LogError> {
        let _end = self.end.lock().clone();
        match todo {
            Todo::Make => self.make(n, worker).await,
            Todo::Run { path, code } => self.run_again(n, path, code).await,
        }
    }

    /// Does what waits for the disk.
    async fn apart(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<(), LogError> + Send + 'static,
    ) -> Result<(), LogError> {
        let (shared, end) = (Arc::clone(self), self.end.lock().clone());
        let done = spawn_blocking(move || {
            let done = work(&shared);
            drop(end);
            done
        });
        match done.await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(error) => Err(broken(&self.folder, error)),
            },
        }
    }

    async fn make(self: &Arc<Self>, n: usize, worker: usize) -> Result<(), LogError> {
        let idea = &self.ideas[n];
        let best = Best { shared: Arc::clone(self), n, round: Arc::default() };
        let (told, keeper) = (Arc::clone(&self.told), Arc::clone(&best.round));
        let mut generator = self.generator.sharing().on_round(move |round: &Round| {
            round.keep_in(&mut keeper.lock());
            told(Some(n), &Step::Judged { worker, round });
        });
        if let Some(name) = &idea.name {
            generator = generator.name(name);
        }
        let made = CURRENT.scope(Current { item: n, worker }, generator.generate(&idea.description)).await;
        let best = best.take();
        let saved = move |shared: &Self| match made {
            Ok(strategy) => shared.save(n, &strategy),
            Err(error) => shared.given_up(n, &error, best),
        };
        self.apart(saved).await
    }

    async fn run_again(self: &Arc<Self>, n: usize, path: PathBuf, code: String) -> Result<(), LogError> {
        let Some(trial) = self.generator.trial() else { return Ok(()) };
        let ran = trial.run(&code, &keyrot::untrusted::path(&path)).await;
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
}
