//! Requests in flight: as many as the key may have, until they end or their lease passes.

use std::time::Duration;

use keyrot_core::{Ended, FakeClock, LimitKind, RateLimiter, Why};

use super::rig::{FREE, LEASE, MS, Maker, NOON, ONE, Way, rpm, secs};

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    a_place_comes_back_however_the_request_ended(make).await;
    a_lease_ends_by_itself(make).await;
    a_key_has_its_places_in_all_domains_together(make).await;
    the_longest_wait_is_told(make).await;
}

fn way(concurrency: u32) -> Way {
    Way { concurrency: Some(concurrency), ..Way::new("a", "p", "m", FREE) }
}

async fn a_place_comes_back_however_the_request_ended<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let (rig, way) = (make.rig(NOON).await, way(2));
    rig.go(&way, ONE).await;
    for ended in [Ended::Succeeded, Ended::Failed, Ended::NeverSent] {
        let permit = rig.go(&way, ONE).await;
        assert_eq!(rig.refused(&way, ONE).await.why, Why::Limit(LimitKind::Concurrency));
        assert_eq!(rig.standing(&way).await.in_flight, 2);
        rig.release(&permit, ended).await;
        rig.release(&permit, ended).await;
        assert_eq!(rig.standing(&way).await.in_flight, 1);
    }
}

async fn a_lease_ends_by_itself<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let (rig, way) = (make.rig(NOON).await, way(1));
    let lost = rig.go(&way, ONE).await;
    let refusal = rig.refused(&way, ONE).await;
    assert_eq!(refusal.retry_after, LEASE);
    let next = rig.go_after(&way, ONE, refusal.retry_after).await;
    // The lost one comes back late: the place is no longer its own to give.
    rig.release(&lost, Ended::Succeeded).await;
    rig.refused(&way, ONE).await;
    rig.release(&next, Ended::Succeeded).await;
    rig.go(&way, ONE).await;
}

async fn a_key_has_its_places_in_all_domains_together<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let rig = make.rig(NOON).await;
    let other_model = Way { concurrency: Some(1), ..Way::new("a", "p", "n", FREE) };
    let other_key = Way { concurrency: Some(1), ..Way::new("b", "p", "m", FREE) };
    rig.go(&way(1), ONE).await;
    rig.refused(&other_model, ONE).await;
    rig.go(&other_key, ONE).await;
}

async fn the_longest_wait_is_told<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let way = Way { concurrency: Some(2), limits: rpm(2), ..way(2) };
    rig.go(&way, ONE).await;
    rig.wait(secs(2));
    rig.go(&way, ONE).await;
    // The minute has room after some 60 s; the places come back after 90 s.
    let refusal = rig.refused(&way, ONE).await;
    assert_eq!(refusal.why, Why::Limit(LimitKind::Concurrency));
    rig.go_after(&way, ONE, refusal.retry_after).await;
    // A limit that was lowered: as many places must come back as it takes.
    let rig = make.rig(NOON).await;
    for _ in 0..3 {
        rig.go(&Way { concurrency: Some(3), limits: FREE, ..way.clone() }, ONE).await;
        rig.wait(MS);
    }
    let way = Way { concurrency: Some(1), limits: FREE, ..way };
    let refusal = rig.refused(&way, ONE).await;
    assert_eq!(refusal.retry_after, LEASE.saturating_sub(MS));
    rig.go_after(&way, ONE, refusal.retry_after).await;
    let none = Way { concurrency: Some(0), ..way };
    assert_eq!(rig.refused(&none, ONE).await.retry_after, Duration::MAX);
}
