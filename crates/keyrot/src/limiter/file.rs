//! The file that the processes of this machine share.

use std::path::Path;
use std::sync::Arc;

use keyrot_core::Endpoint;
#[cfg(feature = "redis")]
use keyrot_core::FactStore;
use keyrot_limiter::SqliteStore;

use super::Time;
use crate::settings::StatePlace;

/// The instances last known to share a pool in Redis, one id a line, for a start at which it is away.
#[cfg(feature = "redis")]
const INSTANCES: &str = "instances/";

/// An open state file.
#[derive(Debug)]
pub(crate) struct File {
    pub(super) store: SqliteStore,
    /// Its path.
    pub(super) place: String,
}

impl File {
    /// Opens the file that the settings ask for, if they ask for one. An embedder's own clock is no
    /// reason to mix its time into the file of this user's programs: such a file must be named.
    ///
    /// # Errors
    /// Why the file cannot be used, with a hint.
    pub(super) async fn open(place: &StatePlace, time: &Time) -> Result<Option<Self>, String> {
        let path = match (place, time) {
            (StatePlace::Named(path), _) | (StatePlace::Platform(path), Time::Machine(_)) => path.clone(),
            (StatePlace::Memory, _) | (StatePlace::Platform(_) | StatePlace::Unknown, Time::Given(_)) => {
                return Ok(None);
            }
            (StatePlace::Unknown, Time::Machine(_)) => {
                return Err("there is no home directory to keep them in\nhint: name a file in \
                            `KEYROT_STATE`, or set it to `:memory:`"
                    .to_owned());
            }
        };
        let (time, place) = (time.clone(), keyrot_core::untrusted::path(&path));
        // Waits for the disk, and for whoever is changing the file's schema.
        let opened = tokio::task::spawn_blocking(move || open(&path, &time)).await;
        let store = opened.map_err(|error| error.to_string()).flatten()?;
        Ok(Some(Self { store, place }))
    }
}

impl File {
    /// The same, with the cooldowns of `endpoint`.
    pub(super) fn for_endpoint(self, endpoint: Endpoint) -> Self {
        Self { store: self.store.for_endpoint(endpoint), ..self }
    }
}

#[cfg(feature = "redis")]
impl File {
    /// The instances last known to share the pool called `pool`.
    pub(super) async fn instances(&self, pool: &str) -> Vec<String> {
        let fact = self.store.get(&format!("{INSTANCES}{pool}")).await.ok().flatten();
        fact.map(|fact| fact.value.lines().map(str::to_owned).collect()).unwrap_or_default()
    }

    /// Remembers them for the next start.
    pub(super) async fn keep_instances(&self, pool: &str, instances: &[String]) {
        if let Err(error) = self.store.put(&format!("{INSTANCES}{pool}"), &instances.join("\n"), None).await {
            tracing::warn!(%error, "cannot keep the instances known");
        }
    }
}

fn open(path: &Path, time: &Time) -> Result<SqliteStore, String> {
    match time {
        Time::Machine(_) => SqliteStore::open(path),
        Time::Given(clock) => SqliteStore::with_clock(path, Arc::clone(clock)),
    }
    .map_err(|error| error.to_string())
}
