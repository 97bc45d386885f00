//! The Pacific day: midnight from both sides, with daylight saving and without.

use std::time::Duration;

use keyrot_core::{Ended, FakeClock, LimitKind, Limits, PacificDay, RateLimiter, Timestamp, Why};

use super::rig::{FREE, MS, Maker, NOON, ONE, Way, secs};

/// A day of each length: 24, 23 and 25 hours.
const DAYS: &[(Timestamp, u64)] = &[
    (NOON, 24),
    // 2026-03-08T20:00Z and 2026-11-01T20:00Z.
    (Timestamp::from_millis(1_773_000_000_000), 23),
    (Timestamp::from_millis(1_793_563_200_000), 25),
];

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    a_day_ends_at_pacific_midnight(make).await;
    what_is_near_midnight_counts_on_both_sides(make).await;
    a_refund_finds_its_days(make).await;
    days_are_counted_without_a_limit(make).await;
}

fn way(rpd: u64) -> Way {
    Way::new("a", "p", "m", Limits { rpd: Some(rpd), ..FREE })
}

async fn a_day_ends_at_pacific_midnight<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    for &(inside, hours) in DAYS {
        let day = PacificDay::containing(inside);
        assert_eq!(day.end.since(day.start), secs(hours * 3600), "the calendar");
        let rig = make.rig(day.start + secs(1)).await;
        for _ in 0..3 {
            rig.go(&way(3), ONE).await;
            rig.wait(secs(120));
        }
        let refusal = rig.refused(&way(3), ONE).await;
        assert_eq!(refusal.why, Why::Limit(LimitKind::Rpd));
        let opens = rig.now() + refusal.retry_after;
        assert!(opens >= day.end && opens <= day.end + secs(2), "{opens:?} for {:?}", day.end);
        rig.go_after(&way(3), ONE, refusal.retry_after).await;
        assert_eq!(rig.standing(&way(3)).await.day, 1);
    }
}

async fn what_is_near_midnight_counts_on_both_sides<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let midnight = PacificDay::containing(NOON).end;
    // Just before: the next day has one less.
    let rig = make.rig(midnight.before(MS)).await;
    rig.go(&way(2), ONE).await;
    rig.wait(secs(10));
    assert_eq!(rig.standing(&way(2)).await.day, 1);
    rig.go(&way(2), ONE).await;
    rig.refused(&way(2), ONE).await;
    // Just after: the day before must have room for all of them.
    let rig = make.rig(midnight.before(secs(10))).await;
    rig.go(&way(2), ONE).await;
    rig.wait(secs(10));
    rig.go(&way(2), ONE).await;
    let refusal = rig.refused(&way(2), ONE).await;
    assert_eq!(refusal.why, Why::Limit(LimitKind::Rpd));
    rig.go_after(&way(2), ONE, refusal.retry_after).await;
    assert!(rig.now() <= midnight + secs(2));
    // Full on both sides at once: not before the midnight after.
    let rig = make.rig(midnight.before(MS)).await;
    rig.go(&way(1), ONE).await;
    let refusal = rig.refused(&way(1), ONE).await;
    assert!(refusal.retry_after > secs(86_400), "{refusal:?}");
    rig.go_after(&way(1), ONE, refusal.retry_after).await;
}

async fn a_refund_finds_its_days<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let midnight = PacificDay::containing(NOON).end;
    for (before, waits, left) in [
        // Given back on the same day, on both sides of midnight, and a day late.
        (secs(100), secs(1), 0),
        (MS, secs(1), 0),
        (secs(1), secs(2), 0),
        (MS, secs(30 * 3600), 0),
    ] {
        let rig = make.rig(midnight.before(before)).await;
        let permit = rig.go(&way(1), ONE).await;
        rig.wait(waits);
        rig.release(&permit, Ended::NeverSent).await;
        assert_eq!(rig.standing(&way(1)).await.day, left, "{before:?} before, {waits:?} later");
        rig.go(&way(1), ONE).await;
    }
    // A refund of yesterday's is no credit today.
    let rig = make.rig(midnight.before(secs(10))).await;
    let permit = rig.go(&way(1), ONE).await;
    rig.wait(secs(20));
    rig.go(&way(1), ONE).await;
    rig.release(&permit, Ended::NeverSent).await;
    rig.refused(&way(1), ONE).await;
}

async fn days_are_counted_without_a_limit<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let free = Way::new("a", "p", "m", FREE);
    for _ in 0..5 {
        rig.go(&free, ONE).await;
        rig.wait(Duration::from_secs(70));
    }
    assert_eq!(rig.standing(&free).await.day, 5);
    // The limit is learned later: what was used counts.
    let refusal = rig.refused(&way(5), ONE).await;
    assert_eq!(refusal.why, Why::Limit(LimitKind::Rpd));
}
