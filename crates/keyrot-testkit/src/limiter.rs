//! What every [`RateLimiter`] must do, written once: [`suite`] for one promise at a time,
//! [`scenarios`] and [`replay`] for comparing a store with a naive exact model, event by event, [`lives`]
//! and [`relive`] for comparing two clients of a store with another store, cooldowns and all.
//!
//! A store under test decides by the [`FakeClock`] it is given.

use keyrot_core::{FakeClock, RateLimiter};

mod beside;
mod breaker;
mod caller;
mod cooling;
mod day;
mod explore;
mod flight;
mod guard;
mod learned;
mod life;
mod lifts;
pub mod log;
mod minute;
mod model;
mod once;
mod overload;
mod rig;
mod scenario;
mod settling;
mod shared;
mod storm;
mod together;

pub use beside::relive;
pub use explore::{explore, search};
pub use life::{Life, lives};
pub use rig::{FREE, LEASE, NOON, ONE, Way, rpm, secs, tokens};
pub use scenario::{Scenario, replay, scenarios};
pub use shared::Shared;

use rig::Maker;

/// Runs every promise against a fresh store each. Panics, naming the promise, where one is broken.
///
/// `make` gives an empty store that decides by the clock.
pub async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: F) {
    let make = Maker(make);
    minute::suite(&make).await;
    settling::suite(&make).await;
    day::suite(&make).await;
    flight::suite(&make).await;
    learned::suite(&make).await;
    once::suite(&make).await;
    guard::suite(&make).await;
    cooling::suite(&make).await;
    breaker::suite(&make).await;
    storm::suite(&make).await;
    overload::suite(&make).await;
    lifts::suite(&make).await;
    together::suite(&make).await;
    caller::suite(&make).await;
}
