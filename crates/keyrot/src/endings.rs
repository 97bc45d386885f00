//! Endings of leases: what is left to be done about a permit, by whoever has the time.
//!
//! An ending is drawn where the lease ends, and whoever goes away in the middle of it leaves the rest to
//! the background. Nothing that holds a place is ever dropped: as many endings may wait as there were
//! leases. Only what makes a charge sharper sooner, a settlement of a call that goes on, may be.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use keyrot_core::{Ended, LimitError, Outcome, Permit, RateLimiter, Timestamp};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use crate::blame::Judgement;
use crate::lease::Attempt;
use crate::pool::Pool;

/// How many settlements of calls that go on may wait.
const SETTLEMENTS: usize = 4096;
/// How many endings are drawn at once: a store that is slow for one is not slow for all in turn.
const AT_ONCE: usize = 64;

/// How far the ending of an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Step {
    #[default]
    Count,
    Judge,
    Settle,
    Release,
    Done,
}

/// What is left to be done about a permit once nobody waits for it.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The tokens are known; the call goes on.
    Settle { permit: Permit, tokens: u64 },
    /// The call is over, and its ending has come to `step`.
    End { attempt: Box<Attempt>, outcome: Outcome, step: Step },
    /// The store did not take the end of a permit in time.
    Release { permit: Permit, ended: Ended, until: Timestamp },
    /// Everything sent before this is done.
    Flush(oneshot::Sender<()>),
}

/// What waits for the background.
#[derive(Debug)]
pub(crate) struct Endings {
    queue: mpsc::UnboundedSender<Ending>,
    settlements: AtomicUsize,
}

impl Endings {
    /// The queue, and what comes out of it.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Ending>) {
        let (queue, inbox) = mpsc::unbounded_channel();
        (Self { queue, settlements: AtomicUsize::new(0) }, inbox)
    }
}

/// An ending under way: what is left of it when it is dropped goes on in the background.
struct Drawing<'a> {
    pool: &'a Pool,
    attempt: &'a Attempt,
    outcome: &'a Outcome,
    step: Step,
}

impl Drop for Drawing<'_> {
    fn drop(&mut self) {
        if self.step < Step::Done {
            let (attempt, outcome) = (Box::new(self.attempt.clone()), self.outcome.clone());
            self.pool.later(Ending::End { attempt, outcome, step: self.step });
        }
    }
}

impl Pool {
    /// Leaves an ending to the background.
    pub(crate) fn later(&self, ending: Ending) {
        let endings = &self.endings;
        if let Ending::Settle { .. } = ending
            && endings.settlements.fetch_add(1, Ordering::AcqRel) >= SETTLEMENTS
        {
            // The end of the call settles as well.
            endings.settlements.fetch_sub(1, Ordering::AcqRel);
            return;
        }
        if endings.queue.send(ending).is_err() {
            tracing::warn!("the runtime is gone: a permit is left to expire");
        }
    }

    /// Draws every consequence of an attempt's outcome. Dropped on the way, it goes on in the background.
    pub(crate) async fn conclude(&self, attempt: &Attempt, outcome: &Outcome) -> Judgement {
        self.go_on(attempt, outcome, Step::default()).await
    }

    async fn go_on(&self, attempt: &Attempt, outcome: &Outcome, step: Step) -> Judgement {
        let mut drawing = Drawing { pool: self, attempt, outcome, step };
        self.draw_consequences(attempt, outcome, &mut drawing.step).await
    }

    /// Ends a permit, now or as soon as the store takes it.
    pub(crate) async fn release(&self, attempt: &Attempt, ended: Ended) {
        let permit = &attempt.permit;
        if let Err(error) = self.patiently(self.limiter.release(permit, ended)).await {
            tracing::warn!(%error, "the store did not take the end of a permit in time");
            let until = attempt.started + attempt.lasts;
            self.later(Ending::Release { permit: permit.clone(), ended, until });
        }
    }

    /// Waits until everything left to the background so far is done and in the store, `timeout` at most.
    pub(crate) async fn flush(&self, timeout: Duration) -> bool {
        let (done, wait) = oneshot::channel();
        let flush = async {
            let ended = self.endings.queue.send(Ending::Flush(done)).is_ok() && wait.await.is_ok();
            let written = self.write_down().await;
            self.limiter.flush().await;
            ended && written.is_ok()
        };
        tokio::time::timeout(timeout, flush).await.unwrap_or(false)
    }

    /// Has the store take what it did not take before, while that matters.
    async fn release_late(&self, permit: &Permit, ended: Ended, until: Timestamp) -> Result<(), LimitError> {
        tokio::select! {
            biased;
            released = self.limiter.release(permit, ended) => released,
            () = self.clock.sleep_until(until) => Ok(()),
        }
    }
}

/// Does what is left to the background, as long as there is a pool. What is said of one permit is done in
/// the order it was said: settlements at once, endings beside one another.
pub(crate) async fn draw_in_background(pool: Weak<Pool>, mut inbox: mpsc::UnboundedReceiver<Ending>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut under_way = JoinSet::new();
    while let Some(ending) = inbox.recv().await {
        while under_way.try_join_next().is_some() {}
        let Some(pool) = pool.upgrade() else { return };
        match ending {
            Ending::Settle { permit, tokens } => {
                pool.endings.settlements.fetch_sub(1, Ordering::AcqRel);
                pool.settle(&permit, tokens, pool.clock.now()).await;
            }
            Ending::End { attempt, outcome, step } => {
                let place = Arc::clone(&room).acquire_owned().await;
                under_way.spawn(async move {
                    pool.go_on(&attempt, &outcome, step).await;
                    drop(place);
                });
            }
            Ending::Release { permit, ended, until } => {
                under_way.spawn(async move {
                    if let Err(error) = pool.release_late(&permit, ended, until).await {
                        tracing::warn!(%error, "a permit is left to expire");
                    }
                });
            }
            Ending::Flush(done) => {
                while under_way.join_next().await.is_some() {}
                // Nobody may be listening any more.
                let _gone = done.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
