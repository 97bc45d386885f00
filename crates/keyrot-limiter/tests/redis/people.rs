//! A few words for what a test does with a store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyrot_core::{
    Ask, Candidate, CoolFor, CoolReport, Cooled, Cost, Domain, Ended, FactStore, Fingerprint, Grant, KeyId,
    LimitError, Limits, Method, PermitId, RateLimiter, Reason, Refusal, Scope, Standing,
};

pub(crate) const FREE: Limits = Limits { rpm: None, tpm: None, rpd: None, burst: None };
pub(crate) const COST: Cost = Cost { requests: 1, tokens: 100 };

/// One way a request may go.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) key: KeyId,
    pub(crate) domain: Domain,
    pub(crate) limits: Limits,
    pub(crate) concurrency: Option<u32>,
    pub(crate) lease: Duration,
}

impl Way {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            key: KeyId::new("k").expect("legal"),
            domain: Domain::new("p", "m"),
            limits,
            concurrency: None,
            lease: Duration::from_secs(60),
        }
    }

    pub(crate) fn scope(&self) -> Scope {
        Scope::Domain(self.domain.clone())
    }

    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            key: &self.key,
            fingerprint: Fingerprint::of(&self.key, "secret"),
            domain: &self.domain,
            limits: self.limits,
            concurrency: self.concurrency,
        }
    }

    /// Asks once.
    pub(crate) async fn ask<L: RateLimiter>(&self, store: &L) -> Result<Result<Grant, Refusal>, LimitError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let permit = PermitId(NEXT.fetch_add(1, Ordering::Relaxed).into());
        let candidates = [self.candidate()];
        let method = Method::Generate;
        let ask = Ask { permit, candidates: &candidates, method, cost: COST, lease: self.lease };
        let reply = store.reserve(&ask).await?;
        Ok(reply.grant.ok_or_else(|| reply.refusals[0]))
    }

    pub(crate) async fn go<L: RateLimiter>(&self, store: &L) -> Grant {
        self.ask(store).await.expect("the store is there").expect("there is room")
    }

    pub(crate) async fn refused<L: RateLimiter>(&self, store: &L) -> Refusal {
        self.ask(store).await.expect("the store is there").expect_err("there is no room")
    }

    pub(crate) async fn standing<L: RateLimiter>(&self, store: &L) -> Standing {
        let all = store.snapshot(&[self.candidate()], Method::Generate, COST).await;
        all.expect("the store is there").remove(0)
    }
}

pub(crate) async fn cool<L: RateLimiter>(
    store: &L,
    scope: &Scope,
    wait: Duration,
) -> Result<Cooled, LimitError> {
    let cool = CoolFor::After(wait);
    let report =
        CoolReport { scope: scope.clone(), cool, reason: Reason::Operator, stamp: None, projects: 9 };
    store.cool(&report).await
}

/// Everything a store can be asked, once.
pub(crate) async fn everything<S: RateLimiter + FactStore>(store: &S) -> Result<(), LimitError> {
    let limits = Limits { rpm: Some(50), tpm: Some(50_000), rpd: Some(500), burst: Some(50) };
    let way = Way { concurrency: Some(20), ..Way::new(limits) };
    for ended in [Ended::Succeeded, Ended::Failed, Ended::NeverSent] {
        let permit = way.ask(store).await?.expect("there is room").permit;
        store.settle(&permit, 10).await?;
        store.release(&permit, ended).await?;
        let blamed = CoolReport {
            scope: Scope::Key(permit.key.clone(), permit.fingerprint),
            cool: CoolFor::Escalating { at_least: Duration::ZERO },
            reason: Reason::Throttled,
            stamp: Some(permit.stamp),
            projects: 9,
        };
        store.cool(&blamed).await?;
        store.lift(&blamed.scope).await?;
    }
    // One that stays open, and something that stays cool.
    way.ask(store).await?.expect("there is room");
    for scope in [Scope::Project("other".into()), Scope::Model("other".into()), Scope::Pool] {
        cool(store, &scope, Duration::from_secs(30)).await?;
    }
    store.lift(&Scope::Pool).await?;
    store.snapshot(&[way.candidate()], Method::Generate, COST).await?;
    store.put("for/good", "a", None).await?;
    store.put("for/a-while", "b", Some(Duration::from_secs(30))).await?;
    store.increment("a/count", 2).await?;
    store.get("for/good").await?;
    store.scan("for/").await?;
    Ok(())
}
