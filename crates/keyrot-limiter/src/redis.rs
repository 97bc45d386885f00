//! Limits and cooldowns on a Redis or Valkey that any number of processes share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{Clock, Endpoint, LimitError};
use parking_lot::Mutex;
use redis::Value;
use secrecy::SecretString;

mod address;
mod batch;
mod client;
mod coding;
mod courier;
mod facts;
mod lifts;
mod limiter;
mod link;
mod places;
mod script;

pub use address::RedisConfigError;

use address::Address;
use client::Client;
use courier::Courier;
use link::{Again, Link, Live};
use places::Places;
use script::Script;

/// Part of every key, whatever the release: two that keep something differently tell it apart by its length
/// or its first byte, for what was counted before an upgrade counts after it.
const VERSION: u32 = 1;

/// Where the store is, and which pool of it.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `redis://`, `rediss://`, `unix://`, or with `+cluster` or `+sentinel` behind the scheme. May
    /// hold a password.
    pub url: SecretString,
    /// The name of the pool: stores of one pool share everything, of two nothing.
    pub pool: String,
    /// The longest that any call takes, making a connection included.
    pub timeout: Duration,
}

/// A [`RateLimiter`](keyrot_core::RateLimiter) and [`FactStore`](keyrot_core::FactStore) on Redis 6.2
/// or newer, or Valkey.
///
/// The server decides, by its own clock, one script and one round trip for each question. What is asked,
/// settled and released while a question is under way gathers and travels in the next call together,
/// in order, and what several of it need is read and written once. All keys of a pool begin with
/// `{keyrot:POOL}`, are therefore on one server of a cluster, and have an end.
///
/// Made lazily: a server that is away makes calls fail with
/// [`LimitError::Unavailable`](keyrot_core::LimitError::Unavailable), each within the timeout, until it
/// is back; see [`Degrading`](crate::Degrading) for going on meanwhile. It must be called on a Tokio
/// runtime with time and I/O.
///
/// ```
/// use std::time::Duration;
/// use keyrot_limiter::{RedisConfig, RedisStore};
/// let url = "redis://user:secret@127.0.0.1:6379/0".into();
/// let config = RedisConfig { url, pool: "default".to_owned(), timeout: Duration::from_secs(1) };
/// let store = RedisStore::connect(&config)?;
/// assert!(!format!("{store:?} {config:?}").contains("secret"));
/// # Ok::<(), keyrot_limiter::RedisConfigError>(())
/// ```
pub struct RedisStore {
    link: Arc<Link>,
    courier: Arc<Courier>,
    client: Arc<Client>,
    places: Arc<Places>,
    pool: String,
    /// The name of the server's memory as last heard, as a number and as text.
    epoch: Mutex<(f64, Arc<str>)>,
}

impl RedisStore {
    /// A store at `config.url`, which is not called yet.
    ///
    /// # Errors
    /// [`RedisConfigError`] when the URL or the pool's name cannot be used.
    pub fn connect(config: &RedisConfig) -> Result<Self, RedisConfigError> {
        Self::new(config, None)
    }

    /// A store that decides by `clock` instead of the server's: for tests.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn with_clock(config: &RedisConfig, clock: Arc<dyn Clock>) -> Result<Self, RedisConfigError> {
        Self::new(config, Some(clock))
    }

    fn new(config: &RedisConfig, clock: Option<Arc<dyn Clock>>) -> Result<Self, RedisConfigError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let RedisConfig { url, pool, timeout } = config;
        if pool.is_empty() || pool.len() > 64 || !pool.chars().all(legal) {
            return Err(RedisConfigError::Pool);
        }
        let address = Address::read(url, *timeout)?;
        let key = format!("{{keyrot:{pool}}}:{VERSION}:pool");
        let link = Arc::new(Link::new(address, *timeout, key));
        let client = Arc::new(Client::new(clock, Endpoint::default()));
        let courier = Arc::new(Courier::new(Arc::clone(&link), Arc::clone(&client)));
        Ok(Self {
            link,
            courier,
            client,
            places: Arc::default(),
            pool: pool.clone(),
            epoch: Mutex::new((0.0, "".into())),
        })
    }

    /// The same store for requests to `endpoint`: what cools there, but for the whole pool, is its own; what
    /// is counted is not.
    #[must_use]
    pub fn for_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.client = Arc::new(self.client.at(endpoint));
        self.courier = Arc::new(Courier::new(Arc::clone(&self.link), Arc::clone(&self.client)));
        self
    }

    /// What the server does when its memory is full (`maxmemory-policy`), as it said when it was last
    /// connected to; `None` before, and where it may not be asked.
    #[must_use]
    pub fn eviction_policy(&self) -> Option<Arc<str>> {
        self.link.now().map(|live| Arc::clone(&live.policy)).filter(|policy| !policy.is_empty())
    }

    /// A warning for status when the server may throw limits away, if it may.
    #[must_use]
    pub fn eviction_warning(&self) -> Option<String> {
        self.eviction_policy().filter(|policy| &**policy != "noeviction").map(|policy| {
            format!(
                "the limits in Redis may be thrown away when its memory is full (`maxmemory-policy` is \
                 `{policy}`)\nhint: set it to `noeviction`"
            )
        })
    }

    /// Waits until what was settled and released has been delivered: before a process ends. What the
    /// server does not take is tried for about a minute; have a deadline of your own.
    pub async fn flush(&self) {
        self.courier.quiet().await;
    }

    /// Runs a script of its own, after whatever was settled and released before.
    async fn call(
        &self,
        script: &Script,
        more: impl IntoIterator<Item = Vec<u8>>,
        again: Again,
    ) -> Result<(Value, Arc<Live>), LimitError> {
        self.courier.hurry();
        let mut args = vec![self.client.common(self.client.now())];
        args.extend(more);
        self.link.call(script, &args, again, self.link.deadline()).await
    }

    /// Runs a script that tells beside its answer what was lifted, and may be run twice.
    async fn question(
        &self,
        script: &Script,
        more: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Value, LimitError> {
        let (answer, _) = self.call(script, more, Again::Yes).await?;
        Ok(self.client.lifts.hear(answer))
    }

    /// The name of the server's memory.
    fn epoch(&self, number: f64) -> Arc<str> {
        let mut known = self.epoch.lock();
        if known.0 != number {
            *known = (number, format!("{:014x}", number as u64).into());
        }
        Arc::clone(&known.1)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.link.now().is_some();
        f.debug_struct("RedisStore")
            .field("pool", &self.pool)
            .field("connected", &connected)
            .finish_non_exhaustive()
    }
}
