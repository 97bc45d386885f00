//! A store that answers and has forgotten.

use std::time::Duration;

use futures_util::future::poll_immediate;
use keyrot_core::{Ended, Limits, RateLimiter, Scope, Timestamp};
use keyrot_limiter::Used;
use keyrot_testkit::limiter::{FREE, Way, rpm, secs, tokens};

use crate::scripted::{Line, Store};
use crate::world::{World, worst};

/// Every way a store can lose its memory.
const LOSSES: [fn(&Store); 3] = [Store::flush, Store::fail_over, Store::roll_back];

#[test]
fn for_one_window_everybody_keeps_to_his_share_of_what_he_was_admitted() {
    for lose in LOSSES {
        let mut world = World::of(2);
        let way = Way::sole(rpm(20));
        let mut log: Vec<Timestamp> = Vec::new();
        for i in [0, 1] {
            let admitted = world.fill(i, &way, 8);
            log.extend((0..admitted).map(|_| world.now()));
            world.wait(secs(5));
        }
        lose(&world.store);
        for _ in 0..30 {
            for i in [0, 1] {
                if world.ask(i, &[&way], tokens(0)).0.expect("nothing fails").is_ok() {
                    log.push(world.now());
                }
            }
            world.wait(secs(2));
        }
        assert_eq!(worst(&log), 20, "{log:?}");
        world.wait(secs(10));
        assert!(!world.is_away(0) && !world.is_away(1), "one window, no more");
        assert_eq!(world.fill(0, &way, 30) + world.fill(1, &way, 30), 20 - since(&log, world.now()));
    }
}

/// How many of a log a store's window at `now` holds.
fn since(log: &[Timestamp], now: Timestamp) -> usize {
    log.iter().filter(|at| now.since(**at) < secs(60)).count()
}

#[test]
fn it_says_what_happened_and_for_how_long() {
    let mut world = World::of(2);
    let way = Way::sole(rpm(20));
    world.go(0, &way, tokens(0));
    world.store.flush();
    world.go(0, &way, tokens(0));
    let suspended = world.instances[0].limiter.suspended().expect("it has forgotten");
    assert_eq!(suspended.since, world.now());
    assert_eq!(suspended.why, "the store lost writes: it has forgotten everything");
    assert!(suspended.bounds.is_some_and(|bounds| bounds.contains("1/2 of each limit")));
    world.wait(secs(63));
    assert_eq!(world.instances[0].limiter.suspended(), None);
}

#[test]
fn a_heartbeat_tells_it_too() {
    // Who forgot everything is told everything.
    for (lose, told) in LOSSES.into_iter().zip([20, 0, 0]) {
        let mut world = World::of(2);
        let way = Way::sole(rpm(20));
        world.fill(0, &way, 20);
        lose(&world.store);
        world.wait(secs(4));
        assert!(world.is_away(0));
        world.refused(0, &way, tokens(0));
        assert_eq!(world.store.used(&way.domain).requests, told, "the store was not even asked");
    }
}

#[test]
fn the_answer_that_tells_of_it_is_given_back_if_it_is_too_much() {
    let mut world = World::of(1);
    let way = Way::sole(rpm(3));
    assert_eq!(world.fill(0, &way, 3), 3);
    world.store.flush();
    world.refused(0, &way, tokens(0));
    assert_eq!(world.store.used(&way.domain).requests, 0);
}

#[test]
fn the_days_count_is_restored_once_by_everybody() {
    let day = Limits { rpd: Some(100), ..FREE };
    for (lose, kept) in [(Store::flush as fn(&Store), 30), (Store::restart, 30), (Store::fail_over, 20)] {
        let mut world = World::of(2);
        let way = Way::sole(day);
        for i in [0, 1, 1] {
            world.fill(i, &way, 10);
            world.wait(secs(61));
        }
        assert_eq!(world.store.used(&way.domain).day, 30);
        lose(&world.store);
        world.wait(secs(8));
        // Who forgot everything is told everything; of one that may have kept most, at least so much is
        // known: what the instance with the most was admitted.
        let expected = Used { requests: 0, tokens: 0, day: kept };
        assert_eq!(world.store.used(&way.domain), expected);
        world.wait(secs(70));
        assert_eq!(world.store.used(&way.domain).day, kept);
    }
}

#[test]
fn lost_while_away_is_lost_too() {
    let mut world = World::of(1);
    let way = Way::sole(rpm(10));
    assert_eq!(world.fill(0, &way, 4), 4);
    world.cut([0], Line::Refused);
    assert_eq!(world.fill(0, &way, 3), 3);
    world.store.flush();
    world.cut([0], Line::Up);
    world.wait(secs(3));
    assert_eq!(world.store.used(&way.domain), Used { requests: 7, tokens: 0, day: 7 });
    assert_eq!(world.fill(0, &way, 30), 3);
}

#[test]
fn who_used_more_than_his_share_tells_the_others() {
    let mut world = World::of(3);
    let way = Way::sole(Limits { rpm: Some(30), tpm: Some(100), ..FREE });
    for _ in 0..25 {
        let permit = world.go(0, &way, tokens(2));
        world.settle(0, &permit, 3);
    }
    let when = world.now();
    world.wait(secs(4));
    world.store.flush();
    world.wait(secs(4));
    let told = world.store.absorbed();
    let (at, requests, used) = told[0].1[0].window[0];
    assert!(at >= when && at < when + Duration::from_millis(250), "{at} is not in the slot of {when}");
    assert_eq!((requests, used), (25, 75));
    assert_eq!(world.store.used(&way.domain), Used { requests: 25, tokens: 75, day: 25 });
    assert_eq!((1..3).map(|i| world.fill(i, &way, 30)).sum::<usize>(), 5);
}

#[test]
fn what_was_being_told_at_the_loss_is_told_once() {
    for lost_answer in [Line::Deaf, Line::Silent] {
        let mut world = World::of(1);
        let way = Way::sole(FREE);
        world.go(0, &way, tokens(1));
        world.cut([0], Line::Refused);
        for _ in 0..3 {
            world.go(0, &way, tokens(1));
        }
        world.cut([0], Line::Up);
        world.instances[0].link.set_for("absorb", lost_answer);
        world.wait(secs(2));
        world.go(0, &way, tokens(1));
        world.store.flush();
        world.instances[0].link.set_for("absorb", Line::Up);
        world.wait(secs(5));
        assert_eq!(world.store.used(&way.domain), Used { requests: 5, tokens: 5, day: 5 });
    }
}

#[test]
fn answers_that_overtake_each_other_are_no_loss() {
    let mut world = World::of(2);
    let way = Way::sole(FREE);
    for round in 0..30 {
        world.go(round % 2, &way, tokens(0));
        world.wait(secs(1));
        assert!(!world.is_away(0) && !world.is_away(1));
    }
}

#[test]
fn a_clock_set_back_is_a_loss_and_a_little_is_none() {
    for (by, lost) in [(secs(50), false), (secs(61), true)] {
        let mut world = World::of(1);
        let way = Way::sole(FREE);
        world.go(0, &way, tokens(0));
        world.store.set_back(by);
        world.go(0, &way, tokens(0));
        assert_eq!(world.is_away(0), lost);
    }
}

#[test]
fn a_loss_is_seen_once_whoever_had_asked_before_it() {
    let mut world = World::of(1);
    let way = Way::sole(FREE);
    for _ in 0..3 {
        world.go(0, &way, tokens(0));
    }
    world.store.roll_back();
    world.cut([0], Line::Late(Duration::from_millis(500)));
    let (one, two) = (world.permit(), world.permit());
    let first = world.asking(0, one, &way, tokens(0));
    world.wait(Duration::from_millis(300));
    let second = world.asking(0, two, &way, tokens(0));
    assert!(world.drive(first).0.is_some());
    let seen = world.instances[0].limiter.suspended().expect("lost").since;
    assert!(world.drive(second).0.is_some());
    assert_eq!(world.instances[0].limiter.suspended().expect("lost").since, seen);
}

#[test]
fn an_answer_that_was_overtaken_hides_no_loss() {
    let mut world = World::of(1);
    let way = Way::sole(FREE);
    world.cut([0], Line::Late(Duration::from_millis(500)));
    let permit = world.permit();
    let slow = world.asking(0, permit, &way, tokens(0));
    world.cut([0], Line::Up);
    world.go(0, &way, tokens(0));
    assert!(world.drive(slow).0.is_some());
    assert!(!world.is_away(0));
    world.store.roll_back();
    world.go(0, &way, tokens(0));
    assert!(world.is_away(0));
}

#[test]
fn a_lift_that_was_overtaken_is_no_loss() {
    let mut world = World::of(1);
    let way = Way::sole(rpm(2));
    world.go(0, &way, tokens(0));
    world.cut([0], Line::Late(Duration::from_millis(500)));
    let limiter = world.instances[0].limiter.clone();
    let scope = Scope::Domain(way.domain.clone());
    let mut lift = Box::pin(limiter.lift(&scope));
    assert!(pollster::block_on(poll_immediate(&mut lift)).is_none());
    world.cut([0], Line::Up);
    world.go(0, &way, tokens(0));
    world.drive(lift).0.expect("accepted");
    world.refused(0, &way, tokens(0));
    assert!(!world.is_away(0));
}

#[test]
fn what_was_given_back_is_not_restored_and_what_was_admitted_alone_is() {
    let mut world = World::of(1);
    let way = Way::sole(FREE);
    world.go(0, &way, tokens(0));
    let never = world.go(0, &way, tokens(0));
    world.release(0, &never, Ended::NeverSent);
    world.cut([0], Line::Refused);
    for _ in 0..4 {
        world.go(0, &way, tokens(0));
    }
    world.cut([0], Line::Up);
    world.wait(secs(4));
    world.store.flush();
    world.wait(secs(4));
    assert_eq!(world.store.used(&way.domain), Used { requests: 5, tokens: 0, day: 5 });
    // Lost again, before and after one more.
    world.store.flush();
    world.go(0, &way, tokens(0));
    world.wait(secs(4));
    world.store.flush();
    world.wait(secs(4));
    assert_eq!(world.store.used(&way.domain).day, 6);
}

#[test]
fn what_must_be_given_back_is_given_back_later() {
    let mut world = World::of(1);
    let way = Way::sole(rpm(3));
    assert_eq!(world.fill(0, &way, 3), 3);
    world.store.flush();
    world.instances[0].link.set_for("release", Line::Refused);
    world.refused(0, &way, tokens(0));
    assert_eq!(world.store.used(&way.domain).requests, 1);
    world.instances[0].link.set_for("release", Line::Up);
    world.wait(secs(5));
    assert_eq!(world.store.used(&way.domain).requests, 3, "what was lost, and not the one");
}
