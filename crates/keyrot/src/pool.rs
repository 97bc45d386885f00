//! The pool: keys, limiter, secrets and lanes behind a [`Rotator`](crate::Rotator).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use keyrot_core::call::Prober;
use keyrot_core::keys::Key;
use keyrot_core::{
    Clock, CoolFor, CoolReport, Cooled, Ended, Lifted, LimitError, LimitKind, ModelId, Outcome, Permit,
    RateLimiter, Scope, Timestamp, Usage, Why,
};
use keyrot_secrets::SecretCache;
use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::blame::Judgement;
use crate::endings::{self, Endings, Step};
use crate::estimate::Estimates;
use crate::event::{Event, Watch};
use crate::exhausted::in_words;
use crate::fresh;
use crate::hints::HintAge;
use crate::lane::{Field, Lane, LaneKey};
use crate::lanes::Lanes;
use crate::learn::InForce;
use crate::learn::alias::Aliases;
use crate::lease::Attempt;
use crate::limiter::Limiter;
use crate::names::{self, Names};
use crate::profile::Profile;
use crate::proof::Proofs;
use crate::recall::Recalled;
use crate::recovery;
use crate::reload::Source;
use crate::request_id::RequestId;
use crate::retry::Budget;
use crate::roster::Roster;
use crate::upkeep::{self, Upkeep};

/// What a store is given to answer, past the deadline of whoever asks if need be.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Pool {
    roster: RwLock<Arc<Roster>>,
    /// Held while another roster is made from this one.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// Tells that there is another roster.
    changes: watch::Sender<()>,
    /// Where the keys came from, if they can be read again.
    pub(crate) source: Option<Source>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limiter: Limiter,
    pub(crate) secrets: SecretCache,
    pub(crate) budget: Mutex<Budget>,
    pub(crate) watch: Watch,
    pub(crate) rng: Mutex<fastrand::Rng>,
    pub(crate) lanes: Lanes,
    /// What the limiter said last, and when.
    pub(crate) hint_age: HintAge,
    pub(crate) aliases: Aliases,
    pub(crate) estimates: Estimates,
    pub(crate) upkeep: Upkeep,
    pub(crate) recalled: Recalled,
    pub(crate) names: Names,
    /// Answers free questions, where there is somebody who can.
    pub(crate) prober: OnceLock<Arc<dyn Prober>>,
    pub(crate) proofs: Proofs,
    /// The number of the next request without a name of its own.
    requests: AtomicU64,
    pub(crate) endings: Endings,
}

/// What a pool is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) roster: Roster,
    pub(crate) source: Option<Source>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limiter: Limiter,
    pub(crate) secrets: SecretCache,
    pub(crate) watch: Watch,
    pub(crate) rng: fastrand::Rng,
}

impl Pool {
    /// Puts the parts together and starts the task that settles what nobody waits for. Must be
    /// called inside a tokio runtime.
    pub(crate) fn start(parts: Parts) -> Arc<Self> {
        let (endings, inbox) = Endings::new();
        let (proofs, suspects) = Proofs::new();
        let first = parts.rng.clone().u64(..);
        let pool = Arc::new(Self {
            roster: RwLock::new(Arc::new(parts.roster)),
            changing: tokio::sync::Mutex::default(),
            changes: watch::Sender::default(),
            source: parts.source,
            clock: parts.clock,
            limiter: parts.limiter,
            secrets: parts.secrets,
            budget: Mutex::default(),
            watch: parts.watch,
            rng: Mutex::new(parts.rng),
            lanes: Lanes::default(),
            hint_age: HintAge::default(),
            aliases: Aliases::default(),
            estimates: Estimates::default(),
            upkeep: Upkeep::default(),
            recalled: Recalled::default(),
            names: Names::default(),
            prober: OnceLock::new(),
            proofs,
            requests: AtomicU64::new(first),
            endings,
        });
        tokio::spawn(recovery::prove_in_background(Arc::downgrade(&pool), suspects));
        tokio::spawn(endings::draw_in_background(Arc::downgrade(&pool), inbox));
        upkeep::begin(&pool);
        fresh::begin(&pool);
        pool
    }

    /// The name of a request in events and log lines.
    pub(crate) fn request_id(&self, profile: &Profile) -> RequestId {
        let number = || RequestId::numbered(self.requests.fetch_add(1, Ordering::Relaxed));
        profile.request_id.clone().unwrap_or_else(number)
    }

    /// The keys as they were last read.
    pub(crate) fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.roster.read())
    }

    /// How long a request waits for capacity that does not say so itself.
    pub(crate) fn max_wait(&self) -> Duration {
        self.roster.read().config.max_wait
    }

    /// Goes on with other keys: requests under way end as they began, those that wait move over.
    pub(crate) fn go_on_with(&self, roster: Roster) {
        *self.roster.write() = Arc::new(roster);
        // After the roster: a lane made of the old one meanwhile is forgotten as well.
        self.lanes.forget();
        self.changes.send_replace(());
    }

    /// Says when there is another roster, as long as there is a pool.
    pub(crate) fn roster_changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// The lane of `key`, made at its first use.
    ///
    /// What was learned before is read first, `until` at the latest.
    pub(crate) async fn lane(&self, key: &LaneKey, until: Timestamp) -> Arc<Lane> {
        if let Some(lane) = self.lanes.get(key) {
            return lane;
        }
        self.recall(until).await;
        if !self.has_place(&key.model) {
            self.list_models(until).await;
        }
        loop {
            if let Some(lane) = self.lanes.get(key).or_else(|| self.make_lane(key)) {
                return lane;
            }
        }
    }

    /// Whether `model` has a place of its own: something mentions it, it answered, or there is room.
    fn has_place(&self, model: &ModelId) -> bool {
        self.roster().mentions(model)
            || self.aliases.knows(model)
            || self.names.has_place(model, self.clock.now())
    }

    /// `None` when all lanes were forgotten meanwhile.
    fn make_lane(&self, key: &LaneKey) -> Option<Arc<Lane>> {
        // Before the roster is read: one that comes after it makes this lane out of date.
        let age = self.lanes.age();
        let roster = self.roster();
        let told_apart = roster.mentions(&key.model);
        let bucket =
            if self.has_place(&key.model) { self.aliases.bucket_of(&key.model) } else { names::others() };
        let model = if told_apart { key.model.clone() } else { bucket.as_str().into() };
        let alike = LaneKey { model, ..key.clone() };
        if names::are_others(&bucket)
            && let Some(lane) = self.lanes.passing(key, &alike, &bucket, age)
        {
            return Some(lane);
        }
        let learned = self.recalled.limits.read();
        self.lanes.get_or_make(key, alike, &bucket, age, |line| {
            let rng = self.rng.lock().fork();
            Field::new(key, bucket.clone(), roster, line, rng, |k, domain| {
                InForce::new(k.limits_for(&key.model), learned.get(domain).map_or(&[], Vec::as_slice))
            })
        })
    }

    /// Has everybody look for his lane again: something that makes them was learned.
    pub(crate) fn begin_lanes_anew(&self) {
        {
            let mut roster = self.roster.write();
            // Who waits knows by this that he is in the wrong place.
            *roster = Arc::new(Roster::clone(&roster));
        }
        self.lanes.forget();
    }

    /// What a store answers to who has no deadline of his own.
    pub(crate) async fn patiently<T>(
        &self,
        call: impl Future<Output = Result<T, LimitError>>,
    ) -> Result<T, LimitError> {
        tokio::select! {
            biased;
            answer = call => answer,
            // Made only when there is something to wait for.
            () = async { self.clock.sleep_until(self.clock.now() + PATIENCE).await } => {
                let why = format!("no answer within {} s", PATIENCE.as_secs());
                Err(LimitError::Unavailable { store: self.limiter.truth().store, why })
            }
        }
    }

    /// Draws the consequences of an attempt's outcome from `step` on: learns, condemns, settles, counts,
    /// wakes.
    pub(crate) async fn draw_consequences(
        &self,
        attempt: &Attempt,
        outcome: &Outcome,
        step: &mut Step,
    ) -> Judgement {
        let Attempt { permit, lane, .. } = attempt;
        let now = self.clock.now();
        if *step == Step::Count {
            self.count(attempt, outcome, now);
            *step = Step::Judge;
        }
        let mut judgement = Judgement::default();
        if *step == Step::Judge {
            // A success teaches nothing and blames nobody.
            if !matches!(outcome, Outcome::Success { .. }) {
                judgement = Box::pin(self.judge(attempt, outcome, now)).await;
            }
            *step = Step::Settle;
        }
        if *step == Step::Settle {
            if let Outcome::Success { usage: Usage { prompt_tokens: Some(tokens), .. } } = outcome {
                self.settle(permit, *tokens, now).await;
                if let Some(estimate) = attempt.estimate {
                    self.estimates.learn(&lane.key.model, estimate, *tokens);
                }
            }
            if matches!(outcome, Outcome::Success { .. }) && names::are_others(&lane.bucket) {
                Box::pin(self.give_a_place(attempt)).await;
            }
            *step = Step::Release;
        }
        let ended = match outcome {
            Outcome::Success { .. } => Ended::Succeeded,
            other if other.never_sent() => Ended::NeverSent,
            _ => Ended::Failed,
        };
        self.release(attempt, ended).await;
        *step = Step::Done;
        self.reopen(attempt, ended, now);
        if judgement.cooled.as_ref().is_some_and(|cooled| cooled.scope == Scope::Pool) {
            // It was nobody's fault: what was said of single projects no longer holds.
            self.lanes.lifted(&Lifted::All, now);
        }
        self.record(attempt, outcome, judgement.cooled.as_ref(), now);
        judgement
    }

    /// The one log line of an attempt, and the event for whoever watches.
    fn record(&self, attempt: &Attempt, outcome: &Outcome, cooled: Option<&Cooled>, now: Timestamp) {
        let key = attempt.lane.roster.key(attempt.key);
        let took = now.since(attempt.started);
        let tokens = match outcome {
            Outcome::Success { usage } => usage.prompt_tokens,
            _ => None,
        };
        tracing::info!(
            request = %attempt.request,
            key_id = %key.id,
            project = %key.project,
            model = %attempt.lane.key.model,
            outcome = outcome.label(),
            tokens,
            wait_ms = u64::try_from(attempt.waited.as_millis()).unwrap_or(u64::MAX),
            took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            attempt = attempt.number,
            "attempt"
        );
        self.watch.tell(|| Event::Ended {
            request: attempt.request.clone(),
            key: key.id.clone(),
            project: key.project.clone(),
            model: attempt.lane.key.model.clone(),
            attempt: attempt.number,
            outcome: outcome.clone(),
            took,
            condemned: cooled.and_then(|cooled| match cooled.lasts? {
                // The model lets everybody pass: too few calls failed.
                Duration::ZERO => None,
                Duration::MAX => Some(format!("{} until it is lifted", cooled.scope)),
                lasts => Some(format!("{} for {}", cooled.scope, in_words(lasts))),
            }),
        });
    }

    /// Replaces the estimate of a call by what it used.
    pub(crate) async fn settle(&self, permit: &Permit, tokens: u64, now: Timestamp) {
        log_failure(self.patiently(self.limiter.settle(permit, tokens)).await);
        if tokens < permit.cost.tokens {
            let tokens = |why| matches!(why, Why::Limit(LimitKind::Tpm));
            self.lanes.reopen_domain(&permit.domain.project, &permit.domain.bucket, tokens, now);
        }
    }

    /// Wakes whoever may profit from a call that is over.
    fn reopen(&self, attempt: &Attempt, ended: Ended, now: Timestamp) {
        let Attempt { permit, .. } = attempt;
        let key = attempt.lane.roster.key(attempt.key);
        if permit.probe {
            // Whatever it was the probe of.
            self.lanes
                .lifted(&Lifted::Scopes(vec![Scope::Model(permit.domain.bucket.clone()), Scope::Pool]), now);
        }
        if permit.probe || key.concurrency.is_some() {
            self.reopen_key(key);
        } else if ended == Ended::NeverSent {
            let limit = |why| matches!(why, Why::Limit(_));
            self.lanes.reopen_domain(&permit.domain.project, &permit.domain.bucket, limit, now);
        }
    }

    /// Wakes whoever may profit from a key that may go again.
    pub(crate) fn reopen_key(&self, key: &Key) {
        self.lanes.reopen_key(&key.id, &key.project, self.clock.now());
    }

    /// Shares a cooldown with every process.
    pub(crate) async fn cool(&self, report: CoolReport) -> Option<Cooled> {
        let report = CoolReport { cool: self.jittered(report.cool), ..report };
        match self.patiently(self.limiter.cool(&report)).await {
            Ok(cooled) => Some(cooled),
            Err(error) => {
                tracing::warn!(%error, scope = %report.scope, "cannot share a cooldown");
                None
            }
        }
    }

    /// Up to a tenth and a second more than a server's hint: many clients got the same hint.
    fn jittered(&self, cool: CoolFor) -> CoolFor {
        match cool {
            CoolFor::After(wait) if wait < Duration::from_secs(3600) => {
                let most = (wait / 10).min(Duration::from_secs(1));
                let most = u64::try_from(most.as_millis()).unwrap_or(0);
                CoolFor::After(wait + Duration::from_millis(self.rng.lock().u64(0..=most)))
            }
            other => other,
        }
    }

    /// Lifts a scope and wakes whoever waits for it.
    pub(crate) async fn lift(&self, scope: &Scope) -> Result<(), LimitError> {
        self.limiter.lift(scope).await?;
        self.lanes.lifted(&Lifted::Scopes(vec![scope.clone()]), self.clock.now());
        Ok(())
    }

    fn count(&self, attempt: &Attempt, outcome: &Outcome, now: Timestamp) {
        let tally = attempt.lane.roster.tally(attempt.key);
        tally.last_used.store(now.as_millis(), Ordering::Relaxed);
        match outcome {
            Outcome::Success { .. } => {
                tally.successes.fetch_add(1, Ordering::Relaxed);
                self.budget.lock().succeeded(now);
            }
            Outcome::Cancelled => {}
            _ => {
                tally.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let Outcome::Success { .. } | Outcome::Blocked = outcome {
            attempt.answered_at(now);
        }
    }
}

fn log_failure(result: Result<(), LimitError>) {
    if let Err(error) = result {
        // The estimate stays charged: safe, only less sharp.
        tracing::warn!(%error, "cannot settle");
    }
}
