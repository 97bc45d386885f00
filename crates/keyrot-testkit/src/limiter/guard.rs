//! The guard: the window grows when Google says no to what the ledger had room for.

use std::time::Duration;

use keyrot_core::{CoolFor, Cost, FakeClock, RateLimiter, Reason, Scope, Stamp};

use super::rig::{FREE, Maker, NOON, ONE, Rig, Way, rpm, secs};

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    a_contradiction_widens_once_a_minute_and_halves_hourly(make).await;
    what_contradicts_nothing_widens_nothing(make).await;
    what_has_left_is_not_counted_again(make).await;
}

const NARROW: Duration = Duration::from_millis(60_500);

/// How long a slot that was begun just now counts, asked in a domain of its own.
async fn window<L: RateLimiter>(rig: &Rig<L>, model: &str) -> Duration {
    let way = Way::new("w", "w", model, rpm(1));
    let now = rig.now().as_millis();
    rig.wait(Duration::from_millis(now.next_multiple_of(250) - now));
    rig.go(&way, ONE).await;
    rig.refused(&way, ONE).await.retry_after
}

async fn by_the_minute<L: RateLimiter>(rig: &Rig<L>, way: &Way, stamp: Option<Stamp>) {
    let scope = Scope::Domain(way.domain.clone());
    rig.report(&scope, CoolFor::After(secs(1)), Reason::QuotaMinute, stamp, 9).await;
}

async fn a_contradiction_widens_once_a_minute_and_halves_hourly<
    L: RateLimiter,
    F: AsyncFn(FakeClock) -> L,
>(
    make: &Maker<F>,
) {
    let rig = make.rig(NOON).await;
    assert_eq!(window(&rig, "before").await, NARROW);
    let way = Way::new("a", "p", "m", rpm(100));
    for (i, guard) in [500, 1_000, 2_000, 2_000].into_iter().enumerate() {
        for storm in 0..3 {
            let permit = rig.go(&way, ONE).await;
            by_the_minute(&rig, &way, Some(permit.stamp)).await;
            rig.wait(secs(2));
            let window = window(&rig, &format!("{i}-{storm}")).await;
            assert_eq!(window, Duration::from_millis(60_250 + guard), "one for the whole pool");
        }
        rig.wait(secs(60));
    }
    for (i, guard) in [1_000, 500, 250, 250].into_iter().enumerate() {
        rig.wait(secs(3_600));
        assert_eq!(window(&rig, &format!("later-{i}")).await, Duration::from_millis(60_250 + guard));
    }
}

async fn what_contradicts_nothing_widens_nothing<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let rig = make.rig(NOON).await;
    // An operator's word; a domain whose limits nobody knew; limits learned after the admission; a
    // permit from before a lift.
    let way = Way::new("a", "p", "m", rpm(100));
    rig.go(&way, ONE).await;
    by_the_minute(&rig, &way, None).await;
    let unknown = Way::new("b", "q", "m", FREE);
    let permit = rig.go(&unknown, ONE).await;
    by_the_minute(&rig, &unknown, Some(permit.stamp)).await;
    rig.wait(secs(2));
    let permit = rig.go(&unknown, ONE).await;
    rig.wait(secs(1));
    rig.go(&Way { limits: rpm(100), ..unknown.clone() }, ONE).await;
    by_the_minute(&rig, &unknown, Some(permit.stamp)).await;
    rig.lift(&Scope::Domain(way.domain.clone())).await;
    let permit = rig.go(&way, ONE).await;
    rig.lift(&Scope::Domain(way.domain.clone())).await;
    by_the_minute(&rig, &way, Some(permit.stamp)).await;
    assert_eq!(window(&rig, "after").await, NARROW);
}

/// Whoever asks sees the last of what has left, also one who is refused; a guard that is widened after
/// that does not bring it back.
async fn what_has_left_is_not_counted_again<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let way = Way::new("a", "p", "m", rpm(1));
    rig.go(&way, ONE).await;
    let elsewhere = Way::new("b", "q", "m", rpm(100));
    rig.wait(secs(59));
    let stamp = rig.go(&elsewhere, ONE).await.stamp;
    // Outside the narrow window, inside the wider one.
    rig.wait(Duration::from_millis(1_550));
    rig.refused(&way, Cost { requests: 2, tokens: 0 }).await;
    by_the_minute(&rig, &elsewhere, Some(stamp)).await;
    assert_eq!(rig.standing(&way).await.requests, 0);
    rig.go(&way, ONE).await;
}
