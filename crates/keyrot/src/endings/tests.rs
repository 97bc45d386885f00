//! Nothing that holds a place is lost, however its holder goes.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use keyrot_core::keys::{Key, KeySet, PoolConfig};
use keyrot_core::{EnvMap, FakeClock, KeyId, Outcome, Timestamp, Usage};

use crate::{Assembly, Profile, Rotator};

const MODEL: &str = "model-1";

/// One key that may have `places` requests in flight, with its counts in `state`.
async fn pool(places: u32, state: String) -> Rotator {
    let key = Key { concurrency: Some(places), ..Key::new(KeyId::new("a").expect("legal")) };
    let env = EnvMap::from_iter([
        ("GEMINI_KEY_a".to_owned(), "AIza".to_owned()),
        ("KEYROT_STATE".to_owned(), state),
    ]);
    let clock = FakeClock::new(Timestamp::from_millis(1_795_464_000_000));
    let made = Assembly::new(env)
        .keys(KeySet { keys: vec![key], config: PoolConfig::default() })
        .clock(Arc::new(clock))
        .make();
    made.await.expect("a pool").rotator
}

async fn in_flight(rotator: &Rotator) -> u32 {
    assert!(rotator.shutdown(Duration::from_secs(60)).await, "everything is settled in time");
    rotator.status(MODEL).await.keys.remove(0).in_flight
}

#[tokio::test]
async fn ten_thousand_leases_dropped_at_once_give_all_their_places_back() {
    let rotator = pool(10_000, ":memory:".to_owned()).await;
    let profile = Profile::new(MODEL).max_wait(Duration::ZERO);
    let mut leases = Vec::new();
    for _ in 0..10_000 {
        leases.push(rotator.lease(&profile).await.expect("a place"));
    }
    drop(leases);
    assert_eq!(in_flight(&rotator).await, 0);
}

#[tokio::test]
async fn who_goes_away_in_the_middle_of_an_ending_leaks_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let rotator = pool(1, folder.path().join("state.db").display().to_string()).await;
    let profile = Profile::new(MODEL).max_wait(Duration::ZERO);
    let outcomes = [
        Outcome::Success { usage: Usage { prompt_tokens: Some(3), output_tokens: None } },
        Outcome::QuotaMinute { retry_after: Duration::ZERO, learned: Vec::new() },
        Outcome::ServerError { status: 500 },
    ];
    for outcome in outcomes {
        for polls in 0..16 {
            let lease = rotator.lease(&profile).await.expect("the place is free");
            let mut end = Box::pin(lease.end(&outcome));
            let mut over = false;
            for _ in 0..polls {
                let mut context = Context::from_waker(Waker::noop());
                over = over || end.as_mut().poll(&mut context).is_ready();
                // The store's thread gets on.
                tokio::task::yield_now().await;
            }
            drop(end);
            assert_eq!(in_flight(&rotator).await, 0, "{outcome:?} after {polls} polls, over: {over}");
            rotator.reset_all(&[MODEL.into()]).await.expect("lifted");
        }
    }
}
