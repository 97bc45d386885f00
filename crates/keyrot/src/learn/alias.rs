//! Models that Google counts under another name than this build knows: learned from the name a refusal gives.

use std::collections::HashMap;
use std::time::Duration;

use keyrot_core::bucket::{bucket_of, is_known};
use keyrot_core::{
    Ask, Bucket, Candidate, Cost, Domain, Ended, Fact, FactStore, Learned, LimitError, Limits, Method,
    ModelId, PermitId, RateLimiter,
};
use parking_lot::RwLock;

use super::remember;
use crate::lane::Lane;
use crate::lease::Attempt;
use crate::names;
use crate::pool::Pool;

const PREFIX: &str = "alias/";
/// Who counts to 1 here moves what was counted under the old name.
const MOVED: &str = "moved/";
/// A name that is longer is none.
const LONGEST: usize = 128;
/// What is moved was used already: nothing is in flight for it.
const LEASE: Duration = Duration::from_secs(1);

/// The aliases learned.
#[derive(Debug, Default)]
pub(crate) struct Aliases(RwLock<HashMap<ModelId, Bucket>>);

impl Aliases {
    /// What `model` is counted under.
    pub(crate) fn bucket_of(&self, model: &ModelId) -> Bucket {
        self.0.read().get(model).cloned().unwrap_or_else(|| bucket_of(model))
    }

    /// Whether `model` is known by this build or was learned of.
    pub(crate) fn knows(&self, model: &ModelId) -> bool {
        is_known(model) || self.0.read().contains_key(model)
    }

    /// Gives whether that is news.
    fn learn(&self, model: &ModelId, bucket: &Bucket) -> bool {
        if self.bucket_of(model) == *bucket {
            return false;
        }
        self.0.write().insert(model.clone(), bucket.clone());
        true
    }
}

/// Remembers the one bucket that a refusal names, if it is not the one the model was counted under.
pub(super) async fn learn(pool: &Pool, attempt: &Attempt, learned: &[Learned], source: &str) {
    let lane = &attempt.lane;
    let mut named = learned.iter().filter_map(|learned| learned.bucket.as_deref());
    let Some(first) = named.next() else { return };
    let plain = first.len() <= LONGEST && first.chars().all(|c| c.is_ascii_graphic() && c != '/');
    if !plain || named.any(|other| other != first) {
        return;
    }
    let (model, bucket) = (&lane.key.model, Bucket::new(first));
    if !pool.aliases.learn(model, &bucket) {
        return;
    }
    tracing::info!(%model, %bucket, "Google counts this model under another name");
    if names::are_others(&lane.bucket) {
        // What was counted there was other models' use, too. A quota of its own shows that it exists.
        pool.give_a_place(attempt).await;
        return;
    }
    // Nobody goes by the new name before what was used under the old one is counted there.
    let claim = pool.patiently(pool.limiter.increment(&format!("{MOVED}{model}/{bucket}"), 1)).await;
    if matches!(claim, Ok(1)) {
        move_use(pool, lane, &bucket).await;
    }
    remember(pool, &format!("{PREFIX}{model}"), &format!("{bucket} {source}"), None).await;
    pool.begin_lanes_anew();
}

impl Pool {
    /// A model that nobody had heard of has answered: it leaves the place it shared, with this charge.
    pub(crate) async fn give_a_place(&self, attempt: &Attempt) {
        let (model, lane) = (&attempt.lane.key.model, &attempt.lane);
        if !self.names.proved(model) {
            return;
        }
        let mut permit = attempt.permit.clone();
        permit.domain.bucket = self.aliases.bucket_of(model);
        let Some(resolved) = self.secrets.get(&permit.key) else { return };
        let new = Candidate {
            domain: &permit.domain,
            limits: Limits::default(),
            concurrency: None,
            ..lane.candidate(attempt.key, attempt.group, &resolved, attempt.started)
        };
        charge(self, new, permit.method, permit.cost).await;
        self.lanes.forget_model(model);
    }
}

/// Charges what was used already, as a request that is over.
async fn charge(pool: &Pool, candidate: Candidate<'_>, method: Method, cost: Cost) {
    let ask = Ask {
        permit: PermitId(pool.rng.lock().u128(..)),
        candidates: &[candidate],
        method,
        cost,
        lease: LEASE,
        class: 0,
        caller: None,
    };
    if let Ok(reply) = pool.patiently(pool.limiter.reserve(&ask)).await
        && let Some(grant) = reply.grant
        && let Err(error) = pool.patiently(pool.limiter.release(&grant.permit, Ended::Succeeded)).await
    {
        tracing::debug!(%error, "a lease passes by itself");
    }
}

/// Charges `bucket` what each project used under `lane`'s. All of the day's requests go into this minute: a
/// store has no other way to count what is over, and the minute passes.
async fn move_use(pool: &Pool, lane: &Lane, bucket: &Bucket) {
    let now = pool.clock.now();
    for (index, group) in (0_u32..).zip(&lane.groups) {
        let members = lane.roster.indexed().filter(|(_, key)| key.project == group.domain.project);
        let member = members.filter_map(|(i, key)| Some((i, pool.secrets.get(&key.id)?))).next();
        let Some((key, resolved)) = member else { continue };
        let old = [lane.candidate(key, index, &resolved, now)];
        let used = pool.limiter.snapshot(&old, lane.key.method, Cost { requests: 0, tokens: 0 });
        let Some(used) = pool.patiently(used).await.ok().and_then(|used| used.into_iter().next()) else {
            continue;
        };
        let requests = u32::try_from(used.day.max(used.requests)).unwrap_or(u32::MAX);
        let domain = Domain { project: group.domain.project.clone(), bucket: bucket.clone() };
        let new = Candidate { domain: &domain, limits: Limits::default(), concurrency: None, ..old[0] };
        charge(pool, new, lane.key.method, Cost { requests, tokens: used.tokens }).await;
    }
}

fn believe(pool: &Pool, model: &ModelId, fact: &Fact) -> bool {
    let bucket = fact.value.split(' ').next().filter(|bucket| !bucket.is_empty());
    bucket.is_some_and(|bucket| pool.aliases.learn(model, &Bucket::new(bucket)))
}

/// Reads the aliases that other processes learned.
pub(crate) async fn hear(pool: &Pool) -> Result<(), LimitError> {
    let mut news = false;
    for (name, fact) in pool.patiently(pool.limiter.scan(PREFIX)).await? {
        news |= believe(pool, &ModelId::new(&name[PREFIX.len()..]), &fact);
    }
    if news {
        pool.begin_lanes_anew();
    }
    Ok(())
}
