//! Lifts are told: to whom, once, and that there were more than is remembered.

use keyrot_core::{CoolFor, Ended, FakeClock, Lifted, RateLimiter, Reason, Scope};

use super::rig::{FREE, Maker, NOON, ONE, Rig, Way, secs};

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    whatever_lifts_is_told_once(make).await;
    a_storm_takes_back_what_it_blamed(make).await;
    more_than_is_remembered_is_all(make).await;
}

/// A handle that has asked: what it is told at first, before it knows anything, is its own affair.
async fn fresh<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) -> Rig<L> {
    let rig = make.rig(NOON).await;
    rig.told().await;
    rig
}

fn only(scope: &Scope) -> Lifted {
    Lifted::Scopes(vec![scope.clone()])
}

async fn whatever_lifts_is_told_once<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let way = Way::new("a", "p", "m", FREE);
    let domain = Scope::Domain(way.domain.clone());
    let rig = fresh(make).await;
    // A request that went well lifts nothing, nor does a cooldown that ends.
    let permit = rig.go(&way, ONE).await;
    rig.report(&domain, CoolFor::After(secs(1)), Reason::QuotaMinute, Some(permit.stamp), 9).await;
    rig.release(&permit, Ended::Failed).await;
    rig.wait(secs(1));
    let permit = rig.go(&way, ONE).await;
    rig.release(&permit, Ended::Succeeded).await;
    assert_eq!(rig.told().await, Lifted::default());
    // Somebody's word, also on what did not cool.
    let permission =
        Scope::Permission(way.key.clone(), way.fingerprint, permit.method, permit.domain.bucket.clone());
    let project = Scope::Project(way.domain.project.clone());
    let model = Scope::Model(way.domain.bucket.clone());
    let key = Scope::Key(way.key.clone(), way.fingerprint);
    for scope in [&key, &permission, &project, &domain, &model, &Scope::Pool] {
        rig.lift(scope).await;
        assert_eq!((rig.told().await, rig.told().await), (only(scope), Lifted::default()));
    }
    // A probe's success.
    let permit = rig.go(&way, ONE).await;
    rig.throttled(&permit, 9).await;
    let probe = rig.go_after(&way, ONE, secs(30)).await;
    assert_eq!(rig.told().await, Lifted::default());
    rig.release(&probe, Ended::Succeeded).await;
    assert_eq!((rig.told().await, rig.told().await), (only(&domain), Lifted::default()));
    // A charge that comes back, and that cannot come back again.
    let permit = rig.go(&way, ONE).await;
    rig.release(&permit, Ended::NeverSent).await;
    rig.release(&permit, Ended::NeverSent).await;
    assert_eq!((rig.told().await, rig.told().await), (only(&domain), Lifted::default()));
    // Any answer tells.
    rig.lift(&key).await;
    rig.go(&way, ONE).await;
    assert_eq!(rig.store.lifted(), only(&key));
}

async fn a_storm_takes_back_what_it_blamed<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = fresh(make).await;
    let ways = ["p", "q"].map(|project| Way::by(project, FREE));
    for way in &ways {
        let permit = rig.go(way, ONE).await;
        rig.throttled(&permit, 2).await;
    }
    let mut told = rig.told().await;
    if let Lifted::Scopes(scopes) = &mut told {
        scopes.sort_unstable();
    }
    assert_eq!(told, Lifted::Scopes(ways.map(|way| Scope::Domain(way.domain)).to_vec()));
}

async fn more_than_is_remembered_is_all<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = fresh(make).await;
    for (lifts, all) in [(64, false), (65, true), (1, false)] {
        for i in 0..lifts {
            rig.lift(&Scope::Model(format!("m{i}").as_str().into())).await;
        }
        let told = rig.told().await;
        assert_eq!(told == Lifted::All, all, "{lifts}: {told:?}");
    }
}
