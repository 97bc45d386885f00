//! The pure decisions of keyrot: which key may go now, what an answer means, and what it condemns.
//!
//! Nothing here does I/O, runs a runtime or reads a clock: every decision is a function of
//! (state, event, now).

pub mod breaker;
pub mod bucket;
pub mod call;
pub mod clock;
pub mod cooldown;
pub mod env;
pub mod fault;
pub mod id;
pub mod keys;
pub mod leak;
pub mod limit;
pub mod outcome;
pub mod pacific;
pub mod quota;
pub mod secret;
pub mod select;
pub mod untrusted;

pub use breaker::Breaker;
pub use clock::{Clock, FakeClock, Sleep, Timestamp};
pub use cooldown::{CoolFor, Cooldown, Gate, Reason, Stamp};
pub use env::{EnvMap, Origin};
pub use fault::{Deadline, Evidence, KeyFault, NetworkFault, ProjectFault};
pub use id::{Bucket, Domain, Endpoint, Fingerprint, IllegalKeyId, KeyId, ModelId, PermitId, Project};
pub use keys::{
    Finding, Findings, Key, KeySet, ModelFilter, Parsed, PoolConfig, SecretRef, Severity, StoreKind,
    UnknownStore,
};
pub use limit::{
    Ask, Caller, Candidate, CoolReport, Cooled, Ended, Fact, FactStore, Grant, Lifted, LimitError, LimitKind,
    MAX_CANDIDATES, Method, Permit, RateLimiter, Refusal, Refusals, Reply, Sample, Samples, Scope, Standing,
    Why,
};
pub use outcome::{Condemn, Effect, Learned, Outcome, Retry, ScopeKind, Usage};
pub use pacific::PacificDay;
pub use quota::{Cost, Headroom, Limits, Quantity};
pub use secret::{Secret, SecretError, SecretStore};
pub use untrusted::UntrustedText;
