//! What the operator declares: projects with their quotas, keys, and the states both can be in.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};

/// Billing tier of a project; it decides the metric names, quota ids and retry hints of a 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// No billing account.
    #[default]
    Free,
    /// Paid tier 1.
    Paid1,
    /// Paid tier 2.
    Paid2,
    /// Paid tier 3.
    Paid3,
}

/// Limits of one bucket (project × base model). `None` is unlimited; `Some(0)` is "not in your tier".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Requests per minute.
    #[serde(default)]
    pub rpm: Option<u64>,
    /// Input tokens per minute.
    #[serde(default)]
    pub tpm: Option<u64>,
    /// Requests per Pacific day.
    #[serde(default)]
    pub rpd: Option<u64>,
}

impl Quota {
    /// No limit at all.
    pub const UNLIMITED: Self = Self { rpm: None, tpm: None, rpd: None };
    /// The model is not in the project's tier: every request is refused with `limit: 0`.
    pub const DISABLED: Self = Self { rpm: Some(0), tpm: Some(0), rpd: Some(0) };
}

/// How the server treats every request of a project, whatever the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectState {
    /// Served.
    #[default]
    Ok,
    /// 403 `SERVICE_DISABLED`: the API is not switched on.
    ServiceDisabled,
    /// 403 "Your project has been denied access".
    Denied,
    /// 403 `CONSUMER_SUSPENDED`; the message repeats the caller's key.
    Suspended,
    /// 429 "prepayment credits are depleted", on generation only.
    PrepayDepleted,
    /// 400 "User location is not supported".
    LocationBlocked,
    /// 400 "User location is not supported … without a billing account linked".
    LocationNeedsBilling,
}

/// A project: the owner of quota.
#[derive(Debug, Clone)]
pub struct ProjectSpec {
    pub(crate) id: String,
    pub(crate) number: Option<String>,
    pub(crate) tier: Tier,
    pub(crate) state: ProjectState,
    pub(crate) quotas: HashMap<String, Quota>,
    pub(crate) default_quota: Quota,
    pub(crate) gated: BTreeSet<String>,
}

impl ProjectSpec {
    /// A free-tier project without limits.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            number: None,
            tier: Tier::Free,
            state: ProjectState::Ok,
            quotas: HashMap::new(),
            default_quota: Quota::UNLIMITED,
            gated: BTreeSet::new(),
        }
    }

    /// Sets the billing tier (default: free).
    #[must_use]
    pub const fn tier(mut self, tier: Tier) -> Self {
        self.tier = tier;
        self
    }

    /// Sets the project number shown as `projects/N` in some 403 bodies (default: assigned by order).
    #[must_use]
    pub fn number(mut self, number: impl Into<String>) -> Self {
        self.number = Some(number.into());
        self
    }

    /// Sets the limits of one bucket, named by its base model.
    #[must_use]
    pub fn quota(mut self, bucket: impl Into<String>, quota: Quota) -> Self {
        self.quotas.insert(bucket.into(), quota);
        self
    }

    /// Sets the limits of the buckets not named with [`ProjectSpec::quota`] (default: unlimited).
    #[must_use]
    pub const fn default_quota(mut self, quota: Quota) -> Self {
        self.default_quota = quota;
        self
    }

    /// Closes a model to this project: 404 "no longer available to new users" whatever is asked of it but its card.
    #[must_use]
    pub fn gated(mut self, model: impl Into<String>) -> Self {
        self.gated.insert(model.into());
        self
    }

    /// Sets the initial state (default: [`ProjectState::Ok`]).
    #[must_use]
    pub const fn state(mut self, state: ProjectState) -> Self {
        self.state = state;
        self
    }
}

/// How the server treats one key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Accepted.
    #[default]
    Valid,
    /// 400 `API_KEY_INVALID`; also the verdict on secrets nobody registered.
    Invalid,
    /// 400 `API_KEY_INVALID` in details that do not say their type.
    InvalidUntyped,
    /// 400 "API Key not found", without details: a key that is minutes old.
    NotFound,
    /// 400 `API_KEY_INVALID`, "API key expired".
    Expired,
    /// 403 "reported as leaked", without details.
    Leaked,
    /// 403 `API_KEY_SERVICE_BLOCKED`; names the project number.
    ServiceBlocked,
    /// 403 `API_KEY_HTTP_REFERRER_BLOCKED`.
    ReferrerBlocked,
    /// 403 `API_KEY_IP_ADDRESS_BLOCKED`.
    IpBlocked,
    /// 400 "Invalid Auth key.", without details.
    BadAuthKey,
    /// 401 `ACCESS_TOKEN_TYPE_UNSUPPORTED`.
    TokenTypeUnsupported,
    /// 403 "The caller does not have permission" on one operation, accepted on the others.
    NoPermission {
        /// The operation as the log names it, such as `generateContent` or `countTokens`.
        operation: String,
    },
}

/// A key and the project it belongs to.
#[derive(Clone)]
pub struct KeySpec {
    pub(crate) secret: String,
    pub(crate) project: String,
    pub(crate) state: KeyState,
}

impl KeySpec {
    /// A valid key of `project`.
    pub fn new(secret: impl Into<String>, project: impl Into<String>) -> Self {
        Self { secret: secret.into(), project: project.into(), state: KeyState::Valid }
    }

    /// Sets the initial state.
    #[must_use]
    pub fn state(mut self, state: KeyState) -> Self {
        self.state = state;
        self
    }
}

impl fmt::Debug for KeySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret: _, project, state } = self;
        f.debug_struct("KeySpec").field("project", project).field("state", state).finish_non_exhaustive()
    }
}
