//! Moving what the write-ahead log holds into the file itself, which waits for the disk: on a thread
//! and a connection of its own, so that nobody who asks waits for it.
//!
//! The log stays bounded, whoever writes. After each commit SQLite tells how long the log is, whichever
//! processes wrote it, and a process that finds it a [`STEP`] longer than at its own commit before
//! begins a checkpoint. So a long process that is idle leaves that to whoever writes beside it; to a
//! short one every length is new: it finds what those before it left, killed ones included, and ends
//! only after its checkpoint has. When all is moved, the next write goes to the log's beginning. Under a
//! load that never pauses there is always something new in the log: once it is [`LONG`], writers are
//! kept out for the little that was written while the rest was moved. And where the disk does not keep up,
//! whoever makes a [`FULL`] log longer waits for it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::open::{Identity, connect};
use super::schema;

/// Pages of log from one checkpoint to the next: 4 MB.
const STEP: i32 = 1_000;
/// Pages of log after which writers are kept out for a moment.
const LONG: i32 = 3 * STEP;
/// Pages of log after which whoever makes it a step longer waits for a checkpoint, and for how long at most.
const FULL: i32 = 4 * STEP;
const PATIENCE: Duration = Duration::from_secs(1);

/// The thread, which ends when this is dropped, after what is due.
#[derive(Debug)]
pub(super) struct Checkpoints {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is told.
#[derive(Debug, Default)]
struct Bell {
    due: AtomicBool,
    over: AtomicBool,
    /// How many checkpoints have ended.
    ended: Mutex<u64>,
    end: Condvar,
}

impl Bell {
    fn ring(thread: &Thread, told: &AtomicBool) {
        told.store(true, Ordering::Release);
        thread.unpark();
    }

    /// Waits until another checkpoint has ended, but not for a reader who keeps the log from being moved.
    fn wait(&self, mut ended: MutexGuard<'_, u64>) {
        let before = *ended;
        while *ended == before && !self.end.wait_for(&mut ended, PATIENCE).timed_out() {}
    }
}

impl Checkpoints {
    /// A thread for `file`, with nothing to do yet.
    pub(super) fn start(file: Identity) -> io::Result<Self> {
        let bell = Arc::new(Bell::default());
        let heard = Arc::clone(&bell);
        let thread = thread::Builder::new().name("keyrot-checkpoint".to_owned());
        let thread = thread.spawn(move || serve(&file, &heard))?;
        Ok(Self { bell, thread: Some(thread) })
    }

    /// Begins a checkpoint whenever what `connection` commits makes one due. This takes the place of
    /// SQLite's own checkpoints, for which who commits waits.
    pub(super) fn follow(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let Some(thread) = &self.thread else { return Ok(()) };
        let (bell, thread) = (Arc::clone(&self.bell), thread.thread().clone());
        let mut seen = 0;
        connection.wal_hook(Some(move |_: &mut Wal, pages: i32| {
            if pages / STEP > seen {
                let ended = bell.ended.lock();
                Bell::ring(&thread, &bell.due);
                if pages >= FULL {
                    bell.wait(ended);
                }
            }
            seen = pages / STEP;
            Ok(())
        }))
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            Bell::ring(thread.thread(), &self.bell.over);
            let _panicked = thread.join();
        }
    }
}

fn serve(file: &Identity, bell: &Bell) {
    loop {
        // In this order: what is due when it is over is done.
        let over = bell.over.load(Ordering::Acquire);
        if bell.due.swap(false, Ordering::AcqRel) {
            // The next step tries again; what is wrong with the file is found by those who ask.
            let _later = checkpoint(file);
            *bell.ended.lock() += 1;
            bell.end.notify_all();
        } else if over {
            return;
        } else {
            thread::park();
        }
    }
}

fn checkpoint(file: &Identity) -> rusqlite::Result<()> {
    let connection = connect(&file.path)?;
    // SQLite has read nothing yet: another file that has taken the place is left alone.
    if !file.is_there() {
        return Ok(());
    }
    connection.execute_batch("PRAGMA synchronous = NORMAL")?;
    let moved = |how: &str| {
        connection.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |row| row.get::<_, i32>(2))
    };
    // What was written meanwhile stays in the log, and keeps all before it there.
    if moved("PASSIVE")? >= LONG {
        moved("RESTART")?;
    }
    // Who is the first to write into the log's beginning waits for the disk: better this thread than
    // others. Of what stays as it is SQLite writes nothing, but for the numbers in a file's header.
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let version = schema::version(&connection)?;
    connection.execute_batch(&format!("PRAGMA user_version = {version}; COMMIT"))
}
