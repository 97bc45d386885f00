//! Moving what the write-ahead log holds into the file itself, which waits for the disk: on a thread
//! and a connection of its own, so that nobody who asks waits for it.
//!
//! The log stays bounded, whoever writes. After each commit SQLite tells how long the log is, whichever
//! processes wrote it, and a process that finds it longer than a [`STEP`], or a further one, than at
//! its own commit before begins a checkpoint. So a long process that is idle leaves that to whoever
//! writes beside it; a short one finds what those before it left, and ends after its checkpoint has;
//! what a killed one leaves undone is begun by the next that writes, for to a new process every length
//! is new. A checkpoint that moved all is followed by the first write into the log's beginning. Under
//! a load that never pauses there is always something new in the log, and none moves all: from [`LONG`]
//! on one keeps writers out for the little that is left.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, Thread};

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::open::{Identity, connect};

/// Pages of log from one checkpoint to the next: 4 MB.
const STEP: i32 = 1_000;

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
}

impl Bell {
    fn ring(thread: &Thread, told: &AtomicBool) {
        told.store(true, Ordering::Release);
        thread.unpark();
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
                Bell::ring(&thread, &bell.due);
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
        let sql = format!("PRAGMA wal_checkpoint({how})");
        connection.query_row(&sql, [], |row| Ok((row.get::<_, i32>(1)?, row.get::<_, i32>(2)?)))
    };
    let (mut pages, mut done) = moved("PASSIVE")?;
    if done < pages {
        (pages, done) = moved("FULL")?;
    }
    if pages > 0 && pages == done {
        // Who is the first to write after that waits for the disk.
        connection.execute("UPDATE pool SET seq = seq WHERE one = 1", [])?;
    }
    Ok(())
}
