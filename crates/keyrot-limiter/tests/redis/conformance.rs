//! What every store must do, done by both servers, in both versions of the protocol.

use std::sync::Arc;

use keyrot_core::FakeClock;
use keyrot_limiter::{MemoryLimiter, RedisStore};
use keyrot_testkit::server::Kind;
use keyrot_testkit::{facts, limiter};
use tokio::runtime::{Builder, Runtime};

use crate::servers::{KINDS, config, fresh_pool, shared, with_clock};

const PROTOCOLS: [&str; 2] = ["resp2", "resp3"];

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn urls() -> impl Iterator<Item = String> {
    KINDS.into_iter().flat_map(|kind| PROTOCOLS.map(|p| format!("{}?protocol={p}", shared(kind).url())))
}

#[test]
fn it_keeps_every_promise() {
    for url in urls() {
        runtime().block_on(limiter::suite(async |clock| with_clock(&url, clock)));
    }
}

#[test]
fn facts_keep_every_promise() {
    for url in urls() {
        runtime().block_on(facts::suite(async |clock| with_clock(&url, clock)));
    }
}

fn agrees_with_the_naive_model(kind: Kind) {
    let (runtime, url) = (runtime(), shared(kind).url());
    limiter::explore(&limiter::scenarios(), |scenario| {
        runtime.block_on(limiter::replay(async |clock| with_clock(&url, clock), scenario))
    });
}

#[test]
fn redis_agrees_with_the_naive_model() {
    agrees_with_the_naive_model(Kind::Redis);
}

#[test]
fn valkey_agrees_with_the_naive_model() {
    agrees_with_the_naive_model(Kind::Valkey);
}

fn agrees_with_memory(kind: Kind) {
    let (runtime, url) = (runtime(), shared(kind).url());
    let reference = |clock: FakeClock| MemoryLimiter::new(Arc::new(clock));
    let make = async |clock: FakeClock| {
        let config = config(&url, &fresh_pool());
        async move || RedisStore::with_clock(&config, Arc::new(clock.clone())).expect("a legal URL")
    };
    limiter::explore(&limiter::lives(), |life| runtime.block_on(limiter::relive(reference, make, life)));
}

#[test]
fn redis_agrees_with_memory_life_by_life() {
    agrees_with_memory(Kind::Redis);
}

#[test]
fn valkey_agrees_with_memory_life_by_life() {
    agrees_with_memory(Kind::Valkey);
}
