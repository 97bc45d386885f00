//! A lease: the right to make one call with one key.

use std::sync::Arc;
use std::time::Duration;

use keyrot_core::keys::Key;
use keyrot_core::{Cooled, Fingerprint, KeyId, ModelId, Outcome, Permit, Project, Retry, Timestamp};
use keyrot_secrets::Resolved;
use secrecy::SecretString;

use crate::endings::{Ending, Step};
use crate::lane::Lane;
use crate::pool::Pool;
use crate::request_id::RequestId;

/// One attempt of a request: what it was allowed, and since when.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) permit: Permit,
    pub(crate) lane: Arc<Lane>,
    pub(crate) key: u32,
    pub(crate) group: u32,
    /// 1 is the first.
    pub(crate) number: u32,
    /// How long the request has waited for capacity, in all.
    pub(crate) waited: Duration,
    pub(crate) started: Timestamp,
    /// How long its place in flight is kept for it.
    pub(crate) lasts: Duration,
    /// The request's input tokens by a rule of thumb, where they were charged by one.
    pub(crate) estimate: Option<u64>,
    pub(crate) request: RequestId,
    /// Whether the model has answered: a stream has begun.
    pub(crate) answered: bool,
}

impl Attempt {
    /// Notes that the model answered, once.
    pub(crate) fn answered_at(&self, now: Timestamp) {
        if !self.answered {
            self.lane.roster.tally(self.key).health.lock().succeeded(self.permit.fingerprint, now);
            self.lane.recent.succeeded(self.started, now);
        }
    }
}

/// The right to make one call with one key, and the charge for it.
///
/// A lease that is dropped without a report counts as cancelled: the request stays counted, its
/// tokens stay at the estimate, its place in flight and its probe come back.
#[derive(Debug)]
pub struct Lease {
    pub(crate) pool: Arc<Pool>,
    pub(crate) attempt: Attempt,
    pub(crate) resolved: Arc<Resolved>,
    pub(crate) over: bool,
}

impl Lease {
    /// The key's label.
    #[must_use]
    pub fn key_id(&self) -> &KeyId {
        &self.key().id
    }

    pub(crate) fn key(&self) -> &Key {
        self.attempt.lane.roster.key(self.attempt.key)
    }

    /// The project whose quota pays.
    #[must_use]
    pub fn project(&self) -> &Project {
        &self.attempt.permit.domain.project
    }

    /// The model to call: the one asked for, or a fallback.
    #[must_use]
    pub fn model(&self) -> &ModelId {
        &self.attempt.lane.key.model
    }

    /// The key itself, for the one header it belongs in.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        &self.resolved.secret
    }

    /// The fingerprint of the key's secret.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.resolved.fingerprint
    }

    /// Which attempt of its request this is: 1 is the first.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt.number
    }

    /// How long the request waited for capacity, in all.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.attempt.waited
    }

    /// The name of the request.
    #[must_use]
    pub fn request_id(&self) -> &RequestId {
        &self.attempt.request
    }

    /// The answer has begun: the model has capacity, and the key works.
    pub(crate) fn answered(&mut self) {
        self.attempt.answered_at(self.pool.clock.now());
        self.attempt.answered = true;
    }

    /// Settles the tokens in the background, while the call goes on.
    pub(crate) fn settle_later(&self, tokens: u64) {
        self.pool.later(Ending::Settle { permit: self.attempt.permit.clone(), tokens });
    }

    /// Ends the lease in the background.
    pub(crate) fn end_later(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.over, true) {
            self.pool.later(Ending::End {
                attempt: Box::new(self.attempt.clone()),
                outcome,
                step: Step::default(),
            });
        }
    }

    /// Ends the lease: draws every consequence of `outcome`.
    pub async fn end(mut self, outcome: &Outcome) -> CallVerdict {
        self.over = true;
        let cooled = self.pool.conclude(&self.attempt, outcome).await.cooled;
        CallVerdict { cooled, retry: outcome.effect().retry }
    }
}

/// What the end of a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallVerdict {
    /// What cools because of it, if anything does.
    pub cooled: Option<Cooled>,
    /// Where another try may help.
    pub retry: Retry,
}

impl CallVerdict {
    /// Whether another try may help anywhere.
    #[must_use]
    pub fn may_help(&self) -> bool {
        self.retry != Retry::Never
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end_later(Outcome::Cancelled);
    }
}
