//! Any server that speaks OpenAI's chat protocol: a local Ollama or llama.cpp, or a hosted one. One address,
//! at most one key, no rotation and no retries.

use std::fmt;
use std::time::Duration;

use keyrot::{EnvMap, UntrustedText, chosen_by_file, kept_apart, untrusted};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::{Host, Url};

use super::Answer;
use crate::prompt::Prompt;

/// OpenAI's own, where nothing else is named.
const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";
/// Models on a user's own machine are slow.
const TOTAL: Duration = Duration::from_secs(1_200);
const CONNECT: Duration = Duration::from_secs(10);
/// A file of this size is no strategy.
const LARGEST: usize = 8 << 20;
/// What is repeated of what a server said.
const QUOTED: usize = 300;

/// A server and the model it is asked for.
pub struct OpenAi {
    http: reqwest::Client,
    /// Of the chat.
    url: Url,
    key: Option<SecretString>,
    model: String,
    /// What a user should know.
    pub(crate) warnings: Vec<String>,
}

/// Why such a server gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenAiError {
    /// The address or the key cannot be used.
    #[error("{why}\nhint: {hint}")]
    Settings {
        /// What is wrong.
        why: String,
        /// The way out.
        hint: &'static str,
    },
    /// Nobody answered, or the answer broke off.
    #[error(
        "`{host}` cannot be reached: {why}\nhint: see that the server runs there, or name another with `--base-url`"
    )]
    Network {
        /// Whom it was sent to.
        host: String,
        /// What went wrong.
        why: UntrustedText,
    },
    /// The server refused.
    #[error("`{host}` answered {status}: {said}\nhint: {hint}")]
    Refused {
        /// Whom it was sent to.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What it said, in short.
        said: UntrustedText,
        /// The way out.
        hint: &'static str,
    },
    /// The server answered something else than a chat's answer.
    #[error(
        "the answer of `{host}` is not OpenAI's protocol: {why}\nhint: `--base-url` usually ends with `/v1`"
    )]
    Protocol {
        /// Whom it was sent to.
        host: String,
        /// What is wrong with it.
        why: UntrustedText,
    },
}

impl OpenAiError {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Settings { .. } => 2,
            Self::Refused { status: 401 | 403, .. } => 3,
            Self::Refused { status: 429, .. } => 4,
            Self::Refused { status: 400 | 404, .. } => 2,
            Self::Network { .. } | Self::Refused { .. } | Self::Protocol { .. } => 6,
        }
    }
}

impl OpenAi {
    /// The server at `base_url`, else at `OPENAI_BASE_URL`, else OpenAI's own; with the key of
    /// `OPENAI_API_KEY`, if there is one. Reads `env` alone, and calls nobody.
    ///
    /// # Errors
    /// [`OpenAiError::Settings`] for an address or key that cannot be used.
    pub fn new(env: &EnvMap, base_url: Option<&str>, model: &str) -> Result<Self, OpenAiError> {
        let base = base_url.or_else(|| env.filled("OPENAI_BASE_URL")).unwrap_or(DEFAULT_BASE_URL);
        let url = chat_url(base)?;
        if base_url.is_none()
            && let Some((why, hint)) = kept_apart(env, "OPENAI_BASE_URL", "OPENAI_API_KEY")
        {
            return Err(OpenAiError::Settings { why, hint });
        }
        let key = env.filled("OPENAI_API_KEY").map(SecretString::from);
        key.iter().for_each(untrusted::remember);
        if key.is_some() && url.scheme() == "http" && !is_loopback(&url) {
            return Err(settings(
                "the key would travel in the clear: the base URL is plain http",
                "use https, or unset `OPENAI_API_KEY` for a server that wants none",
            ));
        }
        if key.is_none() && base == DEFAULT_BASE_URL {
            return Err(settings(
                "`OPENAI_API_KEY` is not set",
                "set it, or name a server of your own with `--base-url`",
            ));
        }
        let failed = |why: String| settings(&why, "see to the system's certificates, or set `SSL_CERT_FILE`");
        let tls =
            gemini_client::tls::config(url.scheme() == "https").map_err(|error| failed(error.to_string()))?;
        let mut http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(concat!("strategy-gen/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(TOTAL);
        if is_loopback(&url) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| failed(error.without_url().to_string()))?;
        // A flag is the user's own word.
        let foreign = base_url.map_or_else(|| chosen_by_file(env, "OPENAI_BASE_URL"), |_| None);
        let warnings = foreign.map(|origin| {
            let host = url.host_str().unwrap_or_default();
            format!("requests go to `{host}`, not to OpenAI: {origin} says so")
        });
        Ok(Self { http, url, key, model: model.to_owned(), warnings: warnings.into_iter().collect() })
    }

    /// The model it is asked for.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Asks once.
    pub(super) async fn ask(&self, model: &str, prompt: &Prompt) -> Result<Answer, OpenAiError> {
        let mut body = json!({
            "model": model,
            "stream": false,
            "messages": [
                { "role": "system", "content": prompt.system },
                { "role": "user", "content": prompt.user },
            ],
        });
        if let Some(temperature) = prompt.temperature {
            body["temperature"] = json!(temperature);
        }
        let mut request = self.http.post(self.url.clone()).json(&body);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, bearer(key)?);
        }
        let answer = request.send().await.map_err(|error| self.network(error))?;
        let status = answer.status();
        let body = self.body(answer).await?;
        if !status.is_success() {
            return Err(self.refused(status, &body));
        }
        let chat: Chat = serde_json::from_slice(&body).map_err(|error| self.protocol(&error.to_string()))?;
        chat.read().ok_or_else(|| self.protocol("it holds no choice"))
    }

    async fn body(&self, mut answer: reqwest::Response) -> Result<Vec<u8>, OpenAiError> {
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| self.network(error))? {
            if body.len() + piece.len() > LARGEST {
                return Err(self.protocol("it is larger than 8 MiB"));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }

    fn network(&self, error: reqwest::Error) -> OpenAiError {
        let error = error.without_url();
        let mut why = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            why = cause.to_string();
            source = cause.source();
        }
        OpenAiError::Network { host: self.host(), why: quoted(&why) }
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> OpenAiError {
        let said = serde_json::from_slice::<Value>(body).ok().and_then(|body| {
            let error = &body["error"];
            error["message"].as_str().or_else(|| error.as_str()).map(str::to_owned)
        });
        let said = said.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
        let hint = match status.as_u16() {
            401 | 403 => "see to `OPENAI_API_KEY`",
            404 => {
                "check the model's name in `--model`, and that `--base-url` ends where the server wants it to, usually with `/v1`"
            }
            429 => "wait, or ask another model with `--model`",
            400 => "check the model's name in `--model`",
            _ => "try again later",
        };
        OpenAiError::Refused { host: self.host(), status: status.as_u16(), said: quoted(&said), hint }
    }

    fn protocol(&self, why: &str) -> OpenAiError {
        OpenAiError::Protocol { host: self.host(), why: quoted(why) }
    }
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi")
            .field("host", &self.host())
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// What matters of an answer.
#[derive(Deserialize)]
struct Chat {
    choices: Vec<Choice>,
    model: Option<UntrustedText>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<UntrustedText>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<UntrustedText>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

impl Chat {
    fn read(self) -> Option<Answer> {
        let Self { choices, model, usage } = self;
        let Choice { message, finish_reason } = choices.into_iter().next()?;
        let (finish, text) = (finish_reason.unwrap_or_default(), message.content.unwrap_or_default());
        let filtered = (finish == "content_filter" && text.is_empty()).then_some(&finish);
        Some(Answer {
            cut: finish == "length",
            refused: message.refusal.or_else(|| filtered.cloned()),
            prompt_tokens: usage.as_ref().and_then(|usage| usage.prompt_tokens),
            output_tokens: usage.as_ref().and_then(|usage| usage.completion_tokens),
            version: model,
            text: UntrustedText::whole(&text),
            key_id: None,
        })
    }
}

fn settings(why: &str, hint: &'static str) -> OpenAiError {
    OpenAiError::Settings { why: why.to_owned(), hint }
}

/// What the server said, in sane length.
fn quoted(text: &str) -> UntrustedText {
    UntrustedText::bounded(&text.split_whitespace().collect::<Vec<_>>().join(" "), QUOTED)
}

/// The address of the chat, below that of the server. Never quotes it: it may hold a password.
fn chat_url(base: &str) -> Result<Url, OpenAiError> {
    let wrong = |why: &str| settings(why, "write it like `http://localhost:11434/v1`");
    let mut url = Url::parse(base).map_err(|_| wrong("the base URL is none"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("the base URL is neither http nor https"));
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(wrong("the base URL holds more than host and path"));
    }
    let path = format!("{}/chat/completions", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

fn bearer(key: &SecretString) -> Result<HeaderValue, OpenAiError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
        .map_err(|_| settings("`OPENAI_API_KEY` cannot be a key: no header can hold it", "set it anew"))?;
    value.set_sensitive(true);
    Ok(value)
}
