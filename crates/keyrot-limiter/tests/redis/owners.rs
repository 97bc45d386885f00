//! Places in flight and those who took them: one that is gone leaves its place, one that lives keeps it.

use std::time::Duration;

use keyrot_core::{Ended, FakeClock, RateLimiter};
use keyrot_limiter::RedisStore;
use keyrot_testkit::limiter::{FREE, LEASE, NOON, Way};

use crate::people::{ask, go, refused};
use crate::servers::{KINDS, config, fresh_pool, shared, with_clock};

const PAUSE: Duration = Duration::from_millis(250);
/// More pauses than there are in the time for which a place is kept, on a slow machine too.
const PATIENCE: u32 = 480;

#[tokio::test]
async fn a_place_dies_with_its_owner_and_is_kept_for_one_that_lives() {
    let both = KINDS.map(|kind| async move {
        let (server, pool) = (shared(kind), fresh_pool());
        let connect = || RedisStore::connect(&config(&server.url(), &pool)).expect("a legal URL");
        let way = Way::sole(FREE).at_once(2);
        // By a clock that stands still nothing comes back, however long the server waits.
        let still = with_clock(&server.url(), FakeClock::new(NOON));
        go(&still, &way.clone().at_once(1)).await;
        let (living, other) = (connect(), connect());
        // Its process was killed: nobody releases anything, and nobody says that it lives.
        let killed = connect();
        go(&killed, &way).await;
        drop(killed);
        let kept = go(&living, &way).await;
        assert!(refused(&other, &way).await.retry_after <= Duration::from_secs(30));
        let mut pauses = 0;
        while ask(&other, &way).await.expect("the store is there").is_err() {
            pauses += 1;
            assert!(pauses < PATIENCE, "the place of a killed process is never given away");
            tokio::time::sleep(PAUSE).await;
        }
        // The other was taken a moment later, and is its owner's until he says otherwise.
        for _ in 0..8 {
            refused(&other, &way).await;
            tokio::time::sleep(PAUSE).await;
        }
        living.release(&kept.permit, Ended::Succeeded).await.expect("the store is there");
        living.flush().await;
        assert_eq!(refused(&still, &way.clone().at_once(1)).await.retry_after, LEASE);
        go(&other, &way).await;
    });
    futures_util::future::join_all(both).await;
}
