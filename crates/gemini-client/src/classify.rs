//! What an answer means: [`classify`], a pure function of status and body.
//!
//! Rules that are not obvious from the code:
//! - The HTTP status outranks the `code` in the body, except under 2xx, where an error object is
//!   the end of a stream or an array and its own code is all there is.
//! - Prose is matched at the *start* of a message. The rest of a message may quote what the caller
//!   sent, and a caller must not be able to condemn a key by quoting an error.
//! - An answer that is no Gemini error (HTML of a proxy, a captive portal) never condemns anything
//!   but, for 429, softly the domain.
//! - What is unknown falls to the side that harms no key: 4xx is the caller's mistake, 5xx the
//!   server's.

mod envelope;
mod quota;
mod refusal;

use keyrot_core::{NetworkFault, Outcome, Usage};
use serde_json::Value;

pub(crate) use envelope::Envelope;

use crate::wire::GenerateResponse;

/// What the answer to one attempt means.
///
/// `content_type` matters only under 2xx, where it tells a broken JSON body (truncated) from one
/// that was never JSON (a download). A whole JSON answer is looked into: usage, refusals of the
/// safety filter, and the error object that ends a stream. Events of a stream are not decoded
/// here; see [`sse`](crate::sse).
///
/// ```
/// use gemini_client::classify;
/// use keyrot_core::Outcome;
/// let body = br#"{"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}"#;
/// assert_eq!(classify(503, Some("application/json"), body), Outcome::Overloaded);
/// assert_eq!(classify(502, Some("text/html"), b"<html>"), Outcome::ServerError { status: 502 });
/// ```
#[must_use]
pub fn classify(status: u16, content_type: Option<&str>, body: &[u8]) -> Outcome {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    if (200..300).contains(&status) {
        return success(status, content_type, body, parsed);
    }
    match parsed.as_ref().and_then(Envelope::find) {
        Some(envelope) => refusal::outcome(status, &envelope),
        None => foreign(status),
    }
}

fn success(status: u16, content_type: Option<&str>, body: &[u8], parsed: Option<Value>) -> Outcome {
    let media = content_type.unwrap_or_default();
    match parsed {
        Some(value) => match Envelope::find(&value) {
            Some(envelope) => refusal::outcome(envelope.code.unwrap_or(500), &envelope),
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
fn foreign(status: u16) -> Outcome {
    match status {
        429 => Outcome::Throttled { retry_after: None },
        408 | 499 => Outcome::ServerError { status },
        400..=498 => Outcome::BadRequest,
        _ => Outcome::ServerError { status },
    }
}

#[cfg(test)]
mod tests;
