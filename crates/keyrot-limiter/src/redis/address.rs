//! Where the server is: what `REDIS_URL` may say, and a driver's handle for it.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, RedisError, RedisResult, TlsMode,
    Value,
};
use rustls::crypto::{CryptoProvider, ring};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

/// A store that cannot be made. No error names more of the URL than its scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedisConfigError {
    /// The URL cannot be used.
    #[error(
        "`REDIS_URL` {why}\nhint: write `redis://user:password@host:6379/0`; `rediss://` for TLS; \
         `redis+cluster://host1,host2` and `redis+sentinel://host1,host2/MASTER` for those"
    )]
    Url {
        /// What is wrong with it.
        why: String,
    },
    /// The pool's name cannot be part of a key.
    #[error("`KEYROT_POOL` is no name\nhint: use 1 to 64 of the characters A-Z, a-z, 0-9, `_`, `-` and `.`")]
    Pool,
}

/// How many commands may wait for the socket before those who send more wait themselves.
const BACKLOG: usize = 4_096;

/// A server, a cluster of them, or one that sentinels know.
pub(super) enum Address {
    One(Box<Client>),
    Cluster(Box<ClusterClient>),
    Sentinel(Box<Mutex<SentinelClient>>),
}

/// A connection to it.
#[derive(Clone)]
pub(super) enum Wire {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Wire {
    pub(super) async fn send(&mut self, command: &redis::Cmd) -> RedisResult<Value> {
        match self {
            Self::One(connection) => connection.send_packed_command(command).await?.extract_error(),
            Self::Cluster(connection) => {
                redis::aio::ConnectionLike::req_packed_command(connection, command).await?.extract_error()
            }
        }
    }
}

impl Address {
    /// Reads a URL. Nothing is looked up and nobody is called.
    pub(super) fn read(url: &SecretString, timeout: Duration) -> Result<Self, RedisConfigError> {
        let url = url.expose_secret().trim();
        if holds_controls(url) {
            return Err(bad("holds a control character"));
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("is no URL"))?;
        let scheme = scheme.to_ascii_lowercase();
        let (plain, several) = match scheme.split_once('+') {
            Some((plain, several @ ("cluster" | "sentinel"))) => (plain, Some(several)),
            _ => (scheme.as_str(), None),
        };
        let tls = match plain {
            "redis" | "valkey" => false,
            "rediss" | "valkeys" => true,
            "unix" | "redis+unix" | "valkey+unix" if several.is_none() => {
                return client(url.into_connection_info().map_err(|error| unusable(&error))?);
            }
            _ => return Err(bad("has a scheme that is none of Redis")),
        };
        if tls && CryptoProvider::get_default().is_none() {
            // The driver takes what the process has chosen. Somebody else may be first: as good.
            drop(ring::default_provider().install_default());
        }
        let parts = Parts::split(rest);
        let scheme = if tls { "rediss" } else { "redis" };
        match several {
            None if parts.hosts.contains(',') => Err(bad("names several hosts and not what they are")),
            None => client(parts.info(scheme, parts.hosts, parts.path)?),
            Some("cluster") => {
                let nodes = parts.hosts.split(',').map(|host| parts.info(scheme, host, parts.path));
                let nodes: Vec<ConnectionInfo> = nodes.collect::<Result<_, _>>()?;
                // The driver's own deadlines: longer than the caller's, who has one for the whole.
                let builder = ClusterClient::builder(nodes)
                    .connection_timeout(timeout * 2)
                    .response_timeout(timeout * 2)
                    .tcp_settings(at_once())
                    .retries(3);
                Ok(Self::Cluster(Box::new(builder.build().map_err(|error| unusable(&error))?)))
            }
            Some(_) => parts.sentinel(scheme, tls),
        }
    }

    pub(super) async fn connect(&self) -> RedisResult<Wire> {
        // Whoever asks has a deadline of his own.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(BACKLOG);
        let one = async |client: &Client| {
            client.get_multiplexed_async_connection_with_config(&config).await.map(Wire::One)
        };
        match self {
            Self::One(client) => one(client).await,
            Self::Cluster(client) => client.get_async_connection().await.map(Wire::Cluster),
            Self::Sentinel(client) => {
                let master = client.lock().await.async_get_client().await?;
                one(&master).await
            }
        }
    }
}

/// What stands behind the scheme, taken apart but not decoded.
#[derive(Clone, Copy)]
struct Parts<'a> {
    /// With its `@`.
    user: &'a str,
    /// Separated by commas.
    hosts: &'a str,
    /// With its `/`.
    path: &'a str,
    /// With its `?`.
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn split(rest: &'a str) -> Self {
        let (rest, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Self { user, hosts, path, query }
    }

    fn info(&self, scheme: &str, host: &str, path: &str) -> Result<ConnectionInfo, RedisConfigError> {
        let url = format!("{scheme}://{}{host}{path}{}", self.user, self.query);
        let info = url.into_connection_info().map_err(|error| unusable(&error))?;
        Ok(info.set_tcp_settings(at_once()))
    }

    /// The path is the master's name and, if need be, a database's number. User and password are the
    /// master's.
    fn sentinel(&self, scheme: &str, tls: bool) -> Result<Address, RedisConfigError> {
        let mut path = self.path.split('/').skip(1);
        let name = path.next().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| bad("names no master of the sentinels"))?;
        let database = path.next().map(|number| format!("/{number}")).unwrap_or_default();
        let nameless = Self { user: "", query: "", ..*self };
        let sentinels = self.hosts.split(',').map(|host| nameless.info(scheme, host, ""));
        let sentinels: Vec<ConnectionInfo> = sentinels.collect::<Result<_, _>>()?;
        let first = self.hosts.split(',').next().unwrap_or_default();
        let master = self.info(scheme, first, &database)?;
        let mut node =
            SentinelNodeConnectionInfo::default().set_redis_connection_info(master.redis_settings().clone());
        node = node.set_tcp_settings(at_once());
        if tls {
            node = node.set_tls_mode(TlsMode::Secure);
        }
        let client = SentinelClient::build(sentinels, name, Some(node), SentinelServerType::Master);
        Ok(Address::Sentinel(Box::new(Mutex::new(client.map_err(|error| unusable(&error))?))))
    }
}

/// Small questions one after the other: held back until the one before is acknowledged, each would take
/// tens of milliseconds.
fn at_once() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

fn client(info: ConnectionInfo) -> Result<Address, RedisConfigError> {
    Ok(Address::One(Box::new(Client::open(info).map_err(|error| unusable(&error))?)))
}

/// Whether there is a control character in `url`, as it is or as an escape: whatever listens there may take a line break
/// inside a user or a password for the end of a command.
fn holds_controls(url: &str) -> bool {
    let escaped = |part: &[u8]| match *part {
        [b'%', b'0' | b'1', digit] => digit.is_ascii_hexdigit(),
        [b'%', b'7', b'f' | b'F'] => true,
        _ => false,
    };
    url.chars().any(char::is_control) || url.as_bytes().windows(3).any(escaped)
}

fn bad(why: &str) -> RedisConfigError {
    RedisConfigError::Url { why: why.to_owned() }
}

/// What the driver says, without its details: they may be parts of the URL.
fn unusable(error: &RedisError) -> RedisConfigError {
    let text = error.to_string();
    let (what, _) = text.split_once(" - ").unwrap_or((&text, ""));
    bad(&format!("cannot be used: {}", what.to_lowercase()))
}

#[cfg(test)]
mod tests;
