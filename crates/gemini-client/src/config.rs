//! How to reach the API: [`Config`], checked once when a client is made.

use std::fmt;
use std::time::Duration;

use keyrot_core::leak;
use url::{Host, Url};

/// Why a request is not sent whose URL would carry a key into logs.
pub(crate) const KEY_IN_URL: &str = "a key must not stand in the URL";

/// Google's own endpoint.
pub const DEFAULT_BASE_URL: &str = "https://generativelanguage.googleapis.com";

/// How to reach the API. Start from [`Config::default`] or [`Config::at`] and change fields.
///
/// ```
/// use gemini_client::{Client, Config};
/// let client = Client::new(&Config::at("http://127.0.0.1:8080")).unwrap();
/// assert!(client.warnings().is_empty());
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where the API is: `http` or `https`, a host, and a path before the version if need be.
    pub base_url: String,
    /// `v1beta` (default), `v1` or `v1alpha`.
    pub api_version: String,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// A proxy for every request. `None` (default) takes the system's (`HTTPS_PROXY`, `HTTP_PROXY`,
    /// `NO_PROXY`), except for a base URL on this machine, which no system proxy stands before.
    pub proxy: Option<String>,
    /// Most bytes of one answer, and of one event of a stream; 64 MiB, since images come inside.
    pub max_answer: usize,
}

/// How long to wait for what; `None` waits for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Name resolution, TCP and TLS together; 10 s.
    pub connect: Option<Duration>,
    /// From the call to the answer's head. 610 s: a unary answer has no head before it is done, the
    /// server's own bound for it is 10 minutes, and its 504 says more than our timeout.
    pub first_byte: Option<Duration>,
    /// Between two pieces of the body; 300 s, since a model may think long between two chunks.
    pub idle: Option<Duration>,
    /// The whole call; 1210 s: the server's bound for a stream is 20 minutes.
    pub total: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Some(Duration::from_secs(10)),
            first_byte: Some(Duration::from_secs(610)),
            idle: Some(Duration::from_secs(300)),
            total: Some(Duration::from_secs(1210)),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: DEFAULT_BASE_URL.to_owned(),
            api_version: "v1beta".to_owned(),
            timeouts: Timeouts::default(),
            user_agent: concat!("keyrot-gemini-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            proxy: None,
            max_answer: 64 << 20,
        }
    }
}

impl Config {
    /// The defaults, at another base URL.
    pub fn at(base_url: impl Into<String>) -> Self {
        Self { base_url: base_url.into(), ..Self::default() }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base_url, api_version, timeouts, user_agent, proxy, max_answer } = self;
        // A proxy's address often holds a password; a base URL should not, and is shown once checked.
        let base_url = Base::parse(base_url).map(|base| base.url.to_string()).map_err(|_| "[unusable]");
        f.debug_struct("Config")
            .field("base_url", &base_url.as_deref().unwrap_or_else(|unusable| unusable))
            .field("api_version", api_version)
            .field("timeouts", timeouts)
            .field("user_agent", user_agent)
            .field("proxy", &proxy.as_ref().map(|_| "[REDACTED]"))
            .field("max_answer", max_answer)
            .finish()
    }
}

/// Why no client can be made. Never quotes the value: whoever read it knows its name, and a URL may
/// hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The base URL is none.
    #[error("the base URL cannot be used: {0}\nhint: write it like `{DEFAULT_BASE_URL}`")]
    BaseUrl(&'static str),
    /// The API version is no path segment.
    #[error("the API version cannot be used\nhint: `v1beta`, `v1` or `v1alpha`")]
    ApiVersion,
    /// The proxy's address is no URL.
    #[error("the proxy cannot be used\nhint: write it like `http://proxy.example:3128`")]
    Proxy,
    /// The user agent cannot be a header.
    #[error("the user agent cannot be sent as a header")]
    UserAgent,
    /// The system has no usable certificates.
    #[error("no TLS: {0}\nhint: install the system's CA certificates, or set `SSL_CERT_FILE`")]
    Tls(String),
}

/// A checked base URL.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub(crate) url: Url,
}

impl Base {
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        let fail = |why| Err(ConfigError::BaseUrl(why));
        if leak::looks_like_a_key(text) {
            return fail("it holds what looks like an API key");
        }
        let Ok(url) = Url::parse(text.trim()) else { return fail("it is no URL") };
        if !matches!(url.scheme(), "http" | "https") {
            return fail("its scheme is neither `http` nor `https`");
        }
        if url.host().is_none() {
            return fail("it has no host");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return fail("it holds a user name or a password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return fail("it has a query or a fragment");
        }
        Ok(Self { url })
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether it names this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// What the user should hear about it.
    pub(crate) fn warnings(&self) -> Vec<String> {
        if self.is_https() || self.is_loopback() {
            return Vec::new();
        }
        let host = self.url.host_str().unwrap_or_default();
        vec![format!("keys go to `{host}` in clear text\nhint: use `https`")]
    }

    /// The base followed by `path_and_query`, which must begin with `/` and stay beneath the base.
    pub(crate) fn join(&self, path_and_query: &str) -> Result<Url, &'static str> {
        if !path_and_query.starts_with('/') {
            return Err("the path does not begin with `/`");
        }
        let base = self.url.as_str().trim_end_matches('/');
        let url = Url::parse(&format!("{base}{path_and_query}")).map_err(|_| "the path is no path")?;
        let beneath = self.url.path().trim_end_matches('/');
        if url.path().strip_prefix(beneath).is_none_or(|rest| !rest.starts_with('/')) {
            return Err("the path leads out of the base URL");
        }
        let named = url.query_pairs().any(|(name, _)| name.eq_ignore_ascii_case("key"));
        if named || leak::looks_like_a_key(path_and_query) {
            return Err(KEY_IN_URL);
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests;
