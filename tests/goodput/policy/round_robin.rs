//! The next key for each request, and the key after it on any error, until all were tried.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::scenario::Case;
use crate::traffic::Request;
use crate::world::World;

pub(crate) struct RoundRobin {
    keys: usize,
    next: AtomicUsize,
}

impl RoundRobin {
    pub(super) fn new(case: &Case) -> Self {
        Self { keys: case.scenario.projects, next: AtomicUsize::new(0) }
    }

    pub(super) async fn serve(&self, world: &World, request: &Request) -> bool {
        for _ in 0..self.keys {
            let key = self.next.fetch_add(1, Ordering::Relaxed) % self.keys;
            if world.call(key, request).await.is_ok() {
                return true;
            }
        }
        false
    }
}
