//! A store, its clock, and few words for what a test does with them.

use std::cell::Cell;
use std::time::Duration;

use keyrot_core::{
    Ask, Candidate, Clock, CoolFor, CoolReport, Cooled, Cost, Domain, Ended, FakeClock, Fingerprint, Grant,
    KeyId, Lifted, LimitError, Limits, Method, Permit, PermitId, RateLimiter, Reason, Refusal, Reply,
    Samples, Scope, Stamp, Standing, Timestamp,
};

/// 2026-11-23, noon in California: far from midnight and from any change of daylight saving.
pub const NOON: Timestamp = Timestamp::from_millis(1_795_464_000_000);

/// One millisecond: the finest a clock tells apart.
pub(super) const MS: Duration = Duration::from_millis(1);
/// How long a permit's place in flight lasts.
pub const LEASE: Duration = Duration::from_secs(90);
/// One request, no tokens.
pub const ONE: Cost = Cost { requests: 1, tokens: 0 };
/// No limit at all.
pub const FREE: Limits = Limits { rpm: None, tpm: None, rpd: None, burst: None };

/// `s` seconds.
#[must_use]
pub const fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// One request of `tokens`.
#[must_use]
pub const fn tokens(tokens: u64) -> Cost {
    Cost { requests: 1, tokens }
}

/// No limit but `rpm` requests a minute.
#[must_use]
pub const fn rpm(rpm: u64) -> Limits {
    Limits { rpm: Some(rpm), ..FREE }
}

/// One way a request may go: a candidate, owned.
#[derive(Debug, Clone)]
pub struct Way {
    /// The key.
    pub key: KeyId,
    /// Of its secret.
    pub fingerprint: Fingerprint,
    /// Whose counters are used.
    pub domain: Domain,
    /// What they are held against.
    pub limits: Limits,
    /// How many requests the key may have in flight.
    pub concurrency: Option<u32>,
}

impl Way {
    /// By key `key` of `project` to `model`.
    #[must_use]
    pub fn new(key: &str, project: &str, model: &str, limits: Limits) -> Self {
        let key = match KeyId::new(key) {
            Ok(key) => key,
            Err(error) => unreachable_name(&error.to_string()),
        };
        let fingerprint = Fingerprint::of(&key, "secret");
        Self { key, fingerprint, domain: Domain::new(project, model), limits, concurrency: None }
    }

    /// By the only key of project `p`, for tests to which names mean nothing.
    #[must_use]
    pub fn sole(limits: Limits) -> Self {
        Self::by("p", limits)
    }

    /// By the only key of `project`.
    #[must_use]
    pub fn by(project: &str, limits: Limits) -> Self {
        Self::new(&format!("key-{project}"), project, "m", limits)
    }

    /// At most `places` requests in flight.
    #[must_use]
    pub fn at_once(self, places: u32) -> Self {
        Self { concurrency: Some(places), ..self }
    }

    /// The same with another secret.
    pub(super) fn with_secret(self, secret: &str) -> Self {
        Self { fingerprint: Fingerprint::of(&self.key, secret), ..self }
    }

    /// What a store is asked with.
    #[must_use]
    pub fn candidate(&self) -> Candidate<'_> {
        Candidate {
            key: &self.key,
            fingerprint: self.fingerprint,
            domain: &self.domain,
            limits: self.limits,
            concurrency: self.concurrency,
        }
    }

    /// Asks `store` whether a request may go this way, as `permit`.
    ///
    /// # Errors
    /// The store's.
    pub async fn ask<L: RateLimiter>(
        &self,
        store: &L,
        permit: PermitId,
        cost: Cost,
    ) -> Result<Result<Grant, Refusal>, LimitError> {
        let candidates = [self.candidate()];
        let ask = Ask {
            permit,
            candidates: &candidates,
            method: Method::Generate,
            cost,
            lease: LEASE,
            class: 0,
            caller: None,
        };
        let reply = store.reserve(&ask).await?;
        Ok(reply.grant.ok_or_else(|| reply.refusals[0]))
    }

    /// How it stands in `store`.
    ///
    /// # Errors
    /// The store's.
    pub async fn standing<L: RateLimiter>(&self, store: &L) -> Result<Standing, LimitError> {
        Ok(store.snapshot(&[self.candidate()], Method::Generate, ONE).await?.remove(0))
    }
}

#[expect(clippy::panic, reason = "a suite fails by panicking")]
fn unreachable_name(why: &str) -> ! {
    panic!("the suite's own names are legal: {why}")
}

/// Makes stores.
#[derive(Debug)]
pub(super) struct Maker<F>(pub F);

impl<F> Maker<F> {
    /// A fresh store whose clock stands at `at`.
    pub(super) async fn rig<L: RateLimiter>(&self, at: Timestamp) -> Rig<L>
    where
        F: AsyncFn(FakeClock) -> L,
    {
        let clock = FakeClock::new(at);
        let store = (self.0)(clock.clone()).await;
        Rig { store, clock, next: Cell::new(0) }
    }
}

/// A store under test.
#[derive(Debug)]
pub(super) struct Rig<L> {
    pub store: L,
    pub clock: FakeClock,
    next: Cell<u128>,
}

#[expect(clippy::expect_used, reason = "a suite fails by panicking")]
impl<L: RateLimiter> Rig<L> {
    pub(super) fn permit(&self) -> PermitId {
        self.next.set(self.next.get() + 1);
        PermitId(self.next.get())
    }

    pub(super) async fn ask(&self, ways: &[&Way], method: Method, cost: Cost) -> Reply {
        self.ask_as(self.permit(), ways, method, cost).await
    }

    /// Asks for a permit of this name, for the first time or again.
    pub(super) async fn ask_as(&self, permit: PermitId, ways: &[&Way], method: Method, cost: Cost) -> Reply {
        let candidates: Vec<Candidate<'_>> = ways.iter().map(|way| way.candidate()).collect();
        let ask = Ask { permit, candidates: &candidates, method, cost, lease: LEASE, class: 0, caller: None };
        self.store.reserve(&ask).await.expect("the store is there")
    }

    /// Whether `way` may go now, and what came of it.
    pub(super) async fn reserve(&self, way: &Way, cost: Cost) -> Result<Grant, Refusal> {
        way.ask(&self.store, self.permit(), cost).await.expect("the store is there")
    }

    /// The same for a request of one of this handle's lines.
    pub(super) async fn ask_of(&self, class: u32, way: &Way, cost: Cost) -> Result<Grant, Refusal> {
        let candidates = [way.candidate()];
        let (permit, method) = (self.permit(), Method::Generate);
        let ask = Ask { permit, candidates: &candidates, method, cost, lease: LEASE, class, caller: None };
        let reply = self.store.reserve(&ask).await.expect("the store is there");
        reply.grant.ok_or_else(|| reply.refusals[0])
    }

    /// A permit that must be granted.
    #[track_caller]
    pub(super) fn go(&self, way: &Way, cost: Cost) -> impl Future<Output = Permit> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.reserve(way, cost).await;
            assert!(answer.is_ok(), "{caller}: {way:?} was refused: {:?}", answer.err());
            answer.expect("just asserted").permit
        }
    }

    /// A refusal that must be given.
    #[track_caller]
    pub(super) fn refused(&self, way: &Way, cost: Cost) -> impl Future<Output = Refusal> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.reserve(way, cost).await;
            assert!(answer.is_err(), "{caller}: {way:?} was admitted");
            answer.expect_err("just asserted")
        }
    }

    /// Waits as long as a refusal says, which must be neither too long nor too short, and goes.
    #[track_caller]
    pub(super) fn go_after(&self, way: &Way, cost: Cost, wait: Duration) -> impl Future<Output = Permit> {
        let caller = std::panic::Location::caller();
        async move {
            assert!(wait >= MS && wait < Duration::MAX, "{caller}: a wait of {wait:?}");
            self.wait(wait.saturating_sub(MS));
            let early = self.reserve(way, cost).await;
            assert!(early.is_err(), "{caller}: admitted 1 ms before the promised instant");
            self.wait(MS);
            let answer = self.reserve(way, cost).await;
            assert!(answer.is_ok(), "{caller}: refused at the promised instant: {:?}", answer.err());
            answer.expect("just asserted").permit
        }
    }

    pub(super) fn wait(&self, d: Duration) {
        self.clock.advance(d);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) async fn settle(&self, permit: &Permit, tokens: u64) {
        self.store.settle(permit, tokens).await.expect("the store is there");
    }

    pub(super) async fn release(&self, permit: &Permit, ended: Ended) {
        self.store.release(permit, ended).await.expect("the store is there");
    }

    pub(super) async fn lift(&self, scope: &Scope) {
        self.store.lift(scope).await.expect("the store is there");
    }

    /// What was lifted, as far as this handle has yet to be told.
    pub(super) async fn told(&self) -> Lifted {
        self.store.listen().await.expect("the store is there");
        self.store.lifted()
    }

    /// A report of the attempt `stamp`, in a pool of `projects`.
    pub(super) async fn report(
        &self,
        scope: &Scope,
        cool: CoolFor,
        reason: Reason,
        stamp: Option<Stamp>,
        projects: usize,
    ) -> Cooled {
        let report =
            CoolReport { scope: scope.clone(), cool, reason, stamp, projects, samples: Samples::new() };
        self.cooled(&report).await
    }

    pub(super) async fn cooled(&self, report: &CoolReport) -> Cooled {
        self.store.cool(report).await.expect("the store is there")
    }

    /// Throttled without details, in a pool of `projects`.
    pub(super) async fn throttled(&self, permit: &Permit, projects: usize) -> Cooled {
        let cool = CoolFor::Escalating { at_least: Duration::ZERO };
        let scope = Scope::Domain(permit.domain.clone());
        let cooled = self.report(&scope, cool, Reason::Throttled, Some(permit.stamp), projects).await;
        self.release(permit, Ended::Failed).await;
        cooled
    }

    pub(super) async fn standing(&self, way: &Way) -> Standing {
        way.standing(&self.store).await.expect("the store is there")
    }
}
