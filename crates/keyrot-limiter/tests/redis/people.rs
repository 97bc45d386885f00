//! A few words for what a test does with a store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyrot_core::{
    CoolFor, CoolReport, Cooled, Ended, FactStore, Grant, LimitError, Limits, PermitId, RateLimiter, Reason,
    Refusal, Samples, Scope, Standing,
};
use keyrot_limiter::{Charges, Shared};
use keyrot_testkit::limiter::{Way, tokens};

/// Asks once.
pub(crate) async fn ask<L: RateLimiter>(store: &L, way: &Way) -> Result<Result<Grant, Refusal>, LimitError> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let permit = PermitId(NEXT.fetch_add(1, Ordering::Relaxed).into());
    way.ask(store, permit, tokens(100)).await
}

pub(crate) async fn go<L: RateLimiter>(store: &L, way: &Way) -> Grant {
    ask(store, way).await.expect("the store is there").expect("there is room")
}

pub(crate) async fn refused<L: RateLimiter>(store: &L, way: &Way) -> Refusal {
    ask(store, way).await.expect("the store is there").expect_err("there is no room")
}

pub(crate) async fn standing<L: RateLimiter>(store: &L, way: &Way) -> Standing {
    way.standing(store).await.expect("the store is there")
}

pub(crate) async fn cool<L: RateLimiter>(
    store: &L,
    scope: &Scope,
    wait: Duration,
) -> Result<Cooled, LimitError> {
    let cool = CoolFor::After(wait);
    let report = CoolReport {
        scope: scope.clone(),
        cool,
        reason: Reason::Operator,
        stamp: None,
        projects: 9,
        samples: Samples::new(),
    };
    store.cool(&report).await
}

/// Everything a store can be asked, once.
pub(crate) async fn everything<S: Shared + FactStore>(store: &S) -> Result<(), LimitError> {
    let limits = Limits { rpm: Some(50), tpm: Some(50_000), rpd: Some(500), burst: Some(50) };
    let way = Way::sole(limits).at_once(20);
    for ended in [Ended::Succeeded, Ended::Failed, Ended::NeverSent] {
        let permit = ask(store, &way).await?.expect("there is room").permit;
        store.settle(&permit, 10).await?;
        store.release(&permit, ended).await?;
        let blamed = CoolReport {
            scope: Scope::Key(permit.key.clone(), permit.fingerprint),
            cool: CoolFor::Escalating { at_least: Duration::ZERO },
            reason: Reason::Throttled,
            stamp: Some(permit.stamp),
            projects: 9,
            samples: Samples::new(),
        };
        store.cool(&blamed).await?;
        store.lift(&blamed.scope).await?;
    }
    // One that stays open, one that is throttled, and something that stays cool.
    ask(store, &way).await?.expect("there is room");
    let permit = ask(store, &way).await?.expect("there is room").permit;
    let throttled = CoolReport {
        scope: Scope::Domain(way.domain.clone()),
        cool: CoolFor::Escalating { at_least: Duration::ZERO },
        reason: Reason::Throttled,
        stamp: Some(permit.stamp),
        projects: 9,
        samples: Samples::new(),
    };
    store.cool(&throttled).await?;
    let overloaded =
        CoolReport { scope: Scope::Model("third".into()), reason: Reason::Overloaded, ..throttled.clone() };
    store.cool(&overloaded).await?;
    for scope in [Scope::Project("other".into()), Scope::Model("other".into()), Scope::Pool] {
        cool(store, &scope, Duration::from_secs(30)).await?;
    }
    store.lift(&Scope::Pool).await?;
    way.standing(store).await?;
    let beat = store.heartbeat("me", Duration::from_secs(30)).await?;
    let earlier = beat.mark.at.before(Duration::from_secs(5));
    let charges = Charges {
        domain: way.domain.clone(),
        window: vec![(earlier, 1, 10), (beat.mark.at, 1, 10)],
        days: Vec::new(),
    };
    store.absorb("once", &[charges]).await?;
    store.put("for/good", "a", None).await?;
    store.put("for/a-while", "b", Some(Duration::from_secs(30))).await?;
    store.increment("a/count", 2).await?;
    store.get("for/good").await?;
    store.scan("for/").await?;
    Ok(())
}
