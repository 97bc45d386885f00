//! The pool: keys, limiter, secrets and lanes behind a [`Rotator`](crate::Rotator).

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use keyrot_core::keys::Key;
use keyrot_core::{
    Clock, Condemn, CoolFor, CoolReport, Cooled, Domain, Ended, LimitError, NetworkFault, Outcome, Permit,
    RateLimiter, Reason, Samples, Scope, ScopeKind, Timestamp,
};
use keyrot_secrets::SecretCache;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, mpsc, watch};

use crate::estimate::Estimates;
use crate::event::{Event, Watch};
use crate::exhausted::in_words;
use crate::fresh;
use crate::lane::{Lane, LaneKey};
use crate::lanes::Lanes;
use crate::learn::alias::Aliases;
use crate::learn::{self, InForce};
use crate::lease::{Attempt, Ending};
use crate::limiter::Limiter;
use crate::probes::Probes;
use crate::reload::Source;
use crate::retry::Budget;
use crate::roster::{Roster, Tally};
use crate::upkeep::{self, Upkeep};

/// How many endings may wait to be settled; past that a permit expires by itself.
const ENDINGS: usize = 4096;
/// How long a store may keep whoever has no deadline of his own.
const PATIENCE: Duration = Duration::from_secs(5);
/// Failures in a row that make a key suspect, while others succeed.
const FLAKY_AFTER: u32 = 3;
/// How recently another key must have succeeded for the blame to be the key's.
const SAME_MINUTE: Duration = Duration::from_secs(60);

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
    pub(crate) probes: Probes,
    pub(crate) watch: Watch,
    pub(crate) rng: Mutex<fastrand::Rng>,
    /// Something may go that could not go before.
    pub(crate) changed: Notify,
    pub(crate) lanes: Lanes,
    pub(crate) aliases: Aliases,
    pub(crate) estimates: Estimates,
    pub(crate) upkeep: Upkeep,
    endings: mpsc::Sender<Ending>,
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
        let (endings, inbox) = mpsc::channel(ENDINGS);
        let pool = Arc::new(Self {
            roster: RwLock::new(Arc::new(parts.roster)),
            changing: tokio::sync::Mutex::default(),
            changes: watch::Sender::default(),
            source: parts.source,
            clock: parts.clock,
            limiter: parts.limiter,
            secrets: parts.secrets,
            budget: Mutex::default(),
            probes: Probes::default(),
            watch: parts.watch,
            rng: Mutex::new(parts.rng),
            changed: Notify::new(),
            lanes: Lanes::default(),
            aliases: Aliases::default(),
            estimates: Estimates::default(),
            upkeep: Upkeep::default(),
            endings,
        });
        tokio::spawn(settle_in_background(Arc::downgrade(&pool), inbox));
        upkeep::begin(&pool);
        fresh::begin(&pool);
        pool
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
        self.changed.notify_waiters();
        self.changes.send_replace(());
    }

    /// Says when there is another roster, as long as there is a pool.
    pub(crate) fn roster_changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// The lane of `key`, made at its first use.
    pub(crate) async fn lane(&self, key: &LaneKey) -> Arc<Lane> {
        if let Some(lane) = self.lanes.get(key) {
            return lane;
        }
        let (learned, (), ()) = tokio::join!(
            learn::all(self),
            learn::alias::recall(self, &key.model),
            self.recall_estimate(&key.model)
        );
        let learned = learned.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot tell which limits were learned");
            HashMap::new()
        });
        let bucket = self.aliases.bucket_of(&key.model);
        self.lanes.get_or_make(key, &bucket, |queue| {
            let rng = self.rng.lock().fork();
            Lane::new(key.clone(), bucket.clone(), self.roster(), queue, rng, |k, domain| {
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
        self.changed.notify_waiters();
    }

    /// Leaves an ending to the background. When too many wait, the permit expires by itself.
    pub(crate) fn later(&self, ending: Ending) {
        if self.endings.try_send(ending).is_err() {
            tracing::warn!("too many unsettled calls: a permit is left to expire");
        }
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

    /// Waits until everything left to the background so far is done and in the store, `timeout` at most.
    pub(crate) async fn flush(&self, timeout: Duration) -> bool {
        let (done, wait) = tokio::sync::oneshot::channel();
        let flush = async {
            let ended = self.endings.send(Ending::Flush(done)).await.is_ok() && wait.await.is_ok();
            let written = self.write_down().await;
            self.limiter.flush().await;
            ended && written.is_ok()
        };
        tokio::time::timeout(timeout, flush).await.unwrap_or(false)
    }

    /// Draws every consequence of an attempt's outcome: learns, condemns, settles, counts, wakes.
    /// Gives back what was condemned.
    pub(crate) async fn conclude(&self, attempt: &Attempt, outcome: &Outcome) -> Option<Cooled> {
        let Attempt { permit, key, lane, .. } = attempt;
        let (now, key, roster) = (self.clock.now(), *key, &lane.roster);
        self.count(roster.tally(key), outcome, now);
        learn::learn(self, attempt, outcome, now).await;
        let condemn = outcome.effect().condemn.or_else(|| flaky(roster, key, outcome, now));
        let cooled = match condemn {
            Some(condemn) => {
                let mut blamed = permit.clone();
                // Which it may just have learned.
                blamed.domain.bucket = self.aliases.bucket_of(&lane.key.model);
                self.cool(&blamed, condemn, roster.projects).await
            }
            None => None,
        };
        let ended = match outcome {
            Outcome::Success { usage } => {
                if let Some(tokens) = usage.prompt_tokens {
                    self.settle(permit, tokens).await;
                    if let Some(estimate) = attempt.estimate {
                        self.estimates.learn(&lane.key.model, estimate, tokens);
                    }
                }
                Ended::Succeeded
            }
            other if other.never_sent() => Ended::NeverSent,
            _ => Ended::Failed,
        };
        log_failure(self.patiently(self.limiter.release(permit, ended)).await);
        if permit.probe {
            self.probes.back(permit.id);
        }
        self.reopen(attempt, ended);
        if cooled.as_ref().is_some_and(|cooled| cooled.scope == Scope::Pool) {
            // It was nobody's fault: what was said of single projects no longer holds.
            self.lanes.each(|lane| lane.reopen_groups());
        }
        self.record(attempt, outcome, cooled.as_ref(), now);
        cooled
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
    async fn settle(&self, permit: &Permit, tokens: u64) {
        log_failure(self.patiently(self.limiter.settle(permit, tokens)).await);
        if tokens < permit.cost.tokens {
            self.given_back(&permit.domain);
        }
    }

    /// Wakes whoever may profit from what a domain got back.
    fn given_back(&self, domain: &Domain) {
        self.lanes.each(|lane| {
            if lane.bucket == domain.bucket {
                lane.reopen(&domain.project, None);
            }
        });
        self.changed.notify_waiters();
    }

    /// Wakes whoever may profit from a call that is over.
    fn reopen(&self, attempt: &Attempt, ended: Ended) {
        let Attempt { permit, .. } = attempt;
        let key = attempt.lane.roster.key(attempt.key);
        if permit.probe || key.concurrency.is_some() {
            self.reopen_key(key);
        } else if ended == Ended::NeverSent {
            self.given_back(&permit.domain);
        }
    }

    /// Wakes whoever may profit from a key that may go again.
    pub(crate) fn reopen_key(&self, key: &Key) {
        self.lanes.each(|lane| lane.reopen(&key.project, Some(&key.id)));
        self.changed.notify_waiters();
    }

    async fn cool(&self, permit: &Permit, condemn: Condemn, projects: usize) -> Option<Cooled> {
        let report = CoolReport {
            scope: Scope::of(condemn.scope, permit),
            cool: self.jittered(condemn.cool),
            reason: condemn.reason,
            stamp: Some(permit.stamp),
            projects,
            samples: Samples::new(),
        };
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
        self.lanes.each(|lane| {
            for key in lane.roster.keys.iter() {
                lane.reopen(&key.project, Some(&key.id));
            }
        });
        self.changed.notify_waiters();
        Ok(())
    }

    fn count(&self, tally: &Tally, outcome: &Outcome, now: Timestamp) {
        tally.last_used.store(now.as_millis(), Ordering::Relaxed);
        match outcome {
            Outcome::Success { .. } => {
                tally.successes.fetch_add(1, Ordering::Relaxed);
                tally.last_success.store(now.as_millis(), Ordering::Relaxed);
                tally.failures_in_a_row.store(0, Ordering::Relaxed);
                self.budget.lock().succeeded(now);
            }
            Outcome::Cancelled => {}
            _ => {
                tally.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Three server or network failures in a row on one key, while another key succeeded within the
/// minute: that key, softly.
fn flaky(roster: &Roster, key: u32, outcome: &Outcome, now: Timestamp) -> Option<Condemn> {
    let blamed = match outcome {
        Outcome::ServerError { .. } => true,
        // No connection says nothing about a key.
        Outcome::Network(fault) => *fault != NetworkFault::Connect,
        _ => false,
    };
    let failures = &roster.tally(key).failures_in_a_row;
    if !blamed || failures.fetch_add(1, Ordering::Relaxed) + 1 < FLAKY_AFTER {
        return None;
    }
    let recent = |tally: &Tally| {
        let at = tally.last_success.load(Ordering::Relaxed);
        at > 0 && now.since(Timestamp::from_millis(at)) < SAME_MINUTE
    };
    let others = roster.indexed().any(|(index, _)| index != key && recent(roster.tally(index)));
    others.then(|| {
        failures.store(0, Ordering::Relaxed);
        let cool = CoolFor::Escalating { at_least: Duration::ZERO };
        Condemn { scope: ScopeKind::Key, cool, reason: Reason::Flaky }
    })
}

fn log_failure(result: Result<(), LimitError>) {
    if let Err(error) = result {
        // The estimate stays charged: safe, only less sharp.
        tracing::warn!(%error, "cannot settle");
    }
}

async fn settle_in_background(pool: Weak<Pool>, mut inbox: mpsc::Receiver<Ending>) {
    while let Some(ending) = inbox.recv().await {
        let Some(pool) = pool.upgrade() else { return };
        match ending {
            Ending::Settle { permit, tokens } => pool.settle(&permit, tokens).await,
            Ending::End { attempt, outcome } => {
                pool.conclude(&attempt, &outcome).await;
            }
            Ending::Flush(done) => {
                // Nobody may be listening any more.
                let _ = done.send(());
            }
        }
    }
}
