//! The minute and the second: exact wherever the window starts, and nothing wasted.

use std::time::Duration;

use futures_util::future::join_all;
use keyrot_core::{Cost, FakeClock, LimitKind, Limits, Method, RateLimiter, Timestamp, Why};

use super::rig::{FREE, MS, Maker, NOON, ONE, Way, rpm, secs, tokens};

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    a_window_is_exact_wherever_it_starts(make).await;
    a_burst_is_exact(make).await;
    saturated_use_wastes_less_than_one_per_cent(make).await;
    fifty_at_once_get_exactly_what_there_is(make).await;
    what_one_limit_refuses_no_other_counts(make).await;
    the_first_that_may_go_goes(make).await;
    what_can_never_fit_is_told_at_once(make).await;
    what_costs_nothing_meets_no_limit(make).await;
    a_gap_longer_than_the_window_leaves_nothing(make).await;
    keys_of_one_project_share_and_buckets_do_not(make).await;
}

async fn a_window_is_exact_wherever_it_starts<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    for offset in [0, 1, 249, 250, 59_999] {
        let rig = make.rig(NOON + Duration::from_millis(offset)).await;
        let way = Way::new("a", "p", "m", rpm(5));
        let mut admitted: Vec<Timestamp> = Vec::new();
        // Asking every 97 ms meets every place in a slot.
        for _ in 0..2_000 {
            if rig.reserve(&way, ONE).await.is_ok() {
                admitted.push(rig.now());
            }
            rig.wait(Duration::from_millis(97));
        }
        for &end in &admitted {
            let inside = admitted.iter().filter(|&&t| t <= end && end.since(t) < secs(60)).count();
            assert!(inside <= 5, "{inside} in the minute up to {end:?}");
        }
        assert!(admitted.len() >= 15, "only {} in 194 s", admitted.len());
    }
}

async fn a_burst_is_exact<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON + Duration::from_millis(123)).await;
    let way = Way::new("a", "p", "m", Limits { burst: Some(2), ..rpm(100) });
    rig.go(&way, ONE).await;
    rig.wait(Duration::from_millis(400));
    rig.go(&way, ONE).await;
    let refusal = rig.refused(&way, ONE).await;
    assert_eq!(refusal.why, Why::Limit(LimitKind::Burst));
    assert!(refusal.retry_after >= Duration::from_millis(600), "{refusal:?}");
    assert!(refusal.retry_after <= Duration::from_millis(850), "{refusal:?}");
    rig.go_after(&way, ONE, refusal.retry_after).await;
}

async fn saturated_use_wastes_less_than_one_per_cent<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    for (limit, pause) in [(1, 0), (7, 0), (60, 0), (60, 300)] {
        let rig = make.rig(NOON + Duration::from_millis(101)).await;
        let way = Way::new("a", "p", "m", rpm(limit));
        let mut admitted = Vec::new();
        while admitted.len() < usize::try_from(limit).unwrap_or(usize::MAX) * 20 {
            match rig.reserve(&way, ONE).await {
                Ok(_) => {
                    admitted.push(rig.now());
                    rig.wait(Duration::from_millis(pause));
                }
                Err(refusal) => rig.wait(refusal.retry_after),
            }
        }
        let fills: Vec<Timestamp> =
            admitted.iter().copied().step_by(usize::try_from(limit).unwrap_or(1)).collect();
        let (first, last) = (fills[0], fills[fills.len() - 1]);
        let ideal = 60_000 * (fills.len() - 1);
        let took = last.since(first).as_millis();
        assert!(ideal as u128 * 100 >= took * 99, "{ideal} ms of windows took {took} ms at {limit}");
    }
}

async fn fifty_at_once_get_exactly_what_there_is<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let rig = make.rig(NOON).await;
    let way = Way::new("a", "p", "m", Limits { tpm: Some(100), ..FREE });
    let answers = join_all((0..50).map(|_| rig.reserve(&way, tokens(5)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 20);
    assert_eq!(rig.standing(&way).await.tokens, 100);
}

async fn what_one_limit_refuses_no_other_counts<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let full = Limits { rpm: Some(3), tpm: Some(100), rpd: Some(4), burst: Some(3) };
    for (limits, cost, kind) in [
        (full, Cost { requests: 1, tokens: 51 }, LimitKind::Tpm),
        (Limits { rpm: Some(1), ..full }, ONE, LimitKind::Rpm),
        (Limits { rpd: Some(1), ..full }, ONE, LimitKind::Rpd),
        (Limits { burst: Some(1), ..full }, ONE, LimitKind::Burst),
    ] {
        let rig = make.rig(NOON).await;
        let mut way = Way::new("a", "p", "m", limits);
        way.concurrency = Some(10);
        rig.go(&way, tokens(50)).await;
        let before = rig.standing(&way).await;
        for _ in 0..5 {
            assert_eq!(rig.refused(&way, cost).await.why, Why::Limit(kind));
        }
        let after = rig.standing(&way).await;
        assert_eq!((before.requests, before.tokens, before.day, before.in_flight), (1, 50, 1, 1));
        assert_eq!(after, before, "a refusal by {kind:?} was counted");
    }
}

async fn the_first_that_may_go_goes<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let (a, b, c) =
        (Way::new("a", "p", "m", rpm(1)), Way::new("b", "q", "m", rpm(1)), Way::new("c", "r", "m", rpm(1)));
    rig.go(&a, ONE).await;
    let reply = rig.ask(&[&a, &b, &c], Method::Generate, ONE).await;
    assert_eq!(reply.refusals.len(), 1);
    let (index, domain) = reply.grant.map_or((9, a.domain.clone()), |g| (g.index, g.permit.domain));
    assert_eq!((index, &domain), (1, &b.domain));
    assert_eq!(rig.standing(&c).await.requests, 0);
    rig.wait(secs(1));
    rig.go(&c, ONE).await;
    let reply = rig.ask(&[&c, &b, &a], Method::Generate, ONE).await;
    assert!(reply.grant.is_none());
    assert_eq!(reply.refusals.len(), 3, "each tells why not");
    assert!(reply.refusals[0].retry_after > reply.refusals[1].retry_after);
    assert_eq!(reply.retry_after(), reply.refusals[2].retry_after);
}

async fn what_can_never_fit_is_told_at_once<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let limits = Limits { rpm: Some(2), tpm: Some(100), rpd: Some(1), burst: None };
    for (cost, kind) in [(tokens(101), LimitKind::Tpm), (Cost { requests: 3, tokens: 0 }, LimitKind::Rpm)] {
        let way = Way::new("a", "p", "m", Limits { rpd: None, ..limits });
        let refusal = rig.refused(&way, cost).await;
        assert_eq!((refusal.why, refusal.retry_after), (Why::TooLarge(kind), Duration::MAX));
    }
    let way = Way::new("a", "p", "m", limits);
    let refusal = rig.refused(&way, Cost { requests: 2, tokens: 0 }).await;
    assert_eq!((refusal.why, refusal.retry_after), (Why::TooLarge(LimitKind::Rpd), Duration::MAX));
    rig.go(&way, tokens(100)).await;
}

async fn what_costs_nothing_meets_no_limit<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let way = Way::new("a", "p", "m", Limits { rpm: Some(1), tpm: Some(10), rpd: Some(1), burst: Some(1) });
    rig.go(&way, tokens(10)).await;
    for _ in 0..3 {
        let permit = rig.go(&way, Cost { requests: 0, tokens: 0 }).await;
        rig.settle(&permit, 1_000).await;
    }
    let standing = rig.standing(&way).await;
    assert_eq!((standing.requests, standing.tokens, standing.day), (1, 10, 1));
}

async fn a_gap_longer_than_the_window_leaves_nothing<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let rig = make.rig(NOON).await;
    let way = Way::new("a", "p", "m", rpm(10));
    for gap in [secs(63), secs(3_600), secs(86_400 * 400)] {
        for _ in 0..10 {
            rig.go(&way, ONE).await;
            rig.wait(MS);
        }
        rig.refused(&way, ONE).await;
        rig.wait(gap);
        assert_eq!(rig.standing(&way).await.requests, 0, "after {gap:?}");
    }
}

async fn keys_of_one_project_share_and_buckets_do_not<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let rig = make.rig(NOON).await;
    rig.go(&Way::new("a", "p", "m", rpm(1)), ONE).await;
    rig.refused(&Way::new("b", "p", "m", rpm(1)), ONE).await;
    rig.go(&Way::new("b", "p", "n", rpm(1)), ONE).await;
    rig.go(&Way::new("c", "q", "m", rpm(1)), ONE).await;
}
