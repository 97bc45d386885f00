//! The JSON of the Gemini API as types. Every object keeps the fields it does not know in `extra`,
//! so what was read can be written again without loss (absent, `null` and empty lists are one).

mod content;
mod models;
mod request;
mod response;

pub use content::{
    Blob, CodeExecutionResult, Content, ExecutableCode, FileData, FunctionCall, FunctionResponse, Part,
};
pub use models::{CountTokensRequest, CountTokensResponse, Model, ModelPage};
pub use request::{GenerateRequest, GenerationConfig, SafetySetting, ThinkingConfig};
pub use response::{
    Candidate, FinishReason, GenerateResponse, ModalityTokens, PromptFeedback, UsageMetadata,
};

/// Fields this crate has no name for, as they came.
pub type Extra = serde_json::Map<String, serde_json::Value>;

#[cfg(test)]
mod tests;
