//! A calendar that was ahead when something began to cool, and is put right.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{CoolFor, CoolReport, FakeClock, RateLimiter, Reason, Samples, Scope, Timestamp, Why};
use keyrot_limiter::SqliteStore;
use keyrot_testkit::limiter::{FREE, NOON, Way, secs};
use pollster::block_on;
use tempfile::tempdir;

use super::rig::{go, visit};

fn open(path: &Path, at: Timestamp) -> SqliteStore {
    SqliteStore::with_clock(path, Arc::new(FakeClock::new(at))).expect("a file of ours")
}

fn cool(store: &SqliteStore, way: &Way, cool: CoolFor, reason: Reason) {
    let scope = Scope::Domain(way.domain.clone());
    let report = CoolReport { scope, cool, reason, stamp: None, projects: 9, samples: Samples::new() };
    block_on(store.cool(&report)).expect("the store is there");
}

#[test]
fn what_would_last_longer_than_was_decided_is_over() {
    let three_years = Duration::from_secs(3 * 365 * 86_400);
    for forgets_its_length in [false, true] {
        let folder = tempdir().expect("a folder");
        let path = folder.path().join("state.db");
        let [minute, day, operator, lifted] =
            ["minute", "day", "operator", "lifted"].map(|p| Way::by(p, FREE));
        let ahead = open(&path, NOON + three_years);
        cool(&ahead, &minute, CoolFor::After(secs(9)), Reason::QuotaMinute);
        cool(&ahead, &day, CoolFor::NextPacificMidnight, Reason::QuotaDay);
        cool(&ahead, &operator, CoolFor::After(secs(9)), Reason::Operator);
        cool(&ahead, &lifted, CoolFor::UntilLifted, Reason::Operator);
        assert_eq!(go(&ahead, &minute, 1).expect_err("it cools").retry_after, secs(9));
        drop(ahead);
        if forgets_its_length {
            let sql =
                "UPDATE cooldown SET state = json_remove(state, '$.state.lasts'), version = version + 1";
            assert_eq!(visit(&path).execute(sql, []).expect("a table"), 4);
        }
        let right = open(&path, NOON);
        for (id, way) in [(2, &minute), (3, &day)] {
            assert!(go(&right, way, id).is_ok(), "{way:?}");
        }
        // An operator may have meant it.
        assert_eq!(go(&right, &operator, 4).is_err(), forgets_its_length);
        let never = go(&right, &lifted, 5).expect_err("nobody lifted it");
        assert_eq!(never.retry_after, Duration::MAX);
        // A new report counts from now.
        cool(&right, &minute, CoolFor::After(secs(5)), Reason::QuotaMinute);
        let refusal = go(&right, &minute, 6).expect_err("it cools");
        assert_eq!(refusal.retry_after, secs(5));
        assert!(matches!(refusal.why, Why::Cooling { reason: Reason::QuotaMinute, .. }));
    }
}
