//! The health of the pool, key by key.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyrot_core::keys::Key;
use keyrot_core::{Bucket, Cost, FactStore, KeyId, Limits, ModelId, Project, Quantity, Timestamp, Why};
use keyrot_secrets::SecretCache;
use serde::Serialize;

use crate::lane::{Lane, LaneKey};
use crate::learn;
use crate::pool::{PATIENCE, Pool};
use crate::profile::Profile;
use crate::rotator::Rotator;
use crate::standing::Verdict;

/// What "ready" is about: the smallest generation.
const ONE: Cost = Cost { requests: 1, tokens: 0 };

/// Where the calls of every key are counted, by key.
pub(crate) const COUNTERS: &str = "key/";

/// The health of a pool for one model.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The model it was asked for.
    pub model: ModelId,
    /// When.
    pub at: Timestamp,
    /// Requests of this process that wait for capacity.
    pub waiting: usize,
    /// Where counts and cooldowns are kept.
    pub truth: Truth,
    /// Every key.
    pub keys: Vec<KeyStatus>,
}

/// Where counts and cooldowns are kept, and whether that can be relied on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Truth {
    /// `memory`, `sqlite`, `redis`, or `given` for an embedder's own.
    pub store: &'static str,
    /// The file, or the address without its password.
    pub place: Option<String>,
    /// Whether other processes see the same.
    pub shared: bool,
    /// Why the promise across processes does not hold now.
    pub suspended: Option<Suspension>,
    /// What might break it one day, in words.
    pub warning: Option<String>,
}

/// The limits hold in this process, but not over all that should share them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Suspension {
    /// Since when; `None` is from the start.
    pub since: Option<Timestamp>,
    /// What happened.
    pub why: String,
    /// How far a limit may be overrun meanwhile, in words with numbers, where that is known.
    pub bounds: Option<String>,
}

#[cfg(any(feature = "redis", feature = "sqlite"))]
impl From<keyrot_limiter::Suspended> for Suspension {
    fn from(suspended: keyrot_limiter::Suspended) -> Self {
        let keyrot_limiter::Suspended { since, why, bounds } = suspended;
        Self { since: Some(since), why, bounds }
    }
}

/// How a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// A request could go now.
    Ready,
    /// Not now, and it comes back by itself.
    Cooling,
    /// Not before something changes.
    Out,
    /// Taken out by an operator, or by `active` in keys.json.
    Disabled,
}

/// A limit that Google named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LearnedLimit {
    /// Which limit.
    pub quantity: Quantity,
    /// Its value.
    pub limit: u64,
    /// When it was learned.
    pub at: Timestamp,
    /// From which outcome, of which key, such as `quota_minute key_01`.
    pub source: String,
}

/// The health of one key.
#[derive(Debug, Clone, Serialize)]
pub struct KeyStatus {
    /// The key.
    pub key_id: KeyId,
    /// Its project: the owner of the quota.
    pub project: Project,
    /// What the model is counted under.
    pub bucket: Bucket,
    /// How it stands.
    pub state: KeyState,
    /// Whether a request could go now.
    pub ready: bool,
    /// Whether an operator took it out.
    pub disabled: bool,
    /// Why not, in words.
    pub why: Option<String>,
    /// Why not, where limits or cooldowns say so.
    pub cause: Option<Why>,
    /// Until when; `None` with a reason is "until something changes".
    pub until: Option<Timestamp>,
    /// Answers: of every process where the store counts them, else since the process began.
    pub success_count: u64,
    /// Failures, counted likewise.
    pub error_count: u64,
    /// When it was last used, known likewise.
    pub last_used: Option<Timestamp>,
    /// Requests of the domain in the last minute.
    pub requests_per_minute: u64,
    /// Input tokens of the domain in the last minute.
    pub tokens_per_minute: u64,
    /// Requests of the domain in this Pacific day.
    pub requests_per_day: u64,
    /// The key's requests in flight, counted only for keys with a concurrency limit.
    pub in_flight: u32,
    /// The limits in force: the tighter of configured and learned.
    pub limits: Limits,
    /// The limits of keys.json.
    pub configured: Limits,
    /// The limits Google named.
    pub learned: Vec<LearnedLimit>,
    /// Its secret: all but the secret itself.
    pub secret: SecretStatus,
    /// How old the secret is: by the latest of `updated_at`, `created_at` and its store's own date.
    pub age: Option<Duration>,
    /// Whether that is older than `rotate_after_days`.
    pub rotate: bool,
    /// Whether it is the single key that serves when no key of the pool is usable.
    pub last_resort: bool,
}

/// What is known of a key's secret, but for the secret.
#[derive(Debug, Clone, Serialize)]
pub struct SecretStatus {
    /// Where it is: `store:name`. `None` where the store cannot be used or cannot spell its name.
    pub place: Option<String>,
    /// Whether there is one to use.
    pub found: bool,
    /// The store's label of the version in use, where it has one.
    pub version: Option<String>,
    /// When that version was written, where the store knows.
    pub written_at: Option<Timestamp>,
    /// Why it could not be read the last time: the last good one serves on.
    pub problem: Option<String>,
    /// Since when that is so.
    pub problem_since: Option<Timestamp>,
}

impl SecretStatus {
    fn new(secrets: &SecretCache, key: &Key) -> Self {
        let (resolved, problem) = (secrets.get(&key.id), secrets.problem(&key.id));
        Self {
            place: secrets.place(key).ok().map(|place| place.to_string()),
            found: resolved.is_some(),
            version: resolved.as_ref().and_then(|resolved| resolved.version.clone()),
            written_at: resolved.as_ref().and_then(|resolved| resolved.written_at),
            problem: problem.as_ref().map(|problem| problem.error.to_string()),
            problem_since: problem.map(|problem| problem.since),
        }
    }
}

impl Rotator {
    /// The health of every key for `model`.
    pub async fn status(&self, model: &str) -> Status {
        let pool = &self.pool;
        let profile = Profile::new(model);
        let key = profile.lane_key(profile.model.clone());
        let until = pool.clock.now() + PATIENCE;
        let lane = pool.lane(&key, until).await;
        let single = pool.lane(&LaneKey { last_resort: true, ..key }, until).await;
        let at = pool.clock.now();
        let remembered = pool.remembered(&lane.bucket).await;
        let mut keys = Vec::new();
        for lane in [&lane, &single] {
            for verdict in pool.verdicts(lane, ONE, at).await {
                keys.push(KeyStatus::new(lane, verdict, &remembered, &pool.secrets, at));
            }
        }
        if let Ok(disabled) = pool.disabled().await {
            for key in keys.iter_mut().filter(|key| disabled.contains(&key.key_id)) {
                key.disabled = true;
                key.state = KeyState::Disabled;
                key.ready = false;
                key.why = Some("disabled by an operator".to_owned());
                key.until = None;
            }
        }
        Status { model: lane.key.model.clone(), at, waiting: lane.line.waiting(), truth: self.truth(), keys }
    }

    /// Where counts and cooldowns are kept.
    #[must_use]
    pub fn truth(&self) -> Truth {
        self.pool.limiter.truth()
    }
}

/// What the store of facts says of keys and projects.
#[derive(Debug, Default)]
struct Remembered {
    counters: HashMap<String, u64>,
    learned: HashMap<Project, Vec<LearnedLimit>>,
}

impl Remembered {
    /// What was counted of a key; 0 where nothing was.
    fn counter(&self, key: &KeyId, name: &str) -> u64 {
        self.counters.get(&format!("{COUNTERS}{key}/{name}")).copied().unwrap_or(0)
    }
}

impl Pool {
    async fn remembered(&self, bucket: &Bucket) -> Remembered {
        let mut remembered = Remembered::default();
        for (name, fact) in self.patiently(self.limiter.scan(COUNTERS)).await.unwrap_or_default() {
            if let Ok(count) = fact.value.parse() {
                remembered.counters.insert(name, count);
            }
        }
        for (name, fact) in self.patiently(self.limiter.scan(learn::PREFIX)).await.unwrap_or_default() {
            if let Some((domain, quantity)) = learn::about(&name)
                && domain.bucket == *bucket
                && let Some((limit, source)) = learn::value(&fact.value)
            {
                let learned = LearnedLimit { quantity, limit, at: fact.at, source: source.to_owned() };
                remembered.learned.entry(domain.project).or_default().push(learned);
            }
        }
        remembered
    }
}

impl KeyStatus {
    fn new(
        lane: &Lane,
        verdict: Verdict,
        remembered: &Remembered,
        secrets: &SecretCache,
        at: Timestamp,
    ) -> Self {
        let Verdict { index, why, cause, until, standing, limits } = verdict;
        let (key, tally) = (lane.roster.key(index), lane.roster.tally(index));
        let state = match (&why, until) {
            (None, _) => KeyState::Ready,
            (Some(_), _) if !key.active => KeyState::Disabled,
            (Some(_), Some(_)) => KeyState::Cooling,
            (Some(_), None) => KeyState::Out,
        };
        let counted =
            |own: &AtomicU64, name| own.load(Ordering::Relaxed).max(remembered.counter(&key.id, name));
        let last_used = counted(&tally.last_used, "last_used");
        let configured = key.limits_for(&lane.key.model);
        let standing = standing.as_ref();
        let secret = SecretStatus::new(secrets, key);
        let made = [key.updated_at, key.created_at, secret.written_at].into_iter().flatten().max();
        let age = made.map(|made| at.since(made));
        let rotate_after = Duration::from_secs(u64::from(lane.roster.config.rotate_after_days) * 24 * 3600);
        Self {
            key_id: key.id.clone(),
            project: key.project.clone(),
            bucket: lane.bucket.clone(),
            state,
            ready: why.is_none(),
            disabled: false,
            why,
            cause,
            until,
            success_count: counted(&tally.successes, "successes"),
            error_count: counted(&tally.errors, "errors"),
            last_used: Some(last_used).filter(|ms| *ms > 0).map(Timestamp::from_millis),
            requests_per_minute: standing.map_or(0, |s| s.requests),
            tokens_per_minute: standing.map_or(0, |s| s.tokens),
            requests_per_day: standing.map_or(0, |s| s.day),
            in_flight: standing.map_or(0, |s| s.in_flight),
            limits: limits.unwrap_or(configured),
            configured,
            learned: remembered.learned.get(&key.project).cloned().unwrap_or_default(),
            secret,
            age,
            rotate: age.is_some_and(|age| age >= rotate_after),
            last_resort: Some(index) == lane.roster.last_resort,
        }
    }
}
