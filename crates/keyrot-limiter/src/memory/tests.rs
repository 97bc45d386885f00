//! A store that is never restarted does not grow with everything it ever saw.

use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{CoolFor, FakeClock, Fingerprint, Limits, PermitId, Samples, Timestamp};
use pollster::block_on;

use super::*;

/// Every day other keys and other models, some of which fail, and some of which are never released.
#[test]
fn yesterdays_models_and_keys_are_forgotten() {
    let clock = FakeClock::new(Timestamp::from_millis(1_795_464_000_000));
    let limiter = MemoryLimiter::new(Arc::new(clock.clone()));
    let mut sizes = Vec::new();
    for day in 0..12 {
        for i in 0..500_u128 {
            let id = day * 1_000 + i;
            let key = KeyId::new(&format!("k{id}")).expect("legal");
            let domain = Domain::new("p", format!("m{id}").as_str());
            let fingerprint = Fingerprint::of(&key, "secret");
            let limits = Limits::default();
            let candidate =
                Candidate { key: &key, fingerprint, domain: &domain, limits, concurrency: Some(1) };
            let ask = Ask {
                permit: PermitId(id),
                candidates: &[candidate],
                method: Method::Generate,
                cost: Cost { requests: 1, tokens: 1 },
                lease: Duration::from_secs(60),
                class: 0,
                caller: None,
            };
            let reply = block_on(limiter.reserve(&ask)).expect("memory is there");
            let permit = reply.grant.expect("no limit").permit;
            let cool = if i % 2 == 0 {
                CoolFor::After(Duration::from_secs(86_400))
            } else {
                CoolFor::Escalating { at_least: Duration::ZERO }
            };
            let report = CoolReport {
                scope: Scope::Domain(domain.clone()),
                cool,
                reason: if i % 2 == 0 { Reason::ModelNotFound } else { Reason::Overloaded },
                stamp: Some(permit.stamp),
                projects: 1,
                samples: Samples::new(),
            };
            block_on(limiter.cool(&report)).expect("memory is there");
            if i % 3 == 0 {
                block_on(limiter.release(&permit, Ended::Failed)).expect("memory is there");
            }
            if i % 5 == 0 {
                block_on(limiter.lift(&Scope::Domain(domain.clone()))).expect("memory is there");
            }
        }
        clock.advance(Duration::from_secs(86_400));
        sizes.push([limiter.domains.len(), limiter.in_flight.len(), limiter.scopes.read().len()]);
    }
    // A map is swept when it has doubled, and a cooldown may stay for a day after its end.
    assert!(sizes.iter().flatten().all(|size| *size <= 4 * 500), "{sizes:?}");
}
