//! The thread that does what waits: all of it in one transaction, answered once that is in the file.

use std::mem;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::book::Book;
use super::failure::{Done, Failure};
use super::job::{Job, Shared, Unclaimed, give_back};

/// The most jobs in one transaction.
const BATCH: usize = 64;
/// Attempts at a lock that another process holds, once nobody is left who waits: a second or so.
const LAST_ROUNDS: u32 = 20;

pub(super) struct Worker {
    queue: mpsc::Receiver<Box<dyn Job>>,
    shared: Arc<Shared>,
    book: Arc<Mutex<Book>>,
}

impl Worker {
    pub(super) fn new(
        queue: mpsc::Receiver<Box<dyn Job>>,
        shared: Arc<Shared>,
        book: Arc<Mutex<Book>>,
    ) -> Self {
        Self { queue, shared, book }
    }

    /// Serves until there is no handle left and nothing to do.
    pub(super) fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.queue.blocking_recv_many(&mut batch, BATCH) > 0 {
            self.serve(mem::replace(&mut batch, Vec::with_capacity(BATCH)));
        }
        self.serve(Vec::new());
    }

    fn serve(&mut self, mut batch: Vec<Box<dyn Job>>) {
        // Taken after the batch: what was given up before any of it was asked is given back first.
        let unclaimed = mem::take(&mut *self.shared.unclaimed.lock());
        let mut writes = !unclaimed.is_empty() || batch.iter().any(|job| job.writes());
        let (mut rounds, mut falls) = (0, 0);
        loop {
            batch.retain(|job| job.wanted());
            if batch.is_empty() && unclaimed.is_empty() {
                return;
            }
            match self.attempt(&mut batch, &unclaimed, writes) {
                Ok(()) => return batch.into_iter().for_each(Job::answer),
                Err(Failure::Busy) => {
                    writes = true;
                    rounds += 1;
                    if self.queue.is_closed() && rounds > LAST_ROUNDS {
                        return;
                    }
                }
                Err(Failure::Broken(why)) => {
                    falls += 1;
                    if falls > 2 || self.go_on_in_memory(&why, falls == 1).is_err() {
                        return batch.into_iter().for_each(|job| job.refuse(&why));
                    }
                }
            }
        }
    }

    /// All of it, or nothing.
    fn attempt(&self, batch: &mut [Box<dyn Job>], unclaimed: &[Unclaimed], writes: bool) -> Done {
        let mut book = self.book.lock();
        book.look_after_file(&self.shared.suspended);
        book.patiently(writes, |sheet| {
            give_back(unclaimed, sheet)?;
            batch.iter_mut().try_for_each(|job| job.run(sheet))
        })
    }

    fn go_on_in_memory(&self, why: &str, copied: bool) -> rusqlite::Result<()> {
        self.book.lock().go_on_in_memory(why, copied, &self.shared.suspended)
    }
}
