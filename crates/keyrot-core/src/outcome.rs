//! What a finished attempt means: [`Outcome`], and what each one does to the pool: [`Effect`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cooldown::{CoolFor, Reason};
use crate::fault::{Deadline, Evidence, KeyFault, NetworkFault, ProjectFault};
use crate::quota::Quantity;

/// Tokens an answer reported (`usageMetadata`); `None` where it said nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Input tokens, cached ones included: what TPM counts.
    pub prompt_tokens: Option<u64>,
    /// Output tokens, thoughts included.
    pub output_tokens: Option<u64>,
}

/// A limit Google named in a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// The bucket it is counted under (`quotaDimensions.model`), which may differ from the model
    /// asked for.
    pub bucket: Option<String>,
    /// Which limit.
    pub quantity: Quantity,
    /// Its value: requests or tokens. Zero means the model is not in the project's tier.
    pub limit: u64,
}

/// What an attempt came to. Not `non_exhaustive`: a new outcome must break every place that has to
/// think about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// An answer.
    Success {
        /// What it used.
        usage: Usage,
    },
    /// 429: a per-minute limit of the domain.
    QuotaMinute {
        /// The longer of RetryInfo and the delay in the prose; zero when neither was there.
        retry_after: Duration,
        /// Limits named in the body.
        learned: Vec<Learned>,
    },
    /// 429: the per-day limit of the domain. RetryInfo may be a lie of seconds
    /// (gemini-wire §2.1, trap 1).
    QuotaDay {
        /// What the body said, where it said anything.
        retry_after: Option<Duration>,
        /// Limits named in the body.
        learned: Vec<Learned>,
    },
    /// 429 with a limit of zero: the model is not in the project's tier; waiting is useless.
    QuotaZero {
        /// Limits named in the body.
        learned: Vec<Learned>,
    },
    /// 429 without details: capacity, burst or abuse throttle, or a spend limit.
    Throttled {
        /// What the body or `Retry-After` said, where either said anything.
        retry_after: Option<Duration>,
    },
    /// The key is dead.
    KeyRejected {
        /// Why.
        fault: KeyFault,
        /// How sure that is.
        evidence: Evidence,
    },
    /// The key is restricted (referrer, address, application, API): lifts without a new secret.
    KeyRestricted {
        /// The number of the key's project, where the body named it.
        number: Option<String>,
    },
    /// "The caller does not have permission": this key may not use this method.
    OperationDenied,
    /// The project is out.
    ProjectRejected {
        /// Why.
        fault: ProjectFault,
        /// The project's number, where the body named it.
        number: Option<String>,
        /// How sure that is.
        evidence: Evidence,
    },
    /// 503, or 504 not caused by our own deadline: the model has no capacity anywhere.
    Overloaded,
    /// 500, 499, 502 or a body that is no Gemini error at all.
    ServerError {
        /// The HTTP status, or the code inside a stream.
        status: u16,
    },
    /// The network failed.
    Network(NetworkFault),
    /// A time limit of our own side ended the attempt. Says nothing about key, project or model.
    OwnDeadline(Deadline),
    /// 404: no such model here.
    ModelNotFound,
    /// 404: the model exists but is closed to this project ("no longer available to new users");
    /// another project may be served.
    ModelGated,
    /// The caller's own mistake (400).
    BadRequest,
    /// The safety filter refused prompt or answer.
    Blocked,
    /// A file or cached content that belongs to another project, or is gone.
    AffinityMiss,
    /// "User location is not supported": this machine's address; no key helps.
    LocationBlocked,
    /// The caller went away.
    Cancelled,
}

/// Where, if anywhere, to try next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Nowhere: the same request will fail the same way everywhere.
    Never,
    /// Another project: quota is the project's. Free of the retry budget.
    OtherProject,
    /// Exactly one other project.
    OneOtherProject,
    /// Another key of any project. Free of the retry budget.
    OtherKey,
    /// The same key with a fresh read of its secret, once; then another key.
    FreshSecret,
    /// Once more after a pause, anywhere.
    OnceSpaced,
    /// Again after a pause, anywhere, within `max_retries` and the budget.
    Spaced,
    /// The same model later; other keys do not help and would burn their daily quota.
    SameModelLater,
}

/// Which condemnation an outcome brings, before names are filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeKind {
    /// One key with one fingerprint.
    Key,
    /// One key with one fingerprint, for one method on one bucket.
    Permission,
    /// A project: all its keys and buckets.
    Project,
    /// A domain: one bucket of one project.
    Domain,
    /// A model bucket in every project.
    Model,
    /// Every key of the pool.
    Pool,
}

/// A condemnation: what, for how long, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condemn {
    /// What is condemned.
    pub scope: ScopeKind,
    /// How long.
    pub cool: CoolFor,
    /// Why.
    pub reason: Reason,
}

/// What an outcome does: one row of the table in ARCHITECTURE.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// Where to try next.
    pub retry: Retry,
    /// What to condemn.
    pub condemn: Option<Condemn>,
    /// What to condemn instead while that is not proven: where the answer does not name its reason
    /// ([`Outcome::evidence`]), or the key served somebody else a moment ago. It is taken back when
    /// every key that was asked answered alike.
    pub hinted: Option<Condemn>,
}

/// The shortest cooldown a refusal brings: RetryInfo may say `0s` (gemini-wire §2.1, trap 6).
const FLOOR: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A per-day refusal with a longer RetryInfo than this is a paid tier telling the truth.
const BELIEVABLE_DAY_DELAY: Duration = Duration::from_secs(300);

impl Outcome {
    /// The effect of this outcome: what may be retried, what is condemned.
    #[must_use]
    pub fn effect(&self) -> Effect {
        use CoolFor::{After, Escalating, NextPacificMidnight, UntilLifted};
        use ScopeKind::{Domain, Key, Model, Permission, Project};
        let condemning = |retry, scope, cool, reason| Effect {
            retry,
            condemn: Some(Condemn { scope, cool, reason }),
            hinted: None,
        };
        // What is not proven costs the model there for a short while, which grows.
        let pointing = |retry, scope, cool, reason, narrow| Effect {
            hinted: Some(Condemn { scope: narrow, cool: Escalating { at_least: Duration::ZERO }, reason }),
            ..condemning(retry, scope, cool, reason)
        };
        let harmless = |retry| Effect { retry, condemn: None, hinted: None };
        match self {
            Self::Success { .. } | Self::Cancelled => harmless(Retry::Never),
            Self::QuotaMinute { retry_after, .. } => {
                condemning(Retry::OtherProject, Domain, After((*retry_after).max(FLOOR)), Reason::QuotaMinute)
            }
            Self::QuotaDay { retry_after: Some(after), .. } if *after > BELIEVABLE_DAY_DELAY => {
                condemning(Retry::OtherProject, Domain, After(*after), Reason::QuotaDay)
            }
            Self::QuotaDay { .. } => {
                condemning(Retry::OtherProject, Domain, NextPacificMidnight, Reason::QuotaDay)
            }
            Self::QuotaZero { .. } => condemning(Retry::OtherProject, Domain, After(DAY), Reason::QuotaZero),
            Self::Throttled { retry_after } => {
                // Whoever throttles knows best for how long.
                let cool = match retry_after {
                    Some(after) => After((*after).max(FLOOR)),
                    None => Escalating { at_least: Duration::ZERO },
                };
                condemning(Retry::OnceSpaced, Domain, cool, Reason::Throttled)
            }
            Self::KeyRejected { fault, .. } => {
                pointing(Retry::FreshSecret, Key, UntilLifted, Reason::KeyRejected(*fault), Permission)
            }
            Self::KeyRestricted { .. } => {
                pointing(Retry::OtherKey, Key, After(HOUR), Reason::KeyRestricted, Permission)
            }
            Self::OperationDenied => {
                pointing(Retry::OtherKey, Permission, After(HOUR), Reason::OperationDenied, Permission)
            }
            Self::ProjectRejected { fault, .. } => {
                pointing(Retry::OtherProject, Project, After(HOUR), Reason::ProjectRejected(*fault), Domain)
            }
            Self::Overloaded => condemning(
                Retry::SameModelLater,
                Model,
                Escalating { at_least: Duration::ZERO },
                Reason::Overloaded,
            ),
            Self::ModelNotFound => {
                let effect = condemning(Retry::OneOtherProject, Domain, After(DAY), Reason::ModelNotFound);
                // There is nothing narrower, but a wrong name is the request's fault.
                Effect { hinted: effect.condemn, ..effect }
            }
            Self::ModelGated => condemning(Retry::OtherProject, Domain, After(DAY), Reason::ModelNotFound),
            Self::ServerError { .. } | Self::Network(_) | Self::OwnDeadline(Deadline::Client) => {
                harmless(Retry::Spaced)
            }
            // The caller's time is over: nobody waits for another attempt.
            Self::OwnDeadline(Deadline::Caller) => harmless(Retry::Never),
            Self::BadRequest | Self::Blocked | Self::AffinityMiss | Self::LocationBlocked => {
                harmless(Retry::Never)
            }
        }
    }

    /// Whether the attempt never left this machine, so that its charge is given back.
    #[must_use]
    pub fn never_sent(&self) -> bool {
        matches!(self, Self::Network(NetworkFault::Connect))
    }

    /// The limits the answer named.
    #[must_use]
    pub fn learned(&self) -> &[Learned] {
        match self {
            Self::QuotaMinute { learned, .. }
            | Self::QuotaDay { learned, .. }
            | Self::QuotaZero { learned } => learned,
            _ => &[],
        }
    }

    /// The number of the project that the key belongs to, where the answer named it.
    #[must_use]
    pub fn project_number(&self) -> Option<&str> {
        match self {
            Self::KeyRestricted { number } | Self::ProjectRejected { number, .. } => number.as_deref(),
            _ => None,
        }
    }

    /// How well the answer proves that its key or project is at fault; `None` where it blames
    /// neither.
    #[must_use]
    pub fn evidence(&self) -> Option<Evidence> {
        match self {
            Self::KeyRejected { evidence, .. } | Self::ProjectRejected { evidence, .. } => Some(*evidence),
            // Every form of it names what is blocked.
            Self::KeyRestricted { .. } => Some(Evidence::Named),
            // Also what a key without access to a preview model gets.
            Self::OperationDenied => Some(Evidence::Hinted),
            _ => None,
        }
    }

    /// A short stable name for logs and metrics, such as `quota_minute`.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Success { .. } => "success",
            Self::QuotaMinute { .. } => "quota_minute",
            Self::QuotaDay { .. } => "quota_day",
            Self::QuotaZero { .. } => "quota_zero",
            Self::Throttled { .. } => "throttled",
            Self::KeyRejected { .. } => "key_rejected",
            Self::KeyRestricted { .. } => "key_restricted",
            Self::OperationDenied => "operation_denied",
            Self::ProjectRejected { .. } => "project_rejected",
            Self::Overloaded => "overloaded",
            Self::ServerError { .. } => "server_error",
            Self::Network(_) => "network",
            Self::OwnDeadline(_) => "own_deadline",
            Self::ModelNotFound => "model_not_found",
            Self::ModelGated => "model_gated",
            Self::BadRequest => "bad_request",
            Self::Blocked => "blocked",
            Self::AffinityMiss => "affinity_miss",
            Self::LocationBlocked => "location_blocked",
            Self::Cancelled => "cancelled",
        }
    }
}
