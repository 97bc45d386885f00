//! The door to the limiter: [`RateLimiter`], what it is asked, and what it answers.
//!
//! A refusal is a value, never an error. Durations, not instants, cross this door: a store decides
//! by its own clock, and clients' clocks may be wrong.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::clock::Timestamp;
use crate::cooldown::{CoolFor, Reason, Stamp};
use crate::id::{Bucket, Domain, Fingerprint, KeyId, PermitId, Project};
use crate::outcome::ScopeKind;
use crate::quota::{Cost, Headroom, Limits};

/// The most candidates one [`Ask`] may hold.
pub const MAX_CANDIDATES: usize = 16;

/// What a call does at Google, as far as permissions go: a key may be allowed one and not another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// generateContent and streamGenerateContent.
    Generate,
    /// countTokens.
    CountTokens,
    /// models.list and models.get.
    Models,
}

/// One way a request could go.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The key.
    pub key: &'a KeyId,
    /// The fingerprint of its secret as it is now.
    pub fingerprint: Fingerprint,
    /// The domain its use is counted in.
    pub domain: &'a Domain,
    /// The domain's limits in force.
    pub limits: Limits,
    /// Requests the key may have in flight.
    pub concurrency: Option<u32>,
}

/// Who asks, where its own use is limited as well: a tenant of a gateway.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Where its use is counted, over whatever domains it goes: a name that is no domain's.
    pub ledger: &'a Domain,
    /// Its limits.
    pub limits: Limits,
}

/// A question to the limiter: may one of these go now?
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The name of the permit to be.
    pub permit: PermitId,
    /// Ways to go, best first, of distinct projects; at most [`MAX_CANDIDATES`].
    pub candidates: &'a [Candidate<'a>],
    /// What the call does.
    pub method: Method,
    /// What it is charged.
    pub cost: Cost,
    /// When the permit's place in flight comes back by itself.
    pub lease: Duration,
    /// Which line of this handle it comes from. Of asks that a store decides together, one that is
    /// refused for capacity closes that limit to those of its class after it, so that a large request
    /// is not starved by small ones.
    pub class: u32,
    /// Who is charged besides the domain that grants: both are, or neither.
    pub caller: Option<Caller<'a>>,
}

impl Ask<'_> {
    /// The permit for one of the candidates.
    #[must_use]
    pub fn permit_for(&self, candidate: &Candidate<'_>, stamp: Stamp, probe: bool) -> Permit {
        Permit {
            id: self.permit,
            key: candidate.key.clone(),
            fingerprint: candidate.fingerprint,
            domain: candidate.domain.clone(),
            method: self.method,
            cost: self.cost,
            stamp,
            probe,
            caller: self.caller.map(|caller| Box::new(caller.ledger.clone())),
        }
    }
}

/// Which limit refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Requests per minute.
    Rpm,
    /// Input tokens per minute.
    Tpm,
    /// Requests per day.
    Rpd,
    /// Requests per second.
    Burst,
    /// Requests in flight.
    Concurrency,
}

/// Why a candidate cannot go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A limit is reached.
    Limit(LimitKind),
    /// The request alone is larger than the limit: it can never fit.
    TooLarge(LimitKind),
    /// One of the caller's own limits is reached, or the request alone is larger: every candidate is refused
    /// for it.
    Caller(LimitKind),
    /// Something is cooling.
    Cooling {
        /// What.
        scope: ScopeKind,
        /// Why.
        reason: Reason,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = |kind| match kind {
            LimitKind::Rpm => "requests per minute",
            LimitKind::Tpm => "tokens per minute",
            LimitKind::Rpd => "requests per day",
            LimitKind::Burst => "requests per second",
            LimitKind::Concurrency => "requests in flight",
        };
        match self {
            Self::Limit(kind) => write!(f, "limit of {} reached", limit(*kind)),
            Self::TooLarge(kind) => write!(f, "request is larger than the limit of {}", limit(*kind)),
            Self::Caller(kind) => write!(f, "the caller's own limit of {} leaves no room", limit(*kind)),
            Self::Cooling { reason, .. } => f.write_str(reason.in_words()),
        }
    }
}

/// One candidate's refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// When it may go if nothing else happens; [`Duration::MAX`] for never. For concurrency it is
    /// the longest it can take: a release wakes earlier.
    pub retry_after: Duration,
    /// Why not now.
    pub why: Why,
}

/// The right to send one request: plain data, held by a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// Its name.
    pub id: PermitId,
    /// The key it is for.
    pub key: KeyId,
    /// The fingerprint of the key's secret at the time.
    pub fingerprint: Fingerprint,
    /// Where it is counted.
    pub domain: Domain,
    /// What the call does.
    pub method: Method,
    /// What it was charged.
    pub cost: Cost,
    /// When it was admitted, by the store's count and clock.
    pub stamp: Stamp,
    /// Whether it is the one probe of something half-open, or one of the calls by which an overloaded
    /// model is probed.
    pub probe: bool,
    /// Where else it is counted: [`Caller::ledger`].
    pub caller: Option<Box<Domain>>,
}

impl Permit {
    /// What the caller's own ledger was charged, as a permit of its own that is settled and ended with this
    /// one.
    #[must_use]
    pub fn of_caller(&self) -> Option<Self> {
        let domain = (**self.caller.as_ref()?).clone();
        Some(Self { id: PermitId(!self.id.0), domain, probe: false, caller: None, ..self.clone() })
    }
}

/// A granted permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Which candidate.
    pub index: usize,
    /// The permit.
    pub permit: Permit,
    /// What the domain has left.
    pub headroom: Headroom,
}

/// Refusals of candidates, in their order. There is room for four without allocation: a store in this process
/// is asked for few candidates at a time.
pub type Refusals = SmallVec<[Refusal; 4]>;

/// The limiter's answer: the refusals of the candidates tried, in their order, and the grant that
/// ended the trying, if one did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// One per candidate before the granted one; all of them when none was granted.
    pub refusals: Refusals,
    /// The permit.
    pub grant: Option<Grant>,
}

impl Reply {
    /// When the first of the refused candidates may go.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.refusals.iter().map(|r| r.retry_after).min().unwrap_or(Duration::MAX)
    }
}

/// How a permit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With an answer.
    Succeeded,
    /// Any other way: whatever blame there was has been reported by [`RateLimiter::cool`].
    Failed,
    /// The request never left this machine: its charge is given back.
    NeverSent,
}

/// What a cooldown is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One key with one secret.
    Key(KeyId, Fingerprint),
    /// One key with one secret, for one method on one bucket.
    Permission(KeyId, Fingerprint, Method, Bucket),
    /// A project.
    Project(Project),
    /// A bucket of a project.
    Domain(Domain),
    /// A bucket in every project.
    Model(Bucket),
    /// Every key of the pool.
    Pool,
}

impl Scope {
    /// The scope of `kind` that `permit` belongs to.
    #[must_use]
    pub fn of(kind: ScopeKind, permit: &Permit) -> Self {
        match kind {
            ScopeKind::Key => Self::Key(permit.key.clone(), permit.fingerprint),
            ScopeKind::Permission => {
                let bucket = permit.domain.bucket.clone();
                Self::Permission(permit.key.clone(), permit.fingerprint, permit.method, bucket)
            }
            ScopeKind::Project => Self::Project(permit.domain.project.clone()),
            ScopeKind::Domain => Self::Domain(permit.domain.clone()),
            ScopeKind::Model => Self::Model(permit.domain.bucket.clone()),
            ScopeKind::Pool => Self::Pool,
        }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ScopeKind {
        match self {
            Self::Key(..) => ScopeKind::Key,
            Self::Permission(..) => ScopeKind::Permission,
            Self::Project(_) => ScopeKind::Project,
            Self::Domain(_) => ScopeKind::Domain,
            Self::Model(_) => ScopeKind::Model,
            Self::Pool => ScopeKind::Pool,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key, _) => write!(f, "key {key}"),
            Self::Permission(key, _, method, bucket) => write!(f, "key {key} for {method:?} on {bucket}"),
            Self::Project(project) => write!(f, "project {project}"),
            Self::Domain(domain) => write!(f, "domain {domain}"),
            Self::Model(bucket) => write!(f, "model {bucket}"),
            Self::Pool => f.write_str("the whole pool"),
        }
    }
}

/// A report that something must cool.
#[derive(Debug, Clone)]
pub struct CoolReport {
    /// What.
    pub scope: Scope,
    /// How long.
    pub cool: CoolFor,
    /// Why.
    pub reason: Reason,
    /// The attempt it is about; `None` for an operator.
    pub stamp: Option<Stamp>,
    /// Projects in the pool, for telling one throttled project from a throttled machine.
    pub projects: usize,
    /// How calls of the model ended in this process since its last report, where
    /// [`Reason::Overloaded`] is judged by their share.
    pub samples: Samples,
}

/// How calls of one model ended in one process, by the second: the newest ten seconds.
pub type Samples = ArrayVec<Sample, 10>;

/// One second's part of [`Samples`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// How many seconds ago; 0 is the last second.
    pub age: u8,
    /// Calls that got an answer.
    pub succeeded: u32,
    /// Calls that the model had no capacity for.
    pub failed: u32,
}

/// What was opened since the same handle last asked, by whomever: an operator, a probe, a new secret.
/// What a caller remembers of refusals under these scopes is out of date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lifted {
    /// These scopes; none, most of the time.
    Scopes(Vec<Scope>),
    /// More than is remembered.
    All,
}

impl Lifted {
    /// Whether it is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Scopes(scopes) if scopes.is_empty())
    }
}

impl Default for Lifted {
    fn default() -> Self {
        Self::Scopes(Vec::new())
    }
}

/// What a report came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cooled {
    /// What is cooling now: [`Scope::Pool`] when the report turned out to be about this machine.
    pub scope: Scope,
    /// For how long from now: zero where too few calls failed to hold anybody back; `None` when the report
    /// was out of date and changed nothing.
    pub lasts: Option<Duration>,
}

/// How one candidate stands: for status, `explain` and the error that lists every key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Requests counted in the window.
    pub requests: u64,
    /// Input tokens counted in the window.
    pub tokens: u64,
    /// Requests counted in the Pacific day.
    pub day: u64,
    /// The key's requests in flight, counted only for keys with a concurrency limit.
    pub in_flight: u32,
    /// Why the request could not go now, if it could not: the refusal that lasts longest.
    pub refusal: Option<Refusal>,
}

/// The store could not decide.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// It did not answer, or its answer made no sense.
    #[error("limit store {store} is unavailable: {why}")]
    Unavailable {
        /// The store's name.
        store: &'static str,
        /// What happened.
        why: String,
    },
    /// A newer release wrote it in a format that this one would spoil.
    #[error(
        "limit store {store} was written by a newer release of keyrot (format {found}; this one knows {known})\n\
         hint: upgrade this program, or give it a pool of its own (`KEYROT_POOL`)"
    )]
    Newer {
        /// The store's name.
        store: &'static str,
        /// The format found there.
        found: u64,
        /// The newest that this release knows.
        known: u64,
    },
}

/// Counts use and holds cooldowns, atomically, for every process that shares the store.
///
/// For every domain, over all of them: charges in any 60 seconds never exceed RPM and TPM, in a
/// Pacific day never RPD; no second admits more than the burst; no key has more in flight than its
/// concurrency. A charge is an estimate until settled; an overrun is debt while it is in the window.
///
/// [`settle`](Self::settle) and [`release`](Self::release) return when they are accepted: they are
/// done before whatever the same handle is asked next, not before other handles are.
pub trait RateLimiter: fmt::Debug + Send + Sync + 'static {
    /// Tries the candidates in order and reserves the first that may go: one atomic step over all
    /// limits and cooldowns.
    ///
    /// Asking again by the same permit id, because an answer was lost, charges once and gives the
    /// same permit, while it is open and its charge in the window. Dropping the future gives up: what
    /// was or will be granted for it is given back as [`Ended::NeverSent`].
    fn reserve(&self, ask: &Ask<'_>) -> impl Future<Output = Result<Reply, LimitError>> + Send;

    /// Replaces the estimate of input tokens by what was really used, where the charge still is in
    /// the window. Doing it twice is doing it once.
    fn settle(&self, permit: &Permit, tokens: u64) -> impl Future<Output = Result<(), LimitError>> + Send;

    /// Ends a permit: its place in flight and its probe come back. Settle before: what is not settled
    /// now keeps its estimate.
    fn release(&self, permit: &Permit, ended: Ended) -> impl Future<Output = Result<(), LimitError>> + Send;

    /// Condemns a scope; [`Reason::Overloaded`] of a [`Scope::Model`] is evidence for its
    /// [`Breaker`](crate::Breaker), which decides alone for how long. Report before
    /// [`release`](Self::release), so that a probe's failure is known before its place is given away.
    fn cool(&self, report: &CoolReport) -> impl Future<Output = Result<Cooled, LimitError>> + Send;

    /// What was lifted since this handle was last asked this, as far as the store's answers have told:
    /// every answer tells. Does not ask the store.
    fn lifted(&self) -> Lifted;

    /// Asks the store for nothing but [`lifted`](Self::lifted): for who waits and has no other reason to
    /// ask.
    fn listen(&self) -> impl Future<Output = Result<(), LimitError>> + Send;

    /// Lifts a scope's cooldown: reports of permits granted before this are ignored from now on.
    fn lift(&self, scope: &Scope) -> impl Future<Output = Result<(), LimitError>> + Send;

    /// How each of `candidates` stands now, for a request of `cost` by `method`. Changes nothing.
    fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
        cost: Cost,
    ) -> impl Future<Output = Result<Vec<Standing>, LimitError>> + Send;
}

/// A remembered fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Its value; the writer's business.
    pub value: String,
    /// When it was written, by the store's clock.
    pub at: Timestamp,
}

/// Remembers what was learned: limits, aliases, counters. Names are `/`-separated paths.
pub trait FactStore: fmt::Debug + Send + Sync + 'static {
    /// The fact called `name`, unless it has aged out.
    fn get(&self, name: &str) -> impl Future<Output = Result<Option<Fact>, LimitError>> + Send;

    /// Writes a fact; `ttl` after now it is gone.
    fn put(
        &self,
        name: &str,
        value: &str,
        ttl: Option<Duration>,
    ) -> impl Future<Output = Result<(), LimitError>> + Send;

    /// All facts whose names begin with `prefix`, by name.
    fn scan(&self, prefix: &str) -> impl Future<Output = Result<Vec<(String, Fact)>, LimitError>> + Send;

    /// Adds `by` to a counter, which starts at 0, and gives its new value. A fact that is no number
    /// counts as 0. A fact that ages out keeps its end.
    fn increment(&self, name: &str, by: u64) -> impl Future<Output = Result<u64, LimitError>> + Send;
}
