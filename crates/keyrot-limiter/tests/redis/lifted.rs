//! Lifts that one client tells another, and a server that has lost what there was to tell.

use keyrot_core::{Lifted, RateLimiter, Scope};
use keyrot_limiter::RedisStore;
use keyrot_testkit::limiter::{FREE, Way};
use keyrot_testkit::server::Server;

use crate::people::go;
use crate::servers::{KINDS, config, fresh_pool, shared};

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
