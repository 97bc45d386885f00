//! The server: one HTTP client for all calls, and a `vaultrs` client for each.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use keyrot_core::SecretError;
use reqwest::redirect::{Attempt, Policy};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret as _, SecretString};
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;
use url::Url;
use vaultrs::api::EndpointMiddleware;
use vaultrs::client::{VaultClient, VaultClientSettings};

use crate::settings::{Settings, is_loopback, wrong};

const CONNECT: Duration = Duration::from_secs(3);
/// The longest one call may take.
pub(crate) const CALL: Duration = Duration::from_secs(8);
/// A standby sends callers on to the active server, once.
const REDIRECTS: usize = 1;

/// Where calls go.
#[derive(Debug)]
pub(crate) struct Server {
    http: reqwest::Client,
    pub(crate) url: Url,
    namespace: Option<String>,
}

impl Server {
    /// Reads the authorities, and asks nobody.
    pub(crate) fn new(settings: &Settings) -> Result<Self, SecretError> {
        let Settings { url, namespace, authorities, .. } = settings;
        // Who may be asked in the clear on another machine may be another machine in the clear.
        let in_the_clear = url.scheme() == "http" && !is_loopback(url);
        let tls = tls(url.scheme() == "https", authorities.as_deref())?;
        let mut http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::custom(move |attempt| followed(attempt, in_the_clear)))
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(concat!("keyrot/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(CALL);
        if settings.is_here() {
            http = http.no_proxy();
        }
        let unusable = |error: reqwest::Error| {
            wrong(&format!("no HTTP client: {}", error.without_url()), "see to the system's certificates")
        };
        let http = http.build().map_err(unusable)?;
        Ok(Self { http, url: url.clone(), namespace: namespace.clone() })
    }

    /// A client for one call, which carries `token`.
    pub(crate) fn call(&self, token: Option<&SecretString>) -> Call {
        let token = token.map_or_else(String::new, |token| token.expose_secret().to_owned());
        let middle = EndpointMiddleware {
            token,
            version: "v1".to_owned(),
            wrap: None,
            namespace: self.namespace.clone(),
        };
        let settings = VaultClientSettings {
            address: self.url.clone(),
            ca_certs: Vec::new(),
            identity: None,
            timeout: None,
            token: String::new(),
            verify: true,
            version: 1,
            wrapping: false,
            namespace: self.namespace.clone(),
            proxy: None,
        };
        let base = self.url.as_str().trim_end_matches('/');
        let http = rustify::clients::reqwest::Client::new(base, self.http.clone());
        Call(VaultClient { http, middle, settings })
    }

    /// A bare request below `/v1/`, for what `vaultrs` has no call for.
    pub(crate) fn get(&self, path: &str, token: &SecretString) -> reqwest::RequestBuilder {
        let mut url = self.url.clone();
        url.set_path(&format!("/v1/{path}"));
        let mut request = self.http.get(url).header("X-Vault-Request", "true");
        if let Ok(mut token) = http_header(token) {
            token.set_sensitive(true);
            request = request.header("X-Vault-Token", token);
        }
        match &self.namespace {
            Some(namespace) => request.header("X-Vault-Namespace", namespace),
            None => request,
        }
    }

    /// The server, for messages.
    pub(crate) fn place(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }
}

fn http_header(token: &SecretString) -> Result<reqwest::header::HeaderValue, ()> {
    reqwest::header::HeaderValue::from_str(token.expose_secret()).map_err(|_| ())
}

impl Settings {
    /// Whether the server is on this machine, where no proxy stands before it.
    fn is_here(&self) -> bool {
        self.url.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"))
    }
}

/// A client for one call. Its copy of the token is wiped when it is dropped; `vaultrs` would show it in debug
/// texts, and this has none.
pub(crate) struct Call(pub(crate) VaultClient);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.middle.token.zeroize();
    }
}

/// Does `work`, which is `vaultrs`', with nobody listening: it says every refusal at ERROR before its caller can
/// judge it, and what it says of answers is its own affair. Boxed, for its futures are large.
pub(crate) fn quietly<'a, T>(
    work: impl Future<Output = T> + Send + 'a,
) -> futures_util::future::BoxFuture<'a, T> {
    Box::pin(work.with_subscriber(NoSubscriber::default()))
}

/// A standby's way to the active server, to which the token goes along: the same question elsewhere, once, never
/// from https to http, and to another machine in the clear only where that is allowed anyway.
fn followed(attempt: Attempt<'_>, in_the_clear: bool) -> reqwest::redirect::Action {
    let (from, to) = (attempt.previous().last(), attempt.url());
    let same =
        matches!(attempt.status().as_u16(), 307 | 308) && from.is_some_and(|from| from.path() == to.path());
    let safe = match (from.map(Url::scheme), to.scheme()) {
        (_, "https") => true,
        (Some("http"), "http") => in_the_clear || is_loopback(to),
        _ => false,
    };
    if same && safe && attempt.previous().len() <= REDIRECTS { attempt.follow() } else { attempt.stop() }
}

fn tls(needed: bool, authorities: Option<&Path>) -> Result<ClientConfig, SecretError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unusable = |why: String| {
        wrong(
            &format!("TLS cannot be used: {why}"),
            "see to the system's certificates, or set `VAULT_CACERT`",
        )
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?;
    if let Some(path) = authorities {
        return Ok(builder.with_root_certificates(roots(path)?).with_no_client_auth());
    }
    match Verifier::new(provider) {
        Ok(verifier) => {
            Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
        }
        Err(error) if needed => Err(unusable(error.to_string())),
        Err(_) => Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()),
    }
}

fn roots(path: &Path) -> Result<RootCertStore, SecretError> {
    let shown = keyrot_core::untrusted::path(path);
    let hint = "name a PEM file with the certificates of the authorities";
    let text = fs::read(path)
        .map_err(|error| wrong(&format!("cannot read `VAULT_CACERT` `{shown}`: {error}"), hint))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        added.map_err(|why| wrong(&format!("`VAULT_CACERT` `{shown}`: {why}"), hint))?;
    }
    if roots.is_empty() {
        return Err(wrong(&format!("`VAULT_CACERT` `{shown}` holds no certificate"), hint));
    }
    Ok(roots)
}
