//! Counting tokens, and the list of models.

use keyrot_core::UntrustedText;
use serde::{Deserialize, Serialize};

use super::response::ModalityTokens;
use super::{Content, Extra, GenerateRequest};

/// The body of `countTokens`: either turns alone, or a whole request.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct CountTokensRequest {
    /// Turns alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<Content>,
    /// A whole request; the server wants its model named inside it, which
    /// [`Client::count_tokens`](crate::Client::count_tokens) sees to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generate_content_request: Option<GenerateRequest>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

impl CountTokensRequest {
    /// Counts one text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { contents: vec![Content::user(text)], ..Self::default() }
    }
}

impl From<GenerateRequest> for CountTokensRequest {
    fn from(request: GenerateRequest) -> Self {
        Self { generate_content_request: Some(request), ..Self::default() }
    }
}

/// The answer of `countTokens`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct CountTokensResponse {
    /// Input tokens.
    pub total_tokens: u64,
    /// Those that a cache holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_content_token_count: Option<u64>,
    /// By modality.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prompt_tokens_details: Vec<ModalityTokens>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Model {
    /// `models/{id}`.
    pub name: UntrustedText,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<UntrustedText>,
    /// The model's own version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<UntrustedText>,
    /// Most input tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_token_limit: Option<u64>,
    /// Most output tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_token_limit: Option<u64>,
    /// Such as `generateContent`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub supported_generation_methods: Vec<UntrustedText>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A page of the list of models.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ModelPage {
    /// The models of this page.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Model>,
    /// What to ask the next page with; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}
