//! The rotator: a request goes in, the right key makes it, failures move on by themselves.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use keyrot_core::call::Judged;
use keyrot_core::select::Pick;
use keyrot_core::{Cooled, Cost, KeyId, LimitError, ModelId, Outcome, Reason, Retry, Scope, Timestamp, Why};
use keyrot_secrets::Refreshed;

use crate::acquire::{Search, Stop};
use crate::event::Event;
use crate::exhausted::Exhausted;
use crate::lane::{Lane, LaneKey};
use crate::lease::Lease;
use crate::pool::Pool;
use crate::profile::Profile;
use crate::retry::{Tried, backoff};

/// Failures of server or network are tried again this often at most, whatever `max_retries` says:
/// each attempt is charged by Google.
const SPACED: u32 = 2;

/// The smallest request.
const ONE: Cost = Cost { requests: 1, tokens: 0 };

/// Why a request failed for good.
#[derive(Debug, thiserror::Error)]
pub enum RunError<E> {
    /// No key can serve it within the time allowed.
    #[error("{exhausted}{}", last_words(.last))]
    Exhausted {
        /// Every key, why not, and until when.
        exhausted: Exhausted,
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

/// What a request remembers between its attempts.
#[derive(Default)]
struct Course {
    tried: Tried,
    attempts: u32,
    waited: Duration,
    spaced: u32,
    throttled: bool,
    other_project: bool,
    refreshed: Vec<KeyId>,
    looked_again: bool,
}

impl Rotator {
    /// Makes a call with the right key, and again with another one where that can help.
    ///
    /// `call` gets a [`Lease`]: it takes the key and the model from it, makes one attempt, and gives
    /// back the answer with what it came to ([`Outcome::Success`] with its usage, or
    /// [`Outcome::Blocked`]), or a failure that can say what it means.
    ///
    /// # Errors
    /// [`RunError::Exhausted`] when no key can serve the request in the time allowed;
    /// [`RunError::Failed`] when trying again would not help.
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
        loop {
            let error = match self.drive_model(profile, &model, deadline, &mut call).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let another_model_helps = match &error {
                RunError::Exhausted { .. } => true,
                RunError::Failed { error, .. } => {
                    matches!(
                        error.outcome(),
                        Outcome::Overloaded
                            | Outcome::ModelNotFound
                            | Outcome::ModelGated
                            | Outcome::QuotaMinute { .. }
                    )
                }
            };
            let Some(next) = fallbacks.next().filter(|_| another_model_helps) else { return Err(error) };
            self.pool.watch.tell(|| Event::FellBack { from: model.clone(), to: next.clone() });
            tracing::warn!(from = %model, to = %next, "falling back to another model");
            model = next.clone();
        }
    }

    async fn drive_model<T, E, F, Fut>(
        &self,
        profile: &Profile,
        model: &ModelId,
        deadline: Timestamp,
        call: &mut F,
    ) -> Result<(T, Outcome, Lease), RunError<E>>
    where
        E: Judged,
        F: FnMut(&Lease) -> Fut,
        Fut: Future<Output = Result<(T, Outcome), E>>,
    {
        let key = profile.lane_key(model.clone());
        let error = match self.drive_lane(profile, &key, deadline, call).await {
            Err(RunError::Exhausted { exhausted, last, attempts }) => {
                let roster = self.pool.roster();
                let single = roster.last_resort.filter(|_| exhausted.is_hopeless());
                let Some(single) = single else {
                    return Err(RunError::Exhausted { exhausted, last, attempts });
                };
                let single = &roster.key(single).id;
                tracing::warn!(key_id = %single, "no key of the pool is usable: the single key serves");
                self.pool.watch.tell(|| Event::LastResort { key: single.clone() });
                RunError::Exhausted { exhausted, last, attempts }
            }
            other => return other,
        };
        match self.drive_lane(profile, &LaneKey { last_resort: true, ..key }, deadline, call).await {
            // The pool's own story says more than "the single key failed as well".
            Err(RunError::Exhausted { last: None, .. }) => Err(error),
            other => other,
        }
    }

    async fn drive_lane<T, E, F, Fut>(
        &self,
        profile: &Profile,
        key: &LaneKey,
        deadline: Timestamp,
        call: &mut F,
    ) -> Result<(T, Outcome, Lease), RunError<E>>
    where
        E: Judged,
        F: FnMut(&Lease) -> Fut,
        Fut: Future<Output = Result<(T, Outcome), E>>,
    {
        let mut lane = self.pool.lane(key).await;
        let profile = &*self.pool.estimates.corrected(profile, &key.model);
        let mut course = Course::default();
        let mut last = None;
        loop {
            let now = self.pool.clock.now();
            let search = Search { pool: &self.pool, lane: &lane, profile, deadline };
            let lease = search.lease(&course.tried, course.attempts + 1, &mut course.waited, now).await;
            let mut lease = match lease {
                Ok(lease) => lease,
                Err(Stop::Exhausted) => {
                    if self.another_secret(&mut course, &lane, deadline).await {
                        continue;
                    }
                    let exhausted = search.exhausted(&course.tried, course.waited);
                    return Err(RunError::Exhausted { exhausted, last, attempts: course.attempts });
                }
                Err(Stop::Moved) => {
                    let next = self.pool.lane(key).await;
                    course.tried = course.tried.moved(&lane, &next);
                    lane = next;
                    continue;
                }
            };
            course.attempts += 1;
            self.pool.watch.tell(|| Event::Started {
                key: lease.key_id().clone(),
                project: lease.project().clone(),
                model: lease.model().clone(),
                attempt: course.attempts,
            });
            let error = match call(&lease).await {
                Ok((answer, outcome)) => return Ok((answer, outcome, lease)),
                Err(error) => error,
            };
            let outcome = error.outcome();
            lease.over = true;
            let cooled = self.pool.conclude(&lease.attempt, &outcome).await;
            if !self.again(&mut course, &lease, &outcome, cooled.as_ref(), deadline).await {
                return Err(RunError::Failed { error, attempts: course.attempts });
            }
            last = Some(error);
        }
    }

    /// Decides whether to try again after `outcome`, notes what must not be used again, and pauses
    /// where a pause belongs.
    async fn again(
        &self,
        course: &mut Course,
        lease: &Lease,
        outcome: &Outcome,
        cooled: Option<&Cooled>,
        deadline: Timestamp,
    ) -> bool {
        let now = self.pool.clock.now();
        let (key, group) = (lease.attempt.key, lease.attempt.group);
        let until = || cooled.and_then(|c| c.lasts).map_or(now, |lasts| now + lasts);
        match outcome.effect().retry {
            Retry::Never => false,
            Retry::OtherProject => {
                let returned = course.tried.has_been_to(group);
                course.tried.group(group, until());
                !returned || self.once_more(course, now)
            }
            Retry::OneOtherProject => {
                course.tried.group(group, Timestamp::NEVER);
                !std::mem::replace(&mut course.other_project, true)
            }
            Retry::OtherKey => {
                course.tried.key(key, lease.fingerprint());
                true
            }
            Retry::FreshSecret => {
                self.refresh(course, lease, deadline).await;
                true
            }
            Retry::OnceSpaced => {
                course.tried.group(group, until());
                !std::mem::replace(&mut course.throttled, true) && self.pause(1, deadline).await
            }
            Retry::Spaced => {
                course.spaced += 1;
                course.spaced <= SPACED.min(self.pool.roster().config.max_retries)
                    && self.pool.budget.lock().take(now)
                    && self.pause(course.spaced, deadline).await
            }
            Retry::SameModelLater => {
                course.tried.stay_with(Pick { key, group });
                // No pause of its own: the model's cooldown is the pause, for everybody.
                self.once_more(course, now)
            }
        }
    }

    /// Takes one of the retries that a request and the pool have.
    fn once_more(&self, course: &mut Course, now: Timestamp) -> bool {
        course.spaced += 1;
        course.spaced <= self.pool.roster().config.max_retries && self.pool.budget.lock().take(now)
    }

    /// Reads a rejected key's secret again, once per request; the key is out for this request unless
    /// its secret has changed.
    async fn refresh(&self, course: &mut Course, lease: &Lease, deadline: Timestamp) {
        let key = lease.key();
        course.tried.key(lease.attempt.key, lease.fingerprint());
        if course.refreshed.contains(&key.id) {
            return;
        }
        course.refreshed.push(key.id.clone());
        let secrets = &self.pool.secrets;
        let refreshed = tokio::select! {
            biased;
            refreshed = secrets.refresh_after_rejection(key, lease.fingerprint()) => refreshed,
            // A store may hang; the request must not.
            () = self.pool.clock.sleep_until(deadline) => return,
        };
        match refreshed {
            Refreshed::Changed(_) => self.pool.new_secrets(std::slice::from_ref(&key.id)).await,
            Refreshed::Unchanged | Refreshed::TooSoon => {}
            Refreshed::Failed(error) => {
                tracing::warn!(key_id = %lease.key_id(), %error, "cannot read the secret of a rejected key again");
            }
        }
    }

    /// Whether a key that is out because its secret was rejected, perhaps for another request just now, has
    /// another one: looked for once, before a request is given up.
    async fn another_secret(&self, course: &mut Course, lane: &Lane, deadline: Timestamp) -> bool {
        if std::mem::replace(&mut course.looked_again, true) {
            return false;
        }
        let mut found = false;
        for verdict in self.pool.verdicts(lane, ONE, self.pool.clock.now()).await {
            let key = lane.roster.key(verdict.index);
            let rejected = matches!(verdict.cause, Some(Why::Cooling { reason: Reason::KeyRejected(_), .. }));
            let Some(known) = self.pool.secrets.get(&key.id).filter(|_| !course.refreshed.contains(&key.id))
            else {
                continue;
            };
            if verdict.why.is_none() {
                // Whoever asked for it was a moment faster.
                self.pool.reopen_key(key);
                found = true;
            } else if rejected {
                course.refreshed.push(key.id.clone());
                let refreshed = tokio::select! {
                    biased;
                    refreshed = self.pool.secrets.refresh_after_rejection(key, known.fingerprint) => refreshed,
                    () = self.pool.clock.sleep_until(deadline) => return found,
                };
                if let Refreshed::Changed(_) = refreshed {
                    self.pool.new_secrets(std::slice::from_ref(&key.id)).await;
                    found = true;
                }
            }
        }
        found
    }

    async fn pause(&self, n: u32, deadline: Timestamp) -> bool {
        let roster = self.pool.roster();
        let config = &roster.config;
        let share = self.pool.rng.lock().u32(0..=1000);
        let until = self.pool.clock.now() + backoff(config.base_backoff, config.max_backoff, n, share);
        if until > deadline {
            return false;
        }
        self.pool.clock.sleep_until(until).await;
        true
    }

    /// A lease for one attempt, for callers that judge answers by themselves: waits for capacity as
    /// [`run`](Self::run) does, and does nothing after.
    ///
    /// # Errors
    /// [`Exhausted`] when no key can serve the request in the time allowed.
    pub async fn lease(&self, profile: &Profile) -> Result<Lease, Exhausted> {
        let mut now = self.pool.clock.now();
        let deadline = now + profile.max_wait.unwrap_or_else(|| self.pool.max_wait());
        let mut waited = Duration::ZERO;
        let tried = Tried::default();
        loop {
            let lane = self.pool.lane(&profile.lane_key(profile.model.clone())).await;
            let profile = &*self.pool.estimates.corrected(profile, &profile.model);
            let search = Search { pool: &self.pool, lane: &lane, profile, deadline };
            match search.lease(&tried, 1, &mut waited, now).await {
                Ok(lease) => return Ok(lease),
                Err(Stop::Exhausted) => return Err(search.exhausted(&tried, waited)),
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
