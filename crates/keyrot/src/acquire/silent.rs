//! A store that falls silent, and one that will not decide: every wait has an end.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use keyrot_core::keys::{Key, KeySet, PoolConfig};
use keyrot_core::{
    Clock, CoolReport, Cooled, Cost, Ended, EnvMap, Fact, FactStore, FakeClock, KeyId, Lifted, Method,
    Outcome, Scope, Standing,
};
use keyrot_limiter::{MemoryFacts, MemoryLimiter};

use super::*;
use crate::{Assembly, LeaseError, Rotator, RunError};

/// A store in memory that answers, is silent, or refuses to decide.
#[derive(Debug, Clone)]
struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limiter: MemoryLimiter,
    facts: MemoryFacts,
    silent: AtomicBool,
    refuses: AtomicBool,
}

impl Store {
    fn new(clock: &FakeClock) -> Self {
        let clock = || Arc::new(clock.clone());
        let (limiter, facts) = (MemoryLimiter::new(clock()), MemoryFacts::new(clock()));
        Self(Arc::new(Inner { limiter, facts, silent: false.into(), refuses: false.into() }))
    }

    async fn line<T>(&self, call: impl Future<Output = Result<T, LimitError>>) -> Result<T, LimitError> {
        if self.0.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.0.refuses.load(Ordering::Relaxed) {
            return Err(LimitError::Unavailable { store: "redis", why: "connection refused".to_owned() });
        }
        call.await
    }
}

impl RateLimiter for Store {
    async fn reserve(&self, ask: &Ask<'_>) -> Result<Reply, LimitError> {
        self.line(self.0.limiter.reserve(ask)).await
    }
    async fn settle(&self, permit: &Permit, tokens: u64) -> Result<(), LimitError> {
        self.line(self.0.limiter.settle(permit, tokens)).await
    }
    async fn release(&self, permit: &Permit, ended: Ended) -> Result<(), LimitError> {
        self.line(self.0.limiter.release(permit, ended)).await
    }
    async fn cool(&self, report: &CoolReport) -> Result<Cooled, LimitError> {
        self.line(self.0.limiter.cool(report)).await
    }
    fn lifted(&self) -> Lifted {
        self.0.limiter.lifted()
    }
    async fn listen(&self) -> Result<(), LimitError> {
        self.line(self.0.limiter.listen()).await
    }
    async fn lift(&self, scope: &Scope) -> Result<(), LimitError> {
        self.line(self.0.limiter.lift(scope)).await
    }
    async fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
        cost: Cost,
    ) -> Result<Vec<Standing>, LimitError> {
        self.line(self.0.limiter.snapshot(candidates, method, cost)).await
    }
}

impl FactStore for Store {
    async fn get(&self, name: &str) -> Result<Option<Fact>, LimitError> {
        self.line(self.0.facts.get(name)).await
    }
    async fn put(&self, name: &str, value: &str, ttl: Option<Duration>) -> Result<(), LimitError> {
        self.line(self.0.facts.put(name, value, ttl)).await
    }
    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Fact)>, LimitError> {
        self.line(self.0.facts.scan(prefix)).await
    }
    async fn increment(&self, name: &str, by: u64) -> Result<u64, LimitError> {
        self.line(self.0.facts.increment(name, by)).await
    }
}

async fn pool() -> (Rotator, Store, FakeClock) {
    let clock = FakeClock::new(Timestamp::from_millis(1_795_464_000_000));
    let store = Store::new(&clock);
    let env = EnvMap::from_iter([("GEMINI_KEY_a", "AIza")]);
    let keys =
        KeySet { keys: vec![Key::new(KeyId::new("a").expect("legal"))], config: PoolConfig::default() };
    let made =
        Assembly::new(env).keys(keys).clock(Arc::new(clock.clone())).limiter(store.clone()).make().await;
    (made.expect("a pool").rotator, store, clock)
}

/// How long `call` takes, in virtual time.
async fn lasts<T>(clock: &FakeClock, call: impl Future<Output = T>) -> (Duration, T) {
    let (began, mut call) = (clock.now(), std::pin::pin!(call));
    loop {
        for _ in 0..20 {
            if let Some(result) = call.as_mut().now_or_never() {
                return (clock.now().since(began), result);
            }
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_millis(50));
        assert!(clock.now().since(began) < Duration::from_secs(600), "it never ends");
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?}")]
struct Fail(Outcome);

impl keyrot_core::call::Judged for Fail {
    fn outcome(&self) -> Outcome {
        self.0.clone()
    }
}

#[tokio::test]
async fn a_silent_store_holds_nobody_longer_than_one_answer_past_his_deadline() {
    for wait in [0, 1, 30].map(Duration::from_secs) {
        let profile = Profile::new("model-1").max_wait(wait);
        // From the very first question.
        let (rotator, store, clock) = pool().await;
        store.0.silent.store(true, Ordering::Relaxed);
        let (took, refused) = lasts(&clock, rotator.lease(&profile)).await;
        assert!(matches!(refused, Err(LeaseError::Store(_))), "{refused:?}");
        assert!(took <= wait + PATIENCE + Duration::from_millis(100), "{wait:?}: {took:?}");
        // In the middle of a request.
        let (rotator, store, clock) = pool().await;
        let call = |_: &Lease| {
            store.0.silent.store(true, Ordering::Relaxed);
            async {
                Err::<((), Outcome), _>(Fail(Outcome::QuotaMinute {
                    retry_after: Duration::ZERO,
                    learned: Vec::new(),
                }))
            }
        };
        let (took, _) = lasts(&clock, rotator.run(&profile, call)).await;
        assert!(took <= wait + 2 * PATIENCE + Duration::from_millis(100), "{wait:?}: {took:?}");
    }
}

#[tokio::test]
async fn a_store_that_will_not_decide_ends_a_request_at_once_and_is_named() {
    let (rotator, store, clock) = pool().await;
    store.0.refuses.store(true, Ordering::Relaxed);
    let profile = Profile::new("model-1").max_wait(Duration::from_secs(120));
    let call = |_: &Lease| async { Ok::<_, Fail>(((), Outcome::Blocked)) };
    let (took, failed) = lasts(&clock, rotator.run(&profile, call)).await;
    let Err(RunError::Store { error, attempts: 0, .. }) = &failed else { panic!("{failed:?}") };
    assert_eq!(took, Duration::ZERO);
    assert!(error.to_string().contains("redis"), "{error}");
}
