//! The one error of this crate: [`Error`], its [`ErrorKind`], and what it means: an `Outcome`.

use std::fmt;
use std::time::Duration;

use keyrot_core::untrusted::redact;
use keyrot_core::{Deadline, Evidence, KeyFault, NetworkFault, Outcome, ProjectFault, UntrustedText};

use crate::classify::{Envelope, Head, classify};

/// Why a call failed.
///
/// Holds no source: the texts of the errors beneath stand in [`message`](Self::message), without
/// URLs and with every key taken out. What [`outcome`](Self::outcome) says is all that a decision
/// to retry needs.
pub struct Error(Box<Inner>);

struct Inner {
    cause: Cause,
    message: UntrustedText,
}

/// What went wrong, with what the outcome needs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    InvalidKey,
    InvalidRequest,
    Connect,
    Timeout(Wait),
    Broken,
    Truncated,
    TooLarge,
    Undecodable { status: u16 },
    Refused { status: u16, outcome: Outcome },
}

/// What kind of failure an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The key cannot be sent: it holds a character no header may hold.
    InvalidKey,
    /// The request cannot be sent: the model's name or the path is not one.
    InvalidRequest,
    /// No connection; nothing was sent.
    Connect,
    /// A timeout of ours passed.
    Timeout(Wait),
    /// The connection broke before the answer was whole.
    Broken,
    /// The answer ended before it was whole.
    Truncated,
    /// The answer is larger than [`Config::max_answer`](crate::Config::max_answer).
    TooLarge,
    /// The answer is no JSON of the kind the API promises.
    Undecodable,
    /// The server said no, with a status or inside a stream.
    Refused,
}

/// Which timeout passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wait {
    /// The wait for the answer's head.
    FirstByte,
    /// The wait between two pieces of its body.
    Idle,
    /// The whole call.
    Total,
    /// The server's wait for our reader: the connection broke after the body had been left unread
    /// for a minute.
    Reader,
}

impl Error {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0.cause {
            Cause::InvalidKey => ErrorKind::InvalidKey,
            Cause::InvalidRequest => ErrorKind::InvalidRequest,
            Cause::Connect => ErrorKind::Connect,
            Cause::Timeout(wait) => ErrorKind::Timeout(*wait),
            Cause::Broken => ErrorKind::Broken,
            Cause::Truncated => ErrorKind::Truncated,
            Cause::TooLarge => ErrorKind::TooLarge,
            Cause::Undecodable { .. } => ErrorKind::Undecodable,
            Cause::Refused { .. } => ErrorKind::Refused,
        }
    }

    /// What the attempt came to.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match &self.0.cause {
            Cause::InvalidKey => Outcome::KeyRejected { fault: KeyFault::Invalid, evidence: Evidence::Named },
            // A larger answer comes back however often the same thing is asked.
            Cause::InvalidRequest | Cause::TooLarge => Outcome::BadRequest,
            Cause::Connect => Outcome::Network(NetworkFault::Connect),
            Cause::Timeout(_) => Outcome::OwnDeadline(Deadline::Client),
            Cause::Broken => Outcome::Network(NetworkFault::Broken),
            Cause::Truncated => Outcome::Network(NetworkFault::Truncated),
            Cause::Undecodable { status } => Outcome::ServerError { status: *status },
            Cause::Refused { outcome, .. } => outcome.clone(),
        }
    }

    /// The status of the answer, where there was one; for an error inside a stream its own code.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.0.cause {
            Cause::Undecodable { status } | Cause::Refused { status, .. } => Some(*status),
            Cause::InvalidKey
            | Cause::InvalidRequest
            | Cause::Connect
            | Cause::Timeout(_)
            | Cause::Broken
            | Cause::Truncated
            | Cause::TooLarge => None,
        }
    }

    /// What the server or the network said; may be empty.
    #[must_use]
    pub fn message(&self) -> &UntrustedText {
        &self.0.message
    }

    fn new(cause: Cause, message: impl Into<UntrustedText>) -> Self {
        Self(Box::new(Inner { cause, message: message.into() }))
    }

    pub(crate) fn invalid_key() -> Self {
        Self::new(Cause::InvalidKey, "")
    }

    pub(crate) fn invalid_request(why: &str) -> Self {
        Self::new(Cause::InvalidRequest, why)
    }

    pub(crate) fn timeout(wait: Wait, after: Option<Duration>) -> Self {
        let after = after.map(|after| format!("{after:?}")).unwrap_or_default();
        Self::new(Cause::Timeout(wait), after)
    }

    pub(crate) fn truncated(what: &str) -> Self {
        Self::new(Cause::Truncated, what)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(Cause::TooLarge, format!("more than {limit} bytes"))
    }

    pub(crate) fn undecodable(status: u16, why: &serde_json::Error) -> Self {
        // Only the place: serde quotes the offending text, which may be anything.
        let place = format!("at line {} column {}", why.line(), why.column());
        Self::new(Cause::Undecodable { status }, place)
    }

    /// An answer that [`classify`] gives no success for.
    pub(crate) fn refused(head: &Head<'_>, body: &[u8]) -> Self {
        let status = head.status();
        let outcome = without_secrets(classify(head, body));
        let envelope = serde_json::from_slice(body).ok().as_ref().and_then(Envelope::find);
        let (said, code) = match envelope {
            Some(envelope) => (envelope.message, envelope.code),
            None => (String::from_utf8_lossy(body).trim().to_owned(), None),
        };
        let status = if (200..300).contains(&status) { code.unwrap_or(status) } else { status };
        Self::new(Cause::Refused { status, outcome }, said)
    }

    /// A failure before the answer's head was there.
    pub(crate) fn sending(error: reqwest::Error) -> Self {
        let cause = if error.is_connect() {
            Cause::Connect
        } else if error.is_builder() {
            Cause::InvalidRequest
        } else {
            Cause::Broken
        };
        Self::new(cause, chain(error))
    }

    /// A failure while the body was read.
    pub(crate) fn receiving(error: reqwest::Error) -> Self {
        let cause = match io_error(&error) {
            Some(std::io::ErrorKind::UnexpectedEof) => Cause::Truncated,
            Some(_) | None => Cause::Broken,
        };
        Self::new(cause, chain(error))
    }
}

/// What an outcome repeats of a body are the names of buckets: one that holds a secret is dropped.
fn without_secrets(mut outcome: Outcome) -> Outcome {
    if let Outcome::QuotaMinute { learned, .. }
    | Outcome::QuotaDay { learned, .. }
    | Outcome::QuotaZero { learned } = &mut outcome
    {
        let clean = |bucket: &str| redact(bucket) == bucket;
        learned.retain(|limit| limit.bucket.as_deref().is_none_or(clean));
    }
    outcome
}

/// The kind of the deepest I/O error beneath `error`.
fn io_error(error: &reqwest::Error) -> Option<std::io::ErrorKind> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut found = None;
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            found = Some(io.kind());
        }
        next = error.source();
    }
    found
}

/// The texts of an error and all beneath it, without the URL.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(source) = next {
        let line = source.to_string();
        if !text.ends_with(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        next = source.source();
    }
    text
}

impl std::error::Error for Error {}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { cause, message } = &*self.0;
        f.debug_struct("Error").field("cause", cause).field("message", message).finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.cause {
            Cause::InvalidKey => f.write_str("the key holds a character that no HTTP header may hold")?,
            Cause::InvalidRequest => f.write_str("the request cannot be sent")?,
            Cause::Connect => f.write_str("no connection to the Gemini API")?,
            Cause::Timeout(Wait::FirstByte) => f.write_str("no answer within the first-byte timeout")?,
            Cause::Timeout(Wait::Idle) => f.write_str("the answer stalled for the idle timeout")?,
            Cause::Timeout(Wait::Reader) => {
                f.write_str("the connection broke after the answer was left unread for long")?
            }
            Cause::Timeout(Wait::Total) => f.write_str("the call took the total timeout")?,
            Cause::Broken => f.write_str("the connection broke")?,
            Cause::Truncated => f.write_str("the answer ended before it was whole")?,
            Cause::TooLarge => f.write_str("the answer is too large")?,
            Cause::Undecodable { status } => {
                write!(f, "the answer with status {status} is no Gemini answer")?
            }
            Cause::Refused { status, outcome } => write!(f, "status {status} ({})", outcome.label())?,
        }
        if !self.0.message.is_empty() {
            write!(f, ": {}", self.0.message)?;
        }
        match hint(self.kind(), &self.outcome()) {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// What the reader can do about it, where there is something.
fn hint(kind: ErrorKind, outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::KeyRejected { .. } => Some("make a new key at https://aistudio.google.com/apikey"),
        Outcome::KeyRestricted { .. } => Some("lift the key's restrictions in the Google Cloud console"),
        Outcome::OperationDenied => {
            Some("this key may not use this method; its service account lacks the right")
        }
        Outcome::ProjectRejected { fault: ProjectFault::ServiceDisabled, .. } => {
            Some("enable the Generative Language API in the key's project")
        }
        Outcome::ProjectRejected { fault: ProjectFault::Billing, .. } => {
            Some("see to the project's billing at https://ai.studio/projects")
        }
        Outcome::ProjectRejected { fault: ProjectFault::Denied | ProjectFault::Suspended, .. } => {
            Some("use a key of another project; only Google can lift this")
        }
        Outcome::QuotaMinute { .. } | Outcome::Throttled { .. } => {
            Some("wait, or use a key of another project")
        }
        Outcome::QuotaDay { .. } => Some("the limit refills at midnight Pacific time"),
        Outcome::QuotaZero { .. } => {
            Some("the model is not in the project's tier: take another model or a paid project")
        }
        Outcome::Overloaded => Some("the model is overloaded everywhere: wait, or take another model"),
        Outcome::ModelGated => Some("take another model, or a project that is served this one"),
        Outcome::ModelNotFound => Some("list the models this key may use, and check the name"),
        Outcome::AffinityMiss => {
            Some("the file or cache is another project's or has expired: make it again with this key")
        }
        Outcome::LocationBlocked => Some("Google does not serve the API to this machine's address"),
        Outcome::Network(NetworkFault::Connect) => Some("check the network, the base URL and `HTTPS_PROXY`"),
        Outcome::BadRequest if kind == ErrorKind::TooLarge => Some("raise `max_answer`"),
        Outcome::OwnDeadline(Deadline::Caller) => Some("allow the request more time"),
        Outcome::OwnDeadline(Deadline::Client)
        | Outcome::Network(NetworkFault::Broken | NetworkFault::Truncated)
        | Outcome::Success { .. }
        | Outcome::ServerError { .. }
        | Outcome::BadRequest
        | Outcome::Blocked
        | Outcome::Cancelled => None,
    }
}
