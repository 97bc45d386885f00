//! A pool of one key under a steady load.

use std::time::Duration;

use gemini_client::wire::GenerateRequest;
use gemini_client::{Client, Config};
use gemini_sim::{KeySpec, ProjectSpec, Sim, SimServer};
use keyrot::{
    Assembly, Clock as _, EnvMap, Gemini, Key, KeyId, KeySet, KeyStatus, PoolConfig, Profile, SystemClock,
    Timestamp,
};
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::place::Place;

pub(crate) const OLD: &str = "AIza-the-old-secret";
pub(crate) const NEW: &str = "AIza-the-new-secret";
/// The label of the one key.
pub(crate) const KEY: &str = "solo";
/// Requests in a second.
const RATE: u64 = 50;
const MODEL: &str = "gemini-2.5-flash";

/// The pool and the Gemini it calls, which knows [`OLD`].
pub(crate) struct World {
    pub(crate) gemini: Gemini,
    pub(crate) sim: SimServer,
}

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Load {
    pub(crate) answered: u64,
    pub(crate) failed: Vec<String>,
}

impl World {
    /// A pool whose one key has its secret, [`OLD`], in `place`, and reads it again every `ttl`.
    pub(crate) async fn before(place: &dyn Place, ttl: Duration) -> Self {
        place.keep(KEY, OLD).await;
        let sim = Sim::builder().project(ProjectSpec::new("p")).key(KeySpec::new(OLD, "p"));
        let sim = sim.start().await.expect("the simulator starts");
        let mut env = place.env();
        env.push(("KEYROT_SECRET_TTL".to_owned(), ttl.as_secs().to_string()));
        env.push(("KEYROT_STATE".to_owned(), ":memory:".to_owned()));
        let key = Key::new(KeyId::new(KEY).expect("legal"));
        let made = Assembly::new(EnvMap::from_iter(env))
            .keys(KeySet { keys: vec![key], config: PoolConfig::default() })
            .make()
            .await
            .expect("the pool is made");
        let client = Client::new(&Config::at(sim.base_url())).expect("the client is made");
        Self { gemini: Gemini::new(made.rotator, client), sim }
    }

    /// Sends requests, one every 20 ms whether or not the others are answered, for as long as `meanwhile`
    /// takes.
    pub(crate) async fn under_load(&self, meanwhile: impl Future<Output = ()>) -> Load {
        let mut requests = JoinSet::new();
        let mut beat = interval(Duration::from_millis(1_000 / RATE));
        tokio::pin!(meanwhile);
        loop {
            tokio::select! {
                () = &mut meanwhile => break,
                _ = beat.tick() => {
                    let gemini = self.gemini.clone();
                    requests.spawn(async move {
                        let profile = Profile::new(MODEL).max_wait(Duration::from_secs(10));
                        gemini.generate(&profile, &GenerateRequest::text("Say OK.")).await.map(|_| ())
                    });
                }
            }
        }
        let mut load = Load::default();
        while let Some(done) = requests.join_next().await {
            match done.expect("no panic") {
                Ok(()) => load.answered += 1,
                Err(error) => load.failed.push(error.to_string()),
            }
        }
        load
    }

    /// The one key's health.
    pub(crate) async fn key(&self) -> KeyStatus {
        self.gemini.rotator().status(MODEL).await.keys.remove(0)
    }

    /// How long it takes until `is` holds of the one key; `most` at most.
    pub(crate) async fn until(&self, most: Duration, is: impl Fn(&KeyStatus) -> bool) -> Duration {
        let start = now();
        loop {
            let key = self.key().await;
            if is(&key) && now().since(start) <= most {
                return now().since(start);
            }
            assert!(now().since(start) <= most, "not within {most:?}: {:?}", key.secret);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// This machine's time.
pub(crate) fn now() -> Timestamp {
    SystemClock::start().now()
}

impl Load {
    /// Every request was answered, and there were so many at least.
    pub(crate) fn assert_lost_nothing(&self, least: u64) {
        let some: Vec<_> = self.failed.iter().take(3).collect();
        assert!(self.failed.is_empty(), "{} of {} failed: {some:#?}", self.failed.len(), self.answered);
        assert!(self.answered >= least, "{} requests", self.answered);
    }
}
