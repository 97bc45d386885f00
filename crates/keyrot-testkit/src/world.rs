//! A small world: a simulated Gemini, a pool of keys, and one fake clock for both.
//!
//! The network is real (loopback sockets), the time is not: [`World::pass_time`] lets a future run
//! and moves the clock only when no request is on the wire.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use gemini_client::{Client, Config};
use gemini_sim::{Answer, KeySpec, LogEntry, ProjectSpec, Sim, SimBuilder, SimServer};
use keyrot::{Assembly, Event, Gemini};
use keyrot_core::keys::{Key, KeySet, PoolConfig, StoreKind};
use keyrot_core::{Clock, EnvMap, FakeClock, KeyId, Project, SecretStore, Timestamp};
use parking_lot::Mutex;

/// 2026-11-23, noon in California: far from midnight and from any change of daylight saving.
pub const NOON: Timestamp = Timestamp::from_millis(1_795_464_000_000);

/// How often the driver looks whether the network is quiet. Nothing depends on its length.
const LOOK: Duration = Duration::from_micros(300);

/// The secret this world gives to a key.
#[must_use]
pub fn secret_of(key: &str) -> String {
    format!("AIza-canary-{}", key.chars().rev().collect::<String>())
}

/// Puts a [`World`] together.
#[derive(Debug)]
pub struct Builder {
    sim: SimBuilder,
    keys: Vec<Key>,
    config: PoolConfig,
    env: Vec<(String, String)>,
    skew: Duration,
    first_byte: Duration,
    store: Option<Arc<dyn SecretStore>>,
}

/// See the module's docs.
#[derive(Debug)]
pub struct World {
    /// The clock of both sides.
    pub clock: FakeClock,
    /// The server.
    pub sim: SimServer,
    /// The client's side.
    pub gemini: Gemini,
    /// Everything the pool told its observer.
    pub events: Arc<Mutex<Vec<Event>>>,
    /// What the assembly warned of.
    pub warnings: Vec<String>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            sim: Sim::builder().answer(Arc::new(|_| Answer::text("OK"))),
            keys: Vec::new(),
            config: PoolConfig::default(),
            env: Vec::new(),
            skew: Duration::ZERO,
            first_byte: Duration::from_secs(20),
            store: None,
        }
    }
}

impl Builder {
    /// Changes the simulator's side.
    #[must_use]
    pub fn sim(mut self, change: impl FnOnce(SimBuilder) -> SimBuilder) -> Self {
        self.sim = change(self.sim);
        self
    }

    /// A project on the server.
    #[must_use]
    pub fn project(self, project: ProjectSpec) -> Self {
        self.sim(|sim| sim.project(project))
    }

    /// A key known to both sides; `change` adjusts the client's picture of it.
    ///
    /// # Panics
    /// When `id` is no legal key id.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test's own mistake")]
    pub fn key(mut self, id: &str, project: &str, change: impl FnOnce(&mut Key)) -> Self {
        let mut key = Key::new(KeyId::new(id).expect("a legal key id"));
        key.project = Project::new(project);
        key.project_given = true;
        change(&mut key);
        self.keys.push(key);
        self.env.push((format!("GEMINI_KEY_{id}"), secret_of(id)));
        self.sim(|sim| sim.key(KeySpec::new(secret_of(id), project)))
    }

    /// The pool's configuration.
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut PoolConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// An environment variable of the client's.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How far the server's clock is ahead of the client's.
    #[must_use]
    pub fn server_ahead(mut self, by: Duration) -> Self {
        self.skew = by;
        self
    }

    /// How long the client waits for headers, in real time.
    #[must_use]
    pub fn first_byte(mut self, timeout: Duration) -> Self {
        self.first_byte = timeout;
        self
    }

    /// The store the client reads its secrets from, instead of the environment.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn SecretStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Starts the world.
    ///
    /// # Panics
    /// When it cannot be put together: a test's own mistake, or no loopback.
    #[expect(clippy::expect_used, reason = "a test that cannot start has failed")]
    pub async fn start(self) -> World {
        let clock = FakeClock::new(NOON);
        let (server_clock, skew) = (clock.clone(), self.skew);
        let now = move || (server_clock.now() + skew).as_millis();
        let sim = self.sim.clock(Arc::new(now)).start().await.expect("the simulator starts");
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let mut assembly = Assembly::new(EnvMap::from_iter(self.env));
        if let Some(store) = self.store {
            assembly = assembly.store(StoreKind::Env, store);
        }
        let made = assembly
            .keys(KeySet { keys: self.keys, config: self.config })
            .clock(Arc::new(clock.clone()))
            .observer(Arc::new(move |event: &Event| seen.lock().push(event.clone())))
            .seed(1)
            .make()
            .await
            .expect("the pool is made");
        let mut config = Config::at(sim.base_url());
        config.timeouts.first_byte = Some(self.first_byte);
        let client = Client::new(&config).expect("the client is made");
        World { clock, sim, gemini: Gemini::new(made.rotator, client), events, warnings: made.warnings }
    }
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Attempts that are on the wire.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let events = self.events.lock();
        let started = events.iter().filter(|e| matches!(e, Event::Started { .. })).count();
        let ended = events.iter().filter(|e| matches!(e, Event::Ended { .. })).count();
        started.saturating_sub(ended)
    }

    /// Runs `future`, moving the clock to the next sleeper whenever no request is on the wire.
    pub async fn pass_time<T>(&self, future: impl Future<Output = T>) -> T {
        tokio::pin!(future);
        loop {
            tokio::select! {
                biased;
                out = &mut future => return out,
                () = tokio::time::sleep(LOOK) => {}
            }
            if self.in_flight() == 0
                && let Some(at) = self.clock.next_sleeper()
            {
                self.clock.advance_to(at);
            }
        }
    }

    /// The keys of all attempts so far, with what each came to, such as `a1 success`.
    #[must_use]
    pub fn story(&self) -> Vec<String> {
        let events = self.events.lock();
        let ended = events.iter().filter_map(|event| match event {
            Event::Ended { key, outcome, .. } => Some(format!("{key} {}", outcome.label())),
            _ => None,
        });
        ended.collect()
    }

    /// What the server logged of generations.
    #[must_use]
    pub fn generations(&self) -> Vec<LogEntry> {
        let mut log = self.sim.log();
        log.retain(|entry| entry.operation.ends_with("enerateContent"));
        log
    }
}
