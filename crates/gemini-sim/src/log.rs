//! The request log: what came, what the server decided, what it charged.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::project::{KeyState, ProjectState};

/// What the server decided about a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// A generation, admitted, charged and answered.
    Admitted,
    /// An operation without quota (`countTokens`, `models.*`), answered.
    Served,
    /// 429: a limit per minute is exceeded, and no daily one.
    QuotaMinute {
        /// Full name of the first exceeded metric.
        metric: String,
    },
    /// 429: the daily limit is exceeded (perhaps others too).
    QuotaDay,
    /// 429: the model is not in the project's tier.
    QuotaZero,
    /// The key was refused for being in this state.
    KeyRefused(KeyState),
    /// The project was refused for being in this state.
    ProjectRefused(ProjectState),
    /// The fault of this name struck.
    Fault(String),
    /// 400: the request makes no sense, or has too many input tokens.
    BadRequest,
    /// 403: the request names a file or cached content the project does not own.
    NotOwned,
    /// 404: no such page, or no such model, or not for this project.
    NotFound,
    /// 504: the request's own `X-Server-Timeout` was over before the answer would have begun.
    DeadlineExceeded,
    /// 403: no key at all.
    NoKey,
    /// 400: a key and a bearer token.
    TwoCredentials,
}

/// One request. The secret is a field but appears in no rendering: `Debug`, `Display` and serialization show
/// `key_label` instead.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LogEntry {
    /// When the request was judged, by the server's clock.
    pub at_ms: u64,
    /// Number of the request on this server, from 0.
    pub seq: u64,
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// `v1`, `v1beta` or `v1alpha`.
    pub api_version: String,
    /// `generateContent`, `streamGenerateContent`, `countTokens`, `models.list`, `models.get`, another method
    /// name as the path has it, or empty for an unknown page.
    pub operation: String,
    /// Model of the path, empty if it names none.
    pub model: String,
    /// Base model whose quota was consulted, empty if none was.
    pub bucket: String,
    /// Project of the key.
    pub project: Option<String>,
    /// The secret the caller sent.
    #[serde(skip)]
    pub key: Option<String>,
    /// `key#1`, `key#2`, … in order of registration; `unknown` for a secret nobody registered.
    #[serde(rename = "key")]
    pub key_label: Option<String>,
    /// What the server decided.
    pub verdict: Verdict,
    /// HTTP status; 0 when the answer was silence or a reset.
    pub status: u16,
    /// Input tokens of the request, 0 where they were not counted.
    pub input_tokens: u64,
    /// Whether request and tokens count against the quota.
    pub charged: bool,
}

impl fmt::Debug for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogEntry({self})")
    }
}

impl fmt::Display for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at_ms, seq, method, path, verdict, status, input_tokens, charged, .. } = self;
        let key = self.key_label.as_deref().unwrap_or("no key");
        let charged = if *charged { ", charged" } else { "" };
        write!(
            f,
            "{at_ms} #{seq} {method} {path} by {key}: {status} {verdict:?}, {input_tokens} tokens{charged}"
        )
    }
}

/// Is told of requests as they are answered; see [`SimBuilder::on_request`](crate::SimBuilder::on_request).
pub type OnRequestFn = Arc<dyn Fn(&LogEntry) + Send + Sync>;
