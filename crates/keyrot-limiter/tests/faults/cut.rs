//! Questions given up half-way, and lines that break at the worst moment.

use futures_util::future::poll_immediate;
use keyrot_core::{Ask, Method, RateLimiter};
use keyrot_limiter::Used;
use keyrot_testkit::limiter::{FREE, Way, rpm, secs, tokens};

use crate::scripted::{Line, Store};
use crate::world::{TIMEOUT, World};

/// A question dropped at its first wait.
fn give_up(world: &mut World, way: &Way) {
    let limiter = world.instances[0].limiter.clone();
    let candidates = [way.candidate()];
    let permit = world.permit();
    let ask = Ask {
        permit,
        candidates: &candidates,
        method: Method::Generate,
        cost: tokens(3),
        lease: secs(90),
        class: 0,
        caller: None,
    };
    let mut call = Box::pin(limiter.reserve(&ask));
    assert!(pollster::block_on(poll_immediate(&mut call)).is_none());
}

#[test]
fn a_question_given_up_charges_nothing_here() {
    let mut world = World::of(1);
    let way = Way::sole(rpm(3)).at_once(3);
    world.cut([0], Line::Silent);
    for _ in 0..5 {
        give_up(&mut world, &way);
    }
    assert_eq!(world.fill(0, &way, 9), 3);
}

#[test]
fn nor_while_the_store_is_not_trusted() {
    let mut world = World::of(1);
    let way = Way::sole(rpm(3)).at_once(3);
    world.go(0, &way, tokens(0));
    Store::flush(&world.store);
    world.wait(secs(4));
    world.cut([0], Line::Silent);
    for _ in 0..5 {
        give_up(&mut world, &way);
    }
    world.cut([0], Line::Up);
    assert_eq!(world.fill(0, &way, 9), 2);
}

#[test]
fn what_the_store_granted_and_nobody_heard_is_charged_here_once() {
    let mut world = World::of(1);
    let way = Way::sole(rpm(5));
    world.cut([0], Line::Deaf);
    let (answer, took) = world.ask(0, &[&way], tokens(1));
    assert!(answer.expect("nothing fails").is_ok());
    assert_eq!(took, TIMEOUT);
    assert_eq!(world.fill(0, &way, 9), 4);
}

#[test]
fn a_line_that_flaps_neither_fails_nor_loses_anybody() {
    let mut world = World::of(1);
    let way = Way::sole(FREE);
    let mut granted = 0;
    for round in 0..60 {
        world.cut([0], [Line::Up, Line::Refused, Line::Silent, Line::Up][round % 4]);
        let (answer, took) = world.ask(0, &[&way], tokens(1));
        assert!(answer.expect("nothing fails").is_ok());
        assert!(took <= TIMEOUT, "{took:?}");
        granted += 1;
        world.wait(std::time::Duration::from_millis(130));
    }
    world.cut([0], Line::Up);
    world.wait(secs(5));
    let Used { day, .. } = world.store.used(&way.domain);
    assert_eq!(day, granted, "everything admitted is counted, and once");
}
