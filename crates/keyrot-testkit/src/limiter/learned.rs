//! Limits that change from one question to the next: what was used before they were known counts.

use keyrot_core::{FakeClock, LimitKind, Limits, RateLimiter, Why};

use super::rig::{FREE, MS, Maker, NOON, ONE, Way, rpm, secs, tokens};

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    a_limit_counts_what_was_used_before_it(make).await;
    a_tighter_limit_waits_for_as_much_as_it_takes(make).await;
    each_asker_is_held_to_the_limits_it_brings(make).await;
    a_limit_of_nothing_closes(make).await;
}

fn way(limits: Limits) -> Way {
    Way::new("a", "p", "m", limits)
}

async fn a_limit_counts_what_was_used_before_it<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    for (limits, more, kind) in [
        (rpm(5), rpm(6), LimitKind::Rpm),
        (Limits { tpm: Some(54), ..FREE }, Limits { tpm: Some(60), ..FREE }, LimitKind::Tpm),
        (Limits { rpd: Some(5), ..FREE }, Limits { rpd: Some(6), ..FREE }, LimitKind::Rpd),
        (Limits { burst: Some(5), ..FREE }, Limits { burst: Some(6), ..FREE }, LimitKind::Burst),
    ] {
        let rig = make.rig(NOON).await;
        for _ in 0..5 {
            rig.go(&way(FREE), tokens(10)).await;
            rig.wait(MS);
        }
        let refusal = rig.refused(&way(limits), tokens(10)).await;
        assert_eq!(refusal.why, Why::Limit(kind));
        rig.go(&way(more), tokens(10)).await;
        assert_eq!(rig.refused(&way(more), tokens(10)).await.why, Why::Limit(kind));
        // It has aged out, or an operator cleared it.
        rig.go(&way(FREE), tokens(10)).await;
    }
}

async fn a_tighter_limit_waits_for_as_much_as_it_takes<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let rig = make.rig(NOON).await;
    for _ in 0..10 {
        rig.go(&way(rpm(10)), ONE).await;
        rig.wait(secs(2));
    }
    let ten = rig.refused(&way(rpm(10)), ONE).await.retry_after;
    let three = rig.refused(&way(rpm(3)), ONE).await.retry_after;
    assert_eq!(three, ten + secs(14), "seven more must leave");
    rig.go_after(&way(rpm(3)), ONE, three).await;
}

async fn each_asker_is_held_to_the_limits_it_brings<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let rig = make.rig(NOON).await;
    let (knows, knows_not) = (Way::new("a", "p", "m", rpm(2)), Way::new("b", "p", "m", rpm(4)));
    rig.go(&knows, ONE).await;
    for _ in 0..3 {
        rig.go(&knows_not, ONE).await;
    }
    rig.refused(&knows_not, ONE).await;
    let refusal = rig.refused(&knows, ONE).await;
    rig.go_after(&knows, ONE, refusal.retry_after).await;
}

async fn a_limit_of_nothing_closes<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    rig.go(&way(FREE), ONE).await;
    for (limits, kind) in [(rpm(0), LimitKind::Rpm), (Limits { rpd: Some(0), ..FREE }, LimitKind::Rpd)] {
        assert_eq!(rig.refused(&way(limits), ONE).await.why, Why::TooLarge(kind));
    }
    rig.go(&way(FREE), ONE).await;
}
