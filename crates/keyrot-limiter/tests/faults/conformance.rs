//! What every store must do, done through the wrapper: while the store answers, and while it never
//! did and there is nobody to share with.

use std::sync::Arc;

use keyrot_core::FakeClock;
use keyrot_limiter::{Degrading, MemoryLimiter};
use keyrot_testkit::{facts, limiter};

use crate::scripted::{Line, Link, Store};
use crate::world::manner;

fn on(clock: &FakeClock, line: Line) -> Degrading<Link> {
    let link = Link::to(&Store::new(clock.clone()));
    link.set(line);
    Degrading::new(link, Arc::new(clock.clone()), manner("alone"))
}

async fn through(clock: FakeClock) -> Degrading<Link> {
    on(&clock, Line::Up)
}

async fn here(clock: FakeClock) -> Degrading<Link> {
    on(&clock, Line::Refused)
}

#[test]
fn it_keeps_every_promise_while_the_store_answers() {
    pollster::block_on(limiter::suite(through));
}

#[test]
fn it_keeps_every_promise_alone() {
    pollster::block_on(limiter::suite(here));
}

#[test]
fn facts_keep_every_promise_while_the_store_answers() {
    pollster::block_on(facts::suite(through));
}

#[test]
fn facts_keep_every_promise_alone() {
    pollster::block_on(facts::suite(here));
}

#[test]
fn it_agrees_with_the_naive_model() {
    limiter::explore(&limiter::scenarios(), |scenario| {
        pollster::block_on(limiter::replay(through, scenario))?;
        pollster::block_on(limiter::replay(here, scenario))
    });
}

/// Cooldowns, probes, strikes and all.
#[test]
fn alone_it_is_a_memory_store() {
    let reference = |clock: FakeClock| MemoryLimiter::new(Arc::new(clock));
    let make = async |clock| {
        let store = limiter::Shared::new(here(clock).await);
        async move || store.clone()
    };
    limiter::explore(&limiter::lives(), |life| pollster::block_on(limiter::relive(reference, make, life)));
}
