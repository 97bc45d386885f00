//! A counter per key and minute of the clock, against the limits of keys.json; three retries with a pause of
//! a second.

use parking_lot::Mutex;

use super::MAX_WAIT;
use crate::bench::clock::VirtualClock;
use crate::bench::scenario::Case;
use crate::bench::traffic::Request;
use crate::bench::world::{Answer, World};

const MINUTE_MS: u64 = 60_000;
const RETRIES: usize = 3;
const PAUSE_MS: u64 = 1_000;

pub(crate) struct Counters {
    limit: u64,
    state: Mutex<State>,
}

struct State {
    minute: u64,
    used: Vec<u64>,
    next: usize,
}

impl Counters {
    pub(super) fn new(case: &Case) -> Self {
        let limit = case.scenario.rpm * case.scenario.declared;
        Self { limit, state: Mutex::new(State { minute: 0, used: vec![0; case.scenario.projects], next: 0 }) }
    }

    pub(super) async fn serve(&self, world: &World, request: &Request) -> bool {
        let deadline = request.arrives + MAX_WAIT.as_secs() * 1_000;
        let mut retries = 0;
        loop {
            let now = world.clock.millis();
            let Some(key) = self.draw(now) else {
                let wait = MINUTE_MS - VirtualClock::epoch_millis(now) % MINUTE_MS;
                if now + wait > deadline {
                    return false;
                }
                world.clock.until(now + wait).await;
                continue;
            };
            let Err(failure) = world.call(key, request).await else { return true };
            retries += 1;
            if retries > RETRIES {
                return false;
            }
            if Answer::of(&failure.0) == Answer::Refused {
                self.state.lock().used[key] = self.limit;
            } else {
                world.clock.until(world.clock.millis() + PAUSE_MS).await;
            }
        }
    }

    /// The next key with room in this minute, charged.
    fn draw(&self, now: u64) -> Option<usize> {
        let minute = VirtualClock::epoch_millis(now) / MINUTE_MS;
        let mut state = self.state.lock();
        if state.minute != minute {
            state.minute = minute;
            state.used.fill(0);
        }
        let keys = state.used.len();
        let key = (0..keys).map(|n| (state.next + n) % keys).find(|key| state.used[*key] < self.limit)?;
        state.used[key] += 1;
        state.next = key + 1;
        Some(key)
    }
}
