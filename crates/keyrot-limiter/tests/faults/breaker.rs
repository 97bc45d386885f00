//! Nobody waits longer than once, nobody fails, and the log says it once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyrot_core::{Clock, Ended, LimitError};
use keyrot_limiter::Manner;
use keyrot_testkit::limiter::{FREE, Way, rpm, secs, tokens};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::scripted::Line;
use crate::world::{TIMEOUT, World, manner};

#[test]
fn the_first_call_waits_once_and_the_next_not_at_all() {
    let mut world = World::of(2);
    let way = Way::sole(rpm(1_000));
    world.cut([0], Line::Silent);
    let (answer, took) = world.ask(0, &[&way], tokens(0));
    assert!(answer.expect("nothing fails").is_ok());
    assert_eq!(took, TIMEOUT);
    for _ in 0..50 {
        let (answer, took) = world.ask(0, &[&way], tokens(0));
        let permit = answer.expect("nothing fails").expect("there is room").permit;
        assert_eq!(took, Duration::ZERO);
        let asked = world.now();
        world.settle(0, &permit, 0);
        world.release(0, &permit, Ended::Succeeded);
        assert_eq!(world.now(), asked);
    }
}

#[test]
fn a_store_that_was_never_there_is_waited_for_once() {
    let mut world = World::of(0);
    let clock = world.clock.clone();
    let link = crate::scripted::Link::to(&world.store);
    link.set(Line::Silent);
    let limiter = Arc::new(keyrot_limiter::Degrading::new(link, Arc::new(clock), manner("new")));
    let way = Way::sole(FREE);
    for expected in [TIMEOUT, Duration::ZERO] {
        let limiter = Arc::clone(&limiter);
        let candidates = [way.candidate()];
        let permit = world.permit();
        let ask = keyrot_core::Ask {
            permit,
            candidates: &candidates,
            method: keyrot_core::Method::Generate,
            cost: tokens(0),
            lease: secs(9),
            class: 0,
            caller: None,
        };
        let (reply, took) = world.drive(keyrot_core::RateLimiter::reserve(&*limiter, &ask));
        assert!(reply.expect("nothing fails").grant.is_some());
        assert_eq!(took, expected);
    }
}

#[test]
fn it_is_back_within_five_seconds_of_the_stores_return() {
    for (line, outage) in [(Line::Refused, secs(2)), (Line::Silent, secs(90)), (Line::Refused, secs(700))] {
        let mut world = World::of(2);
        let way = Way::sole(FREE);
        world.cut([0], line);
        world.go(0, &way, tokens(0));
        assert!(world.is_away(0));
        world.wait(outage);
        assert!(world.is_away(0));
        world.cut([0], Line::Up);
        let back = world.now();
        while world.is_away(0) {
            world.wait(Duration::from_millis(50));
        }
        let took = world.now().since(back);
        assert!(took <= secs(5), "{took:?}");
    }
}

#[test]
fn an_idle_instance_finds_out_by_itself() {
    let mut world = World::of(2);
    world.cut([0], Line::Refused);
    world.wait(secs(4));
    assert!(world.is_away(0));
    world.cut([0], Line::Up);
    world.wait(secs(3));
    assert!(!world.is_away(0));
}

#[test]
fn a_question_from_before_the_return_does_not_send_it_away_again() {
    let mut world = World::of(1);
    let way = Way::sole(FREE);
    // Two wait for an answer; one gives up first and finds the store back.
    world.cut([0], Line::Silent);
    let limiter = world.instances[0].limiter.clone();
    let candidates = [way.candidate()];
    let permit = world.permit();
    let ask = keyrot_core::Ask {
        permit,
        candidates: &candidates,
        method: keyrot_core::Method::Generate,
        cost: tokens(0),
        lease: secs(9),
        class: 0,
        caller: None,
    };
    let mut early = Box::pin(keyrot_core::RateLimiter::reserve(&*limiter, &ask));
    assert!(pollster::block_on(futures_util::future::poll_immediate(&mut early)).is_none());
    world.cut([0], Line::Refused);
    world.go(0, &way, tokens(0));
    world.cut([0], Line::Up);
    world.wait(Duration::from_millis(800));
    assert!(!world.is_away(0));
    let (reply, _) = world.drive(&mut early);
    assert!(reply.expect("nothing fails").grant.is_some());
    assert!(!world.is_away(0));
}

#[test]
fn who_wants_to_be_refused_is_refused() {
    let mut world = World::made(2, |name| Manner { fail_closed: true, ..manner(&name) });
    let way = Way::sole(FREE);
    let open = world.go(0, &way, tokens(0));
    world.cut([0], Line::Refused);
    for _ in 0..2 {
        let (answer, took) = world.ask(0, &[&way], tokens(0));
        assert_eq!(took, Duration::ZERO);
        let Err(LimitError::Unavailable { store, why }) = answer else { panic!("admitted") };
        assert_eq!(store, "scripted");
        assert_eq!(why, "connection refused; requests are refused until it is back");
    }
    // Ends are accepted all the same.
    world.settle(0, &open, 0);
    world.release(0, &open, Ended::Succeeded);
    world.cut([0], Line::Up);
    world.wait(secs(5));
    world.go(0, &way, tokens(0));
}

#[derive(Debug, Default)]
struct Said {
    warnings: AtomicUsize,
    notes: AtomicUsize,
}

struct Listener(Arc<Said>);

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let count = match *event.metadata().level() {
            Level::WARN | Level::ERROR => &self.0.warnings,
            _ => &self.0.notes,
        };
        count.fetch_add(1, Ordering::SeqCst);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn it_is_said_once_when_it_goes_and_once_when_it_comes() {
    let said = Arc::new(Said::default());
    // With one listener in the process, a line first reached by another thread counts as heard by nobody.
    let _other = tracing::Dispatch::new(Listener(Arc::default()));
    let heard = || (said.warnings.load(Ordering::SeqCst), said.notes.load(Ordering::SeqCst));
    tracing::subscriber::with_default(Listener(Arc::clone(&said)), || {
        let mut world = World::of(2);
        let way = Way::sole(FREE);
        for round in 1..=2 {
            for _ in 0..20 {
                let permit = world.go(0, &way, tokens(0));
                world.release(0, &permit, Ended::Succeeded);
            }
            assert_eq!(heard(), (round - 1, round - 1));
            world.cut([0], Line::Silent);
            for _ in 0..20 {
                let permit = world.go(0, &way, tokens(0));
                world.release(0, &permit, Ended::Succeeded);
                world.wait(Duration::from_millis(500));
            }
            assert_eq!(heard(), (round, round - 1));
            world.cut([0], Line::Up);
            world.wait(secs(5));
            assert_eq!(heard(), (round, round));
        }
    });
}

#[test]
fn the_background_ends_with_the_wrapper() {
    let clock = keyrot_core::FakeClock::new(keyrot_testkit::limiter::NOON);
    let link = crate::scripted::Link::to(&crate::scripted::Store::new(clock.clone()));
    let limiter = keyrot_limiter::Degrading::new(link, Arc::new(clock.clone()), manner("i"));
    let mut tend = Box::pin(limiter.tend());
    let poll = |tend: &mut _| pollster::block_on(futures_util::future::poll_immediate(tend));
    assert_eq!(poll(&mut tend), None);
    let asleep = clock.now();
    drop(limiter);
    assert_eq!((poll(&mut tend), clock.now()), (Some(()), asleep));
}
