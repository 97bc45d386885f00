//! The file with what is known of it: whoever has this may work on the file, one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyrot_core::{Endpoint, Lifted};
use parking_lot::Mutex;
use rusqlite::backup::{Backup, StepResult};

use super::broom::Broom;
use super::cooling::Cooling;
use super::failure::{Done, Failure, wait};
use super::open::Base;
use super::owners::Owners;
use super::rows::Rows;
use super::sheet::Sheet;
use super::time::Clocks;
use crate::lifts::Heard;
use crate::suspended::Suspended;

/// Looks at a lock that another process holds, before it is asked who still waits.
const LOOKS: i32 = 16;
/// How often the path is looked at, in milliseconds.
const LOOK_AFTER: u64 = 1_000;

#[derive(Debug)]
pub(super) struct Book {
    base: Base,
    clocks: Clocks,
    owners: Owners,
    cooling: Cooling,
    heard: Arc<Heard>,
    broom: Broom,
    /// Whether to wait for another process that writes.
    patient: Arc<AtomicBool>,
    /// Whether something was written.
    begun: bool,
    /// When the path was last looked at.
    looked: u64,
}

impl Book {
    pub(super) fn new(mut base: Base, clocks: Clocks, heard: Arc<Heard>) -> rusqlite::Result<Self> {
        let patient = Arc::new(AtomicBool::new(true));
        let waits = Arc::clone(&patient);
        base.connection.busy_handler(Some(move |looks| {
            let waits = waits.load(Ordering::Relaxed);
            if waits {
                wait(looks);
            }
            waits && looks < LOOKS
        }))?;
        let looked = clocks.since_boot();
        // Without a log the file may lie where other machines have it too, whose processes nobody here knows.
        let owners = if base.commits_at_once() { Owners::of_this_process() } else { Owners::default() };
        let (cooling, broom) = (Cooling::unread(Endpoint::default()), Broom::new());
        Ok(Self { base, clocks, owners, cooling, heard, broom, patient, begun: false, looked })
    }

    /// Keeps the cooldowns of `endpoint` from now on.
    pub(super) fn for_endpoint(&mut self, endpoint: Endpoint) {
        self.cooling = Cooling::unread(endpoint);
    }

    /// Does `work` in one transaction: all of it, or nothing. Waits a little for other processes.
    pub(super) fn patiently<T>(
        &mut self,
        writes: bool,
        work: impl FnOnce(&mut Sheet<'_>) -> Done<T>,
    ) -> Done<T> {
        self.patient.store(true, Ordering::Relaxed);
        self.transact(writes, work)
    }

    /// The same, for who must not be kept waiting; `None` where that cannot be had, for whatever reason.
    /// Nothing has happened then.
    pub(super) fn at_once<T>(&mut self, work: impl FnOnce(&mut Sheet<'_>) -> Done<T>) -> Option<T> {
        // The first to write into a log's beginning waits until its header is on the disk. Where one was
        // begun, whoever checkpoints does that.
        if !self.begun || !self.base.commits_at_once() || !self.looks_right() {
            return None;
        }
        self.patient.store(false, Ordering::Relaxed);
        self.transact(false, work).ok()
    }

    fn transact<T>(&mut self, writes: bool, work: impl FnOnce(&mut Sheet<'_>) -> Done<T>) -> Done<T> {
        let done = self.attempt(writes, work);
        if done.is_err() {
            self.cooling.undo();
            if !self.base.connection.is_autocommit() {
                // What cannot be rolled back is not used again.
                let _broken = self.base.connection.execute_batch("ROLLBACK");
            }
        }
        done
    }

    fn attempt<T>(&mut self, writes: bool, work: impl FnOnce(&mut Sheet<'_>) -> Done<T>) -> Done<T> {
        let rows = Rows(&self.base.connection);
        rows.run(if writes { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
        let mut sheet = Sheet::begin(rows, &self.clocks, &self.owners, &mut self.cooling)?;
        let done = work(&mut sheet)?;
        let (granted, now) = (sheet.granted, sheet.now());
        sheet.end()?;
        if writes || granted > 0 {
            self.broom.sweep(rows, granted, now)?;
        }
        rows.run("COMMIT")?;
        let lifted = self.cooling.done();
        if lifted != Lifted::default() {
            self.heard.hear(lifted);
        }
        self.begun |= granted > 0;
        Ok(done)
    }

    /// Whether the file is still the one that others use, as far as that was looked at lately.
    fn looks_right(&mut self) -> bool {
        let now = self.clocks.since_boot();
        if now.saturating_sub(self.looked) < LOOK_AFTER {
            return true;
        }
        let right = self.base.is_there();
        if right {
            // What is wrong is still to be seen by the thread.
            self.looked = now;
        }
        right
    }

    /// Goes on in memory if the file is not the one that others use any more.
    pub(super) fn look_after_file(&mut self, suspended: &Mutex<Option<Suspended>>) {
        if !self.looks_right() {
            // Its content is still to be had. If not even that, the next step finds out.
            let _fresh = self.go_on_in_memory("it was deleted or replaced", true, suspended);
        }
    }

    /// Leaves the file as it is and goes on beside it, with what it says if that can be read.
    pub(super) fn go_on_in_memory(
        &mut self,
        why: &str,
        copied: bool,
        suspended: &Mutex<Option<Suspended>>,
    ) -> rusqlite::Result<()> {
        let mut memory = Base::in_memory()?;
        if copied && self.copy_to(&mut memory).is_err() {
            memory = Base::in_memory()?;
        }
        let why = format!("state file `{}` cannot be used any more: {why}", self.base.name());
        let bounds = "each process counts alone: a window may reach its limit once per process".to_owned();
        let since = self.clocks.wall();
        suspended.lock().get_or_insert(Suspended { since, why, bounds: Some(bounds) });
        self.base = memory;
        self.cooling = self.cooling.anew();
        self.heard.hear(Lifted::All);
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
