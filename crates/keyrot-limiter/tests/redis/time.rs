//! The server's clock, by which everybody decides, whatever his own says.

use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{FakeClock, Limits, Timestamp, Why};
use keyrot_limiter::{Degrading, Manner, RedisStore};
use keyrot_testkit::server::{Kind, Server};

use crate::people::{FREE, Way, cool};
use crate::servers::{KINDS, config, fresh_pool, shared};

const FIVE_MINUTES: Duration = Duration::from_secs(300);
const LIMIT: u64 = 10;

/// What the server takes the time to be.
fn time(server: &Server) -> Timestamp {
    let answer = server.command(&["TIME"]);
    let seconds = answer.lines().nth(2).and_then(|line| line.parse::<u64>().ok()).expect("seconds");
    Timestamp::from_millis(seconds * 1_000)
}

/// A client whose clock says `at`.
fn client(server: &Server, pool: &str, instance: &str, at: Timestamp) -> Degrading<RedisStore> {
    let store = RedisStore::connect(&config(&server.url(), pool)).expect("a legal URL");
    let timeout = Duration::from_secs(20);
    let instance = instance.to_owned();
    let manner = Manner { instance, known: Vec::new(), assumed: 1, timeout, fail_closed: false };
    Degrading::new(store, Arc::new(FakeClock::new(at)), manner)
}

async fn skewed(kind: Kind) {
    let (server, pool) = (shared(kind), fresh_pool());
    let now = time(server);
    let early = client(server, &pool, "early", now.before(FIVE_MINUTES));
    let late = client(server, &pool, "late", now + FIVE_MINUTES);
    let way = Way::new(Limits { rpm: Some(LIMIT), ..FREE });
    let mut admitted = Vec::new();
    for _ in 0..LIMIT {
        for client in [&late, &early] {
            if let Ok(grant) = way.ask(client).await.expect("the store is there") {
                admitted.push(grant.permit.stamp);
            }
        }
    }
    assert_eq!(admitted.len() as u64, LIMIT, "together, exactly the limit");
    assert!(admitted.is_sorted_by_key(|stamp| stamp.seq), "in one order");
    // Each hears the same wait: the rest of one minute, in which this test ends.
    for client in [&early, &late] {
        let wait = way.refused(client).await.retry_after;
        assert!(wait > Duration::from_secs(20) && wait < Duration::from_secs(61), "{wait:?}");
    }
    // What one cools is cool for the other, for as long.
    let cold = Way::new(FREE);
    let cold = Way { domain: keyrot_core::Domain::new("cold", "m"), ..cold };
    for (by, seen_by, wait) in [(&early, &late, 600), (&late, &early, 1_200)] {
        cool(by, &cold.scope(), Duration::from_secs(wait)).await.expect("the store is there");
        for client in [by, seen_by] {
            let refusal = cold.refused(client).await;
            assert!(matches!(refusal.why, Why::Cooling { .. }), "{refusal:?}");
            let (most, least) = (Duration::from_secs(wait), Duration::from_secs(wait - 60));
            assert!(refusal.retry_after <= most && refusal.retry_after > least, "{refusal:?}");
        }
    }
    assert!(early.suspended().is_none() && late.suspended().is_none(), "the store decided all of it");
}

#[tokio::test]
async fn clients_five_minutes_early_and_late_decide_as_one() {
    for kind in KINDS {
        skewed(kind).await;
    }
}

#[tokio::test]
async fn places_of_a_process_that_crashed_come_back_when_their_leases_pass() {
    for kind in KINDS {
        let (server, pool) = (shared(kind), fresh_pool());
        let connect = || RedisStore::connect(&config(&server.url(), &pool)).expect("a legal URL");
        let lease = Duration::from_millis(800);
        let way = Way { concurrency: Some(2), lease, ..Way::new(FREE) };
        let crashed = connect();
        way.go(&crashed).await;
        way.go(&crashed).await;
        // Nothing is released.
        drop(crashed);
        let store = connect();
        let refusal = way.refused(&store).await;
        assert!(refusal.retry_after <= lease, "{refusal:?}");
        tokio::time::sleep(refusal.retry_after).await;
        way.go(&store).await;
    }
}
