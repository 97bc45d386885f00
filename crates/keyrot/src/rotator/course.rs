//! What becomes of a request after a failed attempt: where it may go next, how often, and how soon.

use std::time::Duration;

use keyrot_core::select::Pick;
use keyrot_core::{Cost, KeyId, Outcome, Reason, Retry, Timestamp, Why};
use keyrot_secrets::Refreshed;

use crate::blame::{Answers, Judgement};
use crate::lane::Lane;
use crate::lease::Lease;
use crate::names;
use crate::retry::{Tried, backoff};
use crate::rotator::Rotator;

/// The smallest request.
const ONE: Cost = Cost { requests: 1, tokens: 0 };

fn is_rejected(why: Why) -> bool {
    matches!(why, Why::Cooling { reason: Reason::KeyRejected(_), .. })
}

/// What a request remembers between its attempts.
#[derive(Default)]
pub(super) struct Course {
    pub(super) tried: Tried,
    pub(super) attempts: u32,
    pub(super) waited: Duration,
    pub(super) answers: Answers,
    spaced: u32,
    throttled: bool,
    other_project: bool,
    refreshed: Vec<KeyId>,
    looked_again: bool,
}

impl Rotator {
    /// Decides whether to try again after `outcome`, notes what must not be used again, and pauses
    /// where a pause belongs.
    pub(super) async fn again(
        &self,
        course: &mut Course,
        lease: &Lease,
        outcome: &Outcome,
        judgement: Judgement,
        deadline: Timestamp,
    ) -> bool {
        if *outcome == Outcome::ModelNotFound && names::are_others(&lease.attempt.lane.bucket) {
            // Nobody has heard of it, and one who should know has not either.
            return false;
        }
        let now = self.pool.clock.now();
        let (key, group) = (lease.attempt.key, lease.attempt.group);
        let lasts = judgement.cooled.as_ref().and_then(|cooled| cooled.lasts);
        let until = || lasts.map_or(now, |lasts| now + lasts);
        let effect = outcome.effect();
        course.answers.note(&lease.attempt, outcome, judgement.penalty);
        if !course.answers.may_ask_more() {
            return false;
        }
        match effect.retry {
            Retry::Never => false,
            // What the project itself is out for does not pass while a request waits.
            Retry::OtherProject if effect.hinted.is_some() => {
                course.tried.group(group, Timestamp::NEVER);
                true
            }
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
                course.tried.avoid(key);
                !course.answers.blame_request(&lease.attempt, now)
                    && self.once_more(course, now)
                    && self.pause(course.spaced, deadline).await
            }
            Retry::SameModelLater => {
                course.tried.stay_with(Pick { key, group });
                // Whatever the model's own cooldown says: every 503 counts against the day's quota.
                self.once_more(course, now) && self.pause(course.spaced, deadline).await
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
    pub(super) async fn another_secret(&self, course: &mut Course, lane: &Lane, deadline: Timestamp) -> bool {
        if std::mem::replace(&mut course.looked_again, true) || !lane.knows_of(is_rejected) {
            return false;
        }
        let mut found = false;
        for verdict in self.pool.verdicts(lane, ONE, self.pool.clock.now()).await {
            let key = lane.roster.key(verdict.index);
            let rejected = verdict.cause.is_some_and(is_rejected);
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
}
