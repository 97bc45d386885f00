//! What the model is asked and what it says: the part of the simulator the test writer supplies.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// One admitted generation, as the answering closure sees it.
#[derive(Clone)]
#[non_exhaustive]
pub struct Asked {
    /// The model of the path, without `models/`.
    pub model: String,
    /// All text parts of `contents`, joined by newlines.
    pub prompt_text: String,
    /// All text parts of `systemInstruction`, joined by newlines.
    pub system_text: String,
    /// The whole request body.
    pub body: Value,
    /// The caller's secret.
    pub key: String,
    /// The project of the caller's key.
    pub project: String,
    /// 0-based number of this generation: how many were answered on this server before.
    pub nth: u64,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, prompt_text, system_text, body: _, key: _, project, nth } = self;
        f.debug_struct("Asked")
            .field("model", model)
            .field("prompt_text", prompt_text)
            .field("system_text", system_text)
            .field("project", project)
            .field("nth", nth)
            .finish_non_exhaustive()
    }
}

/// The closure that plays the model. Called exactly once per admitted generation, never for a refused one.
pub type AnswerFn = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

/// Counts the input tokens of a request body in place of the built-in estimate: for admission, for `countTokens`
/// and for `usageMetadata` alike. It must be a pure function of the body.
pub type CountTokensFn = Arc<dyn Fn(&Value) -> u64 + Send + Sync>;

/// What the model says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// The text; streamed in chunks.
    pub text: String,
    /// `finishReason`; empty means `STOP`.
    pub finish_reason: String,
    /// Thoughts: always counted, and sent as a `thought` part when the request sets
    /// `generationConfig.thinkingConfig.includeThoughts`.
    pub thoughts: Option<String>,
    /// Reported input tokens, and from then on the charge in the server's token window. Admission itself went by
    /// the estimate: use [`SimBuilder::count_tokens`](crate::SimBuilder::count_tokens) where that matters.
    pub prompt_tokens: Option<u64>,
    /// Reported output tokens (default: estimated from the text).
    pub output_tokens: Option<u64>,
    /// Blocks the prompt: 200 with `promptFeedback` and no candidates.
    pub block_reason: Option<String>,
    /// Raw parts in place of the text; streamed one per chunk.
    pub parts: Option<Vec<Value>>,
}

impl Answer {
    /// A complete answer in plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), finish_reason: "STOP".to_owned(), ..Self::default() }
    }

    /// A prompt that was blocked for this reason, such as `SAFETY`.
    pub fn blocked(reason: impl Into<String>) -> Self {
        Self { block_reason: Some(reason.into()), ..Self::default() }
    }
}

/// The text parts below `contents` (an array) or one content object.
pub(crate) fn joined_text<'a>(contents: impl Iterator<Item = &'a Value>) -> String {
    contents
        .flat_map(|content| content.get("parts").and_then(Value::as_array).into_iter().flatten())
        .filter_map(|part| part.get("text").and_then(Value::as_str))
        .collect::<Vec<_>>()
        .join("\n")
}
