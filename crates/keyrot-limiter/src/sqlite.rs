//! Limits, cooldowns and facts in a file that the processes of one machine share.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use keyrot_core::{
    Ask, Candidate, Clock, CoolReport, Cooled, Cost, Ended, Endpoint, Fact, FactStore, Lifted, LimitError,
    Method, Permit, RateLimiter, Reply, Scope, Standing,
};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

mod book;
mod broom;
mod checkpoints;
mod cooling;
mod facts;
mod failure;
mod job;
mod open;
mod owners;
mod rows;
mod schema;
mod sheet;
mod time;
mod worker;

use book::Book;
use failure::Done;
use job::{Asked, Job, Reserve, Shared, Told, Way, unavailable};
use open::Base;
pub use open::OpenError;
use sheet::Sheet;
use time::Clocks;
use worker::Worker;

use crate::lifts::Heard;
use crate::suspended::Suspended;

/// What may wait for the thread: then whoever comes waits for a place.
const QUEUE: usize = 1_024;

/// A [`RateLimiter`] and [`FactStore`] in an SQLite file: every process that opens it is held to the
/// same limits and sees the same cooldowns. Clones share one connection.
///
/// [`reserve`](RateLimiter::reserve) works on the caller's own thread for some tens of microseconds when
/// nothing else is under way, and waits there for no other process; everything else is done by the
/// store's thread. Checkpoints are made beside all that.
///
/// Minutes and leases run on the time since boot, days and cooldowns on the machine's calendar. A
/// decision is in the file before it is told; the machine losing its power may lose the last of them.
/// [`settle`](RateLimiter::settle) and [`release`](RateLimiter::release) are done in the background,
/// in order with whatever else this handle and its clones are asked.
///
/// While another process writes, callers wait, for as long as they like. When the file cannot be used
/// any more (the disk is full, it was damaged, deleted or replaced), the store goes on in memory with
/// what the file said, until the process ends, and [`suspended`](Self::suspended) says so.
///
/// Dropping the last handle waits until all that was accepted is written: a moment, or a second at
/// most while another process is writing.
///
/// ```
/// use keyrot_core::FactStore;
/// use keyrot_limiter::SqliteStore;
/// # let folder = tempfile::tempdir().expect("a folder");
/// let store = SqliteStore::open(&folder.path().join("state.db"))?;
/// # pollster::block_on(async {
/// store.put("alias/flash", "gemini-2.5-flash", None).await.expect("the store is there");
/// # });
/// # Ok::<(), keyrot_limiter::OpenError>(())
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    book: Arc<Mutex<Book>>,
    heard: Arc<Heard>,
    /// `None` only while it is being dropped.
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens `path`, which is created, with its folder, if it is not there; nobody else may read what
    /// is created. `:memory:` is a store of this process alone.
    ///
    /// # Errors
    /// When the file is not ours, damaged, or cannot be written. It is never deleted or emptied.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::with_clocks(path, Clocks::machine())
    }

    /// The same, with `clock` for both clocks: for tests.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_clock(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Self::with_clocks(path, Clocks::Given { wall: Arc::clone(&clock), boot: clock })
    }

    fn with_clocks(path: &Path, clocks: Clocks) -> Result<Self, OpenError> {
        let unusable = |why: String| OpenError::Unusable { path: path.to_owned(), why };
        let base = Base::open(path)?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared::new(&queue));
        let heard = Arc::new(Heard::default());
        let book =
            Book::new(base, clocks, Arc::clone(&heard)).map_err(|error| unusable(error.to_string()))?;
        let book = Arc::new(Mutex::new(book));
        let worker = Worker::new(jobs, Arc::clone(&shared), Arc::clone(&book));
        let thread = thread::Builder::new().name("keyrot-sqlite".to_owned()).spawn(|| worker.run());
        let thread = thread.map_err(|error| unusable(error.to_string()))?;
        Ok(Self {
            handle: Arc::new(Handle { shared, book, heard, queue: Some(queue), thread: Some(thread) }),
        })
    }

    /// The same store for requests to `endpoint`: what cools there, but for the whole pool, is its own; what
    /// is counted is not. To be said before anything is asked; clones share it.
    #[must_use]
    pub fn for_endpoint(self, endpoint: Endpoint) -> Self {
        self.handle.book.lock().for_endpoint(endpoint);
        self
    }

    /// Since when and why the file is not used any more, so that other processes are not counted;
    /// `None` while all is well.
    #[must_use]
    pub fn suspended(&self) -> Option<Suspended> {
        self.handle.shared.suspended.lock().clone()
    }

    /// Waits until all that was accepted before is in the file: call it before a process ends.
    ///
    /// # Errors
    /// When the store's thread has ended.
    pub async fn flush(&self) -> Result<(), LimitError> {
        self.ask(true, |_| Ok(())).await
    }

    async fn submit(&self, job: Box<dyn Job>) -> Result<(), LimitError> {
        let Some(queue) = &self.handle.queue else { return Err(ended()) };
        queue.send(job).await.map_err(|_| ended())
    }

    async fn ask<A, F>(&self, writes: bool, decide: F) -> Result<A, LimitError>
    where
        A: Send + 'static,
        F: FnMut(&mut Sheet<'_>) -> Done<A> + Send + 'static,
    {
        let (to, answer) = oneshot::channel();
        let ticket = self.handle.shared.ticket();
        self.submit(Box::new(Asked { ticket, to, writes, decide, answer: None })).await?;
        answer.await.map_err(|_| ended())?
    }

    async fn tell<F>(&self, what: F) -> Result<(), LimitError>
    where
        F: FnMut(&mut Sheet<'_>) -> Done + Send + 'static,
    {
        let ticket = self.handle.shared.ticket();
        self.submit(Box::new(Told { ticket, what })).await
    }

    /// The answer by the caller's own thread: two changes of threads take longer than all that is to be
    /// done. `None` when somebody else is at the file, when anything accepted before is not done yet, or
    /// when something is wrong: then the store's thread is asked, which has the patience for each. Under
    /// load that is nearly always so, and many requests go into one transaction.
    fn at_once(&self, ask: &Ask<'_>) -> Option<Reply> {
        let Handle { shared, book, .. } = &*self.handle;
        if shared.is_idle() { book.try_lock()?.at_once(|sheet| sheet.reserve(ask)) } else { None }
    }
}

fn ended() -> LimitError {
    unavailable("its thread has ended")
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was told by all it left unanswered.
            let _panicked = thread.join();
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("suspended", &self.suspended()).finish_non_exhaustive()
    }
}

impl RateLimiter for SqliteStore {
    async fn reserve(&self, ask: &Ask<'_>) -> Result<Reply, LimitError> {
        if let Some(reply) = self.at_once(ask) {
            return Ok(reply);
        }
        let (to, answer) = oneshot::channel();
        self.submit(Box::new(Reserve::new(ask, Arc::clone(&self.handle.shared), to))).await?;
        let parcel = answer.await.map_err(|_| ended())??;
        parcel.open().ok_or_else(ended)
    }

    async fn settle(&self, permit: &Permit, tokens: u64) -> Result<(), LimitError> {
        let permit = permit.clone();
        self.tell(move |sheet| sheet.settle(&permit, tokens)).await
    }

    async fn release(&self, permit: &Permit, ended: Ended) -> Result<(), LimitError> {
        let permit = permit.clone();
        self.tell(move |sheet| sheet.release(&permit, ended)).await
    }

    async fn cool(&self, report: &CoolReport) -> Result<Cooled, LimitError> {
        let report = report.clone();
        self.ask(true, move |sheet| sheet.cool(&report)).await
    }

    fn lifted(&self) -> Lifted {
        self.handle.heard.take()
    }

    async fn listen(&self) -> Result<(), LimitError> {
        // Whatever is asked begins with what others have changed.
        self.ask(false, |_| Ok(())).await
    }

    async fn lift(&self, scope: &Scope) -> Result<(), LimitError> {
        let scope = scope.clone();
        self.ask(true, move |sheet| {
            sheet.lift(&scope);
            Ok(())
        })
        .await
    }

    async fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
        cost: Cost,
    ) -> Result<Vec<Standing>, LimitError> {
        let ways: Vec<Way> = candidates.iter().map(Way::of).collect();
        self.ask(false, move |sheet| {
            ways.iter().map(|way| sheet.standing(&way.as_is(), method, cost)).collect()
        })
        .await
    }
}

impl FactStore for SqliteStore {
    async fn get(&self, name: &str) -> Result<Option<Fact>, LimitError> {
        let name = name.to_owned();
        self.ask(false, move |sheet| sheet.fact(&name)).await
    }

    async fn put(&self, name: &str, value: &str, ttl: Option<Duration>) -> Result<(), LimitError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.ask(true, move |sheet| sheet.put(&name, &value, ttl)).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Fact)>, LimitError> {
        let prefix = prefix.to_owned();
        self.ask(false, move |sheet| sheet.scan(&prefix)).await
    }

    async fn increment(&self, name: &str, by: u64) -> Result<u64, LimitError> {
        let name = name.to_owned();
        self.ask(true, move |sheet| sheet.increment(&name, by)).await
    }
}
