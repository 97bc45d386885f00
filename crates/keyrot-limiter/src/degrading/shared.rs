//! What a store that several instances share must tell besides its answers, so that one of them can
//! go on without it, come back to it, and see that it has lost its memory.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use keyrot_core::{
    Ask, Domain, FactStore, LimitError, MAX_CANDIDATES, PacificDay, RateLimiter, Reply, Timestamp,
};

/// Where a shared store stood when it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The name of the store's memory, kept in that memory: made anew when it is found empty.
    pub epoch: Arc<str>,
    /// The name of the server's run: another one after a restart or a failover.
    pub run: Arc<str>,
    /// Its count of admissions and lifts: each adds at least one. Whatever is asked after an answer has
    /// arrived is answered with a `seq` at least as high, unless the store has lost writes.
    pub seq: u64,
    /// Its time.
    pub at: Timestamp,
}

/// What a domain had used, by a store's count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// Requests in the window.
    pub requests: u64,
    /// Input tokens in the window.
    pub tokens: u64,
    /// Requests in the Pacific day.
    pub day: u64,
}

/// What came with an answer.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Where the store stood.
    pub mark: Mark,
    /// What the domains of the candidates it looked at had used once it had decided, by their index.
    pub used: ArrayVec<(usize, Used), MAX_CANDIDATES>,
    /// The same of the caller's own ledger, if it was looked at.
    pub caller: Option<Used>,
}

/// What came of a heartbeat.
#[derive(Debug, Clone)]
pub struct Beat {
    /// Where the store stood.
    pub mark: Mark,
    /// The instances that are alive, this one included, sorted.
    pub instances: Vec<String>,
}

/// Requests of a day, to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayCharge {
    /// So many more.
    Add(u64),
    /// At least so many: what the store has counted itself may contain them.
    AtLeast(u64),
}

/// What one domain used behind the store's back. Charged without asking: what is above a limit is
/// debt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charges {
    /// Where.
    pub domain: Domain,
    /// When, by the store's time, how many requests, and how many input tokens: what still is in the
    /// window is charged to it. These do not count for a day.
    pub window: Vec<(Timestamp, u64, u64)>,
    /// How many requests on which day; a day that is over is ignored.
    pub days: Vec<(PacificDay, DayCharge)>,
}

/// A store that instances share and may lose sight of.
///
/// A [`reserve`](RateLimiter::reserve) or [`ask`](Self::ask) that fails is given up like one that is
/// dropped: what had been or will be granted for it is given back.
pub trait Shared: RateLimiter + FactStore {
    /// What errors call the store.
    fn name(&self) -> &'static str;

    /// A [`reserve`](RateLimiter::reserve) that also tells where the store stands.
    fn ask(&self, ask: &Ask<'_>) -> impl Future<Output = Result<(Reply, Reading), LimitError>> + Send;

    /// Says that `instance` lives, until `ttl` from now.
    fn heartbeat(
        &self,
        instance: &str,
        ttl: Duration,
    ) -> impl Future<Output = Result<Beat, LimitError>> + Send;

    /// Adds what was used behind the store's back, all of it in one step, the first time it is told
    /// under the name `once`; after that, nothing. The name is remembered for two days.
    fn absorb(&self, once: &str, charges: &[Charges]) -> impl Future<Output = Result<(), LimitError>> + Send;
}
