//! Places in flight and those who took them: one that is gone leaves its place, one that lives keeps it.

use std::time::{Duration, Instant};

use keyrot_core::{Ended, RateLimiter};
use keyrot_limiter::RedisStore;
use keyrot_testkit::limiter::{FREE, Way};

use crate::people::{ask, go, refused};
use crate::servers::{KINDS, config, fresh_pool, shared};

/// Longer than a place is kept for whom nothing was heard of, and longer than a slow machine delays it.
const LONG: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_place_dies_with_its_owner_and_is_kept_for_one_that_lives() {
    let both = KINDS.map(|kind| async move {
        let (server, pool) = (shared(kind), fresh_pool());
        let connect = || RedisStore::connect(&config(&server.url(), &pool)).expect("a legal URL");
        let way = Way::sole(FREE).at_once(2);
        let (living, other) = (connect(), connect());
        // Its process was killed: nobody releases anything, and nobody says that it lives.
        let killed = connect();
        go(&killed, &way).await;
        drop(killed);
        let kept = go(&living, &way).await;
        assert!(refused(&other, &way).await.retry_after <= Duration::from_secs(30));
        let began = Instant::now();
        while ask(&other, &way).await.expect("the store is there").is_err() {
            assert!(began.elapsed() < LONG, "the place of a killed process is never given away");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        // The other was taken a moment later, and is its owner's until he says otherwise.
        for _ in 0..8 {
            refused(&other, &way).await;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        living.release(&kept.permit, Ended::Succeeded).await.expect("the store is there");
        living.flush().await;
        go(&other, &way).await;
    });
    futures_util::future::join_all(both).await;
}
