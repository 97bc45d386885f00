//! Several handles on a store that has only one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyrot_core::{
    Ask, Candidate, CoolReport, Cooled, Cost, Ended, Lifted, LimitError, Method, Permit, RateLimiter, Reply,
    Scope, Standing,
};
use parking_lot::Mutex;

/// A handle on a store of this process: clones share it, and each is told of lifts by itself.
#[derive(Debug)]
pub struct Shared<L> {
    store: Arc<L>,
    /// All that was lifted so far; `None` for more than was remembered.
    lifts: Arc<Mutex<Vec<Option<Scope>>>>,
    /// How much of it this handle was told.
    told: AtomicUsize,
}

impl<L> Shared<L> {
    /// The first handle.
    pub fn new(store: L) -> Self {
        Self { store: Arc::new(store), lifts: Arc::default(), told: AtomicUsize::new(0) }
    }
}

impl<L: RateLimiter> Shared<L> {
    /// What was lifted since `told` lifts, and how many there are now.
    fn since(&self, told: usize) -> (Lifted, usize) {
        let mut lifts = self.lifts.lock();
        match self.store.lifted() {
            Lifted::Scopes(scopes) => lifts.extend(scopes.into_iter().map(Some)),
            Lifted::All => lifts.push(None),
        }
        let news = lifts.iter().skip(told).cloned().collect::<Option<Vec<Scope>>>();
        let news = news.filter(|scopes| scopes.len() <= 64);
        (news.map_or(Lifted::All, Lifted::Scopes), lifts.len())
    }
}

impl<L: RateLimiter> Clone for Shared<L> {
    fn clone(&self) -> Self {
        let (_, told) = self.since(0);
        let (store, lifts) = (Arc::clone(&self.store), Arc::clone(&self.lifts));
        Self { store, lifts, told: AtomicUsize::new(told) }
    }
}

impl<L: RateLimiter> RateLimiter for Shared<L> {
    fn reserve(&self, ask: &Ask<'_>) -> impl Future<Output = Result<Reply, LimitError>> + Send {
        self.store.reserve(ask)
    }

    fn settle(&self, permit: &Permit, tokens: u64) -> impl Future<Output = Result<(), LimitError>> + Send {
        self.store.settle(permit, tokens)
    }

    fn release(&self, permit: &Permit, ended: Ended) -> impl Future<Output = Result<(), LimitError>> + Send {
        self.store.release(permit, ended)
    }

    fn cool(&self, report: &CoolReport) -> impl Future<Output = Result<Cooled, LimitError>> + Send {
        self.store.cool(report)
    }

    fn lifted(&self) -> Lifted {
        let (news, told) = self.since(self.told.load(Ordering::Relaxed));
        self.told.store(told, Ordering::Relaxed);
        news
    }

    fn listen(&self) -> impl Future<Output = Result<(), LimitError>> + Send {
        self.store.listen()
    }

    fn lift(&self, scope: &Scope) -> impl Future<Output = Result<(), LimitError>> + Send {
        self.store.lift(scope)
    }

    fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
        cost: Cost,
    ) -> impl Future<Output = Result<Vec<Standing>, LimitError>> + Send {
        self.store.snapshot(candidates, method, cost)
    }
}
