//! Whoever answers a prompt: Gemini over the pool of keys, or any server that speaks OpenAI's protocol.

mod gemini;
pub(crate) mod openai;

use std::time::Duration;

use keyrot::{Status, UntrustedText, untrusted};

use crate::failure::GenerateError;
use crate::prompt::Prompt;

pub(crate) use gemini::Pooled;
pub use openai::{OpenAi, OpenAiError};

/// What a model said, whoever it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// The text, thoughts left out.
    pub(crate) text: UntrustedText,
    /// Whether it stops because there was no room for more.
    pub(crate) cut: bool,
    /// The reason for which a filter kept the answer back, if one did.
    pub(crate) refused: Option<UntrustedText>,
    /// Input tokens, where reported.
    pub(crate) prompt_tokens: Option<u64>,
    /// Output tokens, where reported.
    pub(crate) output_tokens: Option<u64>,
    /// What the server calls the model that answered.
    pub(crate) version: Option<UntrustedText>,
    /// The id of the key that got it, where there is a pool.
    pub(crate) key_id: Option<String>,
}

/// A model at hand, and what a user should know about how it was reached.
#[derive(Debug)]
pub(crate) enum Model {
    /// Over the pool.
    Gemini(Pooled),
    /// At one address.
    OpenAi(OpenAi),
}

impl Model {
    /// The model to ask when nobody names one.
    pub(crate) fn default_name(&self) -> &str {
        match self {
            Self::Gemini(pooled) => &pooled.model,
            Self::OpenAi(server) => server.model(),
        }
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        match self {
            Self::Gemini(pooled) => pooled.warnings.clone(),
            Self::OpenAi(server) => server.warnings.clone(),
        }
    }

    /// Asks the model called `name`; a pool waits `max_wait` at most for capacity.
    pub(crate) async fn ask(
        &self,
        name: &str,
        prompt: Prompt,
        max_wait: Option<Duration>,
    ) -> Result<Answer, GenerateError> {
        // A prompt quotes what a strategy printed and raised, and the strategy may have read a key.
        let [system, user] = [prompt.system, prompt.user].map(|text| untrusted::redact(&text));
        let prompt = Prompt { system, user, ..prompt };
        match self {
            Self::Gemini(pooled) => pooled.ask(name, prompt, max_wait).await,
            Self::OpenAi(server) => Ok(server.ask(name, &prompt).await?),
        }
    }

    /// How the pool's keys stand for the model called `name`, else the default one.
    pub(crate) async fn health(&self, name: Option<&str>) -> Option<Status> {
        match self {
            Self::Gemini(pooled) => Some(pooled.gemini.rotator().status(name.unwrap_or(&pooled.model)).await),
            Self::OpenAi(_) => None,
        }
    }

    /// Settles what is left in the background.
    pub(crate) async fn shutdown(&self, timeout: Duration) {
        match self {
            Self::Gemini(pooled) => {
                pooled.gemini.rotator().shutdown(timeout).await;
            }
            Self::OpenAi(_) => {}
        }
    }
}
