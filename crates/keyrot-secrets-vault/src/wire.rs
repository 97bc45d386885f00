//! One HTTP exchange. `vaultrs` knows path, method and body of a request; sending it is ours, so that no token lies in
//! a type with a debug text, no body in an error, and nothing is sent where a redirect points without a look.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use keyrot_core::SecretError;
use rustify::Endpoint;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::fault::{Fault, detail};
use crate::settings::{is_loopback, misconfigured};
use crate::tls::Trust;

const CONNECT: Duration = Duration::from_secs(3);
/// One request and its answer. Those that belong to one question share ten seconds, which the store watches.
const ANSWER: Duration = Duration::from_secs(6);
/// Secrets are read together and then not for minutes: a connection that lay idle for long may be dead.
const IDLE: Duration = Duration::from_secs(10);
/// More than any answer to keyrot has.
const LONGEST: usize = 1 << 20;

pub(crate) struct Wire {
    http: reqwest::Client,
    address: Url,
    namespace: Option<HeaderValue>,
    /// The server, for messages.
    pub(crate) place: String,
}

/// A body, wiped when it is dropped.
pub(crate) struct Answer(Zeroizing<Vec<u8>>);

impl Answer {
    /// # Errors
    /// [`Fault::Garbled`], which repeats nothing of it.
    pub(crate) fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Fault> {
        serde_json::from_slice(&self.0).map_err(|_| Fault::Garbled)
    }
}

/// What the server says when it refuses.
#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

impl Wire {
    pub(crate) fn new(address: Url, namespace: Option<&str>, trust: Trust) -> Result<Self, SecretError> {
        let config = trust.config().map_err(|error| {
            misconfigured(
                format!("TLS cannot be set up: {error}"),
                "install the system's CA certificates, or point `VAULT_CACERT` at the server's authority",
            )
        })?;
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_idle_timeout(IDLE)
            .connect_timeout(CONNECT)
            .timeout(ANSWER);
        let builder = if is_loopback(&address) { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| {
            misconfigured(format!("there is no HTTP client: {}", detail(error)), "look at `HTTPS_PROXY`")
        })?;
        let namespace = namespace.map(HeaderValue::from_str).transpose().map_err(|_| {
            misconfigured(
                "`VAULT_NAMESPACE` has a character no header may hold",
                "set it to a path such as `team-a`",
            )
        })?;
        let place = place(&address);
        Ok(Self { http, address, namespace, place })
    }

    /// Sends a request and gives the answer, if the server grants it.
    pub(crate) async fn call<E: Endpoint>(
        &self,
        endpoint: &E,
        token: Option<&SecretString>,
    ) -> Result<Answer, Fault> {
        // The path alone matters: where it is sent is decided below.
        let request = endpoint.request("http://vault/").map_err(|_| Fault::Unsendable)?;
        let (parts, body) = request.into_parts();
        let body = bytes::Bytes::from_owner(Zeroizing::new(body));
        let mut url = self.address.clone();
        url.set_path(&format!("{}/v1{}", self.address.path().trim_end_matches('/'), parts.uri.path()));
        url.set_query(parts.uri.query().filter(|query| !query.is_empty()));
        let headers = self.headers(token)?;
        let mut followed = false;
        loop {
            let request = self.http.request(parts.method.clone(), url.clone()).headers(headers.clone());
            let request = if body.is_empty() { request } else { request.body(body.clone()) };
            let answer = request.send().await.map_err(Fault::of)?;
            let status = answer.status();
            if status.is_redirection() {
                let to =
                    answer.headers().get(header::LOCATION).and_then(|to| url.join(to.to_str().ok()?).ok());
                let to = to.ok_or(Fault::Garbled)?;
                // A standby names the active server. Only there, only once, and never to plain http.
                let is_other =
                    matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
                if followed || !is_other || to.scheme() != self.address.scheme() || to.path() != url.path() {
                    return Err(Fault::Elsewhere(place(&to)));
                }
                if to.scheme() == "http" && is_loopback(&self.address) && !is_loopback(&to) {
                    return Err(Fault::Elsewhere(place(&to)));
                }
                url = to;
                followed = true;
                continue;
            }
            let body = read(answer).await?;
            if status.is_success() {
                return Ok(Answer(body));
            }
            let said =
                serde_json::from_slice(&body).map(|Errors { errors }| errors.join("; ")).unwrap_or_default();
            let said = match token.map(ExposeSecret::expose_secret) {
                Some(token) => said.replace(token, "[REDACTED]"),
                None => said,
            };
            return Err(Fault::Refused { status: status.as_u16(), said, body: Answer(body) });
        }
    }

    fn headers(&self, token: Option<&SecretString>) -> Result<HeaderMap, Fault> {
        let mut headers = HeaderMap::new();
        // Without it an agent in between refuses, as a browser would be refused.
        headers.insert("X-Vault-Request", HeaderValue::from_static("true"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(namespace) = &self.namespace {
            headers.insert("X-Vault-Namespace", namespace.clone());
        }
        if let Some(token) = token {
            let mut token = HeaderValue::from_str(token.expose_secret()).map_err(|_| Fault::Unsendable)?;
            token.set_sensitive(true);
            headers.insert("X-Vault-Token", token);
        }
        Ok(headers)
    }
}

async fn read(mut answer: reqwest::Response) -> Result<Zeroizing<Vec<u8>>, Fault> {
    // Room for every answer expected, so that it does not move and leave copies behind.
    let mut body = Zeroizing::new(Vec::with_capacity(1 << 16));
    while let Some(chunk) = answer.chunk().await.map_err(Fault::of)? {
        if body.len() + chunk.len() > LONGEST {
            return Err(Fault::Garbled);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn place(url: &Url) -> String {
    url.origin().ascii_serialization()
}
