//! A store of the embedder's own: any limiter that keeps facts as well, behind a pointer.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use keyrot_core::{
    Ask, Candidate, CoolReport, Cooled, Cost, Ended, Fact, FactStore, Lifted, LimitError, Method, Permit,
    RateLimiter, Reply, Scope, Standing,
};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, LimitError>> + Send + 'a>>;

/// [`RateLimiter`] and [`FactStore`] with boxed futures, so that the store's type need not be named.
trait Erased: fmt::Debug + Send + Sync {
    fn reserve<'a>(&'a self, ask: &'a Ask<'a>) -> Boxed<'a, Reply>;
    fn settle<'a>(&'a self, permit: &'a Permit, tokens: u64) -> Boxed<'a, ()>;
    fn release<'a>(&'a self, permit: &'a Permit, ended: Ended) -> Boxed<'a, ()>;
    fn cool<'a>(&'a self, report: &'a CoolReport) -> Boxed<'a, Cooled>;
    fn lifted(&self) -> Lifted;
    fn listen(&self) -> Boxed<'_, ()>;
    fn lift<'a>(&'a self, scope: &'a Scope) -> Boxed<'a, ()>;
    fn snapshot<'a>(
        &'a self,
        candidates: &'a [Candidate<'a>],
        method: Method,
        cost: Cost,
    ) -> Boxed<'a, Vec<Standing>>;
    fn get<'a>(&'a self, name: &'a str) -> Boxed<'a, Option<Fact>>;
    fn put<'a>(&'a self, name: &'a str, value: &'a str, ttl: Option<Duration>) -> Boxed<'a, ()>;
    fn scan<'a>(&'a self, prefix: &'a str) -> Boxed<'a, Vec<(String, Fact)>>;
    fn increment<'a>(&'a self, name: &'a str, by: u64) -> Boxed<'a, u64>;
}

impl<S: RateLimiter + FactStore> Erased for S {
    fn reserve<'a>(&'a self, ask: &'a Ask<'a>) -> Boxed<'a, Reply> {
        Box::pin(RateLimiter::reserve(self, ask))
    }

    fn settle<'a>(&'a self, permit: &'a Permit, tokens: u64) -> Boxed<'a, ()> {
        Box::pin(RateLimiter::settle(self, permit, tokens))
    }

    fn release<'a>(&'a self, permit: &'a Permit, ended: Ended) -> Boxed<'a, ()> {
        Box::pin(RateLimiter::release(self, permit, ended))
    }

    fn cool<'a>(&'a self, report: &'a CoolReport) -> Boxed<'a, Cooled> {
        Box::pin(RateLimiter::cool(self, report))
    }

    fn lifted(&self) -> Lifted {
        RateLimiter::lifted(self)
    }

    fn listen(&self) -> Boxed<'_, ()> {
        Box::pin(RateLimiter::listen(self))
    }

    fn lift<'a>(&'a self, scope: &'a Scope) -> Boxed<'a, ()> {
        Box::pin(RateLimiter::lift(self, scope))
    }

    fn snapshot<'a>(
        &'a self,
        candidates: &'a [Candidate<'a>],
        method: Method,
        cost: Cost,
    ) -> Boxed<'a, Vec<Standing>> {
        Box::pin(RateLimiter::snapshot(self, candidates, method, cost))
    }

    fn get<'a>(&'a self, name: &'a str) -> Boxed<'a, Option<Fact>> {
        Box::pin(FactStore::get(self, name))
    }

    fn put<'a>(&'a self, name: &'a str, value: &'a str, ttl: Option<Duration>) -> Boxed<'a, ()> {
        Box::pin(FactStore::put(self, name, value, ttl))
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> Boxed<'a, Vec<(String, Fact)>> {
        Box::pin(FactStore::scan(self, prefix))
    }

    fn increment<'a>(&'a self, name: &'a str, by: u64) -> Boxed<'a, u64> {
        Box::pin(FactStore::increment(self, name, by))
    }
}

/// See the module's docs.
#[derive(Debug)]
pub(crate) struct Given(Box<dyn Erased>);

impl Given {
    pub(crate) fn new(store: impl RateLimiter + FactStore) -> Self {
        Self(Box::new(store))
    }
}

impl RateLimiter for Given {
    async fn reserve(&self, ask: &Ask<'_>) -> Result<Reply, LimitError> {
        self.0.reserve(ask).await
    }

    async fn settle(&self, permit: &Permit, tokens: u64) -> Result<(), LimitError> {
        self.0.settle(permit, tokens).await
    }

    async fn release(&self, permit: &Permit, ended: Ended) -> Result<(), LimitError> {
        self.0.release(permit, ended).await
    }

    async fn cool(&self, report: &CoolReport) -> Result<Cooled, LimitError> {
        self.0.cool(report).await
    }

    fn lifted(&self) -> Lifted {
        self.0.lifted()
    }

    async fn listen(&self) -> Result<(), LimitError> {
        self.0.listen().await
    }

    async fn lift(&self, scope: &Scope) -> Result<(), LimitError> {
        self.0.lift(scope).await
    }

    async fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
        cost: Cost,
    ) -> Result<Vec<Standing>, LimitError> {
        self.0.snapshot(candidates, method, cost).await
    }
}

impl FactStore for Given {
    async fn get(&self, name: &str) -> Result<Option<Fact>, LimitError> {
        self.0.get(name).await
    }

    async fn put(&self, name: &str, value: &str, ttl: Option<Duration>) -> Result<(), LimitError> {
        self.0.put(name, value, ttl).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Fact)>, LimitError> {
        self.0.scan(prefix).await
    }

    async fn increment(&self, name: &str, by: u64) -> Result<u64, LimitError> {
        self.0.increment(name, by).await
    }
}
