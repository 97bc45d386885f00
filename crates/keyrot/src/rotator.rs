//! The rotator: a request goes in, the right key makes it, failures move on by themselves.

mod course;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use keyrot_core::call::Judged;
use keyrot_core::{KeyId, LimitError, ModelId, Outcome, Project, Scope, ScopeKind, Timestamp};

use course::Course;

use crate::acquire::{Search, Stop};
use crate::blame::Judgement;
use crate::event::Event;
use crate::exhausted::Exhausted;
use crate::lane::LaneKey;
use crate::lease::Lease;
use crate::pool::{PATIENCE, Pool};
use crate::profile::Profile;
use crate::request_id::RequestId;
use crate::retry::Tried;

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// No key can serve the request within the time allowed.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// The store of limits does not decide, and no request is sent while nobody counts it.
    #[error("{0}\nhint: {STORE_HINT}")]
    Store(LimitError),
}

/// What to do about a store that does not decide.
const STORE_HINT: &str = "no request is sent uncounted; check that the store is running and can be reached";

/// Why a request failed for good.
#[derive(Debug, thiserror::Error)]
pub enum RunError<E> {
    /// No key can serve it within the time allowed.
    #[error("{exhausted}{}", last_words(.last))]
    Exhausted {
        /// Every key, why not, and until when.
        exhausted: Box<Exhausted>,
        /// The failure of the last attempt, if any was made.
        last: Option<E>,
        /// Attempts made.
        attempts: u32,
    },
    /// The store of limits does not decide, and no request is sent while nobody counts it.
    #[error("{error}{}\nhint: {STORE_HINT}", last_words(.last))]
    Store {
        /// What the store said.
        error: LimitError,
        /// The failure of the last attempt, if any was made.
        last: Option<E>,
        /// Attempts made.
        attempts: u32,
    },
    /// An attempt failed in a way that trying again does not mend, or was tried often enough.
    #[error("{error}")]
    Failed {
        /// The failure of the last attempt.
        error: E,
        /// Attempts made.
        attempts: u32,
    },
}

fn last_words<E: fmt::Display>(last: &Option<E>) -> String {
    last.as_ref().map_or_else(String::new, |last| format!("\nlast failure: {last}"))
}

/// Several keys as one dependable resource. Cloning is cheap; clones share everything.
///
/// Made by [`Assembly`](crate::Assembly).
#[derive(Debug, Clone)]
pub struct Rotator {
    pub(crate) pool: Arc<Pool>,
}

/// Keys and projects that a lease is not to be of.
#[derive(Debug, Clone, Default)]
pub struct Exclusions {
    /// These keys, whatever their secrets.
    pub keys: Vec<KeyId>,
    /// All keys of these projects.
    pub projects: Vec<Project>,
}

/// What a request asks, under which name and until when.
#[derive(Clone, Copy)]
struct Asked<'a> {
    profile: &'a Profile,
    request: &'a RequestId,
    deadline: Timestamp,
}

/// Whether no key of the pool is usable, so that the single key may serve.
fn is_pools_fault<E: Judged>(error: &RunError<E>) -> bool {
    match error {
        RunError::Exhausted { exhausted, .. } => exhausted.is_hopeless(),
        RunError::Store { .. } => false,
        RunError::Failed { error, .. } => {
            let effect = error.outcome().effect();
            let full = effect.condemn.filter(|_| effect.hinted.is_some());
            full.is_some_and(|condemn| condemn.scope != ScopeKind::Domain)
        }
    }
}

impl Rotator {
    /// Makes a call with the right key, and again with another one where that can help.
    ///
    /// `call` gets a [`Lease`]: it takes the key and the model from it, makes one attempt, and gives
    /// back the answer with what it came to ([`Outcome::Success`] with its usage, or
    /// [`Outcome::Blocked`]), or a failure that can say what it means.
    ///
    /// # Errors
    /// [`RunError::Exhausted`] when no key can serve the request in the time allowed; [`RunError::Store`] when
    /// the store of limits does not decide; [`RunError::Failed`] when trying again would not help.
    pub async fn run<T, E, F, Fut>(&self, profile: &Profile, call: F) -> Result<T, RunError<E>>
    where
        E: Judged,
        F: FnMut(&Lease) -> Fut,
        Fut: Future<Output = Result<(T, Outcome), E>>,
    {
        let (answer, outcome, lease) = self.drive(profile, call).await?;
        lease.end(&outcome).await;
        Ok(answer)
    }

    /// [`run`](Self::run), with the lease still open at the end.
    pub(crate) async fn drive<T, E, F, Fut>(
        &self,
        profile: &Profile,
        mut call: F,
    ) -> Result<(T, Outcome, Lease), RunError<E>>
    where
        E: Judged,
        F: FnMut(&Lease) -> Fut,
        Fut: Future<Output = Result<(T, Outcome), E>>,
    {
        let roster = self.pool.roster();
        let deadline = self.pool.clock.now() + profile.max_wait.unwrap_or(roster.config.max_wait);
        let fallbacks = roster.config.model_fallback.get(&profile.model);
        let mut model = profile.model.clone();
        let mut fallbacks = fallbacks.into_iter().flatten();
        let mut told = None;
        let request = &self.pool.request_id(profile);
        loop {
            let asked = Asked { profile, request, deadline };
            let error = match self.drive_model(asked, &model, &mut call).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let another_model_helps = match &error {
                RunError::Exhausted { .. } => true,
                RunError::Store { .. } => false,
                RunError::Failed { error, .. } => {
                    let outcome = error.outcome();
                    matches!(outcome, Outcome::Overloaded | Outcome::QuotaMinute { .. } | Outcome::ModelGated)
                        || outcome.effect().hinted.is_some()
                }
            };
            // A fallback that no key could even be asked for says less than the model before it did.
            let error = match told.take() {
                Some(before) if matches!(error, RunError::Exhausted { attempts: 0, .. }) => before,
                _ => error,
            };
            let Some(next) = fallbacks.next().filter(|_| another_model_helps) else { return Err(error) };
            told = Some(error);
            self.pool.watch.tell(|| Event::FellBack {
                request: request.clone(),
                from: model.clone(),
                to: next.clone(),
            });
            tracing::warn!(%request, from = %model, to = %next, "falling back to another model");
            model = next.clone();
        }
    }

    async fn drive_model<T, E, F, Fut>(
        &self,
        asked: Asked<'_>,
        model: &ModelId,
        call: &mut F,
    ) -> Result<(T, Outcome, Lease), RunError<E>>
    where
        E: Judged,
        F: FnMut(&Lease) -> Fut,
        Fut: Future<Output = Result<(T, Outcome), E>>,
    {
        let key = asked.profile.lane_key(model.clone());
        let error = match self.drive_lane(asked, &key, call).await {
            Err(error) => error,
            done => return done,
        };
        let roster = self.pool.roster();
        let Some(single) = roster.last_resort.filter(|_| is_pools_fault(&error)) else { return Err(error) };
        let (request, single) = (asked.request, &roster.key(single).id);
        tracing::warn!(%request, key_id = %single, "no key of the pool is usable: the single key serves");
        self.pool.watch.tell(|| Event::LastResort { request: request.clone(), key: single.clone() });
        match self.drive_lane(asked, &LaneKey { last_resort: true, ..key }, call).await {
            // The pool's own story says more than "the single key failed as well".
            Err(RunError::Exhausted { last: None, .. }) => Err(error),
            other => other,
        }
    }

    async fn drive_lane<T, E, F, Fut>(
        &self,
        asked: Asked<'_>,
        key: &LaneKey,
        call: &mut F,
    ) -> Result<(T, Outcome, Lease), RunError<E>>
    where
        E: Judged,
        F: FnMut(&Lease) -> Fut,
        Fut: Future<Output = Result<(T, Outcome), E>>,
    {
        let Asked { profile, request, deadline } = asked;
        let mut lane = self.pool.lane(key, deadline + PATIENCE).await;
        let profile = &*self.pool.estimates.corrected(profile, &key.model);
        let mut course = Course::default();
        let mut last = None;
        loop {
            let now = self.pool.clock.now();
            // Another key than one that just failed if one may go now; otherwise any.
            let until = if course.tried.avoids() { now } else { deadline };
            let search = Search { pool: &self.pool, lane: &lane, profile, request, deadline: until };
            let lease = search.lease(&course.tried, course.attempts + 1, &mut course.waited, now).await;
            let mut lease = match lease {
                Ok(lease) => lease,
                Err(Stop::Exhausted) if course.tried.avoids() => {
                    course.tried.avoid_nothing();
                    continue;
                }
                Err(Stop::Exhausted) => {
                    if self.another_secret(&mut course, &lane, deadline).await {
                        continue;
                    }
                    let answer = self.pool.take_back(&course.answers, &lane, request).await;
                    let attempts = course.attempts;
                    return Err(match last {
                        Some(error) if answer.is_some_and(|answer| E::outcome(&error).label() == answer) => {
                            RunError::Failed { error, attempts }
                        }
                        last => {
                            let exhausted = Box::new(search.exhausted(&course.tried, course.waited));
                            RunError::Exhausted { exhausted, last, attempts }
                        }
                    });
                }
                Err(Stop::Store(error)) => {
                    return Err(RunError::Store { error, last, attempts: course.attempts });
                }
                Err(Stop::Moved) => {
                    let next = self.pool.lane(key, deadline + PATIENCE).await;
                    course.tried = course.tried.moved(&lane, &next);
                    lane = next;
                    continue;
                }
            };
            course.attempts += 1;
            self.pool.watch.tell(|| Event::Started {
                request: request.clone(),
                key: lease.key_id().clone(),
                project: lease.project().clone(),
                model: lease.model().clone(),
                attempt: course.attempts,
            });
            let error = match call(&lease).await {
                Ok((answer, outcome)) => {
                    self.pool.served_elsewhere(&course.answers, &lease.attempt).await;
                    return Ok((answer, outcome, lease));
                }
                Err(error) => error,
            };
            let outcome = error.outcome();
            lease.over = true;
            // What takes longer goes on without the request.
            let limit = self.pool.clock.now().max(deadline) + PATIENCE;
            let judgement = tokio::select! {
                biased;
                judgement = self.pool.conclude(&lease.attempt, &outcome) => judgement,
                () = async { self.pool.clock.sleep_until(limit).await } => Judgement::default(),
            };
            if !self.again(&mut course, &lease, &outcome, judgement, deadline).await {
                self.pool.take_back(&course.answers, &lane, request).await;
                return Err(RunError::Failed { error, attempts: course.attempts });
            }
            last = Some(error);
        }
    }

    /// A lease for one attempt, for callers that judge answers by themselves: waits for capacity as
    /// [`run`](Self::run) does, and does nothing after.
    ///
    /// # Errors
    /// [`LeaseError`] when no key can serve the request in the time allowed, or the store of limits does not
    /// decide.
    pub async fn lease(&self, profile: &Profile) -> Result<Lease, LeaseError> {
        self.lease_except(profile, &Exclusions::default()).await
    }

    /// As [`lease`](Self::lease), without some keys and projects.
    ///
    /// # Errors
    /// As [`lease`](Self::lease).
    pub async fn lease_except(&self, profile: &Profile, without: &Exclusions) -> Result<Lease, LeaseError> {
        let mut now = self.pool.clock.now();
        let deadline = now + profile.max_wait.unwrap_or_else(|| self.pool.max_wait());
        let mut waited = Duration::ZERO;
        let request = &self.pool.request_id(profile);
        loop {
            let key = profile.lane_key(profile.model.clone());
            let lane = self.pool.lane(&key, deadline + PATIENCE).await;
            let profile = &*self.pool.estimates.corrected(profile, &profile.model);
            let tried = Tried::without(&lane, &without.keys, &without.projects);
            let search = Search { pool: &self.pool, lane: &lane, profile, request, deadline };
            match search.lease(&tried, 1, &mut waited, now).await {
                Ok(lease) => return Ok(lease),
                Err(Stop::Exhausted) => return Err(search.exhausted(&tried, waited).into()),
                Err(Stop::Store(error)) => return Err(LeaseError::Store(error)),
                Err(Stop::Moved) => now = self.pool.clock.now(),
            }
        }
    }

    /// Lifts a cooldown: an operator knows better. Reports of calls that are still running no longer
    /// count against it.
    ///
    /// # Errors
    /// [`LimitError`] when the store does not answer.
    pub async fn lift(&self, scope: &Scope) -> Result<(), LimitError> {
        self.pool.lift(scope).await
    }

    /// Waits until everything that is settled in the background is settled, `timeout` at most. Programs
    /// that end call it before they do. Gives `false` when the time was not enough.
    pub async fn shutdown(&self, timeout: Duration) -> bool {
        self.pool.flush(timeout).await
    }
}

#[cfg(test)]
mod tests;
