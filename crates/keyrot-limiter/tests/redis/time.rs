//! The server's clock, by which everybody decides, whatever his own says.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use keyrot_core::cooldown::PROBE_TIME;
use keyrot_core::{
    CoolFor, CoolReport, FakeClock, RateLimiter, Reason, Refusal, Samples, Scope, Timestamp, Why,
};
use keyrot_limiter::{Degrading, Manner, RedisStore};
use keyrot_testkit::limiter::{FREE, LEASE, NOON, Way, rpm};
use keyrot_testkit::server::{Kind, Server};

use crate::people::{ask, cool, go, refused};
use crate::servers::{KINDS, config, fresh_pool, shared};

const FIVE_MINUTES: Duration = Duration::from_secs(300);
const MINUTE: Duration = Duration::from_secs(60);
const MS: Duration = Duration::from_millis(1);
/// A window is kept in slots of this length: a wait ends when the whole slot has left.
const SECOND: Duration = Duration::from_secs(1);
const LIMIT: u64 = 10;

/// What the server takes the time to be.
fn time(server: &Server) -> Timestamp {
    let answer = server.command(&["TIME"]);
    let mut numbers = answer.lines().skip(2).step_by(2).map(|line| line.parse::<u64>().expect("a number"));
    let (seconds, micros) = (numbers.next().expect("seconds"), numbers.next().expect("microseconds"));
    Timestamp::from_millis(seconds * 1_000 + micros / 1_000)
}

/// A refusal, and the instants between which the server ends the wait: it is told as a length.
async fn end_of_wait(
    server: &Server,
    client: &Degrading<RedisStore>,
    way: &Way,
) -> (Refusal, RangeInclusive<Timestamp>) {
    let before = time(server);
    let refusal = refused(client, way).await;
    (refusal, before + refusal.retry_after..=time(server) + refusal.retry_after)
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
    let way = Way::sole(rpm(LIMIT));
    let mut admitted = Vec::new();
    for _ in 0..LIMIT {
        for client in [&late, &early] {
            if let Ok(grant) = ask(client, &way).await.expect("the store is there") {
                admitted.push(grant.permit.stamp);
            }
        }
    }
    assert_eq!(admitted.len() as u64, LIMIT, "together, exactly the limit");
    assert!(admitted.is_sorted_by_key(|stamp| stamp.seq), "in one order");
    // Each hears that the first leaves its window a minute later, by the server's clock.
    let free = admitted[0].admitted + MINUTE;
    for client in [&early, &late] {
        let (_, end) = end_of_wait(server, client, &way).await;
        let end = end.start().before(SECOND)..=*end.end();
        assert!(end.contains(&free), "{free:?} {end:?}");
    }
    // What one cools is cool for the other, until the same instant.
    let cold = Way::by("cold", FREE);
    for (by, seen_by, wait) in [(&early, &late, 10 * MINUTE), (&late, &early, 20 * MINUTE)] {
        let before = time(server);
        cool(by, &Scope::Domain(cold.domain.clone()), wait).await.expect("the store is there");
        let until = before + wait..=time(server) + wait;
        for client in [by, seen_by] {
            let (refusal, end) = end_of_wait(server, client, &cold).await;
            assert!(matches!(refusal.why, Why::Cooling { .. }), "{refusal:?}");
            assert!(end.start() <= until.end() && until.start() <= end.end(), "{end:?} {until:?}");
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
        let clock = FakeClock::new(NOON);
        let connect = || {
            RedisStore::with_clock(&config(&server.url(), &pool), Arc::new(clock.clone()))
                .expect("a legal URL")
        };
        let way = Way::sole(FREE).at_once(2);
        let crashed = connect();
        go(&crashed, &way).await;
        go(&crashed, &way).await;
        // Nothing is released.
        drop(crashed);
        let store = connect();
        assert_eq!(refused(&store, &way).await.retry_after, LEASE);
        clock.advance(LEASE - MS);
        assert_eq!(refused(&store, &way).await.retry_after, MS);
        clock.advance(MS);
        go(&store, &way).await;
        go(&store, &way).await;
        refused(&store, &way).await;
    }
}

/// The clock was ahead when something began to cool, and is put right; one build keeps how long that was
/// decided to last, an older one does not.
#[tokio::test]
async fn what_would_last_longer_than_was_decided_is_over() {
    let three_years = Duration::from_secs(3 * 365 * 86_400);
    for (kind, forgets_its_length) in KINDS.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        let (server, pool) = (shared(kind), fresh_pool());
        let at = |at| {
            let clock = Arc::new(FakeClock::new(at));
            RedisStore::with_clock(&config(&server.url(), &pool), clock).expect("a legal URL")
        };
        let way = Way::by("throttled", FREE);
        let report = |wait| CoolReport {
            scope: Scope::Domain(way.domain.clone()),
            cool: CoolFor::Escalating { at_least: wait },
            reason: Reason::Throttled,
            stamp: None,
            projects: 9,
            samples: Samples::new(),
        };
        at(NOON + three_years).cool(&report(MINUTE)).await.expect("the store is there");
        assert_eq!(refused(&at(NOON + three_years), &way).await.retry_after, MINUTE);
        if forgets_its_length {
            let code = "local t = redis.call('GET', KEYS[1]) return redis.call('SET', KEYS[1], string.sub(t, 1, -9))";
            let all = server.command(&["KEYS", &format!("{{keyrot:{pool}}}:*:c:d:*")]);
            let key = all.lines().find(|line| line.starts_with('{')).expect("a cooldown");
            server.command(&["EVAL", code, "1", key]);
        }
        let right = at(NOON);
        assert!(go(&right, &way).await.permit.probe, "what is half-open stays so");
        assert_eq!(refused(&right, &way).await.retry_after, PROBE_TIME);
        let cooled = right.cool(&report(Duration::ZERO)).await.expect("the store is there");
        assert_eq!(cooled.lasts, Some(MINUTE), "the second strike, from now");
    }
}
