//! The Redis that any number of machines share, and what goes on without it while it is away.

use std::sync::Arc;

use keyrot_core::Endpoint;
use keyrot_limiter::{Degrading, Manner, RedisConfig, RedisStore};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};

use super::{File, Time};
use crate::settings::RedisSettings;
use crate::setup::SetupError;
use crate::status::{Suspension, Truth};

/// The part of the time for a call that is left for noticing that it was not enough: the connection
/// gives up before whoever waits for it does, and so knows that it is bad.
const NOTICE: u32 = 10;

/// Limits, cooldowns and facts in Redis.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) store: Degrading<RedisStore>,
    /// The address, without user, password and options.
    place: String,
    /// Where there is a file to keep it in.
    roll: Option<Roll>,
}

impl Shared {
    /// Connects when first asked, and goes on by itself when nobody answers.
    ///
    /// # Errors
    /// [`SetupError::Invalid`] for an address or a pool's name that can never work.
    pub(super) async fn start(
        url: &SecretString,
        settings: &RedisSettings,
        (time, endpoint): (&Time, Endpoint),
        file: Option<File>,
    ) -> Result<Self, SetupError> {
        let RedisSettings { timeout, pool, instances: assumed, fail_closed, .. } = settings;
        let config =
            RedisConfig { url: url.clone(), pool: pool.clone(), timeout: *timeout - *timeout / NOTICE };
        let store = match time {
            Time::Machine(_) => RedisStore::connect(&config),
            Time::Given(clock) => RedisStore::with_clock(&config, Arc::clone(clock)),
        };
        let store = store.map_err(|error| SetupError::Invalid(error.to_string()))?.for_endpoint(endpoint);
        let known = match &file {
            Some(file) => file.instances(pool).await,
            None => Vec::new(),
        };
        let manner = Manner {
            instance: format!("{}-{:016x}", std::process::id(), fastrand::u64(..)),
            known: known.clone(),
            assumed: *assumed,
            timeout: *timeout,
            fail_closed: *fail_closed,
        };
        let instance = manner.instance.clone();
        let store = Degrading::new(store, Arc::clone(time.clock()), manner);
        tokio::spawn(store.tend());
        let roll = file.map(|file| Roll { file, pool: pool.clone(), instance, kept: Mutex::new(known) });
        Ok(Self { store, place: place(url), roll })
    }

    /// Waits until the server has what was settled and released; keeps who else is there.
    pub(super) async fn flush(&self) {
        if let Some(roll) = &self.roll {
            roll.keep(self.store.instances()).await;
        }
        if self.store.suspended().is_none() {
            self.store.store().flush().await;
        }
    }

    pub(super) fn truth(&self) -> Truth {
        Truth {
            store: "redis",
            place: Some(self.place.clone()),
            shared: true,
            suspended: self.store.suspended().map(Suspension::from),
            warning: self.store.store().eviction_warning(),
        }
    }
}

/// Who else uses the pool, kept in a file.
#[derive(Debug)]
struct Roll {
    file: File,
    pool: String,
    instance: String,
    kept: Mutex<Vec<String>>,
}

impl Roll {
    /// Keeps the others among `instances`: this one will have another name when it starts again.
    async fn keep(&self, mut instances: Vec<String>) {
        let heard = instances.len();
        instances.retain(|instance| *instance != self.instance);
        // Without its own name among them they are those kept before.
        if instances.len() < heard && *self.kept.lock() != instances {
            self.file.keep_instances(&self.pool, &instances).await;
            *self.kept.lock() = instances;
        }
    }
}

/// The address in `url`: what stands between the user and the options.
fn place(url: &SecretString) -> String {
    let url = url.expose_secret().trim();
    let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    format!("{scheme}://{}", &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_no_user_no_password_and_no_options() {
        for (url, expected) in [
            ("redis://user:CANARY@host:6379/0", "redis://host:6379/0"),
            ("rediss://:CAN@RY@host", "rediss://host"),
            ("redis+unix:///run/redis.sock?pass=CANARY&db=1", "redis+unix:///run/redis.sock"),
            ("redis+sentinel://:CANARY@a,b:26379/main", "redis+sentinel://a,b:26379/main"),
            ("redis://host", "redis://host"),
        ] {
            assert_eq!(place(&url.into()), expected);
        }
    }
}
