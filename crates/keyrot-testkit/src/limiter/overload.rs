//! An overloaded model: held back by the share of calls that failed, let through by those that succeed.

use std::time::Duration;

use keyrot_core::{
    CoolFor, CoolReport, Cooled, Ended, FakeClock, Permit, RateLimiter, Reason, Refusal, Sample, Samples,
    Scope, ScopeKind, Stamp, Why,
};

use super::rig::{FREE, MS, Maker, NOON, ONE, Rig, Way, secs};

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    a_few_failures_hold_nobody_back(make).await;
    many_hold_everybody_back_for_a_second(make).await;
    samples_of_all_clients_are_added_up(make).await;
    an_allowance_grows_by_time_and_by_success(make).await;
    a_failure_is_one_strike_and_a_pause(make).await;
    what_ends_without_a_verdict_gives_its_place_back_once(make).await;
    successes_lift_and_are_told(make).await;
    a_lift_forgets_what_was_admitted_before(make).await;
}

fn ways() -> [Way; 3] {
    [Way::new("a", "p", "m", FREE), Way::new("b", "q", "m", FREE), Way::new("a", "p", "n", FREE)]
}

impl<L: RateLimiter> Rig<L> {
    async fn overloaded(&self, stamp: Option<Stamp>, samples: &[(u8, u32, u32)]) -> Cooled {
        let sample = |(age, succeeded, failed): &(u8, u32, u32)| Sample {
            age: *age,
            succeeded: *succeeded,
            failed: *failed,
        };
        let samples: Samples = samples.iter().map(sample).collect();
        let (scope, cool) = (Scope::Model("m".into()), CoolFor::Escalating { at_least: Duration::ZERO });
        let report = CoolReport { scope, cool, reason: Reason::Overloaded, stamp, projects: 9, samples };
        self.cooled(&report).await
    }

    /// A call of the model that it had no capacity for.
    async fn fails(&self, permit: &Permit) -> Cooled {
        let cooled = self.overloaded(Some(permit.stamp), &[]).await;
        self.release(permit, Ended::Failed).await;
        cooled
    }

    /// Trips the breaker.
    async fn trip(&self, way: &Way) {
        let permit = self.go(way, ONE).await;
        let cooled = self.overloaded(Some(permit.stamp), &[(0, 0, 20)]).await;
        assert_eq!(cooled.lasts, Some(secs(1)));
        self.release(&permit, Ended::Failed).await;
    }

    /// How many may go now.
    async fn allowed(&self, way: &Way) -> Vec<Permit> {
        let mut permits = Vec::new();
        while let Ok(grant) = self.reserve(way, ONE).await {
            assert!(grant.permit.probe, "{permits:?}");
            permits.push(grant.permit);
        }
        permits
    }
}

fn is_held_back(refusal: Refusal) -> Duration {
    assert_eq!(refusal.why, Why::Cooling { scope: ScopeKind::Model, reason: Reason::Overloaded });
    refusal.retry_after
}

async fn a_few_failures_hold_nobody_back<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let [a, b, _] = ways();
    let rig = make.rig(NOON).await;
    for i in 0..60 {
        let permit = rig.go(&a, ONE).await;
        assert!(!permit.probe);
        if i % 4 == 0 {
            assert_eq!(rig.fails(&permit).await.lasts, Some(Duration::ZERO), "failure {i}");
        }
        rig.wait(secs(1));
    }
    // 15 at once, too.
    let rig = make.rig(NOON).await;
    for _ in 0..15 {
        let permit = rig.go(&b, ONE).await;
        rig.fails(&permit).await;
    }
    assert!(rig.standing(&b).await.refusal.is_none());
    assert!(!rig.go(&b, ONE).await.probe);
}

async fn many_hold_everybody_back_for_a_second<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let [a, b, other] = ways();
    let rig = make.rig(NOON).await;
    for i in 0..16 {
        let permit = rig.go(&a, ONE).await;
        let lasts = if i < 15 { Duration::ZERO } else { secs(1) };
        assert_eq!(rig.fails(&permit).await.lasts, Some(lasts), "failure {i}");
    }
    let refusal = rig.refused(&b, ONE).await;
    assert_eq!(is_held_back(refusal), secs(1));
    assert_eq!(rig.standing(&b).await.refusal, Some(refusal));
    rig.go(&other, ONE).await;
    let probe = rig.go_after(&b, ONE, secs(1)).await;
    assert!(probe.probe);
    // One call at a time: the next when this one has been out for two seconds.
    assert_eq!(is_held_back(rig.refused(&a, ONE).await), secs(2));
}

async fn samples_of_all_clients_are_added_up<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let [a, ..] = ways();
    let rig = make.rig(NOON).await;
    // The successes that each report brings keep it closed; what is older than ten seconds says nothing.
    assert_eq!(rig.overloaded(None, &[(3, 100, 1), (10, 0, 900)]).await.lasts, Some(Duration::ZERO));
    assert_eq!(rig.overloaded(None, &[(0, 0, 9)]).await.lasts, Some(Duration::ZERO));
    rig.go(&a, ONE).await;
    assert_eq!(rig.overloaded(None, &[(0, 1, 9)]).await.lasts, Some(secs(1)), "the newest second alone");
    rig.refused(&a, ONE).await;
}

async fn an_allowance_grows_by_time_and_by_success<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let [a, b, _] = ways();
    let rig = make.rig(NOON).await;
    rig.trip(&a).await;
    rig.wait(secs(1));
    let mut held = rig.allowed(&a).await;
    for (more, all) in [(1, 2), (2, 4), (4, 8), (8, 16)] {
        let wait = is_held_back(rig.refused(&b, ONE).await);
        assert_eq!(wait, secs(2));
        rig.wait(wait.saturating_sub(MS));
        rig.refused(&b, ONE).await;
        rig.wait(MS);
        let permits = rig.allowed(&b).await;
        assert_eq!(permits.len(), more);
        held.extend(permits);
        assert_eq!(held.len(), all);
    }
    // The first has been out for eight seconds, and is not counted any more in two.
    assert_eq!(is_held_back(rig.refused(&a, ONE).await), secs(2));
    let rig = make.rig(NOON).await;
    rig.trip(&a).await;
    rig.wait(secs(1));
    for all in [1, 2, 4] {
        let permits = rig.allowed(&a).await;
        assert_eq!(permits.len(), all);
        rig.release(&permits[0], Ended::Succeeded).await;
        for permit in &permits[1..] {
            rig.release(permit, Ended::Failed).await;
        }
    }
}

async fn a_failure_is_one_strike_and_a_pause<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let [a, b, _] = ways();
    let rig = make.rig(NOON).await;
    // Two from before: they belong to the storm.
    let storm = [rig.go(&a, ONE).await, rig.go(&a, ONE).await];
    rig.trip(&a).await;
    assert_eq!(rig.fails(&storm[0]).await.lasts, Some(secs(1)));
    let mut probe = rig.go_after(&b, ONE, secs(1)).await;
    assert_eq!(rig.fails(&storm[1]).await.lasts, Some(secs(2)), "until the allowance grows");
    for pause in [2, 4, 4] {
        assert_eq!(rig.fails(&probe).await.lasts, Some(secs(pause)));
        assert_eq!(is_held_back(rig.refused(&a, ONE).await), secs(pause));
        probe = rig.go_after(&a, ONE, secs(pause)).await;
        assert!(probe.probe);
    }
    // A success takes one strike back.
    rig.release(&probe, Ended::Succeeded).await;
    let permits = rig.allowed(&a).await;
    assert_eq!(rig.fails(&permits[0]).await.lasts, Some(secs(4)));
    // What was out at the failure belongs to it, and is not counted any more.
    assert_eq!(rig.fails(&permits[1]).await.lasts, Some(secs(4)));
    rig.wait(secs(4));
    assert_eq!(rig.allowed(&b).await.len(), 1);
}

async fn what_ends_without_a_verdict_gives_its_place_back_once<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let [a, b, _] = ways();
    for ended in [Ended::Failed, Ended::NeverSent] {
        let rig = make.rig(NOON).await;
        rig.trip(&a).await;
        rig.wait(secs(3));
        let permits = rig.allowed(&a).await;
        assert_eq!(permits.len(), 2);
        for _ in 0..3 {
            rig.release(&permits[0], ended).await;
        }
        assert_eq!(rig.allowed(&b).await.len(), 1);
        // One whose end never comes is not counted after ten seconds.
        rig.wait(secs(10));
        assert_eq!(rig.allowed(&b).await.len(), 64, "two, doubled five times");
    }
    // Nor does an answer count twice: two successes make an allowance of four.
    let rig = make.rig(NOON).await;
    rig.trip(&a).await;
    rig.wait(secs(1));
    for _ in 0..2 {
        let probe = rig.go(&a, ONE).await;
        for _ in 0..5 {
            rig.release(&probe, Ended::Succeeded).await;
        }
    }
    assert_eq!(rig.allowed(&a).await.len(), 4);
}

async fn successes_lift_and_are_told<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let [a, ..] = ways();
    let rig = make.rig(NOON).await;
    rig.told().await;
    rig.trip(&a).await;
    rig.wait(secs(1));
    let mut successes = 0;
    loop {
        for permit in rig.allowed(&a).await {
            rig.wait(secs(1));
            rig.release(&permit, Ended::Succeeded).await;
            successes += 1;
            if rig.told().await == keyrot_core::Lifted::Scopes(vec![Scope::Model("m".into())]) {
                assert!(!rig.go(&a, ONE).await.probe);
                // Once the 20 failures are ten seconds old, so few are enough.
                assert_eq!(successes, 9);
                // What it has seen is forgotten: it takes as many failures again.
                assert_eq!(rig.overloaded(None, &[(0, 0, 15)]).await.lasts, Some(Duration::ZERO));
                assert_eq!(rig.overloaded(None, &[]).await.lasts, Some(secs(1)));
                return;
            }
            assert!(successes < 99, "it never lifts");
        }
    }
}

async fn a_lift_forgets_what_was_admitted_before<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let [a, ..] = ways();
    let rig = make.rig(NOON).await;
    let early = rig.go(&a, ONE).await;
    rig.trip(&a).await;
    rig.lift(&Scope::Model("m".into())).await;
    assert!(!rig.go(&a, ONE).await.probe);
    assert_eq!(rig.overloaded(Some(early.stamp), &[(0, 0, 99)]).await.lasts, None);
    let late = rig.go(&a, ONE).await;
    assert!(!late.probe);
    assert_eq!(rig.overloaded(Some(late.stamp), &[(0, 0, 99)]).await.lasts, Some(secs(1)));
}
