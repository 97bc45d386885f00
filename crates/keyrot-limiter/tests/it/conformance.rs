//! What every store must do, done by the ones in memory.

use std::sync::Arc;

use keyrot_core::FakeClock;
use keyrot_limiter::{MemoryFacts, MemoryLimiter};
use keyrot_testkit::{facts, limiter};
use proptest::prelude::*;

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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_agrees_with_the_naive_model(scenario in limiter::scenarios()) {
        pollster::block_on(limiter::replay(memory, &scenario))?;
    }
}
