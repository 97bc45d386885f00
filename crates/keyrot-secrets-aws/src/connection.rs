//! The way to the service: the SDK's client, with bounds on how long anything may take.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::Client;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use keyrot_core::SecretError;
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::quiet::quietly;
use crate::settings::{STORE, Settings};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// How long one try may take, and how many there are.
const TRY: Duration = Duration::from_secs(4);
const TRIES: u32 = 2;
const PAUSE: Duration = Duration::from_millis(200);
/// How long looking for credentials may take: a metadata service that does not answer is asked for them last.
const CREDENTIALS: Duration = Duration::from_secs(5);
/// The same for the region.
const REGION: Duration = Duration::from_secs(3);

/// The SDK's client, made when it is first needed.
#[derive(Debug)]
pub(crate) struct Connection {
    settings: Settings,
    made: OnceCell<Made>,
}

/// A client and where it leads.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) client: Client,
    pub(crate) region: String,
    /// The server, for messages.
    pub(crate) place: String,
}

impl Connection {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, made: OnceCell::new() }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The client; who asks while it is being made waits for the same one.
    ///
    /// # Errors
    /// [`SecretError::Misconfigured`] when nothing says which region is meant, or the proxy makes no sense.
    pub(crate) async fn made(&self) -> Result<&Made, SecretError> {
        self.made.get_or_try_init(|| self.make()).await
    }

    async fn make(&self) -> Result<Made, SecretError> {
        let Settings { prefix: _, region, endpoint, profile, credentials, proxy } = &self.settings;
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT).operation_attempt_timeout(TRY).build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(Connectors { proxy: proxy_config(proxy.as_ref())?, made: Mutex::default() })
            .identity_cache(IdentityCache::lazy().load_timeout(CREDENTIALS).build())
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(PAUSE))
            .timeout_config(timeouts);
        if let Some(region) = region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(endpoint) = endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        if let Some(credentials) = credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        // Files are read here, and where no region is set, the machine's metadata service is asked for one.
        let config = timeout(REGION, quietly(loader.load())).await.ok();
        let known = config.and_then(|config| Some((config.region()?.to_string(), config)));
        // A variable that is set and empty is a region without a name to the SDK.
        let Some((region, config)) = known.filter(|(region, _)| !region.is_empty()) else {
            return Err(no_region());
        };
        let place = match endpoint.as_deref().or(config.endpoint_url()) {
            Some(endpoint) => format!("{endpoint} (region {region})"),
            None => format!("AWS Secrets Manager in {region}"),
        };
        Ok(Made { client: Client::new(&config), region, place })
    }
}

fn no_region() -> SecretError {
    SecretError::Misconfigured {
        store: STORE,
        why: "there is no region: not in `AWS_REGION`, not in the profile, not from the machine's metadata"
            .to_owned(),
        hint:
            "set `AWS_REGION`, as in `AWS_REGION=eu-central-1`, or `region` of the profile in ~/.aws/config"
                .to_owned(),
    }
}

/// The proxy is for HTTPS alone: plain HTTP goes to metadata services on this machine's own link.
fn proxy_config(proxy: Option<&(String, String)>) -> Result<ProxyConfig, SecretError> {
    let Some((address, except)) = proxy else { return Ok(ProxyConfig::disabled()) };
    let config = ProxyConfig::https(address.as_str()).map_err(|_| SecretError::Misconfigured {
        store: STORE,
        why: "`HTTPS_PROXY` is no address of a proxy".to_owned(),
        hint: "`HTTPS_PROXY`: set it to the likes of `http://proxy.example:3128`, or unset it".to_owned(),
    })?;
    Ok(if except.is_empty() { config } else { config.no_proxy(except) })
}

/// What a connector is kept by: how long it waits for a connection and for an answer.
type Waits = (Option<Duration>, Option<Duration>);

/// Makes what carries requests: hyper 1, rustls and ring, the system's certificates. The SDK asks for one before
/// every request, and a connector keeps its connections, so each is made once.
struct Connectors {
    proxy: ProxyConfig,
    made: Mutex<HashMap<Waits, SharedHttpConnector>>,
}

impl fmt::Debug for Connectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The proxy's address may hold a password.
        f.write_str("Connectors")
    }
}

impl HttpClient for Connectors {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let waits = (settings.connect_timeout(), settings.read_timeout());
        let make = || {
            let mut builder = Connector::builder()
                .connector_settings(settings.clone())
                .proxy_config(self.proxy.clone())
                .tls_provider(tls::Provider::rustls(CryptoMode::Ring));
            builder.set_sleep_impl(components.sleep_impl());
            SharedHttpConnector::new(builder.build())
        };
        self.made.lock().entry(waits).or_insert_with(make).clone()
    }
}
