//! A shared store that may be away: [`Degrading`] goes on without it, within bounds it can name, and
//! brings it up to date on return.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use keyrot_core::{Clock, LimitError};
use parking_lot::Mutex;

use crate::facts::MemoryFacts;
use crate::suspended::Suspended;

mod batch;
mod books;
mod facts;
mod late;
mod limiter;
mod mirror;
mod share;
mod shared;
mod state;
mod tend;
mod wake;

pub use shared::{Beat, Charges, DayCharge, Mark, Reading, Shared, Used};

use state::{Seen, State};
use wake::Wake;

/// Who this instance is, and how it behaves when the store is away.
#[derive(Debug, Clone)]
pub struct Manner {
    /// The name of this instance among those that share the store: its own alone, and better the same
    /// after a restart.
    pub instance: String,
    /// The instances last known, from an earlier [`Degrading::instances`]; empty when none ever were.
    pub known: Vec<String>,
    /// How many instances to assume while none are known; at least 1.
    pub assumed: u64,
    /// How long the store may take to answer before it counts as away. A store that has such a limit
    /// of its own should have a shorter one: who gives up first knows that the connection is bad.
    pub timeout: Duration,
    /// Whether to refuse, instead of going on here, while the store is away.
    pub fail_closed: bool,
}

/// A limiter and fact store on a store that several instances share.
///
/// While the store answers, it decides. When it fails or does not answer in time, that very call and
/// all that follow are decided here, without waiting, at this instance's share: each limit divided by
/// the number of instances (remainders go to the first in the order of their ids), against the same
/// part of what all had used when the store last told. If all instances are cut off, no window that
/// begins later exceeds a limit; if `k` of `n` are, none exceeds `limit × (1 + k/n)`; in the minute of
/// the loss the excess is what others were admitted after this instance's last reading. Burst and
/// requests in flight are divided likewise; what is in flight at the loss stays in flight. A share may
/// be nothing (4 requests a minute among 5 instances) or too little for a large request: then the
/// request is refused, to be repeated a second later, until the store is back.
///
/// On return what was admitted here is added to the store's counts, once, and what was settled, ended,
/// cooled and learned meanwhile is told. When the store turns out to have lost writes (a failover, a
/// restart, a flush), this instance keeps for one window also to its share of what it was admitted
/// itself, and restores its own part of the counts.
///
/// [`tend`](Self::tend) must run in the background, or nothing ever comes back.
pub struct Degrading<S: Shared> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    store: S,
    clock: Arc<dyn Clock>,
    instance: String,
    timeout: Duration,
    fail_closed: bool,
    /// Why this instance must not go on alone either: others count in a way that it does not know.
    unfit: Mutex<Option<LimitError>>,
    state: Mutex<State>,
    /// The facts last seen or written here.
    facts: MemoryFacts,
    wake: Arc<Wake>,
}

impl<S: Shared> Degrading<S> {
    /// Wraps `store`; `clock` is this machine's.
    #[must_use]
    pub fn new(store: S, clock: Arc<dyn Clock>, manner: Manner) -> Self {
        let Manner { instance, known, assumed, timeout, fail_closed } = manner;
        let state = Mutex::new(State::new(instance.clone(), known, assumed, clock.now()));
        let facts = MemoryFacts::new(Arc::clone(&clock));
        let wake = Arc::new(Wake::default());
        let unfit = Mutex::default();
        Self {
            inner: Arc::new(Inner {
                store,
                clock,
                instance,
                timeout,
                fail_closed,
                unfit,
                state,
                facts,
                wake,
            }),
        }
    }

    /// Heartbeats, and the way back when the store is away. To be spawned once; it ends soon after the
    /// wrapper is dropped.
    pub fn tend(&self) -> impl Future<Output = ()> + Send + 'static {
        tend::tend(Arc::downgrade(&self.inner))
    }

    /// The store itself.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.inner.store
    }

    /// The instances that share the store, sorted, as last heard; to be kept for the next start.
    #[must_use]
    pub fn instances(&self) -> Vec<String> {
        self.inner.state.lock().peers.clone()
    }

    /// Since when, why, and within what bounds the promise over all instances is suspended, if it is.
    #[must_use]
    pub fn suspended(&self) -> Option<Suspended> {
        self.inner.state.lock().suspended(self.inner.clock.now())
    }
}

impl<S: Shared> Drop for Degrading<S> {
    fn drop(&mut self) {
        self.inner.wake.wake();
    }
}

impl<S: Shared> fmt::Debug for Degrading<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<S: Shared> fmt::Debug for Inner<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Degrading")
            .field("store", &self.store)
            .field("instance", &self.instance)
            .field("suspended", &self.state.lock().suspended(self.clock.now()))
            .finish_non_exhaustive()
    }
}

impl<S: Shared> Inner<S> {
    /// What the store answers in time, or why it does not.
    async fn timed<T>(&self, call: impl Future<Output = Result<T, LimitError>>) -> Result<T, String> {
        let late = self.clock.sleep_until(self.clock.now() + self.timeout);
        let (unfit, why) = match select(pin!(call), late).await {
            Either::Left((Ok(answer), _)) => return Ok(answer),
            Either::Left((Err(LimitError::Unavailable { why, .. }), _)) => (None, why),
            Either::Left((Err(error), _)) => {
                let why = error.to_string();
                (Some(error), why)
            }
            Either::Right(_) => (None, format!("no answer within {:.1} s", self.timeout.as_secs_f64())),
        };
        *self.unfit.lock() = unfit;
        Err(why)
    }

    /// What is known before the store is asked: of its memory, and how often it came back.
    fn before(&self) -> (Option<Seen>, u64) {
        let state = self.state.lock();
        (state.seen.clone(), state.returns)
    }

    /// The store did not answer who asked after `returns` returns.
    fn lost_sight(&self, why: &str, returns: u64) {
        let mut state = self.state.lock();
        // A question from before the return says nothing of the store that came back.
        if state.returns == returns && state.leave(why.to_owned(), self.clock.now()) {
            drop(state);
            let store = self.store.name();
            if self.fail_closed {
                tracing::warn!(store, why, "the shared limits are away: refusing");
            } else {
                tracing::warn!(store, why, "the shared limits are away: going on at this instance's share");
            }
            self.wake.wake();
        }
    }

    /// Says once that the store lost writes, and has them restored.
    fn report_loss(&self, lost: Option<&'static str>) {
        if let Some(why) = lost {
            tracing::warn!(store = self.store.name(), why, "the shared limits have lost writes");
            self.wake.wake();
        }
    }
}
