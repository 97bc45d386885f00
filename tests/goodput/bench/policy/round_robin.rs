//! The next key for each request, and the key after it on any error, five keys at most.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::bench::scenario::Case;
use crate::bench::traffic::Request;
use crate::bench::world::World;

/// Keys tried for one request.
const ATTEMPTS: usize = 5;

pub(crate) struct RoundRobin {
    keys: usize,
    next: AtomicUsize,
}

impl RoundRobin {
    pub(super) fn new(case: &Case) -> Self {
        Self { keys: case.scenario.projects, next: AtomicUsize::new(0) }
    }

    pub(super) async fn serve(&self, world: &World, request: &Request) -> bool {
        for _ in 0..ATTEMPTS.min(self.keys) {
            let key = self.next.fetch_add(1, Ordering::Relaxed) % self.keys;
            if world.call(key, request).await.is_ok() {
                return true;
            }
        }
        false
    }
}
