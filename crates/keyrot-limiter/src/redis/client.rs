//! What a handle tells the server with every question, and hears with every answer.

use std::sync::Arc;

use keyrot_core::{Clock, Endpoint, Timestamp};

use super::coding;
use super::lifts::Lifts;

/// See the module's docs.
pub(super) struct Client {
    /// Tests have a clock; without one it is the server's.
    clock: Option<Arc<dyn Clock>>,
    /// What the names of cooldowns begin with; empty for Google itself.
    tag: String,
    pub(super) lifts: Lifts,
}

impl Client {
    pub(super) fn new(clock: Option<Arc<dyn Clock>>, endpoint: Endpoint) -> Self {
        let tag = match endpoint.to_u64() {
            0 => String::new(),
            tag => format!("{tag:016x}"),
        };
        Self { clock, tag, lifts: Lifts::default() }
    }

    /// The same for requests to `endpoint`, which has heard of nothing.
    pub(super) fn at(&self, endpoint: Endpoint) -> Self {
        Self::new(self.clock.clone(), endpoint)
    }

    /// The time, if it is not the server's.
    pub(super) fn now(&self) -> Option<Timestamp> {
        self.clock.as_ref().map(|clock| clock.now())
    }

    /// The first argument of every script, at `now` if it is not the server that says what time it is.
    pub(super) fn common(&self, now: Option<Timestamp>) -> Vec<u8> {
        let mut common = coding::common(now, fastrand::u64(..1 << 53) as f64);
        common.extend_from_slice(&self.lifts.newest());
        common.extend_from_slice(self.tag.as_bytes());
        common
    }
}
