//! What is answered: [`GenerateResponse`], whole or one chunk of a stream.

use std::borrow::Cow;

use keyrot_core::{Outcome, UntrustedText, Usage};
use serde::{Deserialize, Serialize};

use super::{Content, Extra};

/// The body of an answer of `generateContent`; one event of `streamGenerateContent`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct GenerateResponse {
    /// The answers; none where the prompt was blocked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
    /// What the safety filter said of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_feedback: Option<PromptFeedback>,
    /// Tokens used. In a stream it is a running total: the last one counts, never the sum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_metadata: Option<UsageMetadata>,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_version: Option<UntrustedText>,
    /// One id for all chunks of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_id: Option<UntrustedText>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

impl GenerateResponse {
    /// All text of the first candidate that is not thought, joined.
    #[must_use]
    pub fn text(&self) -> String {
        self.parts().filter_map(super::Part::answer_text).collect()
    }

    /// The parts of the first candidate.
    pub fn parts(&self) -> impl Iterator<Item = &super::Part> {
        self.candidates.first().and_then(|c| c.content.as_ref()).into_iter().flat_map(|c| &c.parts)
    }

    /// Why the first candidate ended; `None` while a stream goes on.
    #[must_use]
    pub fn finish_reason(&self) -> Option<&FinishReason> {
        self.candidates.first().and_then(|c| c.finish_reason.as_ref())
    }

    /// Why the prompt was blocked, where it was.
    #[must_use]
    pub fn block_reason(&self) -> Option<&UntrustedText> {
        self.prompt_feedback.as_ref()?.block_reason.as_ref()
    }

    /// The tokens used, as far as this answer says.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage_metadata.as_ref().map(UsageMetadata::usage).unwrap_or_default()
    }

    /// [`Outcome::Blocked`] where the safety filter refused the prompt, or refused every answer and
    /// left nothing of it; else [`Outcome::Success`].
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let refused = !self.candidates.is_empty() && self.candidates.iter().all(Candidate::refused);
        if refused || self.block_reason().is_some() {
            Outcome::Blocked
        } else {
            Outcome::Success { usage: self.usage() }
        }
    }
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Candidate {
    /// The answer; may be an empty object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Why it ended; only in the last chunk of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<FinishReason>,
    /// More about why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_message: Option<UntrustedText>,
    /// Which of several answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Unknown fields: grounding, citations, ratings …
    #[serde(flatten)]
    pub extra: Extra,
}

impl Candidate {
    fn refused(&self) -> bool {
        self.finish_reason.as_ref().is_some_and(FinishReason::is_refusal) && !self.says_something()
    }

    /// Whether it says something, or ended for another reason than a refusal.
    pub(crate) fn answers(&self) -> bool {
        self.says_something() || self.finish_reason.as_ref().is_some_and(|reason| !reason.is_refusal())
    }

    fn says_something(&self) -> bool {
        self.content.as_ref().is_some_and(|c| c.parts.iter().any(|part| part.text.as_deref() != Some("")))
    }
}

/// Why an answer ended. An open set: a reason this crate does not know is kept, safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "UntrustedText", into = "String")]
pub struct FinishReason(Cow<'static, str>);

impl FinishReason {
    /// The model was done; calls of tools end so too.
    pub const STOP: Self = Self(Cow::Borrowed("STOP"));
    /// The token limit cut it.
    pub const MAX_TOKENS: Self = Self(Cow::Borrowed("MAX_TOKENS"));
    /// The safety filter.
    pub const SAFETY: Self = Self(Cow::Borrowed("SAFETY"));
    /// Too close to a known text.
    pub const RECITATION: Self = Self(Cow::Borrowed("RECITATION"));
    /// A forbidden term.
    pub const BLOCKLIST: Self = Self(Cow::Borrowed("BLOCKLIST"));
    /// Forbidden content.
    pub const PROHIBITED_CONTENT: Self = Self(Cow::Borrowed("PROHIBITED_CONTENT"));
    /// Personal data.
    pub const SPII: Self = Self(Cow::Borrowed("SPII"));

    /// As the API spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a filter ended the answer, so that asking again will not help.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self.as_str(),
            "SAFETY"
                | "RECITATION"
                | "BLOCKLIST"
                | "PROHIBITED_CONTENT"
                | "SPII"
                | "IMAGE_SAFETY"
                | "IMAGE_PROHIBITED_CONTENT"
                | "IMAGE_RECITATION"
        )
    }
}

impl From<UntrustedText> for FinishReason {
    fn from(reason: UntrustedText) -> Self {
        Self(Cow::Owned(reason.to_string()))
    }
}

impl From<FinishReason> for String {
    fn from(reason: FinishReason) -> Self {
        reason.0.into_owned()
    }
}

/// What the safety filter said of the prompt.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct PromptFeedback {
    /// Such as `SAFETY`; an open set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_reason: Option<UntrustedText>,
    /// Unknown fields: ratings …
    #[serde(flatten)]
    pub extra: Extra,
}

/// Tokens used.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct UsageMetadata {
    /// Input, cached tokens included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_token_count: Option<u64>,
    /// Input that came from a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_content_token_count: Option<u64>,
    /// Output without thoughts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidates_token_count: Option<u64>,
    /// Thoughts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thoughts_token_count: Option<u64>,
    /// Input that tools added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_use_prompt_token_count: Option<u64>,
    /// All of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_token_count: Option<u64>,
    /// Input by modality.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prompt_tokens_details: Vec<ModalityTokens>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}

impl UsageMetadata {
    /// The two sums keyrot counts.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let output = match (self.candidates_token_count, self.thoughts_token_count) {
            (None, None) => None,
            (answer, thoughts) => Some(answer.unwrap_or(0).saturating_add(thoughts.unwrap_or(0))),
        };
        Usage { prompt_tokens: self.prompt_token_count, output_tokens: output }
    }
}

/// Tokens of one modality.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ModalityTokens {
    /// `TEXT`, `IMAGE`, `VIDEO`, `AUDIO`, `DOCUMENT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modality: Option<UntrustedText>,
    /// How many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_count: Option<u64>,
    /// Unknown fields.
    #[serde(flatten)]
    pub extra: Extra,
}
