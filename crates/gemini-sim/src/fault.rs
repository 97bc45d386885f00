//! Faults on demand: every error of the wire reference that quota and key states do not produce by themselves.

use serde::Deserialize;

use crate::refusal;
use crate::route::Route;
use crate::status::{DEADLINE, HIGH_DEMAND, OVERLOADED, Status};

/// Which of the recorded wordings a 503 uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverloadText {
    /// 2025: "The model is overloaded. Please try again later."
    Old,
    /// 2026: "This model is currently experiencing high demand. …"
    New,
    /// "Deadline expired before operation could complete."
    Deadline,
}

/// One way for a request to go wrong.
///
/// *Early* faults refuse the request before quota is charged. *Late* faults strike an admitted request: it stays
/// charged, and a request that quota refuses does not use the fault up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Early. 429 without details: a burst or capacity throttle.
    TooManyBare,
    /// Early. The same with this `Retry-After` header, seconds or a date, as gateways send it.
    TooManyRetryAfter(String),
    /// Early. 429 of a spend limit. No body was ever recorded; this wording is made up.
    SpendCap,
    /// Early. 429 "prepayment credits are depleted".
    PrepayDepleted,
    /// Late. 503.
    Overloaded(OverloadText),
    /// Late. 504.
    DeadlineExceeded,
    /// Late. 500 with the long message.
    Internal,
    /// Late. 500 "Internal error encountered."
    InternalShort,
    /// Early. 502 from the front end, in HTML.
    BadGatewayHtml,
    /// Late. 499.
    Cancelled,
    /// Early. 404 with the ListModels text.
    ModelNotFound,
    /// Early. 404 "no longer available to new users".
    NoLongerAvailable,
    /// Late. 400 `INVALID_ARGUMENT` with this message.
    BadRequest(String),
    /// Late. 400 "The input token count exceeds the maximum".
    InputTooLong,
    /// Early. 400 `FAILED_PRECONDITION`, "User location is not supported".
    LocationBlocked,
    /// Early. 403 on a file (`abc-123`, as if that stood in the request).
    FileForbidden,
    /// Early. 403 on a cached content.
    CacheForbidden,
    /// Early. 403 "The caller does not have permission".
    CallerNoPermission,
    /// Late, generation only. 200 with `promptFeedback` and no candidates.
    SafetyBlock,
    /// Late, generation only. 200 with an empty `content` and `MAX_TOKENS`: the budget went into thinking.
    EmptyMaxTokens,
    /// Late. Any answer at all.
    Raw {
        /// HTTP status; one outside 100–599 becomes 500.
        status: u16,
        /// `Content-Type`.
        content_type: String,
        /// The bytes.
        body: String,
    },
    /// Late. Silence before the headers, until the client or the server gives up.
    Stall,
    /// Late, streaming only. Silence after some chunks.
    StallMidStream {
        /// Chunks sent before; at most all but the last.
        after_chunks: usize,
    },
    /// Late. The connection is reset before the headers.
    Reset,
    /// Late, streaming only. The connection is reset after some chunks.
    ResetMidStream {
        /// Chunks sent before; at most all but the last.
        after_chunks: usize,
    },
    /// Late, streaming only. A pretty-printed error outside SSE framing, then the end.
    MidStreamRawJson {
        /// Chunks sent before; at most all but the last.
        after_chunks: usize,
        /// Code inside the error object; the HTTP status was 200 long ago.
        status: u16,
    },
    /// Late, streaming only. An error framed as an SSE event, then the end.
    MidStreamSseError {
        /// Chunks sent before; at most all but the last.
        after_chunks: usize,
        /// Code inside the error object.
        status: u16,
    },
    /// Late, streaming only. A regular end of the body without any `finishReason`.
    TruncatedStream {
        /// Chunks sent before; at most all but the last.
        after_chunks: usize,
    },
}

/// How a fault spoils a stream that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoil {
    Stall,
    Reset,
    RawJson(u16),
    SseError(u16),
    Truncate,
}

/// What a fault puts in place of the regular answer.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    Error(Status),
    /// A bare 429 with a `Retry-After`, of which Google sends none.
    ComeBack {
        retry_after: String,
    },
    Page {
        status: u16,
        content_type: String,
        body: String,
    },
    Stall,
    Reset,
    Blocked,
    Empty,
    MidStream {
        after_chunks: usize,
        spoil: Spoil,
    },
}

/// What the front end says when nothing behind it answers.
const BAD_GATEWAY: &str = "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error 502 (Server \
     Error)!!1</title>\n  <p><b>502.</b> <ins>That's an error.</ins>\n  <p>The server encountered a temporary \
     error and could not complete your request.<p>Please try again in 30 seconds.  <ins>That's all we \
     know.</ins>\n";

impl Fault {
    /// The name in the request log, such as `overloaded`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TooManyBare => "too_many_bare",
            Self::TooManyRetryAfter(_) => "too_many_retry_after",
            Self::SpendCap => "spend_cap",
            Self::PrepayDepleted => "prepay_depleted",
            Self::Overloaded(_) => "overloaded",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Internal => "internal",
            Self::InternalShort => "internal_short",
            Self::BadGatewayHtml => "bad_gateway_html",
            Self::Cancelled => "cancelled",
            Self::ModelNotFound => "model_not_found",
            Self::NoLongerAvailable => "no_longer_available",
            Self::BadRequest(_) => "bad_request",
            Self::InputTooLong => "input_too_long",
            Self::LocationBlocked => "location_blocked",
            Self::FileForbidden => "file_forbidden",
            Self::CacheForbidden => "cache_forbidden",
            Self::CallerNoPermission => "caller_no_permission",
            Self::SafetyBlock => "safety_block",
            Self::EmptyMaxTokens => "empty_max_tokens",
            Self::Raw { .. } => "raw",
            Self::Stall => "stall",
            Self::StallMidStream { .. } => "stall_mid_stream",
            Self::Reset => "reset",
            Self::ResetMidStream { .. } => "reset_mid_stream",
            Self::MidStreamRawJson { .. } => "mid_stream_raw_json",
            Self::MidStreamSseError { .. } => "mid_stream_sse_error",
            Self::TruncatedStream { .. } => "truncated_stream",
        }
    }

    /// Whether the fault refuses a request before quota is charged.
    pub(crate) const fn is_early(&self) -> bool {
        matches!(
            self,
            Self::TooManyBare
                | Self::TooManyRetryAfter(_)
                | Self::SpendCap
                | Self::PrepayDepleted
                | Self::BadGatewayHtml
                | Self::ModelNotFound
                | Self::NoLongerAvailable
                | Self::LocationBlocked
                | Self::FileForbidden
                | Self::CacheForbidden
                | Self::CallerNoPermission
        )
    }

    /// Whether the fault can befall this kind of request at all.
    pub(crate) fn fits(&self, route: &Route) -> bool {
        match self {
            Self::SafetyBlock | Self::EmptyMaxTokens => route.generates(),
            Self::StallMidStream { .. }
            | Self::ResetMidStream { .. }
            | Self::MidStreamRawJson { .. }
            | Self::MidStreamSseError { .. }
            | Self::TruncatedStream { .. } => route.streams(),
            _ => true,
        }
    }

    /// What happens; `input_limit` is the model's.
    pub(crate) fn effect(&self, route: &Route, input_limit: u64) -> Effect {
        let mid_stream = |after_chunks: usize, spoil| Effect::MidStream { after_chunks, spoil };
        Effect::Error(match self {
            Self::TooManyBare => Status::canonical(429),
            Self::SpendCap => Status::new(
                429,
                "RESOURCE_EXHAUSTED",
                "Your project has exceeded its spend-based rate limit. Please try again later.",
            ),
            Self::PrepayDepleted => refusal::prepay_depleted(),
            Self::Overloaded(text) => Status::new(
                503,
                "UNAVAILABLE",
                match text {
                    OverloadText::Old => OVERLOADED,
                    OverloadText::New => HIGH_DEMAND,
                    OverloadText::Deadline => DEADLINE,
                },
            ),
            Self::DeadlineExceeded => Status::canonical(504),
            Self::Internal => Status::new(
                500,
                "INTERNAL",
                "An internal error has occurred. Please retry or report in \
                 https://developers.generativeai.google/guide/troubleshooting",
            ),
            Self::InternalShort => Status::canonical(500),
            Self::Cancelled => Status::canonical(499),
            Self::ModelNotFound => refusal::unknown_model(route),
            Self::NoLongerAvailable => refusal::retired_model(route),
            Self::BadRequest(message) => Status::bad_request(message),
            Self::InputTooLong => refusal::input_too_long(input_limit),
            Self::LocationBlocked => refusal::location_blocked(),
            Self::FileForbidden => refusal::foreign_file("abc-123"),
            Self::CacheForbidden => refusal::foreign_cache(),
            Self::CallerNoPermission => Status::canonical(403),
            Self::TooManyRetryAfter(value) => return Effect::ComeBack { retry_after: value.clone() },
            Self::BadGatewayHtml => {
                return Effect::Page {
                    status: 502,
                    content_type: "text/html; charset=UTF-8".to_owned(),
                    body: BAD_GATEWAY.to_owned(),
                };
            }
            Self::Raw { status, content_type, body } => {
                return Effect::Page {
                    status: *status,
                    content_type: content_type.clone(),
                    body: body.clone(),
                };
            }
            Self::SafetyBlock => return Effect::Blocked,
            Self::EmptyMaxTokens => return Effect::Empty,
            Self::Stall => return Effect::Stall,
            Self::Reset => return Effect::Reset,
            Self::StallMidStream { after_chunks } => return mid_stream(*after_chunks, Spoil::Stall),
            Self::ResetMidStream { after_chunks } => return mid_stream(*after_chunks, Spoil::Reset),
            Self::TruncatedStream { after_chunks } => return mid_stream(*after_chunks, Spoil::Truncate),
            Self::MidStreamRawJson { after_chunks, status } => {
                return mid_stream(*after_chunks, Spoil::RawJson(*status));
            }
            Self::MidStreamSseError { after_chunks, status } => {
                return mid_stream(*after_chunks, Spoil::SseError(*status));
            }
        })
    }
}
