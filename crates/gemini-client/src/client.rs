//! The typed calls: [`Client`].

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use keyrot_core::Outcome;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded;

use crate::classify::{Envelope, Head, classify};
use crate::config::{Config, ConfigError};
use crate::error::Error;
use crate::model;
use crate::stream::ChunkStream;
use crate::transport::{RawResponse, Transport};
use crate::wire::{
    CountTokensRequest, CountTokensResponse, GenerateRequest, GenerateResponse, Model, ModelPage,
};

/// Most bytes read of an error's body.
const LONGEST_ERROR: usize = 1 << 20;

/// A client for the Gemini API. Cheap to clone; clones share connections.
///
/// Every call takes the key it goes out with and makes exactly one attempt. The key travels in the
/// `x-goog-api-key` header and nowhere else; redirects are not followed.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Transport,
    version: Arc<str>,
    warnings: Arc<[String]>,
}

impl Client {
    /// A client for this configuration. Connects to nothing yet.
    ///
    /// # Errors
    /// [`ConfigError`], naming the part of the configuration that cannot be used.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let version = config.api_version.trim();
        if version.is_empty() || !version.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(ConfigError::ApiVersion);
        }
        let transport = Transport::new(config)?;
        let warnings = transport.warnings().into();
        Ok(Self { transport, version: version.into(), warnings })
    }

    /// What the user should hear about the configuration: at present, that keys would leave the
    /// machine in clear text.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Asks a model. A refusal of the safety filter is an answer too: see
    /// [`GenerateResponse::outcome`].
    ///
    /// # Errors
    /// [`Error`]: everything but a whole answer with a 2xx status.
    pub async fn generate(
        &self,
        key: &SecretString,
        model: &str,
        request: &GenerateRequest,
    ) -> Result<GenerateResponse, Error> {
        let path = format!("/{}:generateContent", model::resource(model)?);
        self.call(key, Method::POST, &path, json(request)?).await
    }

    /// Asks a model for an answer in pieces. Returns when the answer's head is there: an error
    /// before that is an error of this call, an error after it an item of the stream.
    ///
    /// # Errors
    /// [`Error`]: everything but the beginning of an answer with a 2xx status.
    pub async fn stream(
        &self,
        key: &SecretString,
        model: &str,
        request: &GenerateRequest,
    ) -> Result<ChunkStream, Error> {
        let path = format!("/{}:streamGenerateContent?alt=sse", model::resource(model)?);
        let answer = self.send(key, Method::POST, &path, json(request)?).await?;
        // A page in place of a stream: the decoder would find no event in it and call it truncated.
        let page = answer.content_type().is_some_and(|media| media.starts_with("text/html"));
        if page || !answer.status.is_success() {
            return Err(refusal(answer).await);
        }
        Ok(ChunkStream::new(answer.body, self.transport.max_answer))
    }

    /// Counts the input tokens of a request. It has a quota of its own.
    ///
    /// # Errors
    /// [`Error`]: everything but a whole answer with a 2xx status.
    pub async fn count_tokens(
        &self,
        key: &SecretString,
        model: &str,
        request: &CountTokensRequest,
    ) -> Result<CountTokensResponse, Error> {
        let resource = model::resource(model)?;
        let mut request = request.clone();
        if let Some(inner) = &mut request.generate_content_request {
            inner.extra.insert("model".to_owned(), Value::from(resource.clone()));
        }
        self.call(key, Method::POST, &format!("/{resource}:countTokens"), json(&request)?).await
    }

    /// One page of the list of models.
    ///
    /// # Errors
    /// [`Error`]: everything but a whole answer with a 2xx status.
    pub async fn list_models(
        &self,
        key: &SecretString,
        page_size: Option<u32>,
        page_token: Option<&str>,
    ) -> Result<ModelPage, Error> {
        const PATH: &str = "/models?";
        // In a block of its own: a serializer cannot go from thread to thread, as this call may.
        let path = {
            let mut query = form_urlencoded::Serializer::for_suffix(PATH.to_owned(), PATH.len());
            if let Some(size) = page_size {
                query.append_pair("pageSize", &size.to_string());
            }
            if let Some(token) = page_token {
                query.append_pair("pageToken", token);
            }
            query.finish()
        };
        self.call(key, Method::GET, path.trim_end_matches('?'), Bytes::new()).await
    }

    /// What the API says of a model.
    ///
    /// # Errors
    /// [`Error`]: everything but a whole answer with a 2xx status.
    pub async fn get_model(&self, key: &SecretString, model: &str) -> Result<Model, Error> {
        let path = format!("/{}", model::resource(model)?);
        self.call(key, Method::GET, &path, Bytes::new()).await
    }

    /// One request in bytes, whatever the method, path and version; the answer whatever its status.
    /// `path_and_query` begins with `/` and is taken beneath the base URL.
    ///
    /// Only what Gemini's own SDKs send travels on, so that a request goes out with `key` and no
    /// other credential, project to bill, or method. Headers about the content, ranges and conditions,
    /// uploads (`x-goog-upload-*`), `user-agent`, `x-goog-api-client`, `x-goog-fieldmask` and
    /// `x-server-timeout` do; all others are dropped. Query parameters for the form of the answer
    /// (`alt`, `fields`, `prettyPrint`), pages, filters, masks, uploads and streams do; with any other
    /// the request is refused.
    ///
    /// # Errors
    /// [`Error`]: only where no answer began. A path that leaves the base URL, a query parameter that
    /// does not travel on, and methods but GET, HEAD, POST, PUT, PATCH and DELETE are refused.
    pub async fn raw(
        &self,
        key: &SecretString,
        method: Method,
        path_and_query: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<RawResponse, Error> {
        self.transport.send(key, method, path_and_query, headers, body).await
    }

    async fn send(
        &self,
        key: &SecretString,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<RawResponse, Error> {
        let mut headers = HeaderMap::new();
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        self.transport.send(key, method, &format!("/{}{path}", self.version), headers, body).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        key: &SecretString,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, Error> {
        let answer = self.send(key, method, path, body).await?;
        if !answer.status.is_success() {
            return Err(refusal(answer).await);
        }
        let RawResponse { status, headers, body, server_timeout } = answer;
        let head = Head::new(status.as_u16(), &headers).server_timeout(server_timeout);
        decode(&head, &body.collect(self.transport.max_answer).await?)
    }
}

fn json(request: &impl Serialize) -> Result<Bytes, Error> {
    let text = serde_json::to_vec(request).map_err(|error| Error::invalid_request(&error.to_string()))?;
    Ok(text.into())
}

/// The error that an answer without success is.
async fn refusal(answer: RawResponse) -> Error {
    let RawResponse { status, headers, body, server_timeout } = answer;
    let head = Head::new(status.as_u16(), &headers).server_timeout(server_timeout);
    Error::refused(&head, &body.collect_some(LONGEST_ERROR).await)
}

/// The body of an answer with a 2xx status.
fn decode<T: DeserializeOwned>(head: &Head<'_>, body: &[u8]) -> Result<T, Error> {
    let status = head.status();
    match serde_json::from_slice::<Value>(body) {
        Ok(value) if Envelope::find(&value).is_none() => {
            serde_json::from_value(value).map_err(|why| Error::undecodable(status, &why))
        }
        Ok(_) => Err(Error::refused(head, body)),
        Err(why) => match classify(head, body) {
            Outcome::Network(_) => Err(Error::truncated("its JSON is cut off")),
            _ => Err(Error::undecodable(status, &why)),
        },
    }
}
