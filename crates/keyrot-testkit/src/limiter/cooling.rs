//! Cooldowns: who is stopped, until when, and whose reports count.

use std::time::Duration;

use keyrot_core::{
    CoolFor, FakeClock, Fingerprint, KeyFault, LimitKind, Method, PacificDay, RateLimiter, Reason, Scope,
    ScopeKind, Why,
};

use super::rig::{FREE, MS, Maker, NOON, ONE, Way, rpm, secs};

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    a_scope_stops_its_own_and_no_other(make).await;
    the_promised_instant_is_kept(make).await;
    within_a_generation_no_report_shortens(make).await;
    a_lift_starts_a_generation(make).await;
    a_new_secret_is_a_new_key(make).await;
    the_longer_of_limit_and_cooldown_is_told(make).await;
    a_day_is_out_until_the_stores_own_midnight(make).await;
}

/// Two projects, two models, two keys of the first project.
fn ways() -> [Way; 4] {
    [
        Way::new("a", "p", "m", FREE),
        Way::new("b", "p", "m", FREE),
        Way::new("a", "p", "n", FREE),
        Way::new("c", "q", "m", FREE),
    ]
}

async fn a_scope_stops_its_own_and_no_other<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let [a, ..] = ways();
    let cases = [
        (Scope::Key(a.key.clone(), a.fingerprint), [true, false, true, false], true),
        (
            Scope::Permission(a.key.clone(), a.fingerprint, Method::Generate, a.domain.bucket.clone()),
            [true, false, false, false],
            false,
        ),
        (Scope::Project(a.domain.project.clone()), [true, true, true, false], true),
        (Scope::Domain(a.domain.clone()), [true, true, false, false], true),
        (Scope::Model(a.domain.bucket.clone()), [true, true, false, true], true),
        (Scope::Pool, [true; 4], true),
    ];
    for (scope, stopped, other_method_too) in cases {
        let rig = make.rig(NOON).await;
        let cooled = rig.report(&scope, CoolFor::After(secs(40)), Reason::Operator, None, 2).await;
        assert_eq!((&cooled.scope, cooled.lasts), (&scope, Some(secs(40))));
        for (way, stopped) in ways().iter().zip(stopped) {
            let answer = rig.reserve(way, ONE).await;
            assert_eq!(answer.is_err(), stopped, "{scope} and {way:?}");
            if let Err(refusal) = answer {
                let why = Why::Cooling { scope: scope.kind(), reason: Reason::Operator };
                assert_eq!((refusal.why, refusal.retry_after), (why, secs(40)));
                assert_eq!(rig.standing(way).await.refusal, Some(refusal));
            }
        }
        let other = rig.ask(&[&a], Method::CountTokens, ONE).await;
        assert_eq!(other.grant.is_none(), other_method_too, "{scope} and another method");
        rig.lift(&scope).await;
        for way in &ways() {
            rig.go(way, ONE).await;
        }
    }
}

async fn the_promised_instant_is_kept<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let [a, b, ..] = ways();
    for wait in [MS, Duration::from_millis(1_499), secs(61), secs(7 * 86_400)] {
        let rig = make.rig(NOON).await;
        let permit = rig.go(&a, ONE).await;
        let scope = Scope::Domain(a.domain.clone());
        rig.report(&scope, CoolFor::After(wait), Reason::QuotaMinute, Some(permit.stamp), 2).await;
        let refusal = rig.refused(&b, ONE).await;
        assert_eq!(refusal.retry_after, wait);
        rig.go_after(&b, ONE, wait).await;
        // It simply ends: nobody is a probe.
        assert!(!rig.go(&a, ONE).await.probe);
    }
}

async fn within_a_generation_no_report_shortens<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let [a, ..] = ways();
    let rig = make.rig(NOON).await;
    let (one, two) = (rig.go(&a, ONE).await, rig.go(&a, ONE).await);
    let scope = Scope::Domain(a.domain.clone());
    let minute = CoolFor::After(secs(60));
    rig.report(&scope, minute, Reason::QuotaMinute, Some(one.stamp), 2).await;
    rig.wait(secs(10));
    for (cool, lasts) in [(secs(5), secs(50)), (secs(49), secs(50)), (secs(70), secs(70))] {
        let cooled = rig.report(&scope, CoolFor::After(cool), Reason::QuotaMinute, Some(two.stamp), 2).await;
        assert_eq!(cooled.lasts, Some(lasts));
        assert_eq!(rig.refused(&a, ONE).await.retry_after, lasts);
    }
    let cooled = rig.report(&scope, CoolFor::UntilLifted, Reason::Operator, None, 2).await;
    assert_eq!(cooled.lasts, Some(Duration::MAX));
    assert_eq!(rig.refused(&a, ONE).await.retry_after, Duration::MAX);
}

async fn a_lift_starts_a_generation<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let [a, ..] = ways();
    let scopes = [ScopeKind::Key, ScopeKind::Permission, ScopeKind::Project, ScopeKind::Domain];
    for kind in scopes.into_iter().chain([ScopeKind::Model, ScopeKind::Pool]) {
        let rig = make.rig(NOON).await;
        let (early, late) = (rig.go(&a, ONE).await, rig.go(&a, ONE).await);
        let scope = Scope::of(kind, &early);
        let hour = CoolFor::After(secs(3_600));
        rig.report(&scope, hour, Reason::Operator, Some(early.stamp), 2).await;
        rig.refused(&a, ONE).await;
        rig.lift(&scope).await;
        let cooled = rig.report(&scope, hour, Reason::Operator, Some(late.stamp), 2).await;
        assert_eq!(cooled.lasts, None, "{scope}: a permit from before the lift");
        let after = rig.go(&a, ONE).await;
        let cooled = rig.report(&scope, hour, Reason::Operator, Some(after.stamp), 2).await;
        assert_eq!(cooled.lasts, Some(secs(3_600)), "{scope}: a permit from after the lift");
        rig.refused(&a, ONE).await;
    }
}

async fn a_new_secret_is_a_new_key<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let [a, ..] = ways();
    let rig = make.rig(NOON).await;
    let permit = rig.go(&a, ONE).await;
    let renewed = Way { fingerprint: Fingerprint::of(&a.key, "another"), ..a.clone() };
    let scope = Scope::of(ScopeKind::Key, &permit);
    let reason = Reason::KeyRejected(KeyFault::Leaked);
    rig.report(&scope, CoolFor::UntilLifted, reason, Some(permit.stamp), 2).await;
    assert_eq!(rig.refused(&a, ONE).await.retry_after, Duration::MAX);
    rig.go(&renewed, ONE).await;
    rig.report(&scope, CoolFor::UntilLifted, reason, Some(permit.stamp), 2).await;
    rig.go(&renewed, ONE).await;
}

async fn the_longer_of_limit_and_cooldown_is_told<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let way = Way::new("a", "p", "m", rpm(1));
    for (cool, limit_is_longer) in [(secs(10), true), (secs(100), false)] {
        let rig = make.rig(NOON).await;
        let permit = rig.go(&way, ONE).await;
        let scope = Scope::of(ScopeKind::Project, &permit);
        rig.report(&scope, CoolFor::After(cool), Reason::Operator, None, 2).await;
        let refusal = rig.refused(&way, ONE).await;
        assert_eq!(refusal.why == Why::Limit(LimitKind::Rpm), limit_is_longer, "{refusal:?}");
        rig.go_after(&way, ONE, refusal.retry_after).await;
    }
}

async fn a_day_is_out_until_the_stores_own_midnight<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let [a, ..] = ways();
    let midnight = PacificDay::containing(NOON).end;
    // (admitted before midnight, reported so much later, open again after midnight, by one probe)
    for (before, later, opens, probe) in [
        (secs(7_200), secs(1), Duration::ZERO, false),
        (secs(1), secs(3), secs(602), true),
        (secs(30), secs(830), secs(801), false),
    ] {
        let rig = make.rig(midnight.before(before)).await;
        let permit = rig.go(&a, ONE).await;
        rig.wait(later);
        let scope = Scope::Domain(a.domain.clone());
        rig.report(&scope, CoolFor::NextPacificMidnight, Reason::QuotaDay, Some(permit.stamp), 2).await;
        let refusal = rig.refused(&a, ONE).await;
        assert_eq!(rig.now() + refusal.retry_after, midnight + opens);
        assert_eq!(rig.go_after(&a, ONE, refusal.retry_after).await.probe, probe);
    }
}
