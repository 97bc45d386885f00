//! Lifts that one client tells another, and a server that has lost what there was to tell.

use std::time::Duration;

use keyrot_core::{Endpoint, Lifted, RateLimiter, Scope, Why};
use keyrot_limiter::RedisStore;
use keyrot_testkit::limiter::{self, FREE, Way, rpm};
use keyrot_testkit::server::Server;

use crate::people::{cool, go, refused};
use crate::servers::{KINDS, config, fresh_pool, shared, with_clock};

fn client(server: &Server, pool: &str) -> RedisStore {
    RedisStore::connect(&config(&server.url(), pool)).expect("a legal URL")
}

async fn told(store: &RedisStore) -> Lifted {
    store.listen().await.expect("the store is there");
    store.lifted()
}

async fn lift(store: &RedisStore, model: &str) -> Lifted {
    let scope = Scope::Model(model.into());
    store.lift(&scope).await.expect("the store is there");
    Lifted::Scopes(vec![scope])
}

#[tokio::test]
async fn a_memory_that_was_lost_is_told_as_all() {
    for kind in KINDS {
        for lifted_before in [false, true] {
            let (server, pool) = (shared(kind), fresh_pool());
            let (one, other) = (client(server, &pool), client(server, &pool));
            assert_eq!((told(&one).await, told(&other).await), (Lifted::default(), Lifted::default()));
            if lifted_before {
                let lifted = lift(&one, "m").await;
                assert_eq!(told(&other).await, lifted);
            }
            let keys = server.command(&["KEYS", &format!("{{keyrot:{pool}}}:*")]);
            for key in keys.lines().filter(|line| line.starts_with('{')) {
                server.command(&["DEL", key]);
            }
            // What was lifted since is told to whom there was nothing to be told before.
            let lifted = lift(&one, "n").await;
            let wanted = if lifted_before { Lifted::All } else { lifted };
            assert_eq!(told(&other).await, wanted);
            assert_eq!(told(&other).await, Lifted::default());
        }
    }
}

/// Whatever stands there: nobody is kept out, and what is lifted from then on is heard.
#[tokio::test]
async fn a_damaged_list_is_begun_anew() {
    for kind in KINDS {
        for text in ["", "short", &"x".repeat(16), &"x".repeat(40), &"\u{0}".repeat(200)] {
            let (server, pool) = (shared(kind), fresh_pool());
            let (one, other) = (client(server, &pool), client(server, &pool));
            lift(&one, "m").await;
            told(&other).await;
            server.command(&["SET", &format!("{{keyrot:{pool}}}:1:l"), text]);
            go(&one, &Way::sole(FREE)).await;
            told(&one).await;
            told(&other).await;
            let lifted = lift(&one, "n").await;
            let heard = told(&other).await;
            assert!(heard == lifted || heard == Lifted::All, "{text:?}: {heard:?}");
            let lifted = lift(&one, "n").await;
            assert_eq!(told(&other).await, lifted, "{text:?}");
        }
    }
}

/// Two endpoints on one pool: what one says of a key is neither held against it at the other nor told there.
#[tokio::test]
async fn endpoints_have_cooldowns_of_their_own_and_one_count() {
    for kind in KINDS {
        let (server, pool) = (shared(kind), fresh_pool());
        let gateway = || client(server, &pool).for_endpoint(Endpoint::at("http://gateway"));
        let (google, other, another) = (client(server, &pool), gateway(), gateway());
        let way = Way::sole(rpm(3));
        told(&google).await;
        told(&another).await;
        let hour = Duration::from_secs(3_600);
        for scope in [Scope::Key(way.key.clone(), way.fingerprint), Scope::Domain(way.domain.clone())] {
            cool(&other, &scope, hour).await.expect("the store is there");
            assert!(refused(&another, &way).await.retry_after > Duration::from_secs(3_000));
            go(&google, &way).await;
            other.lift(&scope).await.expect("the store is there");
            assert_eq!(told(&another).await, Lifted::Scopes(vec![scope]));
            assert_eq!(told(&google).await, Lifted::default());
        }
        cool(&other, &Scope::Pool, hour).await.expect("the store is there");
        assert!(matches!(refused(&google, &way).await.why, Why::Cooling { .. }), "the pool is one");
        google.lift(&Scope::Pool).await.expect("the store is there");
        go(&other, &way).await;
        assert!(matches!(refused(&google, &way).await.why, Why::Limit(_)), "so is its use");
    }
}

#[test]
fn a_store_of_an_endpoint_keeps_every_promise() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for kind in KINDS {
        let (url, gateway) = (shared(kind).url(), Endpoint::at("http://gateway"));
        runtime.block_on(limiter::suite(async |clock| with_clock(&url, clock).for_endpoint(gateway)));
    }
}
