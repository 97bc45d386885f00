//! A server that is far away: what gathers while a call is under way travels together, so that a line
//! drains at the server's pace and not by one request per round trip.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use keyrot_core::{
    Ask, Caller, Cost, Domain, Ended, LimitKind, Limits, Method, Permit, PermitId, RateLimiter, Refusal, Why,
};
use keyrot_limiter::{RedisConfig, RedisStore};
use keyrot_testkit::limiter::{FREE, Way, rpm};
use keyrot_testkit::server::{Kind, Server};

use super::network::Network;

const EACH_WAY: Duration = Duration::from_millis(3);

/// A store that is far away, as long as the network is kept.
async fn store(server: &Server) -> (Network, RedisStore) {
    let network = Network::distant(server.port(), EACH_WAY).await;
    let timeout = Duration::from_secs(20);
    let config = RedisConfig { url: network.url().into(), pool: "far".to_owned(), timeout };
    let store = RedisStore::connect(&config).expect("a legal URL");
    // Connected, and its scripts are known.
    assert!(reserve(&store, &Way::by("other", FREE), 0, 1).await.is_ok());
    (network, store)
}

async fn reserve(store: &RedisStore, way: &Way, class: u32, tokens: u64) -> Result<Permit, Refusal> {
    reserve_for(store, way, class, tokens, None).await
}

async fn reserve_for(
    store: &RedisStore,
    way: &Way,
    class: u32,
    tokens: u64,
    caller: Option<Caller<'_>>,
) -> Result<Permit, Refusal> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let candidates = [way.candidate()];
    let ask = Ask {
        permit: PermitId(NEXT.fetch_add(1, Ordering::Relaxed).into()),
        candidates: &candidates,
        method: Method::Generate,
        cost: Cost { requests: 1, tokens },
        lease: Duration::from_secs(30),
        class,
        caller,
    };
    let reply = store.reserve(&ask).await.expect("the server is there");
    reply.grant.map(|grant| grant.permit).ok_or_else(|| reply.refusals[0])
}

/// Scripts the server has run.
fn scripts(server: &Server) -> u64 {
    let stats = server.command(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn a_line_does_not_drain_by_one_request_per_round_trip() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let server = Server::start(kind, &[]);
        let (_network, store) = store(&server).await;
        let store = Arc::new(store);
        let before = scripts(&server);
        let way = Way::sole(Limits { tpm: Some(1_000_000), rpd: Some(10_000), ..rpm(600) });
        let tasks = (0..64).map(|_| {
            let (store, way) = (Arc::clone(&store), way.clone());
            tokio::spawn(async move {
                let mut granted = 0;
                for _ in 0..10 {
                    if let Ok(permit) = reserve(&store, &way, 0, 100).await {
                        granted += 1;
                        store.settle(&permit, 50).await.expect("the server is there");
                        store.release(&permit, Ended::Succeeded).await.expect("the server is there");
                    }
                }
                granted
            })
        });
        let granted: u32 = join_all(tasks).await.into_iter().map(|task| task.expect("no panic")).sum();
        store.flush().await;
        let batches = scripts(&server) - before;
        assert_eq!(granted, 600, "{kind:?}: as many as the limit allows, and no more");
        assert!(batches <= 40, "{kind:?}: 640 questions and their ends took {batches} round trips");
        let standing = way.standing(&*store).await.expect("the server is there");
        assert_eq!((standing.requests, standing.tokens), (600, 30_000), "{kind:?}");
    }
}

#[tokio::test]
async fn a_request_alone_is_one_round_trip() {
    let server = Server::start(Kind::Redis, &[]);
    let (_network, store) = store(&server).await;
    for n in 0..20 {
        let before = scripts(&server);
        let permit = reserve(&store, &Way::sole(FREE), 0, 1).await.expect("no limit");
        assert_eq!(scripts(&server) - before, 1, "request {n}");
        store.settle(&permit, 1).await.expect("the server is there");
        store.release(&permit, Ended::Succeeded).await.expect("the server is there");
        store.flush().await;
        assert_eq!(scripts(&server) - before, 2, "its ends travel together");
    }
}

#[tokio::test]
async fn small_requests_of_a_class_do_not_pass_a_large_one_in_a_batch() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let server = Server::start(kind, &[]);
        let (_network, store) = store(&server).await;
        let way = Way::sole(Limits { tpm: Some(100), ..FREE });
        let ask = async |class, tokens| reserve(&store, &way, class, tokens).await;
        // The first is under way when the others ask.
        let (first, large, small, other) = tokio::join!(ask(0, 30), ask(1, 80), ask(1, 10), ask(2, 10));
        assert!(first.is_ok() && other.is_ok());
        let large = large.expect_err("there is no room for it");
        assert_eq!(large.why, Why::Limit(LimitKind::Tpm));
        assert_eq!(small.expect_err("it would fit, but comes after the large one"), large);
        // What takes nothing of the tokens is not concerned, nor is the next batch.
        let (_, large, free) = tokio::join!(ask(0, 1), ask(1, 80), ask(1, 0));
        assert!(large.is_err() && free.is_ok());
        assert!(ask(1, 10).await.is_ok());
        // Places in flight are a key's.
        let (busy, idle) = (Way::by("busy", FREE).at_once(1), Way::by("idle", FREE).at_once(1));
        let by = async |way| reserve(&store, way, 3, 1).await;
        let (_, one, two, elsewhere) = tokio::join!(by(&way), by(&busy), by(&busy), by(&idle));
        assert!(one.is_ok() && two.is_err() && elsewhere.is_ok());
    }
}

#[tokio::test]
async fn a_callers_own_limit_is_closed_to_that_caller_alone() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let server = Server::start(kind, &[]);
        let (_network, store) = store(&server).await;
        let (way, ours, theirs) =
            (Way::sole(FREE), Domain::new("caller", "ours"), Domain::new("caller", "theirs"));
        let limits = Limits { tpm: Some(100), ..FREE };
        let ask = async |ledger, tokens| {
            reserve_for(&store, &way, 1, tokens, Some(Caller { ledger, limits })).await
        };
        let anyone = async |tokens| reserve(&store, &way, 1, tokens).await;
        // The first is under way when the others ask.
        let (first, large, small, other, none) =
            tokio::join!(ask(&ours, 30), ask(&ours, 80), ask(&ours, 10), ask(&theirs, 10), anyone(10));
        assert!(first.is_ok() && other.is_ok() && none.is_ok(), "{kind:?}");
        let large = large.expect_err("there is no room for it");
        assert_eq!(large.why, Why::Caller(LimitKind::Tpm));
        assert_eq!(small.expect_err("it would fit, but comes after the large one"), large);
        // What can never fit is waited for by nobody.
        let (_, never, small) = tokio::join!(anyone(0), ask(&theirs, 101), ask(&theirs, 10));
        assert_eq!(never.expect_err("it is too large").retry_after, Duration::MAX);
        assert!(small.is_ok(), "{kind:?}: {small:?}");
    }
}

#[tokio::test]
async fn a_caller_is_asked_for_after_a_refusal_of_its_class() {
    let server = Server::start(Kind::Redis, &[]);
    let (_network, store) = store(&server).await;
    let full = Way::by("full", Limits { tpm: Some(100), ..FREE });
    let (way, ledger) = (Way::by("free", FREE), Domain::new("caller", "ours"));
    let caller = Some(Caller { ledger: &ledger, limits: rpm(9) });
    let (_, refused, granted) = tokio::join!(
        reserve(&store, &full, 1, 90),
        reserve(&store, &full, 1, 20),
        reserve_for(&store, &way, 1, 1, caller)
    );
    assert!(refused.is_err());
    assert!(granted.is_ok(), "{granted:?}");
}
