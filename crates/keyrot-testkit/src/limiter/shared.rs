//! Several handles on a store that has only one.

use std::sync::Arc;

use keyrot_core::{
    Ask, Candidate, CoolReport, Cooled, Cost, Ended, Lifted, LimitError, Method, Permit, RateLimiter, Reply,
    Scope, Standing,
};

/// A handle on a store of this process: clones share it.
#[derive(Debug)]
pub struct Shared<L>(Arc<L>);

impl<L> Shared<L> {
    /// The first handle.
    pub fn new(store: L) -> Self {
        Self(Arc::new(store))
    }
}

impl<L> Clone for Shared<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L: RateLimiter> RateLimiter for Shared<L> {
    fn reserve(&self, ask: &Ask<'_>) -> impl Future<Output = Result<Reply, LimitError>> + Send {
        self.0.reserve(ask)
    }

    fn settle(&self, permit: &Permit, tokens: u64) -> impl Future<Output = Result<(), LimitError>> + Send {
        self.0.settle(permit, tokens)
    }

    fn release(&self, permit: &Permit, ended: Ended) -> impl Future<Output = Result<(), LimitError>> + Send {
        self.0.release(permit, ended)
    }

    fn cool(&self, report: &CoolReport) -> impl Future<Output = Result<Cooled, LimitError>> + Send {
        self.0.cool(report)
    }

    fn lifted(&self) -> Lifted {
        self.0.lifted()
    }

    fn listen(&self) -> impl Future<Output = Result<(), LimitError>> + Send {
        self.0.listen()
    }

    fn lift(&self, scope: &Scope) -> impl Future<Output = Result<(), LimitError>> + Send {
        self.0.lift(scope)
    }

    fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
        cost: Cost,
    ) -> impl Future<Output = Result<Vec<Standing>, LimitError>> + Send {
        self.0.snapshot(candidates, method, cost)
    }
}
