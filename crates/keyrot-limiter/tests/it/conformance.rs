//! What every store must do, done by the ones in memory.

use std::sync::Arc;

use keyrot_core::FakeClock;
use keyrot_limiter::{MemoryFacts, MemoryLimiter};
use keyrot_testkit::{facts, limiter};

async fn memory(clock: FakeClock) -> MemoryLimiter {
    MemoryLimiter::new(Arc::new(clock))
}

#[test]
fn it_keeps_every_promise() {
    pollster::block_on(limiter::suite(memory));
}

#[test]
fn facts_keep_every_promise() {
    pollster::block_on(facts::suite(async |clock| MemoryFacts::new(Arc::new(clock))));
}

#[test]
fn it_agrees_with_the_naive_model() {
    limiter::explore(&limiter::scenarios(), |scenario| pollster::block_on(limiter::replay(memory, scenario)));
}

/// It is the reference of every other store: here it shows that the comparison itself holds water.
#[test]
fn it_agrees_with_itself() {
    let reference = |clock: FakeClock| MemoryLimiter::new(Arc::new(clock));
    let make = async |clock| {
        let store = limiter::Shared::new(memory(clock).await);
        async move || store.clone()
    };
    limiter::explore(&limiter::lives(), |life| pollster::block_on(limiter::relive(reference, make, life)));
}
