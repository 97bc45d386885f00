//! What one transaction decides.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{
    Ask, Caller, Candidate, Cost, Domain, FakeClock, Fingerprint, KeyId, LimitKind, Limits, Method,
};
use keyrot_core::{PermitId, Timestamp, Why};

use super::super::book::Book;
use super::super::open::Base;
use super::super::time::Clocks;

const NOON: Timestamp = Timestamp::from_millis(1_795_464_000_000);

#[test]
fn small_requests_of_a_class_do_not_pass_a_large_one_in_a_transaction() {
    let clock = Arc::new(FakeClock::new(NOON));
    let clocks = Clocks::Given { wall: Arc::clone(&clock) as _, boot: clock };
    let mut book = Book::new(Base::open(Path::new(":memory:")).unwrap(), clocks, Arc::default()).unwrap();
    let (key, domain) = (KeyId::new("key").unwrap(), Domain::new("p", "m"));
    let limits = Limits { rpm: None, tpm: Some(100), rpd: None, burst: None };
    let fingerprint = Fingerprint::of(&key, "secret");
    let candidates = [Candidate { key: &key, fingerprint, domain: &domain, limits, concurrency: None }];
    let ask = |id, class, tokens| Ask {
        permit: PermitId(id),
        candidates: &candidates,
        method: Method::Generate,
        cost: Cost { requests: 1, tokens },
        lease: Duration::from_secs(60),
        class,
        caller: None,
    };
    let together = book.patiently(true, |sheet| {
        let asks = [ask(1, 0, 30), ask(2, 1, 80), ask(3, 1, 10), ask(4, 2, 10), ask(5, 1, 0)];
        asks.iter().map(|ask| sheet.reserve(ask)).collect::<Result<Vec<_>, _>>()
    });
    let replies = together.unwrap();
    let granted: Vec<bool> = replies.iter().map(|reply| reply.grant.is_some()).collect();
    assert_eq!(granted, [true, false, false, true, true]);
    assert_eq!(replies[1].refusals[0].why, Why::Limit(LimitKind::Tpm));
    assert_eq!(replies[1].refusals, replies[2].refusals, "it would fit, but comes after the large one");
    // The next transaction knows nothing of it.
    assert!(book.patiently(true, |sheet| sheet.reserve(&ask(6, 1, 10))).unwrap().grant.is_some());
}

#[test]
fn what_can_never_fit_closes_nothing_to_its_caller() {
    let clock = Arc::new(FakeClock::new(NOON));
    let clocks = Clocks::Given { wall: Arc::clone(&clock) as _, boot: clock };
    let mut book = Book::new(Base::open(Path::new(":memory:")).unwrap(), clocks, Arc::default()).unwrap();
    let (key, domain, ledger) =
        (KeyId::new("key").unwrap(), Domain::new("p", "m"), Domain::new("caller", "a"));
    let free = Limits { rpm: None, tpm: None, rpd: None, burst: None };
    let fingerprint = Fingerprint::of(&key, "secret");
    let candidates = [Candidate { key: &key, fingerprint, domain: &domain, limits: free, concurrency: None }];
    let ask = |id, tokens| Ask {
        permit: PermitId(id),
        candidates: &candidates,
        method: Method::Generate,
        cost: Cost { requests: 1, tokens },
        lease: Duration::from_secs(60),
        class: 1,
        caller: Some(Caller { ledger: &ledger, limits: Limits { tpm: Some(100), ..free } }),
    };
    let replies = book.patiently(true, |sheet| {
        [ask(1, 101), ask(2, 10)].iter().map(|ask| sheet.reserve(ask)).collect::<Result<Vec<_>, _>>()
    });
    let granted: Vec<bool> = replies.unwrap().iter().map(|reply| reply.grant.is_some()).collect();
    assert_eq!(granted, [false, true]);
}
