//! The error object in its several wrappings: [`Envelope`].

use serde_json::{Map, Value};

/// A Gemini error, whatever it was wrapped in: an object, an array with one object in it, or an
/// object whose message is such an object written as text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Envelope {
    /// The code as an HTTP status; from `status` or a code in letters where it is no number.
    pub(crate) code: Option<u16>,
    /// The code where it is in letters (`model_not_found`).
    pub(crate) word: Option<String>,
    /// For people.
    pub(crate) message: String,
    /// Typed details, in any order.
    pub(crate) details: Vec<Value>,
}

impl Envelope {
    /// The error in `value`, if it holds one.
    pub(crate) fn find(value: &Value) -> Option<Self> {
        Self::find_within(value, 2)
    }

    fn find_within(value: &Value, unwraps: u8) -> Option<Self> {
        let error = match value {
            Value::Object(object) => object.get("error")?.as_object()?,
            Value::Array(items) => items.iter().find_map(|item| item.get("error")?.as_object())?,
            _ => return None,
        };
        let outer = Self::read(error);
        if unwraps == 0 || !outer.message.trim_start().starts_with(['{', '[']) {
            return Some(outer);
        }
        let inner = serde_json::from_str(&outer.message).ok();
        inner.and_then(|inner| Self::find_within(&inner, unwraps - 1)).or(Some(outer))
    }

    fn read(error: &Map<String, Value>) -> Self {
        let text = |name: &str| error.get(name).and_then(Value::as_str);
        let word = text("code").map(str::to_owned);
        let number = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        Self {
            code: number
                .filter(|code| (400..600).contains(code))
                .or_else(|| word.as_deref().and_then(http_status))
                .or_else(|| text("status").and_then(http_status)),
            word,
            message: text("message").unwrap_or_default().to_owned(),
            details: error.get("details").and_then(Value::as_array).cloned().unwrap_or_default(),
        }
    }

    /// The details of one type, such as `RetryInfo`. Where `@type` is missing, the field that only
    /// this type has tells.
    pub(crate) fn details_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.details.iter().filter(move |detail| match detail.get("@type").and_then(Value::as_str) {
            Some(kind) => kind.rsplit('.').next() == Some(name),
            None => detail.get(own_field(name)).is_some(),
        })
    }

    /// Whether some `ErrorInfo` gives a reason that `wanted` accepts.
    pub(crate) fn reason(&self, wanted: impl Fn(&str) -> bool) -> bool {
        self.details_of("ErrorInfo")
            .any(|info| info.get("reason").and_then(Value::as_str).is_some_and(&wanted))
    }

    /// The project's number, where an `ErrorInfo` or the message names it.
    pub(crate) fn project_number(&self) -> Option<String> {
        let digits = |text: &str| {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            text.get(..end).filter(|number| !number.is_empty()).map(str::to_owned)
        };
        self.details_of("ErrorInfo")
            .filter_map(|info| info.get("metadata")?.get("consumer")?.as_str()?.strip_prefix("projects/"))
            .filter_map(digits)
            .min()
            .or_else(|| self.message.split_once(" in project ").and_then(|(_, rest)| digits(rest)))
    }
}

/// The field by which a detail without `@type` is known for this type.
fn own_field(name: &str) -> &str {
    match name {
        "ErrorInfo" => "reason",
        "QuotaFailure" => "violations",
        "RetryInfo" => "retryDelay",
        other => other,
    }
}

/// The HTTP status of a code in letters, of google.rpc (`RESOURCE_EXHAUSTED`) or of the
/// Interactions API (`rate_limit_exceeded`).
fn http_status(word: &str) -> Option<u16> {
    Some(match word.to_ascii_lowercase().as_str() {
        "invalid_argument" | "invalid_request" | "failed_precondition" | "parameter_unknown" => 400,
        "unauthenticated" | "authentication" => 401,
        "payment_required" => 402,
        "permission_denied" => 403,
        "not_found" | "model_not_found" => 404,
        "already_exists" | "aborted" => 409,
        "out_of_range" => 416,
        "resource_exhausted" | "rate_limit_exceeded" => 429,
        "cancelled" => 499,
        "unknown" | "internal" | "data_loss" => 500,
        "unimplemented" => 501,
        "unavailable" => 503,
        "deadline_exceeded" => 504,
        _ => return None,
    })
}
