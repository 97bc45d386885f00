//! The way of a request through the memory store allocates nothing once it is warm.

use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{
    Ask, Candidate, CoolFor, CoolReport, Cost, Domain, Ended, FakeClock, Fingerprint, KeyId, Limits, Method,
    PermitId, RateLimiter, Reason, Samples, Scope,
};
use keyrot_limiter::MemoryLimiter;
use pollster::block_on;

#[test]
fn a_warm_store_allocates_nothing() {
    let clock = FakeClock::new(keyrot_testkit::limiter::NOON);
    let limiter = MemoryLimiter::new(Arc::new(clock.clone()));
    let limits = Limits { rpm: Some(300), tpm: Some(100_000), rpd: Some(10_000_000), burst: Some(20) };
    let keys: Vec<(KeyId, Domain)> = (0..4)
        .map(|i| (KeyId::new(&format!("k{i}")).expect("legal"), Domain::new(format!("p{i}"), "m".to_owned())))
        .collect();
    let candidates: Vec<Candidate<'_>> = keys
        .iter()
        .map(|(key, domain)| {
            let fingerprint = Fingerprint::of(key, "secret");
            Candidate { key, fingerprint, domain, limits, concurrency: Some(50) }
        })
        .collect();
    let mut next = 0_u128;
    let mut granted = 0;
    let mut run = |rounds: u32| {
        for _ in 0..rounds {
            next += 1;
            let ask = Ask {
                permit: PermitId(next),
                candidates: &candidates,
                method: Method::Generate,
                cost: Cost { requests: 1, tokens: 100 },
                lease: Duration::from_secs(30),
                class: 0,
                caller: None,
            };
            let reply = block_on(limiter.reserve(&ask)).expect("memory is there");
            if let Some(grant) = reply.grant {
                granted += 1;
                block_on(limiter.settle(&grant.permit, 90)).expect("memory is there");
                if !next.is_multiple_of(10) {
                    block_on(limiter.release(&grant.permit, Ended::Succeeded)).expect("memory is there");
                }
            }
            clock.advance(Duration::from_millis(40));
        }
    };
    // Ten minutes, so that the window has turned over several times.
    run(15_000);
    // Something cooling is in nobody's way here.
    let other = Scope::Model("another".into());
    let report = CoolReport {
        scope: other,
        cool: CoolFor::UntilLifted,
        reason: Reason::Operator,
        stamp: None,
        projects: 4,
        samples: Samples::new(),
    };
    block_on(limiter.cool(&report)).expect("memory is there");
    let counted = allocation_counter::measure(|| run(15_000));
    assert_eq!(counted.count_total, 0, "{counted:?}");
    assert!(granted > 10_000, "only {granted} of 30000 were admitted");
}
