//! What an answer means: [`classify`], a pure function of status and body.
//!
//! Rules that are not obvious from the code:
//! - The HTTP status outranks the `code` in the body, except under 2xx, where an error object is
//!   the end of a stream or an array and its own code is all there is.
//! - Prose is matched at the *start* of a message. The rest of a message may quote what the caller
//!   sent, and a caller must not be able to condemn a key by quoting an error.
//! - An answer that is no Gemini error (HTML of a proxy, a captive portal) never condemns anything
//!   but, for 429, softly the domain. One bare text of Google's own hints at a key: no proof.
//! - `Retry-After` is heard under 429, though Google sends none: gateways in front of it do.
//! - A 504 while the request carried a deadline of the caller's own is that deadline's.
//! - What is unknown falls to the side that harms no key: 4xx is the caller's mistake, 5xx the
//!   server's.

mod envelope;
mod quota;
mod refusal;

use std::fmt;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap};
use keyrot_core::{Deadline, Evidence, KeyFault, NetworkFault, Outcome, Usage};
use serde_json::Value;

pub(crate) use envelope::Envelope;

use crate::delay;
use crate::wire::GenerateResponse;

/// The server's own bound for a unary answer: a caller's deadline beyond it never passes first.
const SERVER_BOUND: Duration = Duration::from_secs(600);

/// The head of an answer: what its meaning depends on besides the body.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    status: u16,
    headers: &'a HeaderMap,
    server_timeout: Option<Duration>,
}

impl<'a> Head<'a> {
    /// The head of an answer to a request that set the server no deadline.
    #[must_use]
    pub const fn new(status: u16, headers: &'a HeaderMap) -> Self {
        Self { status, headers, server_timeout: None }
    }

    /// Sets the deadline that the request carried in `X-Server-Timeout`.
    #[must_use]
    pub const fn server_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.server_timeout = timeout;
        self
    }

    pub(crate) const fn status(&self) -> u16 {
        self.status
    }

    fn media(&self) -> &str {
        self.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default()
    }

    /// Whether the caller's deadline may be what passed, where the answer says that one has.
    fn callers_deadline(&self) -> bool {
        self.server_timeout.is_some_and(|timeout| timeout < SERVER_BOUND)
    }

    fn retry_after(&self) -> Option<Duration> {
        delay::in_headers(self.headers)
    }
}

impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, headers: _, server_timeout } = self;
        f.debug_struct("Head")
            .field("status", status)
            .field("server_timeout", server_timeout)
            .finish_non_exhaustive()
    }
}

/// What the answer to one attempt means.
///
/// Of the headers, `Retry-After` counts under 429, and the media type under 2xx, where it tells a broken JSON body (truncated) from one
/// that was never JSON (a download). A whole JSON answer is looked into: usage, refusals of the
/// safety filter, and the error object that ends a stream. Events of a stream are not decoded
/// here; see [`sse`](crate::sse).
///
/// ```
/// use gemini_client::classify;
/// use gemini_client::Head;
/// use http::HeaderMap;
/// use keyrot_core::Outcome;
/// let headers = HeaderMap::new();
/// let body = br#"{"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}"#;
/// assert_eq!(classify(&Head::new(503, &headers), body), Outcome::Overloaded);
/// assert_eq!(classify(&Head::new(502, &headers), b"<html>"), Outcome::ServerError { status: 502 });
/// ```
#[must_use]
pub fn classify(head: &Head<'_>, body: &[u8]) -> Outcome {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    if (200..300).contains(&head.status) {
        return success(head, body, parsed);
    }
    match parsed.as_ref().and_then(Envelope::find) {
        Some(envelope) => refusal::outcome(head, &envelope),
        None => foreign(head, body),
    }
}

fn success(head: &Head<'_>, body: &[u8], parsed: Option<Value>) -> Outcome {
    let (status, media) = (head.status, head.media());
    match parsed {
        Some(value) => match Envelope::find(&value) {
            Some(envelope) => {
                refusal::outcome(&Head { status: envelope.code.unwrap_or(500), ..*head }, &envelope)
            }
            None => answered(value),
        },
        // A proxy's page in place of the answer.
        None if media.starts_with("text/html") => Outcome::ServerError { status },
        None if media.contains("json") && !body.is_empty() => Outcome::Network(NetworkFault::Truncated),
        None => Outcome::Success { usage: Usage::default() },
    }
}

/// The outcome of one answer, or of an array of chunks: their usage is a running total.
fn answered(value: Value) -> Outcome {
    let chunks = match value {
        Value::Array(chunks) => chunks,
        whole => vec![whole],
    };
    let mut usage = Usage::default();
    for chunk in chunks {
        // What is no answer of generateContent (a list, an operation) has no usage to tell.
        let Ok(chunk) = serde_json::from_value::<GenerateResponse>(chunk) else { continue };
        if chunk.outcome() == Outcome::Blocked {
            return Outcome::Blocked;
        }
        if chunk.usage_metadata.is_some() {
            usage = chunk.usage();
        }
    }
    Outcome::Success { usage }
}

/// An answer that is no Gemini error.
fn foreign(head: &Head<'_>, body: &[u8]) -> Outcome {
    match head.status {
        // What Google's front door says of a key that is minutes old, and only a hint.
        400 | 401 | 403 if refusal::says_key_not_found(&String::from_utf8_lossy(body)) => {
            Outcome::KeyRejected { fault: KeyFault::Invalid, evidence: Evidence::Hinted }
        }
        429 => Outcome::Throttled { retry_after: head.retry_after() },
        504 if head.callers_deadline() => Outcome::OwnDeadline(Deadline::Caller),
        status => foreign_status(status),
    }
}

fn foreign_status(status: u16) -> Outcome {
    match status {
        408 | 499 => Outcome::ServerError { status },
        400..=498 => Outcome::BadRequest,
        _ => Outcome::ServerError { status },
    }
}

#[cfg(test)]
mod tests;
