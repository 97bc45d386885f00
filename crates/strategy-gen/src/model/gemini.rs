//! Gemini, over the pool of keys.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gemini_client::wire::{GenerateRequest, GenerateResponse, GenerationConfig};
use gemini_client::{Client, Config, ErrorKind};
use keyrot::{
    Assembly, EnvMap, Gemini, Mode, Observer, Outcome, Profile, RunError, UntrustedText, chosen_by_file,
};

use super::Answer;
use crate::failure::GenerateError;
use crate::prompt::Prompt;

/// Thinking counts against the output budget (a small one comes back empty), so this is ample.
const MAX_OUTPUT_TOKENS: u32 = 32_768;

/// A pool, and the model that is asked when nobody names one.
pub(crate) struct Pooled {
    pub(crate) gemini: Gemini,
    pub(crate) model: String,
    pub(crate) warnings: Vec<String>,
}

impl Pooled {
    /// By the settings in `env`.
    pub(crate) async fn connect(
        env: &EnvMap,
        mode: Mode,
        observer: Option<&Arc<dyn Observer>>,
    ) -> Result<Self, GenerateError> {
        let mut assembly = Assembly::new(env.clone()).mode(mode);
        if let Some(observer) = observer {
            assembly = assembly.observer(Arc::clone(observer));
        }
        let made = assembly.make().await?;
        let config = made.settings.base_url.as_deref().map_or_else(Config::default, Config::at);
        let client = Client::new(&config)
            .map_err(|error| GenerateError::Endpoint { variable: made.settings.base_url_from, error })?;
        let mut warnings = made.warnings;
        warnings.extend(client.warnings().iter().cloned());
        warnings.extend(
            chosen_by_file(env, made.settings.base_url_from).map(|origin| {
                format!("requests go to `{}`, not to Google: {origin} says so", config.base_url)
            }),
        );
        Ok(Self { gemini: Gemini::new(made.rotator, client), model: made.settings.model, warnings })
    }

    pub(super) async fn ask(
        &self,
        name: &str,
        prompt: Prompt,
        max_wait: Option<Duration>,
    ) -> Result<Answer, GenerateError> {
        let mut profile = Profile::new(name);
        if let Some(wait) = max_wait {
            profile = profile.max_wait(wait);
        }
        let mut config = GenerationConfig::default();
        config.max_output_tokens = Some(MAX_OUTPUT_TOKENS);
        config.temperature = prompt.temperature;
        let request = GenerateRequest::text(prompt.user).system(prompt.system).config(config);
        let answered = self.gemini.generate_with_key(&profile, &request).await;
        let (key, answer) = answered.map_err(|error| failed(error, name))?;
        Ok(Answer { key_id: Some(key.to_string()), ..read(&answer) })
    }
}

impl fmt::Debug for Pooled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pooled").field("model", &self.model).finish_non_exhaustive()
    }
}

fn read(answer: &GenerateResponse) -> Answer {
    let usage = answer.usage();
    Answer {
        text: UntrustedText::whole(&answer.text()),
        cut: answer.finish_reason().is_some_and(|reason| reason.as_str() == "MAX_TOKENS"),
        refused: refused(answer),
        prompt_tokens: usage.prompt_tokens,
        output_tokens: usage.output_tokens,
        version: answer.model_version.clone(),
        key_id: None,
    }
}

/// The reason for which the safety filter refused prompt or answer, if it did.
fn refused(answer: &GenerateResponse) -> Option<UntrustedText> {
    if let Some(reason) = answer.block_reason() {
        return Some(reason.clone());
    }
    let reason = answer.finish_reason().filter(|reason| reason.is_refusal())?;
    answer.text().is_empty().then(|| reason.as_str().into())
}

/// What the model's name is to blame for is told as that, and not as a lack of keys.
fn failed(error: RunError<gemini_client::Error>, model: &str) -> GenerateError {
    let model = model.to_owned();
    match error {
        RunError::Failed { error, .. } if error.kind() == ErrorKind::InvalidRequest => {
            GenerateError::Model { model }
        }
        RunError::Failed { error, .. } | RunError::Exhausted { last: Some(error), .. }
            if matches!(error.outcome(), Outcome::ModelNotFound | Outcome::ModelGated) =>
        {
            GenerateError::NoSuchModel { model, error }
        }
        other => other.into(),
    }
}
