//! Half-open: one probe at a time, and what its ending means.

use std::time::Duration;

use keyrot_core::cooldown::PROBE_TIME;
use keyrot_core::{CoolFor, Ended, FakeClock, LimitKind, Permit, RateLimiter, Reason, Scope, ScopeKind, Why};

use super::rig::{FREE, Maker, NOON, ONE, Rig, Way, rpm, secs};

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    one_probe_goes_and_its_success_lifts(make).await;
    a_failed_probe_doubles_up_to_half_an_hour(make).await;
    a_probe_that_says_nothing_frees_its_place(make).await;
    a_probe_that_succeeds_late_lifts(make).await;
    one_storm_is_one_strike(make).await;
    a_probe_refused_otherwise_takes_no_place(make).await;
    one_permit_may_probe_several_scopes(make).await;
}

/// Two keys of one domain, so that the domain is what is probed.
fn ways() -> (Way, Way) {
    (Way::new("a", "p", "m", FREE), Way::new("b", "p", "m", FREE))
}

const HALF_MINUTE: Duration = secs(30);

/// A domain whose first strike has just passed.
async fn half_open<L: RateLimiter>(rig: &Rig<L>, way: &Way) -> Permit {
    let permit = rig.go(way, ONE).await;
    assert_eq!(rig.throttled(&permit, 9).await.lasts, Some(HALF_MINUTE));
    assert_eq!(rig.refused(way, ONE).await.retry_after, HALF_MINUTE);
    rig.go_after(way, ONE, HALF_MINUTE).await
}

async fn one_probe_goes_and_its_success_lifts<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let (a, b) = ways();
    let rig = make.rig(NOON).await;
    let probe = half_open(&rig, &a).await;
    assert!(probe.probe);
    rig.wait(secs(1));
    let refusal = rig.refused(&b, ONE).await;
    let why = Why::Cooling { scope: ScopeKind::Domain, reason: Reason::Throttled };
    assert_eq!((refusal.why, refusal.retry_after), (why, PROBE_TIME.saturating_sub(secs(1))));
    rig.release(&probe, Ended::Succeeded).await;
    assert!(!rig.go(&b, ONE).await.probe);
    let next = rig.go(&a, ONE).await;
    assert_eq!(rig.throttled(&next, 9).await.lasts, Some(HALF_MINUTE), "the streak is cleared");
}

async fn a_failed_probe_doubles_up_to_half_an_hour<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let (a, b) = ways();
    let rig = make.rig(NOON).await;
    let mut probe = half_open(&rig, &a).await;
    for seconds in [60, 120, 240, 480, 960, 1_800, 1_800] {
        assert_eq!(rig.throttled(&probe, 9).await.lasts, Some(secs(seconds)));
        assert_eq!(rig.refused(&b, ONE).await.retry_after, secs(seconds));
        probe = rig.go_after(&b, ONE, secs(seconds)).await;
        assert!(probe.probe);
    }
}

async fn a_probe_that_says_nothing_frees_its_place<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let (a, b) = ways();
    let rig = make.rig(NOON).await;
    let mut probe = half_open(&rig, &a).await;
    for ended in [Ended::Failed, Ended::NeverSent] {
        rig.release(&probe, ended).await;
        probe = rig.go(&b, ONE).await;
        assert!(probe.probe);
        rig.refused(&a, ONE).await;
    }
    // Lost, or slow: its place comes back long before its lease ends.
    let next = rig.go_after(&a, ONE, PROBE_TIME).await;
    assert!(next.probe);
    rig.release(&probe, Ended::NeverSent).await;
    rig.refused(&b, ONE).await;
    assert_eq!(rig.throttled(&next, 9).await.lasts, Some(secs(60)), "silence counts neither way");
}

async fn a_probe_that_succeeds_late_lifts<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let (a, b) = ways();
    for another in [false, true] {
        let rig = make.rig(NOON).await;
        let probe = half_open(&rig, &a).await;
        rig.wait(secs(40));
        if another {
            assert!(rig.go(&b, ONE).await.probe);
            rig.refused(&a, ONE).await;
        }
        rig.release(&probe, Ended::Succeeded).await;
        assert!(!rig.go(&b, ONE).await.probe);
    }
    // Another has failed meanwhile: what was admitted before says nothing of the time since.
    let rig = make.rig(NOON).await;
    let probe = half_open(&rig, &a).await;
    let next = rig.go_after(&b, ONE, PROBE_TIME).await;
    rig.throttled(&next, 9).await;
    rig.release(&probe, Ended::Succeeded).await;
    assert_eq!(rig.refused(&a, ONE).await.retry_after, secs(60));
}

async fn one_storm_is_one_strike<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let (a, b) = ways();
    let rig = make.rig(NOON).await;
    let (one, two, three) = (rig.go(&a, ONE).await, rig.go(&b, ONE).await, rig.go(&a, ONE).await);
    for permit in [two, one] {
        assert_eq!(rig.throttled(&permit, 9).await.lasts, Some(HALF_MINUTE));
    }
    let probe = rig.go_after(&b, ONE, HALF_MINUTE).await;
    rig.throttled(&three, 9).await;
    rig.refused(&a, ONE).await;
    rig.release(&probe, Ended::Succeeded).await;
    assert!(!rig.go(&a, ONE).await.probe, "the probe succeeded, whatever came in late");
}

async fn a_probe_refused_otherwise_takes_no_place<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let (a, b) = ways();
    let rig = make.rig(NOON).await;
    let permit = rig.go(&a, ONE).await;
    rig.throttled(&permit, 9).await;
    rig.wait(HALF_MINUTE);
    let full = Way { limits: rpm(1), ..a.clone() };
    assert_eq!(rig.refused(&full, ONE).await.why, Why::Limit(LimitKind::Rpm));
    let busy = Way { concurrency: Some(0), ..a.clone() };
    rig.refused(&busy, ONE).await;
    let key = Scope::Key(a.key.clone(), a.fingerprint);
    rig.report(&key, CoolFor::After(secs(5)), Reason::Operator, None, 9).await;
    rig.refused(&a, ONE).await;
    assert!(rig.standing(&b).await.refusal.is_none(), "looking takes nothing");
    assert!(rig.go(&b, ONE).await.probe);
}

async fn one_permit_may_probe_several_scopes<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let (a, b) = ways();
    let other = Way::new("c", "q", "m", FREE);
    let rig = make.rig(NOON).await;
    let permit = rig.go(&a, ONE).await;
    let cool = CoolFor::Escalating { at_least: HALF_MINUTE };
    let model = Scope::of(ScopeKind::Model, &permit);
    rig.report(&model, cool, Reason::Flaky, Some(permit.stamp), 9).await;
    rig.throttled(&permit, 9).await;
    let probe = rig.go_after(&a, ONE, HALF_MINUTE).await;
    rig.refused(&b, ONE).await;
    rig.refused(&other, ONE).await;
    // It fails for the domain's reason and says nothing of the model.
    assert_eq!(rig.throttled(&probe, 9).await.lasts, Some(secs(60)));
    rig.refused(&b, ONE).await;
    let probe = rig.go(&other, ONE).await;
    assert!(probe.probe);
    rig.release(&probe, Ended::Succeeded).await;
    assert!(!rig.go(&other, ONE).await.probe);
}
