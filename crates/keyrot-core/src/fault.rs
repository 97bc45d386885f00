//! What can be wrong with a key, a project, the network, and how well an answer proves it.

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
    /// The connection broke before the answer was whole.
    Broken,
    /// A stream ended without `finishReason`, or the body was not what HTTP promised.
    Truncated,
}

/// Which time limit of our own side ended an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deadline {
    /// The caller's: the request carried a short `X-Server-Timeout`, and the server kept it (504).
    Caller,
    /// The client's: a timeout of its own passed (first byte, idle, total), or the connection broke
    /// after the reader of a stream had left it unread for long.
    Client,
}

/// How well a refusal proves that its key or project is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// It names its reason, by a reason code or by documented text: "API key expired".
    Named,
    /// It only points at the key or the project: a bare 401, or text that other causes produce too.
    Hinted,
}
