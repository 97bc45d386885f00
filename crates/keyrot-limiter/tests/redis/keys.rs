//! What the store leaves on a server, and what it costs.

use std::collections::BTreeSet;
use std::time::Duration;

use keyrot_core::{Ended, FactStore, Limits, RateLimiter};
use keyrot_limiter::RedisStore;
use keyrot_testkit::limiter::{FREE, Way};
use keyrot_testkit::server::Server;

use crate::people::{everything, go, standing};
use crate::servers::{KINDS, config};

fn connect(server: &Server) -> RedisStore {
    RedisStore::connect(&config(&server.url(), "pool")).expect("a legal URL")
}

/// The lines of an answer that are not lengths.
fn lines(answer: &str) -> Vec<String> {
    answer.lines().filter(|line| !line.starts_with(['*', '$'])).map(str::to_owned).collect()
}

/// What is kept: the pool, its domains and their rings, cooldowns by scope, breakers, lifts, permits, places in flight, facts and their
/// names, who is alive, what was absorbed, and who was throttled lately.
const KINDS_OF_KEYS: [&str; 17] = [
    "b", "c:d", "c:k", "c:m", "c:p", "c:pool", "d", "f", "facts", "i", "l", "live", "names", "once", "pool",
    "r", "storm",
];

/// The kind of a key, which comes after the pool's tag and the version of its layout.
fn kind_of(key: &str) -> Option<&str> {
    let (_, name) = key.strip_prefix("{keyrot:pool}:")?.split_once(':')?;
    let from = if name.starts_with("c:") { 2 } else { 0 };
    Some(name[from..].find(':').map_or(name, |end| &name[..from + end]))
}

#[tokio::test]
async fn every_key_has_the_pools_tag_and_an_end() {
    for kind in KINDS {
        let server = Server::start(kind, &[]);
        let store = connect(&server);
        everything(&store).await.expect("the server is there");
        store.flush().await;
        let keys = lines(&server.command(&["KEYS", "*"]));
        let kinds: BTreeSet<&str> = keys.iter().filter_map(|key| kind_of(key)).collect();
        assert_eq!(kinds, BTreeSet::from(KINDS_OF_KEYS), "{keys:?}");
        for key in keys {
            assert!(key.starts_with("{keyrot:pool}"), "{key}");
            let ends = server.command(&["PTTL", &key]);
            let ends: i64 = ends.trim_start_matches(':').trim_end().parse().expect("a number");
            assert!(ends > 0, "{key} stays for ever");
        }
    }
}

#[tokio::test]
async fn a_question_is_one_script_and_one_round_trip() {
    for kind in KINDS {
        let server = Server::start(kind, &[]);
        let store = connect(&server);
        let way = Way::sole(Limits { rpm: Some(1_000), rpd: Some(10_000), ..FREE });
        go(&store, &way).await;
        let asked = || {
            let stats = server.command(&["INFO", "commandstats"]);
            // A script's own commands are counted as well.
            let calls = |name: &str| -> u64 {
                let line =
                    stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
                line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
            };
            (calls("evalsha"), calls("eval"), calls("script") + calls("script|load"))
        };
        let before = asked();
        for _ in 0..50 {
            go(&store, &way).await;
        }
        assert_eq!(asked(), (before.0 + 50, before.1, before.2));
        // What ends a request gathers while its answer is being told, and is one more.
        let permit = go(&store, &way).await.permit;
        store.settle(&permit, 10).await.expect("the server is there");
        store.release(&permit, Ended::Succeeded).await.expect("the server is there");
        store.flush().await;
        assert_eq!(asked(), (before.0 + 52, before.1, before.2));
    }
}

#[tokio::test]
async fn scripts_a_server_has_forgotten_are_made_known_again() {
    for kind in KINDS {
        let server = Server::start(kind, &[]);
        let store = connect(&server);
        let limits = Limits { rpm: Some(100), tpm: Some(100_000), ..FREE };
        let way = Way::sole(limits).at_once(1);
        let forget = || server.command(&["SCRIPT", "FLUSH"]);
        standing(&store, &way).await;
        forget();
        let permit = go(&store, &way).await.permit;
        forget();
        // In the background.
        store.settle(&permit, 7).await.expect("the server is there");
        store.flush().await;
        assert_eq!(standing(&store, &way).await.tokens, 7);
        forget();
        store.release(&permit, Ended::Succeeded).await.expect("the server is there");
        store.flush().await;
        assert_eq!(standing(&store, &way).await.in_flight, 0);
        forget();
        store.put("name", "value", Some(Duration::from_secs(60))).await.expect("the server is there");
        forget();
        let fact = store.get("name").await.expect("the server is there").expect("just put");
        assert_eq!(fact.value, "value");
        forget();
        go(&store, &way).await;
        assert_eq!(standing(&store, &way).await.requests, 2, "nothing was lost and nothing done twice");
    }
}
