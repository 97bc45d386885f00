//! When half of all projects are throttled at once it is this machine: one pause, and nobody's fault.

use keyrot_core::{CoolFor, Ended, FakeClock, Permit, RateLimiter, Reason, Scope, ScopeKind, Why};

use super::rig::{FREE, MS, Maker, NOON, ONE, Rig, Way, secs};

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    half_of_the_projects_pause_the_pool(make).await;
    what_is_not_together_is_no_storm(make).await;
    nobody_is_blamed_and_nothing_else_forgotten(make).await;
    late_reports_belong_to_the_pause(make).await;
    the_pools_probe_decides(make).await;
}

fn ways(n: usize) -> Vec<Way> {
    (0..n).map(|i| Way::new(&format!("k{i}"), &format!("p{i}"), "m", FREE)).collect()
}

async fn all_go<L: RateLimiter>(rig: &Rig<L>, ways: &[Way]) -> Vec<Permit> {
    let mut permits = Vec::new();
    for way in ways {
        permits.push(rig.go(way, ONE).await);
    }
    permits
}

async fn half_of_the_projects_pause_the_pool<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    for (projects, needed) in [(2, 2), (3, 2), (4, 2), (5, 3), (8, 4), (9, 5)] {
        let rig = make.rig(NOON).await;
        let permits = all_go(&rig, &ways(projects)).await;
        for (i, permit) in permits.iter().take(needed).enumerate() {
            let cooled = rig.throttled(permit, projects).await;
            let pool = cooled.scope == Scope::Pool;
            assert_eq!(pool, i + 1 == needed, "report {} of {projects} projects", i + 1);
            assert_eq!(cooled.lasts, Some(secs(30)));
        }
        let why = Why::Cooling { scope: ScopeKind::Pool, reason: Reason::Throttled };
        for way in ways(projects) {
            let refusal = rig.refused(&way, ONE).await;
            assert_eq!((refusal.why, refusal.retry_after), (why, secs(30)));
        }
    }
}

async fn what_is_not_together_is_no_storm<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    // One project alone, however many buckets and keys.
    let rig = make.rig(NOON).await;
    for (key, model) in [("a", "m"), ("b", "n"), ("c", "o")] {
        let permit = rig.go(&Way::new(key, "p", model, FREE), ONE).await;
        assert_ne!(rig.throttled(&permit, 1).await.scope, Scope::Pool);
    }
    // Two projects, ten seconds apart.
    let rig = make.rig(NOON).await;
    let permits = all_go(&rig, &ways(2)).await;
    rig.throttled(&permits[0], 2).await;
    rig.wait(secs(10));
    assert_ne!(rig.throttled(&permits[1], 2).await.scope, Scope::Pool);
    let rig = make.rig(NOON).await;
    let permits = all_go(&rig, &ways(2)).await;
    rig.throttled(&permits[0], 2).await;
    rig.wait(secs(10).saturating_sub(MS));
    assert_eq!(rig.throttled(&permits[1], 2).await.scope, Scope::Pool);
}

async fn nobody_is_blamed_and_nothing_else_forgotten<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let rig = make.rig(NOON).await;
    let ways = ways(3);
    let permits = all_go(&rig, &ways).await;
    let day = Scope::Domain(permits[0].domain.clone());
    let until_midnight = CoolFor::NextPacificMidnight;
    rig.report(&day, until_midnight, Reason::QuotaDay, Some(permits[0].stamp), 3).await;
    for permit in &permits {
        rig.throttled(permit, 3).await;
    }
    rig.lift(&Scope::Pool).await;
    let why = Why::Cooling { scope: ScopeKind::Domain, reason: Reason::QuotaDay };
    assert_eq!(rig.refused(&ways[0], ONE).await.why, why);
    for way in &ways[1..] {
        let permit = rig.go(way, ONE).await;
        assert!(!permit.probe);
        rig.release(&permit, Ended::Succeeded).await;
    }
    // The streaks of the storm are gone too.
    let permit = rig.go(&ways[1], ONE).await;
    assert_eq!(rig.throttled(&permit, 3).await.lasts, Some(secs(30)));
}

async fn late_reports_belong_to_the_pause<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let ways = ways(6);
    for permit in &all_go(&rig, &ways).await {
        rig.throttled(permit, 6).await;
    }
    // Six reports, one strike, nobody's domain.
    assert_eq!(rig.refused(&ways[5], ONE).await.retry_after, secs(30));
    let probe = rig.go_after(&ways[0], ONE, secs(30)).await;
    rig.release(&probe, Ended::Succeeded).await;
    for way in &ways {
        assert!(!rig.go(way, ONE).await.probe);
    }
}

async fn the_pools_probe_decides<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let ways = ways(4);
    for permit in all_go(&rig, &ways).await.iter().take(2) {
        rig.throttled(permit, 4).await;
    }
    let mut wait = secs(30);
    for way in &ways {
        let probe = rig.go_after(way, ONE, wait).await;
        assert!(probe.probe);
        rig.refused(&ways[3], ONE).await;
        wait *= 2;
        let cooled = rig.throttled(&probe, 4).await;
        assert_eq!((cooled.scope, cooled.lasts), (Scope::Pool, Some(wait)));
    }
    let probe = rig.go_after(&ways[0], ONE, wait).await;
    rig.release(&probe, Ended::Succeeded).await;
    for way in &ways {
        assert!(!rig.go(way, ONE).await.probe);
    }
}
