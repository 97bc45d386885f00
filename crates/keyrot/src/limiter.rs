//! Where counts, cooldowns and facts are kept: in this process, in a file that the processes of this
//! machine share, in a Redis that any number of machines share, or in a store of the embedder's own.

use std::sync::Arc;
use std::time::Duration;

#[cfg(any(feature = "redis", feature = "sqlite"))]
use keyrot_core::Endpoint;
use keyrot_core::{
    Ask, Candidate, Clock, CoolReport, Cooled, Cost, Ended, Fact, FactStore, Lifted, LimitError,
    MAX_CANDIDATES, Method, Permit, RateLimiter, Reply, Scope, Standing,
};
use keyrot_limiter::{MemoryFacts, MemoryLimiter};

use crate::settings::Settings;
use crate::setup::SetupError;
use crate::status::{Suspension, Truth};

#[cfg_attr(not(feature = "sqlite"), path = "limiter/no_file.rs")]
mod file;
mod given;
#[cfg(feature = "redis")]
mod shared;

use file::File;
pub(crate) use given::Given;

/// See the module's docs.
#[derive(Debug)]
pub(crate) enum Limiter {
    Memory(Box<Memory>),
    #[cfg(feature = "sqlite")]
    File(File),
    #[cfg(feature = "redis")]
    Shared(Box<shared::Shared>),
    Given(Given),
}

#[derive(Debug)]
pub(crate) struct Memory {
    limiter: MemoryLimiter,
    facts: MemoryFacts,
    /// Why it is not what the settings ask for, if it is not.
    instead: Option<String>,
}

/// The clock in use, and whose it is.
#[derive(Debug, Clone)]
pub(crate) enum Time {
    /// This machine's: a store that others share has a better one.
    Machine(Arc<dyn Clock>),
    /// An embedder's own: every store goes by it.
    Given(Arc<dyn Clock>),
}

impl Time {
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        match self {
            Self::Machine(clock) | Self::Given(clock) => clock,
        }
    }
}

/// Asks whichever store it is: `$part` of memory, or the one that does both.
macro_rules! ask {
    ($this:expr, $part:ident, |$store:ident| $call:expr) => {
        match $this {
            Limiter::Memory(memory) => {
                let $store = &memory.$part;
                $call.await
            }
            #[cfg(feature = "sqlite")]
            Limiter::File(file) => {
                let $store = &file.store;
                $call.await
            }
            #[cfg(feature = "redis")]
            Limiter::Shared(shared) => {
                let $store = &shared.store;
                // Large, and in the end a message to a server: every caller's future would grow by it.
                Box::pin($call).await
            }
            Limiter::Given($store) => $call.await,
        }
    };
}

impl Limiter {
    /// The store that the settings ask for: Redis before the file before memory. A file that cannot be
    /// used is a warning; a Redis that is away is not even that, for it may come back at any moment.
    ///
    /// # Errors
    /// [`SetupError::Invalid`] for a `REDIS_URL` or `KEYROT_POOL` that can never work.
    pub(crate) async fn open(
        settings: &Settings,
        time: &Time,
        warnings: &mut Vec<String>,
    ) -> Result<Self, SetupError> {
        let file = File::open(&settings.state, time).await;
        #[cfg(any(feature = "redis", feature = "sqlite"))]
        let endpoint = settings.base_url.as_deref().map(Endpoint::at).unwrap_or_default();
        #[cfg(feature = "redis")]
        if let Some(url) = &settings.redis.url {
            // The file is no more than a convenience here.
            let file = file.ok().flatten();
            return Ok(Self::Shared(Box::new(
                shared::Shared::start(url, &settings.redis, (time, endpoint), file).await?,
            )));
        }
        Ok(match file {
            #[cfg(feature = "sqlite")]
            Ok(Some(file)) => Self::File(file.for_endpoint(endpoint)),
            #[cfg(not(feature = "sqlite"))]
            Ok(Some(never)) => match never {},
            Ok(None) => Self::memory(Arc::clone(time.clock()), None),
            Err(why) => {
                let first = why.lines().next().unwrap_or_default().to_owned();
                warnings.push(format!("limits and cooldowns end with this process: {why}"));
                Self::memory(Arc::clone(time.clock()), Some(first))
            }
        })
    }

    /// A store of this process alone; `instead` says why it is not the one asked for.
    pub(crate) fn memory(clock: Arc<dyn Clock>, instead: Option<String>) -> Self {
        let facts = MemoryFacts::new(Arc::clone(&clock));
        Self::Memory(Box::new(Memory { limiter: MemoryLimiter::new(clock), facts, instead }))
    }
}

impl Limiter {
    /// How many candidates to hand over at once: in memory the next question costs no round trip.
    pub(crate) fn batch(&self) -> usize {
        match self {
            Self::Memory(_) => 1,
            #[cfg(feature = "sqlite")]
            Self::File(_) => MAX_CANDIDATES,
            #[cfg(feature = "redis")]
            Self::Shared(_) => MAX_CANDIDATES,
            Self::Given(_) => MAX_CANDIDATES,
        }
    }

    /// Whether other processes use it as well.
    pub(crate) fn is_shared(&self) -> bool {
        !matches!(self, Self::Memory(_))
    }

    /// Waits until the store has what was settled and released.
    pub(crate) async fn flush(&self) {
        match self {
            Self::Memory(_) => std::future::ready(()).await,
            #[cfg(feature = "sqlite")]
            Self::File(file) => {
                if let Err(error) = file.store.flush().await {
                    tracing::warn!(%error, "cannot settle what is left");
                }
            }
            #[cfg(feature = "redis")]
            Self::Shared(shared) => shared.flush().await,
            Self::Given(_) => std::future::ready(()).await,
        }
    }

    /// Where it is, and whether it can be relied on.
    pub(crate) fn truth(&self) -> Truth {
        match self {
            Self::Memory(memory) => Truth {
                store: "memory",
                place: None,
                shared: false,
                suspended: memory.instead.clone().map(|why| Suspension { since: None, why, bounds: None }),
                warning: None,
            },
            #[cfg(feature = "sqlite")]
            Self::File(File { store, place }) => Truth {
                store: "sqlite",
                place: Some(place.clone()),
                shared: true,
                suspended: store.suspended().map(Suspension::from),
                warning: None,
            },
            #[cfg(feature = "redis")]
            Self::Shared(shared) => shared.truth(),
            Self::Given(_) => {
                Truth { store: "given", place: None, shared: true, suspended: None, warning: None }
            }
        }
    }
}

impl RateLimiter for Limiter {
    async fn reserve(&self, ask: &Ask<'_>) -> Result<Reply, LimitError> {
        ask!(self, limiter, |store| store.reserve(ask))
    }

    async fn settle(&self, permit: &Permit, tokens: u64) -> Result<(), LimitError> {
        ask!(self, limiter, |store| store.settle(permit, tokens))
    }

    async fn release(&self, permit: &Permit, ended: Ended) -> Result<(), LimitError> {
        ask!(self, limiter, |store| store.release(permit, ended))
    }

    async fn cool(&self, report: &CoolReport) -> Result<Cooled, LimitError> {
        ask!(self, limiter, |store| store.cool(report))
    }

    fn lifted(&self) -> Lifted {
        match self {
            Self::Memory(memory) => memory.limiter.lifted(),
            #[cfg(feature = "sqlite")]
            Self::File(file) => file.store.lifted(),
            #[cfg(feature = "redis")]
            Self::Shared(shared) => shared.store.lifted(),
            Self::Given(store) => store.lifted(),
        }
    }

    async fn listen(&self) -> Result<(), LimitError> {
        ask!(self, limiter, |store| store.listen())
    }

    async fn lift(&self, scope: &Scope) -> Result<(), LimitError> {
        ask!(self, limiter, |store| store.lift(scope))
    }

    async fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
        cost: Cost,
    ) -> Result<Vec<Standing>, LimitError> {
        ask!(self, limiter, |store| store.snapshot(candidates, method, cost))
    }
}

impl FactStore for Limiter {
    async fn get(&self, name: &str) -> Result<Option<Fact>, LimitError> {
        ask!(self, facts, |store| store.get(name))
    }

    async fn put(&self, name: &str, value: &str, ttl: Option<Duration>) -> Result<(), LimitError> {
        ask!(self, facts, |store| store.put(name, value, ttl))
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Fact)>, LimitError> {
        ask!(self, facts, |store| store.scan(prefix))
    }

    async fn increment(&self, name: &str, by: u64) -> Result<u64, LimitError> {
        ask!(self, facts, |store| store.increment(name, by))
    }
}
