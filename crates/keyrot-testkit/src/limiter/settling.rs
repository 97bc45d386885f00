//! From the estimate to the truth: in its own window, once, and never as a credit.

use std::time::Duration;

use keyrot_core::{Cost, Ended, FakeClock, LimitKind, Limits, RateLimiter, Why};

use super::rig::{FREE, Maker, NOON, Way, secs, tokens};

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    settling_down_makes_room_at_once(make).await;
    an_overrun_is_debt_while_its_slot_lives(make).await;
    settling_twice_is_settling_once(make).await;
    a_refund_never_credits_a_later_window(make).await;
    what_was_never_sent_was_never_charged(make).await;
    what_is_never_settled_keeps_its_estimate(make).await;
    nothing_overflows(make).await;
}

fn way() -> Way {
    Way::new("a", "p", "m", Limits { tpm: Some(100), ..FREE })
}

async fn settling_down_makes_room_at_once<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let (rig, way) = (make.rig(NOON).await, way());
    let permit = rig.go(&way, tokens(90)).await;
    rig.refused(&way, tokens(11)).await;
    rig.wait(secs(3));
    rig.settle(&permit, 20).await;
    rig.refused(&way, tokens(81)).await;
    rig.go(&way, tokens(80)).await;
}

async fn an_overrun_is_debt_while_its_slot_lives<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let (rig, way) = (make.rig(NOON).await, way());
    let permit = rig.go(&way, tokens(10)).await;
    rig.wait(secs(5));
    rig.go(&way, tokens(10)).await;
    rig.settle(&permit, 500).await;
    assert_eq!(rig.standing(&way).await.tokens, 510);
    let refusal = rig.refused(&way, tokens(1)).await;
    assert_eq!(refusal.why, Why::Limit(LimitKind::Tpm));
    // Until the slot of the overrun leaves: a minute and the guard after it, not after the settling.
    assert!(refusal.retry_after >= secs(55) && refusal.retry_after < secs(56), "{refusal:?}");
    rig.go_after(&way, tokens(1), refusal.retry_after).await;
    assert_eq!(rig.standing(&way).await.tokens, 11);
}

async fn settling_twice_is_settling_once<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let (rig, way) = (make.rig(NOON).await, way());
    let permit = rig.go(&way, tokens(60)).await;
    for actual in [30, 10, 90] {
        rig.settle(&permit, actual).await;
        assert_eq!(rig.standing(&way).await.tokens, 30);
    }
    rig.release(&permit, Ended::Succeeded).await;
    rig.settle(&permit, 1).await;
    rig.release(&permit, Ended::NeverSent).await;
    let standing = rig.standing(&way).await;
    assert_eq!((standing.tokens, standing.requests, standing.day), (30, 1, 1));
}

async fn a_refund_never_credits_a_later_window<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let (rig, way) = (make.rig(NOON).await, way());
    let late = rig.go(&way, tokens(100)).await;
    let never_sent = rig.go(&way, Cost { requests: 1, tokens: 0 }).await;
    rig.wait(secs(61));
    rig.go(&way, tokens(70)).await;
    rig.settle(&late, 0).await;
    rig.release(&never_sent, Ended::NeverSent).await;
    let standing = rig.standing(&way).await;
    assert_eq!((standing.tokens, standing.requests), (70, 1));
    rig.refused(&way, tokens(31)).await;
    rig.go(&way, tokens(30)).await;
}

async fn what_was_never_sent_was_never_charged<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let way = Way::new("a", "p", "m", Limits { rpm: Some(1), tpm: Some(10), rpd: Some(1), burst: Some(1) });
    for _ in 0..3 {
        let permit = rig.go(&way, tokens(10)).await;
        rig.release(&permit, Ended::NeverSent).await;
        // Given back twice is given back once.
        rig.release(&permit, Ended::NeverSent).await;
        let standing = rig.standing(&way).await;
        assert_eq!((standing.requests, standing.tokens, standing.day), (0, 0, 0));
    }
    for ended in [Ended::Failed, Ended::Succeeded] {
        rig.wait(secs(86_400));
        let permit = rig.go(&way, tokens(10)).await;
        rig.release(&permit, ended).await;
        rig.refused(&way, tokens(10)).await;
    }
}

async fn what_is_never_settled_keeps_its_estimate<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let (rig, way) = (make.rig(NOON).await, way());
    let permit = rig.go(&way, tokens(100)).await;
    rig.release(&permit, Ended::Failed).await;
    let refusal = rig.refused(&way, tokens(1)).await;
    rig.go_after(&way, tokens(1), refusal.retry_after).await;
}

async fn nothing_overflows<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let free = Way::new("a", "p", "m", FREE);
    for _ in 0..3 {
        let permit = rig.go(&free, Cost { requests: u32::MAX, tokens: u64::MAX }).await;
        rig.settle(&permit, u64::MAX).await;
    }
    let refusal = rig.refused(&way(), tokens(100)).await;
    rig.go_after(&way(), tokens(100), refusal.retry_after).await;
    rig.wait(secs(61));
    let standing = rig.standing(&free).await;
    assert_eq!((standing.requests, standing.tokens), (0, 0));
    assert!(rig.reserve(&way(), tokens(u64::MAX)).await.is_err_and(|r| r.retry_after == Duration::MAX));
}
