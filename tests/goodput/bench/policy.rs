//! Who chooses the keys: keyrot's pool, or one of three plain policies as people use them today.

mod cooldown;
mod counters;
mod pool;
mod round_robin;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::bench::scenario::Case;
use crate::bench::traffic::Request;
use crate::bench::world::World;

/// The longest a request waits, whoever serves it: the default of keys.json.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(120);

/// Which policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Pool,
    RoundRobin,
    Cooldown,
    Counters,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Pool, Self::RoundRobin, Self::Cooldown, Self::Counters];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pool => "keyrot",
            Self::RoundRobin => "round robin",
            Self::Cooldown => "random, cooldown",
            Self::Counters => "fixed minutes",
        }
    }
}

/// A policy at work.
pub(crate) enum Policy {
    Pool(pool::Pool),
    RoundRobin(round_robin::RoundRobin),
    Cooldown(cooldown::Cooldown),
    Counters(counters::Counters),
}

impl Policy {
    pub(crate) async fn start(kind: Kind, case: &Case, world: &Arc<World>) -> Result<Self> {
        Ok(match kind {
            Kind::Pool => Self::Pool(pool::Pool::start(case, world).await?),
            Kind::RoundRobin => Self::RoundRobin(round_robin::RoundRobin::new(case)),
            Kind::Cooldown => Self::Cooldown(cooldown::Cooldown::new(case)),
            Kind::Counters => Self::Counters(counters::Counters::new(case)),
        })
    }

    /// Serves one request to its end; `false` when it failed.
    pub(crate) async fn serve(&self, world: &Arc<World>, request: &Request) -> bool {
        match self {
            Self::Pool(pool) => pool.serve(world, request).await,
            Self::RoundRobin(policy) => policy.serve(world, request).await,
            Self::Cooldown(policy) => policy.serve(world, request).await,
            Self::Counters(policy) => policy.serve(world, request).await,
        }
    }
}
