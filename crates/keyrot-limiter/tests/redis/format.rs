//! A pool that a newer release keeps in a way this one would spoil.

use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{FakeClock, LimitError};
use keyrot_limiter::{Degrading, Manner, RedisStore};
use keyrot_testkit::limiter::{FREE, NOON, Way};

use crate::people::{ask, go};
use crate::servers::{KINDS, config, fresh_pool, shared};

#[tokio::test]
async fn a_pool_of_a_newer_release_is_left_alone_and_named() {
    for kind in KINDS {
        let (server, pool) = (shared(kind), fresh_pool());
        let connect = || RedisStore::connect(&config(&server.url(), &pool)).expect("a legal URL");
        let way = Way::sole(FREE);
        let format = format!("{{keyrot:{pool}}}:1:format");
        go(&connect(), &way).await;

        server.command(&["SET", &format, "2"]);
        let newer = LimitError::Newer { store: "redis", found: 2, known: 1 };
        let before = server.command(&["KEYS", &format!("{{keyrot:{pool}}}:*")]).lines().count();
        let store = connect();
        assert_eq!(ask(&store, &way).await.expect_err("it is newer"), newer);
        assert!(newer.to_string().contains("format 2") && newer.to_string().contains("hint: "), "{newer}");

        // Nor does it go on alone, as it would if the server were away.
        let manner = Manner {
            instance: "old".to_owned(),
            known: Vec::new(),
            assumed: 1,
            timeout: Duration::from_secs(20),
            fail_closed: false,
        };
        let alone = Degrading::new(connect(), Arc::new(FakeClock::new(NOON)), manner);
        for _ in 0..2 {
            assert_eq!(ask(&alone, &way).await.expect_err("it is newer"), newer);
        }
        let after = server.command(&["KEYS", &format!("{{keyrot:{pool}}}:*")]).lines().count();
        assert_eq!(after, before, "nothing is written there");

        // The newer release is taken back.
        server.command(&["DEL", &format]);
        go(&store, &way).await;
    }
}
