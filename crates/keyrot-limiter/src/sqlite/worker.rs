//! The thread that owns the file: whatever waits goes into one transaction, and is answered once
//! that is in the file.

use std::mem;
use std::sync::Arc;

use keyrot_core::Permit;
use rusqlite::backup::{Backup, StepResult};
use tokio::sync::mpsc;

use super::broom::Broom;
use super::cooling::Cooling;
use super::failure::{Done, Failure, wait};
use super::job::{Job, Shared, give_back};
use super::open::Base;
use super::rows::Rows;
use super::sheet::Sheet;
use super::time::Clocks;
use crate::suspended::Suspended;

/// The most jobs in one transaction.
const BATCH: usize = 64;
/// Looks at a lock that another process holds, before it is asked who still waits.
const LOOKS: i32 = 16;
/// The same, once nobody is left who waits: a second or so.
const LAST_ROUNDS: u32 = 20;
/// How often the path is looked at, in milliseconds.
const LOOK_AFTER: u64 = 1_000;

pub(super) struct Worker {
    queue: mpsc::Receiver<Box<dyn Job>>,
    shared: Arc<Shared>,
    base: Base,
    clocks: Clocks,
    cooling: Cooling,
    broom: Broom,
    /// When the path was last looked at.
    looked: u64,
}

impl Worker {
    pub(super) fn new(
        mut base: Base,
        clocks: Clocks,
        queue: mpsc::Receiver<Box<dyn Job>>,
        shared: Arc<Shared>,
    ) -> rusqlite::Result<Self> {
        base.connection.busy_handler(Some(|looks| {
            wait(looks);
            looks < LOOKS
        }))?;
        let looked = clocks.since_boot();
        let (cooling, broom) = (Cooling::unread(), Broom::new());
        Ok(Self { queue, shared, base, clocks, cooling, broom, looked })
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
        self.look_after_file();
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
    fn attempt(&mut self, batch: &mut [Box<dyn Job>], unclaimed: &[Permit], writes: bool) -> Done {
        let done = self.transact(batch, unclaimed, writes);
        if done.is_err() {
            self.cooling.undo();
            if !self.base.connection.is_autocommit() {
                // What cannot be rolled back is not used again.
                let _broken = self.base.connection.execute_batch("ROLLBACK");
            }
        }
        done
    }

    fn transact(&mut self, batch: &mut [Box<dyn Job>], unclaimed: &[Permit], writes: bool) -> Done {
        let rows = Rows(&self.base.connection);
        rows.run(if writes { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
        let mut sheet = Sheet::begin(rows, &self.clocks, &mut self.cooling)?;
        give_back(unclaimed, &mut sheet)?;
        batch.iter_mut().try_for_each(|job| job.run(&mut sheet))?;
        let (granted, now) = (sheet.granted, sheet.now());
        sheet.end()?;
        if writes || granted > 0 {
            self.broom.sweep(rows, granted, now)?;
        }
        rows.run("COMMIT")
    }

    /// Whether the file is still the one that others use.
    fn look_after_file(&mut self) {
        let now = self.clocks.since_boot();
        if now.saturating_sub(self.looked) >= LOOK_AFTER {
            self.looked = now;
            if !self.base.is_there() {
                // Its content is still to be had. If not even that, the next step finds out.
                let _fresh = self.go_on_in_memory("it was deleted or replaced", true);
            }
        }
    }

    /// Leaves the file as it is and goes on beside it, with what it says if that can be read.
    fn go_on_in_memory(&mut self, why: &str, copied: bool) -> rusqlite::Result<()> {
        let mut memory = Base::in_memory()?;
        if copied && self.copy_to(&mut memory).is_err() {
            memory = Base::in_memory()?;
        }
        let why = format!("state file `{}` cannot be used any more: {why}", self.base.name());
        let bounds = "each process counts alone: a window may reach its limit once per process".to_owned();
        let since = self.clocks.wall();
        self.shared.suspended.lock().get_or_insert(Suspended { since, why, bounds: Some(bounds) });
        self.base = memory;
        self.cooling = Cooling::unread();
        Ok(())
    }

    fn copy_to(&self, memory: &mut Base) -> Done {
        let backup = Backup::new(&self.base.connection, &mut memory.connection)?;
        for looks in 0..LOOKS {
            match backup.step(-1)? {
                StepResult::Done => return Ok(()),
                _ => wait(looks),
            }
        }
        Err(Failure::Busy)
    }
}
