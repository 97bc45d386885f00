//! What the SDK's requests travel on: our HTTP client with short patience, and what became of a request that got no
//! answer.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::{HeaderName, HeaderValue, Headers, RETRY_AFTER};
use azure_core::http::policies::{RetryHeaders, RetryPolicy};
use azure_core::http::{AsyncRawResponse, Body, ClientOptions, HttpClient, Request, RetryOptions, Transport};
use bytes::Bytes;
use keyrot_core::SecretError;
use reqwest::header;
use rustls::pki_types::CertificateDer;
use url::Url;
use zeroize::Zeroizing;

use crate::name::STORE;
use crate::tls;

const CONNECT: Duration = Duration::from_secs(3);
/// For one request and its answer; Azure's own take a fraction of a second.
const ANSWER: Duration = Duration::from_secs(5);
/// The machine's own metadata service answers at once, where there is one.
const PROBE: Duration = Duration::from_secs(1);
/// More than any answer of a vault or a login has: a secret is 25 kB at most.
const LONGEST: usize = 1 << 20;

/// One way out of the process.
#[derive(Debug)]
pub(crate) struct Wire {
    http: reqwest::Client,
    /// Managed identities: where they are, if they are not where they always are.
    metadata: Option<Url>,
    /// Whether the SDK may try again when nobody answered.
    again: bool,
}

impl Wire {
    /// To vaults and logins.
    pub(crate) fn outside(more: &[CertificateDer<'static>]) -> Result<Self, SecretError> {
        let builder = client()
            .tls_backend_preconfigured(tls::config(more)?)
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .https_only(true);
        Ok(Self { http: built(builder)?, metadata: None, again: true })
    }

    /// To the machine's managed identities. Where there are none, as on a laptop, nobody answers: this is told in a
    /// second, not asked again, and never goes through a proxy.
    pub(crate) fn machine(metadata: Option<Url>) -> Result<Self, SecretError> {
        let builder = client()
            .tls_backend_preconfigured(tls::config(&[])?)
            .no_proxy()
            .connect_timeout(PROBE)
            .timeout(CONNECT);
        Ok(Self { http: built(builder)?, metadata, again: false })
    }

    /// How the SDK is to use it.
    pub(crate) fn options(self) -> ClientOptions {
        ClientOptions {
            transport: Some(Transport::new(Arc::new(self))),
            retry: RetryOptions::custom(Arc::new(Again)),
            ..ClientOptions::default()
        }
    }

    fn url(&self, request: &Request) -> Url {
        let mut url = request.url().clone();
        if let Some(at) = self.metadata.as_ref().filter(|_| url.host_str() == Some("169.254.169.254")) {
            // Neither fails: both are `http` addresses with a host.
            let moved = url.set_host(at.host_str()).is_ok() && url.set_port(at.port()).is_ok();
            debug_assert!(moved, "`{at}` was checked");
        }
        url
    }

    async fn exchange(&self, request: &Request) -> Result<AsyncRawResponse, reqwest::Error> {
        // Every method of the SDK's is one of HTTP's.
        let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or_default();
        let mut builder = self.http.request(method, self.url(request));
        for (name, value) in request.headers().iter() {
            builder = match header::HeaderValue::from_str(value.as_str()) {
                Ok(mut plain) => {
                    // A token is neither shown in a debug text nor kept in HTTP/2's table of headers.
                    plain.set_sensitive(
                        name.as_str() == "authorization" || name.as_str() == "x-identity-header",
                    );
                    builder.header(name.as_str(), plain)
                }
                // As it is: building the request fails with a message that does not repeat it.
                Err(_) => builder.header(name.as_str(), value.as_str()),
            };
        }
        if let Body::Bytes(body) = request.body() {
            builder = builder.body(body.clone());
        }
        let mut answer = builder.send().await?;
        let headers = headers(answer.headers());
        // Large enough for every answer expected, so that it does not move and leave copies behind.
        let mut body = Zeroizing::new(Vec::with_capacity(1 << 16));
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > LONGEST {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(AsyncRawResponse::from_bytes(answer.status().as_u16().into(), headers, Bytes::from_owner(body)))
    }
}

#[async_trait]
impl HttpClient for Wire {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.exchange(request).await.map_err(|error| {
            let host = self.url(request).host_str().unwrap_or_default().to_owned();
            let silence = Silence { host, cause: Cause::of(&error), detail: detail(error) };
            let again = self.again && matches!(silence.cause, Cause::Connect | Cause::Broken);
            let kind = if again { ErrorKind::Io } else { ErrorKind::Other };
            Error::new(kind, silence)
        })
    }
}

fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, SecretError> {
    builder.build().map_err(|error| SecretError::Misconfigured {
        store: STORE,
        why: format!("there is no HTTP client: {}", detail(error)),
        hint: "look at `HTTPS_PROXY` and the system's CA certificates".to_owned(),
    })
}

fn headers(all: &header::HeaderMap) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in all {
        if let Ok(value) = value.to_str() {
            headers.insert(HeaderName::from(name.as_str().to_owned()), HeaderValue::from(value.to_owned()));
        }
    }
    headers
}

/// No answer came, or none that could be read.
#[derive(Debug)]
pub(crate) struct Silence {
    pub(crate) host: String,
    pub(crate) cause: Cause,
    pub(crate) detail: String,
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, cause, detail } = self;
        match cause {
            Cause::Certificate => write!(f, "the certificate of `{host}` is not trusted: {detail}"),
            Cause::Connect => write!(f, "`{host}` cannot be reached: {detail}"),
            Cause::Timeout => write!(f, "`{host}` did not answer in time"),
            Cause::Broken => write!(f, "the connection to `{host}` broke: {detail}"),
        }
    }
}

impl StdError for Silence {}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Certificate,
    Connect,
    Timeout,
    Broken,
}

impl Cause {
    fn of(error: &reqwest::Error) -> Self {
        if is_tls(error) {
            Self::Certificate
        } else if error.is_timeout() {
            Self::Timeout
        } else if error.is_connect() {
            Self::Connect
        } else {
            Self::Broken
        }
    }
}

fn is_tls(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        // An I/O error passes over what it carries when it is asked for its source.
        let carried = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match carried {
            Some(carried) => Some(carried),
            None => error.source(),
        };
    }
    false
}

/// The deepest cause: the rest only repeats that a request failed.
fn detail(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut deepest: &dyn StdError = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// When the SDK tries again: twice and soon, for what a second try may mend. It does not wait for a vault that
/// throttles: keys are served from what was read before, and the vault is asked again later.
#[derive(Debug)]
struct Again;

impl RetryPolicy for Again {
    fn is_expired(&self, since: azure_core::time::Duration, tries: u32) -> bool {
        tries >= 2 || since >= azure_core::time::Duration::seconds(2)
    }

    fn retry_headers(&self) -> Option<&RetryHeaders> {
        None
    }

    fn retry_status_codes(&self) -> &[azure_core::http::StatusCode] {
        use azure_core::http::StatusCode;
        &[StatusCode::InternalServerError, StatusCode::BadGateway, StatusCode::GatewayTimeout]
    }

    fn sleep_duration(&self, tries: u32) -> azure_core::time::Duration {
        azure_core::time::Duration::milliseconds(100 * i64::from(tries))
    }
}

/// What an answer says of when to come again.
pub(crate) fn retry_after(headers: &Headers) -> Option<&str> {
    headers.get_optional_str(&RETRY_AFTER).filter(|text| text.len() <= 32)
}
