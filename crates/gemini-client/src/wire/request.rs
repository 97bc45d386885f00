//! What is asked: [`GenerateRequest`] and its settings.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Content, Extra};

/// The body of `generateContent` and `streamGenerateContent`.
///
/// ```
/// use gemini_client::wire::GenerateRequest;
/// let request = GenerateRequest::text("What is a moving average?").system("Answer in one sentence.");
/// assert_eq!(
///     serde_json::to_value(&request).unwrap(),
///     serde_json::json!({
///         "contents": [{"parts": [{"text": "What is a moving average?"}], "role": "user"}],
///         "systemInstruction": {"parts": [{"text": "Answer in one sentence."}]}
///     })
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct GenerateRequest {
    /// The conversation so far, the oldest turn first.
    pub contents: Vec<Content>,
    /// What holds for the whole conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_instruction: Option<Content>,
    /// How to generate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation_config: Option<GenerationConfig>,
    /// Tools the model may use, as the API spells them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// How it may use them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_config: Option<Value>,
    /// Thresholds of the safety filter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub safety_settings: Vec<SafetySetting>,
    /// `cachedContents/{id}`; binds the request to the project that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_content: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

impl GenerateRequest {
    /// A request with one turn of the user's.
    pub fn text(prompt: impl Into<String>) -> Self {
        Self::contents(vec![Content::user(prompt)])
    }

    /// A request with a whole conversation.
    #[must_use]
    pub fn contents(contents: Vec<Content>) -> Self {
        Self { contents, ..Self::default() }
    }

    /// With this system instruction, in place of any before.
    #[must_use]
    pub fn system(mut self, instruction: impl Into<String>) -> Self {
        self.system_instruction = Some(Content::text(instruction));
        self
    }

    /// With these settings, in place of any before.
    #[must_use]
    pub fn config(mut self, config: GenerationConfig) -> Self {
        self.generation_config = Some(config);
        self
    }
}

/// How to generate; what is absent is left to the model's default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct GenerationConfig {
    /// Randomness, 0 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Share of probability to sample from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Number of tokens to sample from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<f64>,
    /// Number of answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_count: Option<u32>,
    /// Most output tokens, thoughts included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// Texts that end the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<String>,
    /// Such as `application/json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_mime_type: Option<String>,
    /// Shape of the answer in the API's own schema language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_schema: Option<Value>,
    /// Shape of the answer in JSON Schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_json_schema: Option<Value>,
    /// How much to think.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_config: Option<ThinkingConfig>,
    /// Makes answers more alike between calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How much to think.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ThinkingConfig {
    /// Tokens; 0 is off, -1 is the model's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_budget: Option<i64>,
    /// `low`, `high` …, for models that take a level instead of a budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_level: Option<String>,
    /// Whether summaries of thought come with the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_thoughts: Option<bool>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

/// One threshold of the safety filter.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct SafetySetting {
    /// Such as `HARM_CATEGORY_HARASSMENT`.
    pub category: String,
    /// Such as `BLOCK_ONLY_HIGH`.
    pub threshold: String,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

impl SafetySetting {
    /// A threshold for a category.
    pub fn new(category: impl Into<String>, threshold: impl Into<String>) -> Self {
        Self { category: category.into(), threshold: threshold.into(), extra: Extra::new() }
    }
}
