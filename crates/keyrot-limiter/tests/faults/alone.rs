//! Going on at the fair share: what it is, and what all shares together come to.

use std::time::Duration;

use keyrot_core::{
    CoolFor, CoolReport, Ended, LimitKind, Limits, RateLimiter, Reason, Samples, Scope, Timestamp, Why,
};
use keyrot_testkit::limiter::{FREE, Way, explore, rpm, secs, tokens};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::scripted::Line;
use crate::world::{World, manner, worst};

#[test]
fn shares_of_all_instances_are_the_limit() {
    let mut world = World::of(3);
    let way = Way::sole(Limits { rpm: Some(11), burst: Some(11), ..FREE });
    world.cut(0..3, Line::Refused);
    let admitted: Vec<usize> = (0..3).map(|i| world.fill(i, &way, 20)).collect();
    assert_eq!(admitted, [4, 4, 3], "remainders go to the first");
}

#[test]
fn what_all_had_used_is_held_against_all() {
    let mut world = World::of(3);
    let way = Way::sole(rpm(11));
    for _ in 0..5 {
        world.go(1, &way, tokens(0));
    }
    // Each has heard of all five.
    for i in [0, 2] {
        world.go(i, &way, tokens(0));
    }
    world.go(0, &way, tokens(0));
    world.go(1, &way, tokens(0));
    world.go(2, &way, tokens(0));
    // Ten of eleven: 4, 3 and 3 of them, as 0, 1 and 2 know 8, 9 and 10.
    world.cut(0..3, Line::Refused);
    let admitted: Vec<usize> = (0..3).map(|i| world.fill(i, &way, 20)).collect();
    assert_eq!(admitted, [1, 1, 0]);
    // A minute after the loss what all had used has left.
    world.wait(secs(61));
    let admitted: Vec<usize> = (0..3).map(|i| world.fill(i, &way, 20)).collect();
    assert_eq!(admitted, [4, 4, 3]);
}

#[test]
fn tokens_are_shared_and_an_overrun_is_known_before_the_store_tells() {
    let mut world = World::of(2);
    let way = Way::sole(Limits { tpm: Some(1_000), ..FREE });
    let permit = world.go(0, &way, tokens(100));
    world.settle(0, &permit, 400);
    world.cut([0], Line::Refused);
    // Half of a thousand, less half of the four hundred.
    world.refused(0, &way, tokens(301));
    world.go(0, &way, tokens(300));
    world.refused(0, &way, tokens(1));
}

#[test]
fn what_has_left_the_window_or_the_day_is_held_against_nobody() {
    let mut world = World::of(1);
    let way = Way::sole(Limits { rpm: Some(5), rpd: Some(8), ..FREE });
    world.fill(0, &way, 5);
    world.wait(secs(61));
    world.cut([0], Line::Refused);
    assert_eq!(world.fill(0, &way, 9), 3, "of the day, five were used");
    world.cut([0], Line::Up);
    world.wait(secs(4));
    world.leap(secs(24 * 3_600));
    world.cut([0], Line::Refused);
    assert_eq!(world.fill(0, &way, 9), 5);
}

#[test]
fn what_the_store_still_granted_is_held_against_the_share() {
    let mut world = World::of(1);
    let way = Way::sole(rpm(5));
    world.cut([0], Line::Late(Duration::from_millis(500)));
    let permit = world.permit();
    let late = world.asking(0, permit, &way, tokens(0));
    world.cut([0], Line::Refused);
    assert!(world.ask(0, &[&Way::by("other", FREE)], tokens(0)).0.is_ok());
    assert!(world.is_away(0));
    assert!(world.drive(late).0.is_some());
    assert_eq!(world.fill(0, &way, 9), 4);
}

#[test]
fn the_day_is_shared_too() {
    let mut world = World::of(2);
    let way = Way::sole(Limits { rpd: Some(10), ..FREE });
    for i in [0, 0, 0, 1, 0] {
        world.go(i, &way, tokens(0));
        world.wait(secs(61));
    }
    world.cut(0..2, Line::Refused);
    // Five used as 0 knows, four as 1 does.
    assert_eq!((world.fill(0, &way, 9), world.fill(1, &way, 9)), (2, 3));
    let refusal = world.refused(0, &way, tokens(0));
    assert_eq!(refusal.why, Why::Limit(LimitKind::Rpd));
    assert!(refusal.retry_after > secs(3_600));
}

#[test]
fn a_share_of_nothing_and_a_request_too_large_for_it_wait() {
    let mut world = World::of(3);
    let soon = Some(secs(1));
    world.cut(0..3, Line::Refused);
    let few = Way::sole(rpm(2));
    assert_eq!((world.fill(0, &few, 5), world.fill(1, &few, 5), world.fill(2, &few, 5)), (1, 1, 0));
    let refusal = world.refused(2, &few, tokens(0));
    assert_eq!((refusal.why, Some(refusal.retry_after)), (Why::Limit(LimitKind::Rpm), soon));
    let large = Way::by("q", Limits { tpm: Some(300), ..FREE });
    let refusal = world.refused(0, &large, tokens(150));
    assert_eq!((refusal.why, Some(refusal.retry_after)), (Why::Limit(LimitKind::Tpm), soon));
    world.go(0, &large, tokens(100));
    // What no store would ever admit is still told so.
    let refusal = world.refused(0, &large, tokens(301));
    assert_eq!((refusal.why, refusal.retry_after), (Why::TooLarge(LimitKind::Tpm), Duration::MAX));
    let single = Way::by("r", FREE).at_once(1);
    assert_eq!(world.refused(1, &single, tokens(0)).why, Why::Limit(LimitKind::Concurrency));
    world.go(0, &single, tokens(0));
    assert_eq!(world.refused(0, &single, tokens(0)).why, Why::Limit(LimitKind::Concurrency));
}

#[test]
fn what_is_in_flight_at_the_loss_is_in_flight_after_it() {
    let mut world = World::of(2);
    let way = Way::sole(FREE).at_once(4);
    let flying = world.go(0, &way, tokens(0));
    world.cut(0..2, Line::Refused);
    assert_eq!((world.fill(0, &way, 5), world.fill(1, &way, 5)), (1, 2));
    world.release(0, &flying, Ended::Succeeded);
    assert_eq!(world.fill(0, &way, 5), 1);
}

#[test]
fn a_pool_never_seen_takes_the_assumed_number_and_a_known_one_what_was_kept() {
    for (known, assumed, expected) in [
        (vec![], 1, 12),
        (vec![], 5, 2),
        (vec!["i0".to_owned(), "x".to_owned(), "y".to_owned()], 1, 4),
        (vec!["i0".to_owned(), "i0".to_owned(), "x".to_owned()], 1, 6),
        // Known to the others under no name yet: one more than they know.
        (vec!["x".to_owned(), "y".to_owned()], 1, 4),
    ] {
        let clock = keyrot_core::FakeClock::new(keyrot_testkit::limiter::NOON);
        let link = crate::scripted::Link::to(&crate::scripted::Store::new(clock.clone()));
        link.set(Line::Refused);
        let manner = keyrot_limiter::Manner { known, assumed, ..manner("i0") };
        let limiter = keyrot_limiter::Degrading::new(link, std::sync::Arc::new(clock), manner);
        let way = Way::sole(rpm(12));
        let admitted = (0..20).filter(|i| {
            let ask = keyrot_core::Ask {
                permit: keyrot_core::PermitId(*i),
                candidates: &[way.candidate()],
                method: keyrot_core::Method::Generate,
                cost: tokens(0),
                lease: secs(60),
                class: 0,
                caller: None,
            };
            pollster::block_on(limiter.reserve(&ask)).expect("nothing fails").grant.is_some()
        });
        assert_eq!(admitted.count(), expected);
    }
}

#[test]
fn the_instances_alive_are_known_and_forgotten() {
    let mut world = World::of(3);
    assert_eq!(world.instances[1].limiter.instances(), ["i0", "i1", "i2"]);
    world.instances.remove(0);
    world.wait(secs(14));
    assert_eq!(world.instances[0].limiter.instances(), ["i1", "i2"]);
}

#[test]
fn the_bounds_are_told_with_numbers() {
    let mut world = World::of(4);
    let way = Way::sole(rpm(8));
    world.go(2, &way, tokens(0));
    assert_eq!(world.instances[2].limiter.suspended(), None);
    world.cut([2], Line::Refused);
    world.go(2, &way, tokens(0));
    let suspended = world.instances[2].limiter.suspended().expect("cut off");
    assert_eq!((suspended.since, suspended.why.as_str()), (world.now(), "connection refused"));
    let bounds = suspended.bounds.expect("known");
    for said in [
        "1/4 of each limit",
        "125 % when 1",
        "175 % when 3",
        "1 + k/4), each share rounded up",
        "within 100 %",
    ] {
        assert!(bounds.contains(said), "{bounds}");
    }
}

#[test]
fn what_was_cooling_is_cooling() {
    let mut world = World::of(2);
    let (a, b) = (Way::by("a", FREE), Way::by("b", FREE));
    let report = |way: &Way, cool| CoolReport {
        scope: Scope::Key(way.key.clone(), way.fingerprint),
        cool,
        reason: Reason::KeyRestricted,
        stamp: None,
        projects: 2,
        samples: Samples::new(),
    };
    // Reported here, reported elsewhere and seen refused, reported elsewhere and not seen.
    let (cools, sees, other) = (report(&a, CoolFor::UntilLifted), report(&b, CoolFor::After(secs(100))), 1);
    let limiter = world.instances[0].limiter.clone();
    world.drive(limiter.cool(&cools)).0.expect("accepted");
    let limiter = world.instances[other].limiter.clone();
    world.drive(limiter.cool(&sees)).0.expect("accepted");
    world.refused(0, &b, tokens(0));
    world.cut(0..2, Line::Silent);
    let refusal = world.refused(0, &a, tokens(0));
    assert_eq!(refusal.retry_after, Duration::MAX);
    let refusal = world.refused(0, &b, tokens(0));
    assert!(refusal.retry_after > secs(95) && refusal.retry_after <= secs(100), "{refusal:?}");
    world.wait(refusal.retry_after);
    world.go(0, &b, tokens(0));
}

#[test]
fn what_the_store_admitted_since_is_not_cooling() {
    let mut world = World::of(2);
    let way = Way::sole(FREE);
    let scope = Scope::Project(way.domain.project.clone());
    let report = CoolReport {
        scope: scope.clone(),
        cool: CoolFor::UntilLifted,
        reason: Reason::Operator,
        stamp: None,
        projects: 1,
        samples: Samples::new(),
    };
    let (here, there) = (world.instances[0].limiter.clone(), world.instances[1].limiter.clone());
    world.drive(here.cool(&report)).0.expect("accepted");
    world.drive(there.lift(&scope)).0.expect("accepted");
    world.go(0, &way, tokens(0));
    world.cut(0..2, Line::Refused);
    world.go(0, &way, tokens(0));
}

#[test]
fn what_the_store_did_not_take_for_a_storm_is_none() {
    let mut world = World::of(1);
    let [a, b, c] = ["a", "b", "c"].map(|project| Way::by(project, FREE));
    for way in [&a, &b] {
        let permit = world.go(0, way, tokens(0));
        let report = CoolReport {
            scope: Scope::Domain(way.domain.clone()),
            cool: CoolFor::Escalating { at_least: Duration::ZERO },
            reason: Reason::Throttled,
            stamp: Some(permit.stamp),
            projects: 9,
            samples: Samples::new(),
        };
        let limiter = world.instances[0].limiter.clone();
        world.drive(limiter.cool(&report)).0.expect("accepted");
        world.release(0, &permit, Ended::Failed);
    }
    world.cut([0], Line::Refused);
    world.refused(0, &a, tokens(0));
    world.refused(0, &b, tokens(0));
    world.go(0, &c, tokens(0));
}

#[test]
fn a_permit_from_after_a_loss_is_newer_than_a_lift_from_before_it() {
    let mut world = World::of(1);
    let way = Way::sole(FREE);
    for _ in 0..9 {
        world.go(0, &way, tokens(0));
    }
    let scope = Scope::Domain(way.domain.clone());
    let limiter = world.instances[0].limiter.clone();
    world.drive(limiter.lift(&scope)).0.expect("accepted");
    world.store.roll_back();
    world.wait(secs(70));
    let permit = world.go(0, &way, tokens(0));
    world.cut([0], Line::Refused);
    let report = CoolReport {
        scope,
        cool: CoolFor::After(secs(9)),
        reason: Reason::QuotaMinute,
        stamp: Some(permit.stamp),
        projects: 1,
        samples: Samples::new(),
    };
    let cooled = world.drive(limiter.cool(&report)).0.expect("accepted");
    assert_eq!(cooled.lasts, Some(secs(9)));
}

/// A life of several instances around a loss.
#[derive(Debug, Clone)]
struct Loss {
    n: usize,
    /// Who is cut off.
    cut: Vec<bool>,
    limit: u64,
    /// Who asks, and how long after the one before.
    before: Vec<(usize, u64)>,
    after: Vec<(usize, u64)>,
}

fn losses() -> impl Strategy<Value = Loss> {
    let asks = |n| prop::collection::vec((0..n, 0_u64..900), 1..120);
    (1_usize..5).prop_flat_map(move |n| {
        let cut = prop_oneof![Just(vec![true; n]), prop::collection::vec(any::<bool>(), n)];
        (Just(n), cut, 1_u64..40, asks(n), asks(n)).prop_map(|(n, cut, limit, before, after)| Loss {
            n,
            cut,
            limit,
            before,
            after,
        })
    })
}

/// The bounds that status prints.
#[test]
fn no_window_exceeds_its_bound() {
    explore(&losses(), check);
}

fn check(loss: &Loss) -> Result<(), TestCaseError> {
    let mut world = World::of(loss.n);
    let way = Way::sole(rpm(loss.limit));
    let mut log: Vec<(usize, Timestamp)> = Vec::new();
    let mut heard = vec![0; loss.n];
    for (who, ms) in &loss.before {
        world.wait(Duration::from_millis(*ms));
        let granted = world.ask(*who, &[&way], tokens(0)).0.expect("nothing fails").is_ok();
        log.extend(granted.then(|| (*who, world.now())));
        heard[*who] = log.len();
    }
    let k = loss.cut.iter().filter(|cut| **cut).count() as u64;
    world.cut((0..loss.n).filter(|i| loss.cut[*i]), Line::Refused);
    // What others were admitted after the last reading of those cut off, each at most once over.
    let unread: u64 = (0..loss.n)
        .filter(|i| loss.cut[*i])
        .map(|i| log[heard[i]..].iter().filter(|(who, _)| *who != i).count() as u64)
        .sum();
    let lost = log.len();
    for (who, ms) in &loss.after {
        world.wait(Duration::from_millis(*ms));
        let granted = world.ask(*who, &[&way], tokens(0)).0.expect("nothing fails").is_ok();
        log.extend(granted.then(|| (*who, world.now())));
    }
    let (limit, n) = (loss.limit, loss.n as u64);
    let times = |log: &[(usize, Timestamp)]| -> Vec<Timestamp> { log.iter().map(|(_, at)| *at).collect() };
    // Remainders go to the first instances, which may all be among those cut off.
    let shares = if k == n { 0 } else { k * (limit / n) + k.min(limit % n) };
    let later = worst(&times(&log[lost..]));
    prop_assert!(later <= limit + shares, "later: {later} > {limit} + {shares}");
    let straddling = worst(&times(&log));
    let bound = limit + shares + unread;
    prop_assert!(straddling <= bound, "straddling: {straddling} > {limit} + {shares} + {unread}");
    Ok(())
}
