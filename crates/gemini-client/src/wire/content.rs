//! Turns of a conversation: [`Content`] and its [`Part`]s.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Extra;

/// One turn. An answer whose budget went into thinking has neither parts nor a role.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Content {
    /// What it is made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// `user` or `model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Content {
    /// A turn of the user's with one text part.
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Some("user".to_owned()), ..Self::text(text) }
    }

    /// A turn of the model's with one text part.
    pub fn model(text: impl Into<String>) -> Self {
        Self { role: Some("model".to_owned()), ..Self::text(text) }
    }

    /// One text part without a role, as a system instruction is written.
    pub fn text(text: impl Into<String>) -> Self {
        Self { parts: vec![Part::text(text)], ..Self::default() }
    }

    /// A turn with the given role and parts.
    pub fn of(role: impl Into<String>, parts: Vec<Part>) -> Self {
        Self { parts, role: Some(role.into()), ..Self::default() }
    }
}

/// A piece of a turn: one of the kinds below, and flags. A kind this crate does not know is kept in
/// `extra`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Part {
    /// Text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Bytes carried in the message itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inline_data: Option<Blob>,
    /// A file uploaded before; binds the request to the project that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_data: Option<FileData>,
    /// A call the model asks for. It comes whole, never in pieces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_call: Option<FunctionCall>,
    /// What the call returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_response: Option<FunctionResponse>,
    /// Code the model wants run by the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable_code: Option<ExecutableCode>,
    /// What that code printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_execution_result: Option<CodeExecutionResult>,
    /// Whether this is a summary of thought and not part of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thought: Option<bool>,
    /// Opaque base64, to be sent back with the part in the next turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thought_signature: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Part {
    /// A text part.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    /// The text, unless it is a thought.
    #[must_use]
    pub fn answer_text(&self) -> Option<&str> {
        if self.thought == Some(true) { None } else { self.text.as_deref() }
    }
}

/// Bytes carried in the message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Blob {
    /// Such as `image/png`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A reference to an uploaded file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct FileData {
    /// Such as `application/pdf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The file's address, which ends in `/files/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_uri: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A call the model asks for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct FunctionCall {
    /// Ties the response to the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its arguments, an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a call returned.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct FunctionResponse {
    /// The call's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it returned, an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Value>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Code the model wants run by the server.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ExecutableCode {
    /// Such as `PYTHON`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Ties the result to the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What the server's run of the model's code printed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct CodeExecutionResult {
    /// Such as `OUTCOME_OK`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Standard output, or the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The code's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}
