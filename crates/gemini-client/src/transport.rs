//! One request, one answer, in bytes: [`Transport`] and [`RawResponse`].

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use keyrot_core::untrusted;
use secrecy::{ExposeSecret, SecretString};

use crate::allowed;
use crate::body::Body;
use crate::classify::Head;
use crate::config::{Base, Config, ConfigError, KEY_IN_URL, Timeouts};
use crate::error::{Error, Wait};
use crate::tls;

const API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// An answer as it came, whatever its status.
#[non_exhaustive]
pub struct RawResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, not read yet.
    pub body: Body,
    pub(crate) server_timeout: Option<Duration>,
}

impl RawResponse {
    /// What [`classify`](crate::classify()) needs besides the body.
    #[must_use]
    pub fn head(&self) -> Head<'_> {
        Head::new(self.status.as_u16(), &self.headers).server_timeout(self.server_timeout)
    }

    /// The media type, where the answer gives one.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()
    }
}

impl fmt::Debug for RawResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, headers: _, body, server_timeout: _ } = self;
        f.debug_struct("RawResponse").field("status", status).field("body", body).finish_non_exhaustive()
    }
}

/// The HTTP client and where it points.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    base: Base,
    timeouts: Timeouts,
    pub(crate) max_answer: usize,
}

impl Transport {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let base = Base::parse(&config.base_url)?;
        let user_agent = HeaderValue::from_str(&config.user_agent).map_err(|_| ConfigError::UserAgent)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(base.is_https() || config.proxy.is_some())?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(user_agent);
        if let Some(connect) = config.timeouts.connect {
            builder = builder.connect_timeout(connect);
        }
        if let Some(proxy) = &config.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(|_| ConfigError::Proxy)?);
        } else if base.is_loopback() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| ConfigError::Tls(error.without_url().to_string()))?;
        Ok(Self { http, base, timeouts: config.timeouts, max_answer: config.max_answer })
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        self.base.warnings()
    }

    /// Sends one request and waits for the head of its answer.
    pub(crate) async fn send(
        &self,
        key: &SecretString,
        method: Method,
        path_and_query: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<RawResponse, Error> {
        untrusted::remember(key);
        let mut url = self.base.join(path_and_query).map_err(Error::invalid_request)?;
        allowed::method(&method)
            .and_then(|()| allowed::query(&mut url))
            .map_err(|why| Error::invalid_request(&why))?;
        if untrusted::reveals(path_and_query, key) || untrusted::reveals(url.as_str(), key) {
            return Err(Error::invalid_request(KEY_IN_URL));
        }
        let mut headers = allowed::headers(&headers);
        let server_timeout = allowed::server_timeout(&headers);
        headers.insert(API_KEY, key_header(key)?);
        let started = stopwatch();
        let path = url.path().to_owned();
        let sent = body.len();
        let mut total = self.timeouts.total.map(|total| Box::pin(tokio::time::sleep(total)));
        let request = self.http.request(method.clone(), url).headers(headers).body(body).send();
        let answer = tokio::select! {
            biased;
            answer = request => answer.map_err(Error::sending),
            () = until(total.as_mut()) => Err(Error::timeout(Wait::Total, self.timeouts.total)),
            () = pause(self.timeouts.first_byte) => Err(Error::timeout(Wait::FirstByte, self.timeouts.first_byte)),
        };
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match answer {
            Ok(answer) => {
                let (status, headers) = (answer.status(), answer.headers().clone());
                tracing::debug!(%method, path, sent, status = status.as_u16(), elapsed_ms, "answer begins");
                let body = Body::new(answer, self.timeouts.idle, total);
                Ok(RawResponse { status, headers, body, server_timeout })
            }
            Err(error) => {
                tracing::debug!(%method, path, sent, kind = ?error.kind(), elapsed_ms, "no answer");
                Err(error)
            }
        }
    }
}

fn key_header(key: &SecretString) -> Result<HeaderValue, Error> {
    let text = key.expose_secret();
    if text.is_empty() {
        return Err(Error::invalid_key());
    }
    let mut value = HeaderValue::from_str(text).map_err(|_| Error::invalid_key())?;
    value.set_sensitive(true);
    Ok(value)
}

async fn until(timer: Option<&mut std::pin::Pin<Box<tokio::time::Sleep>>>) {
    match timer {
        Some(timer) => timer.await,
        None => std::future::pending().await,
    }
}

async fn pause(length: Option<Duration>) {
    match length {
        Some(length) => tokio::time::sleep(length).await,
        None => std::future::pending().await,
    }
}

#[expect(clippy::disallowed_methods, reason = "a duration for a log line; no decision reads it")]
fn stopwatch() -> std::time::Instant {
    std::time::Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_marked_sensitive() {
        let value = key_header(&SecretString::from("KEYROT_CANARY")).unwrap();
        // Not in debug texts, and never in HTTP/2's table of known headers.
        assert!(value.is_sensitive());
        assert_eq!(format!("{value:?}"), "Sensitive");
    }
}
