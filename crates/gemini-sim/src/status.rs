//! `google.rpc.Status` as JSON: the envelope of every error, and the detail messages that recur.

use serde_json::{Value, json};

/// The service name in error metadata.
pub(crate) const SERVICE: &str = "generativelanguage.googleapis.com";

/// An error answer: HTTP status and body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Status {
    pub(crate) code: u16,
    body: Value,
}

impl Status {
    /// An error without details.
    pub(crate) fn new(code: u16, status: &str, message: impl Into<String>) -> Self {
        let body = json!({"error": {"code": code, "message": message.into(), "status": status}});
        Self { code, body }
    }

    /// The canonical error of an HTTP status, with the message Google sends under load.
    pub(crate) fn canonical(code: u16) -> Self {
        match code {
            429 => Self::new(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
            499 => Self::new(499, "CANCELLED", "The operation was cancelled."),
            503 => Self::new(503, "UNAVAILABLE", HIGH_DEMAND),
            504 => Self::new(504, "DEADLINE_EXCEEDED", DEADLINE),
            400 => Self::bad_request("Request contains an invalid argument."),
            403 => Self::denied("The caller does not have permission"),
            404 => Self::new(404, "NOT_FOUND", "Requested entity was not found."),
            code => Self::new(code, "INTERNAL", "Internal error encountered."),
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::new(403, "PERMISSION_DENIED", message)
    }

    #[must_use]
    pub(crate) fn details(mut self, details: impl IntoIterator<Item = Value>) -> Self {
        self.body["error"]["details"] = details.into_iter().collect();
        self
    }

    /// Takes the types out of the details.
    #[must_use]
    pub(crate) fn untyped(mut self) -> Self {
        for detail in self.body["error"]["details"].as_array_mut().into_iter().flatten() {
            if let Some(detail) = detail.as_object_mut() {
                detail.remove("@type");
            }
        }
        self
    }

    /// The JSON body; `in_array` wraps it in a one-element array.
    pub(crate) fn body(&self, in_array: bool) -> String {
        let object = crate::json::pretty(&self.body);
        if in_array { format!("[{object}]\n") } else { object }
    }

    pub(crate) const fn value(&self) -> &Value {
        &self.body
    }
}

/// Wording of a 503 since 2026.
pub(crate) const HIGH_DEMAND: &str = "This model is currently experiencing high demand. Spikes in demand are \
     usually temporary. Please try again later.";
/// Wording of a 503 in 2025.
pub(crate) const OVERLOADED: &str = "The model is overloaded. Please try again later.";
/// Wording of a 504, and of some 503s.
pub(crate) const DEADLINE: &str = "Deadline expired before operation could complete.";

/// A detail message of the given type; `fields` must be an object.
pub(crate) fn detail(kind: &str, fields: Value) -> Value {
    let mut message = json!({"@type": format!("type.googleapis.com/google.rpc.{kind}")});
    if let (Some(message), Value::Object(fields)) = (message.as_object_mut(), fields) {
        message.extend(fields);
    }
    message
}

/// An `ErrorInfo` of the domain `googleapis.com`.
pub(crate) fn error_info(reason: &str, metadata: &Value) -> Value {
    detail("ErrorInfo", json!({"reason": reason, "domain": "googleapis.com", "metadata": metadata}))
}

/// A `LocalizedMessage` that repeats the error's message.
pub(crate) fn localized(message: &str) -> Value {
    detail("LocalizedMessage", json!({"locale": "en-US", "message": message}))
}
