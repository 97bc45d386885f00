//! A random key, which is left alone for a fixed time after any error.

use parking_lot::Mutex;

use super::MAX_WAIT;
use crate::bench::scenario::Case;
use crate::bench::traffic::Request;
use crate::bench::world::World;

/// How long a key is left alone.
const COOLDOWN_MS: u64 = 60_000;
/// Calls for one request.
const ATTEMPTS: usize = 5;

pub(crate) struct Cooldown {
    state: Mutex<State>,
}

struct State {
    rng: fastrand::Rng,
    /// When each key may go again.
    free_at: Vec<u64>,
}

impl Cooldown {
    pub(super) fn new(case: &Case) -> Self {
        let rng = fastrand::Rng::with_seed(case.seed ^ 0x636f_6f6c);
        Self { state: Mutex::new(State { rng, free_at: vec![0; case.scenario.projects] }) }
    }

    pub(super) async fn serve(&self, world: &World, request: &Request) -> bool {
        let deadline = request.arrives + MAX_WAIT.as_secs() * 1_000;
        let mut attempts = 0;
        while attempts < ATTEMPTS {
            let key = match self.draw(world.clock.millis()) {
                Ok(key) => key,
                Err(free_at) if free_at > deadline => return false,
                Err(free_at) => {
                    world.clock.until(free_at).await;
                    continue;
                }
            };
            attempts += 1;
            if world.call(key, request).await.is_ok() {
                return true;
            }
            self.state.lock().free_at[key] = world.clock.millis() + COOLDOWN_MS;
        }
        false
    }

    /// A random key that may go, or when the first one may.
    fn draw(&self, now: u64) -> Result<usize, u64> {
        let mut state = self.state.lock();
        let free: Vec<usize> = (0..state.free_at.len()).filter(|key| state.free_at[*key] <= now).collect();
        match state.rng.choice(&free) {
            Some(key) => Ok(*key),
            None => Err(state.free_at.iter().copied().min().unwrap_or(u64::MAX)),
        }
    }
}
