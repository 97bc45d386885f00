//! A file that is used for long does not grow with everything it ever saw.

use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{
    Clock, CoolFor, CoolReport, Domain, Ended, FactStore, FakeClock, RateLimiter, Reason, Samples, Scope,
};
use keyrot_limiter::SqliteStore;
use keyrot_testkit::limiter::{FREE, NOON, Way};
use pollster::block_on;
use tempfile::tempdir;

use super::rig::{count, go, visit};

const DAY: Duration = Duration::from_secs(86_400);

/// Every day other keys and other models, some of which fail, and some of which are never released.
#[test]
fn what_is_over_is_cleared_away() {
    const A_DAY: u32 = 400;
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let clock = FakeClock::new(NOON);
    let open = || SqliteStore::with_clock(&path, Arc::new(clock.clone())).expect("a file of ours");
    let (one, other) = (open(), open());
    let mut sizes = Vec::new();
    for day in 0..10 {
        for i in 0..A_DAY {
            let store = if i % 2 == 0 { &one } else { &other };
            let id = day * A_DAY + i;
            let way = Way::by(&format!("p{id}"), FREE).at_once(1);
            let permit = go(store, &way, id.into()).expect("no limit").permit;
            if i % 3 == 0 {
                block_on(store.release(&permit, Ended::Failed)).expect("the store is there");
            }
            block_on(store.cool(&report(Scope::Domain(way.domain.clone()), DAY)))
                .expect("the store is there");
            block_on(store.put(&format!("fact/{id}"), "1", Some(DAY))).expect("the store is there");
        }
        clock.advance(DAY);
        let visitor = visit(&path);
        sizes.push(["permit", "place", "domain", "cooldown", "fact"].map(|table| count(&visitor, table)));
    }
    // Of two days at most what could still be given back, and a cooldown is remembered for a while.
    assert!(sizes.iter().flatten().all(|size| *size <= 4 * A_DAY), "{sizes:?}");
    assert_eq!(clock.now(), NOON + DAY * 10);
}

/// Cooldowns that one process drops are dropped by the other, and what it cools meanwhile is kept.
#[test]
fn what_one_forgets_the_other_forgets() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let clock = FakeClock::new(NOON);
    let open = || SqliteStore::with_clock(&path, Arc::new(clock.clone())).expect("a file of ours");
    let (one, other) = (open(), open());
    let way = |i: u32| Way::by(&format!("p{i}"), FREE);
    let cool = |store: &SqliteStore, i: u32, wait| {
        block_on(store.cool(&report(Scope::Domain(Domain::new(format!("p{i}"), "m")), wait)))
            .expect("the store is there");
    };
    let crowd = |from: u32| {
        for i in from..from + 700 {
            cool(if i % 2 == 0 { &one } else { &other }, i, Duration::from_secs(60));
        }
    };
    crowd(0);
    assert!(go(&one, &way(7), 1).is_err());
    clock.advance(DAY * 3);
    cool(&one, 10_000, DAY);
    cool(&other, 10_001, DAY);
    crowd(1_000);
    let left = count(&visit(&path), "cooldown");
    assert!((702..1_000).contains(&left), "{left} are left");
    for (store, id) in [(&one, 10), (&other, 20)] {
        assert!(go(store, &way(7), id).is_ok());
        assert!(go(store, &way(10_000), id + 1).is_err());
        assert!(go(store, &way(10_001), id + 2).is_err());
    }
}

fn report(scope: Scope, wait: Duration) -> CoolReport {
    let cool = CoolFor::After(wait);
    CoolReport {
        scope,
        cool,
        reason: Reason::ModelNotFound,
        stamp: None,
        projects: 2,
        samples: Samples::new(),
    }
}
