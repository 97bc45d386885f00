//! The health of the pool, key by key.

use std::sync::atomic::Ordering;
use std::time::Duration;

use keyrot_core::{Cost, KeyId, Limits, Method, ModelId, Project, RateLimiter, Timestamp};
use serde::Serialize;

use crate::lane::{Lane, LaneKey};
use crate::pool::Pool;
use crate::profile::Profile;
use crate::rotator::Rotator;

/// What "ready" is about: the smallest generation.
const ONE: Cost = Cost { requests: 1, tokens: 0 };

/// The health of a pool for one model.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The model it was asked for.
    pub model: ModelId,
    /// When.
    pub at: Timestamp,
    /// Requests of this process that wait for capacity.
    pub waiting: usize,
    /// Every key.
    pub keys: Vec<KeyStatus>,
}

/// The health of one key.
#[derive(Debug, Clone, Serialize)]
pub struct KeyStatus {
    /// The key.
    pub key_id: KeyId,
    /// Its project: the owner of the quota.
    pub project: Project,
    /// Whether a request could go now.
    pub ready: bool,
    /// Why not, in words.
    pub why: Option<String>,
    /// Until when; `None` with a reason is "until something changes".
    pub until: Option<Timestamp>,
    /// Answers since the process began.
    pub success_count: u64,
    /// Failures since the process began.
    pub error_count: u64,
    /// When it was last used by this process.
    pub last_used: Option<Timestamp>,
    /// Requests of the domain in the last minute.
    pub requests_per_minute: u64,
    /// Input tokens of the domain in the last minute.
    pub tokens_per_minute: u64,
    /// Requests of the domain in this Pacific day.
    pub requests_per_day: u64,
    /// The limits in force: the tighter of configured and learned.
    pub limits: Limits,
    /// How old the secret is by `updated_at` or `created_at`, when the file says.
    pub age: Option<Duration>,
    /// Whether that is older than `rotate_after_days`.
    pub rotate: bool,
    /// Whether it is the single key that serves when no key of the pool is usable.
    pub last_resort: bool,
}

impl Rotator {
    /// The health of every key for `model`.
    pub async fn status(&self, model: &str) -> Status {
        let pool = &self.pool;
        let profile = Profile::new(model);
        let key = profile.lane_key(profile.model.clone());
        let lane = pool.lane(&key).await;
        let single = pool.lane(&LaneKey { last_resort: true, ..key }).await;
        let at = pool.clock.now();
        let mut keys = Vec::with_capacity(pool.keys.len());
        for index in (0_u32..).take(pool.keys.len()) {
            let last_resort = Some(index) == pool.last_resort;
            keys.push(pool.key_status(if last_resort { &single } else { &lane }, index, at).await);
        }
        Status { model: lane.key.model.clone(), at, waiting: lane.queue.waiting(), keys }
    }
}

impl Pool {
    async fn key_status(&self, lane: &Lane, index: u32, at: Timestamp) -> KeyStatus {
        let (key, tally) = (self.key(index), self.tally(index));
        let refusal = self.refusal(lane, index, ONE, at).await;
        let (why, until) = refusal.map_or((None, None), |(why, until)| (Some(why), until));
        let mut status = KeyStatus {
            key_id: key.id.clone(),
            project: key.project.clone(),
            ready: why.is_none(),
            why,
            until,
            success_count: tally.successes.load(Ordering::Relaxed),
            error_count: tally.errors.load(Ordering::Relaxed),
            last_used: Some(tally.last_used.load(Ordering::Relaxed))
                .filter(|ms| *ms > 0)
                .map(Timestamp::from_millis),
            requests_per_minute: 0,
            tokens_per_minute: 0,
            requests_per_day: 0,
            limits: key.limits_for(&lane.key.model),
            age: key.updated_at.or(key.created_at).map(|made| at.since(made)),
            rotate: false,
            last_resort: Some(index) == self.last_resort,
        };
        let rotate_after = Duration::from_secs(u64::from(self.config.rotate_after_days) * 24 * 3600);
        status.rotate = status.age.is_some_and(|age| age >= rotate_after);
        if let (Some(group), Some(resolved)) = (lane.group(&key.project), self.secrets.get(&key.id)) {
            let candidate = self.candidate(lane, index, group, &resolved, at);
            status.limits = candidate.limits;
            let standings = self.limiter.snapshot(&[candidate], Method::Generate, ONE).await;
            for standing in standings.unwrap_or_default() {
                status.requests_per_minute = standing.requests;
                status.tokens_per_minute = standing.tokens;
                status.requests_per_day = standing.day;
            }
        }
        status
    }
}
