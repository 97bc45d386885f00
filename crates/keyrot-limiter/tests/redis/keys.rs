//! What the store leaves on a server, and what it costs.

use std::time::Duration;

use keyrot_core::{Ended, FactStore, Limits, RateLimiter};
use keyrot_limiter::RedisStore;
use keyrot_testkit::server::Server;

use crate::people::{FREE, Way, everything};
use crate::servers::{KINDS, config};

fn connect(server: &Server) -> RedisStore {
    RedisStore::connect(&config(&server.url(), "pool")).expect("a legal URL")
}

/// The lines of an answer that are not lengths.
fn lines(answer: &str) -> Vec<String> {
    answer.lines().filter(|line| !line.starts_with(['*', '$'])).map(str::to_owned).collect()
}

#[tokio::test]
async fn every_key_has_the_pools_tag_and_an_end() {
    for kind in KINDS {
        let server = Server::start(kind, &[]);
        let store = connect(&server);
        everything(&store).await.expect("the server is there");
        store.flush().await;
        let keys = lines(&server.command(&["KEYS", "*"]));
        assert!(keys.len() > 8, "{keys:?}");
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
        let way = Way::new(Limits { rpm: Some(1_000), rpd: Some(10_000), ..FREE });
        way.go(&store).await;
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
            way.go(&store).await;
        }
        assert_eq!(asked(), (before.0 + 50, before.1, before.2));
        // What ends a request is two more.
        let permit = way.go(&store).await.permit;
        store.settle(&permit, 10).await.expect("the server is there");
        store.release(&permit, Ended::Succeeded).await.expect("the server is there");
        store.flush().await;
        assert_eq!(asked(), (before.0 + 53, before.1, before.2));
    }
}

#[tokio::test]
async fn scripts_a_server_has_forgotten_are_made_known_again() {
    for kind in KINDS {
        let server = Server::start(kind, &[]);
        let store = connect(&server);
        let limits = Limits { rpm: Some(100), tpm: Some(100_000), ..FREE };
        let way = Way { concurrency: Some(1), ..Way::new(limits) };
        let forget = || server.command(&["SCRIPT", "FLUSH"]);
        way.standing(&store).await;
        forget();
        let permit = way.go(&store).await.permit;
        forget();
        // In the background.
        store.settle(&permit, 7).await.expect("the server is there");
        store.flush().await;
        assert_eq!(way.standing(&store).await.tokens, 7);
        forget();
        store.release(&permit, Ended::Succeeded).await.expect("the server is there");
        store.flush().await;
        assert_eq!(way.standing(&store).await.in_flight, 0);
        forget();
        store.put("name", "value", Some(Duration::from_secs(60))).await.expect("the server is there");
        forget();
        let fact = store.get("name").await.expect("the server is there").expect("just put");
        assert_eq!(fact.value, "value");
        forget();
        way.go(&store).await;
        assert_eq!(way.standing(&store).await.requests, 2, "nothing was lost and nothing done twice");
    }
}
