//! What can be wrong with a key, a project, the network.

use serde::{Deserialize, Serialize};

/// Why a key is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFault {
    /// `API_KEY_INVALID`, or an auth key Google does not know.
    Invalid,
    /// "API key expired".
    Expired,
    /// Google found it published and has switched it off.
    Leaked,
    /// 401: a kind of key that is no longer accepted.
    Unauthenticated,
}

/// Why a project is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectFault {
    /// The API is not enabled in it.
    ServiceDisabled,
    /// "Your project has been denied access".
    Denied,
    /// The consumer is suspended.
    Suspended,
    /// Billing is off, or prepaid credit is used up.
    Billing,
}

/// How the network failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkFault {
    /// No connection could be made. The request never left this machine.
    Connect,
    /// A timeout of ours passed: first byte, idle, or total.
    Timeout,
    /// The connection broke before the answer was whole.
    Broken,
    /// A stream ended without `finishReason`, or the body was not what HTTP promised.
    Truncated,
}
