//! Two endpoints on one file: what one says of a key is not held against it at the other.

use std::path::Path;
use std::sync::Arc;

use keyrot_core::{
    CoolFor, CoolReport, Endpoint, FakeClock, KeyFault, Lifted, RateLimiter, Reason, Sample, Samples, Scope,
};
use keyrot_limiter::{MemoryLimiter, SqliteStore};
use keyrot_testkit::limiter::{self, NOON, Way, rpm, secs};
use pollster::block_on;
use tempfile::tempdir;

use super::rig::go;

fn open(path: &Path, clock: &FakeClock, endpoint: Endpoint) -> SqliteStore {
    SqliteStore::with_clock(path, Arc::new(clock.clone())).expect("a file of ours").for_endpoint(endpoint)
}

fn gateway() -> Endpoint {
    Endpoint::at("http://gateway")
}

#[test]
fn what_cools_at_one_goes_at_the_other_and_is_counted_at_both() {
    let folder = tempdir().expect("a folder");
    let (path, clock) = (folder.path().join("state.db"), FakeClock::new(NOON));
    let (google, other) = (open(&path, &clock, Endpoint::default()), open(&path, &clock, gateway()));
    let way = Way::sole(rpm(4));
    let report = |scope, cool, reason, failed| CoolReport {
        scope,
        cool,
        reason,
        stamp: None,
        projects: 9,
        samples: (failed > 0)
            .then_some(Sample { age: 0, succeeded: 0, failed })
            .into_iter()
            .collect::<Samples>(),
    };
    block_on(google.listen()).expect("the store is there");
    let key = Scope::Key(way.key.clone(), way.fingerprint);
    let rejected = Reason::KeyRejected(KeyFault::Invalid);
    let model = Scope::Model(way.domain.bucket.clone());
    block_on(other.cool(&report(key.clone(), CoolFor::UntilLifted, rejected, 0)))
        .expect("the store is there");
    let overload = report(model.clone(), CoolFor::After(secs(1)), Reason::Overloaded, 99);
    block_on(other.cool(&overload)).expect("the store is there");
    assert!(go(&other, &way, 1).is_err());
    assert!(go(&google, &way, 2).is_ok());
    for scope in [&key, &model] {
        block_on(other.lift(scope)).expect("the store is there");
    }
    assert!(go(&other, &way, 3).is_ok());
    assert!(go(&google, &way, 4).is_ok());
    assert_eq!(google.lifted(), Lifted::default(), "of another endpoint");
    // The pool is one, and so is its use.
    block_on(other.cool(&report(Scope::Pool, CoolFor::After(secs(2)), Reason::Operator, 0))).expect("there");
    assert!(go(&google, &way, 5).is_err());
    clock.advance(secs(2));
    assert!(go(&google, &way, 6).is_ok());
    assert!(go(&other, &way, 7).is_err(), "four a minute, wherever they go");
    // Another process of the same endpoint.
    block_on(other.cool(&report(key, CoolFor::UntilLifted, rejected, 0))).expect("the store is there");
    clock.advance(secs(70));
    assert!(go(&open(&path, &clock, gateway()), &way, 8).is_err());
    assert!(go(&open(&path, &clock, Endpoint::default()), &way, 9).is_ok());
}

#[test]
fn two_handles_of_an_endpoint_agree_with_one_store_in_memory() {
    let reference = |clock: FakeClock| MemoryLimiter::new(Arc::new(clock));
    limiter::explore(&limiter::lives(), |life| {
        let folder = tempdir().expect("a folder");
        let path = folder.path().join("state.db");
        let make = async |clock: FakeClock| {
            let path = path.clone();
            async move || open(&path, &clock, gateway())
        };
        block_on(limiter::relive(reference, make, life))
    });
}
