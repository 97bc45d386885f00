//! Free questions to the server about a key: whether what a refusal only hinted at is really so, and
//! whether a key that is out works again.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use keyrot_core::call::{Prober, Proof};
use keyrot_core::{
    Bucket, Candidate, Condemn, CoolReport, Cost, FactStore, Fingerprint, KeyId, LimitError, Limits, Method,
    ModelId, Outcome, Permit, RateLimiter, Reason, Scope, ScopeKind, Why,
};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::blame::{self, Penalty};
use crate::pool::Pool;
use crate::recovery::Case;
use crate::rotator::Rotator;

/// How long the server is given for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long one answer about a key serves every process.
const ONCE: Duration = Duration::from_secs(10);
/// The smallest request.
const ONE: Cost = Cost { requests: 1, tokens: 0 };
/// The most cooldowns that stand in the way of one key: its own, and those of its permission, project and
/// model there.
const MOST_IN_THE_WAY: usize = 4;

/// A key that a refusal hints at.
#[derive(Debug)]
pub(crate) struct Suspect {
    /// Of the call that was refused.
    pub(crate) permit: Permit,
    pub(crate) model: ModelId,
    pub(crate) projects: usize,
    pub(crate) penalty: Penalty,
}

/// What is to be asked in the background.
#[derive(Debug)]
pub(crate) enum Question {
    /// Whether the refusal is confirmed.
    Confirm(Box<Suspect>),
    /// Whether it works again, at growing intervals.
    Recover(Case),
}

/// The way to the background.
#[derive(Debug)]
pub(crate) struct Proofs {
    queue: mpsc::UnboundedSender<Question>,
    /// What is already asked for at growing intervals.
    pub(crate) watched: Mutex<HashSet<Scope>>,
}

impl Proofs {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Question>) {
        let (queue, inbox) = mpsc::unbounded_channel();
        (Self { queue, watched: Mutex::default() }, inbox)
    }

    pub(crate) fn ask(&self, question: Question) {
        // Without a runtime there is nobody left to ask for.
        let _gone = self.queue.send(question);
    }
}

impl Rotator {
    /// Has `prober` answer free questions about keys: whether a refusal that only hinted at a key is
    /// confirmed, and whether a key that is out works again. The first one given stays.
    pub fn prove_with(&self, prober: std::sync::Arc<dyn Prober>) {
        // Another one would ask the same server the same.
        let _kept = self.pool.prober.set(prober);
    }

    /// A free question has shown that `key` works for `model`: lifts what refuses it there for a reason
    /// that this refutes, and gives what that was. What an operator said, and quotas, stand.
    ///
    /// # Errors
    /// [`LimitError`] when the store does not answer.
    pub async fn proven_to_work(&self, key: &KeyId, model: &ModelId) -> Result<Vec<Scope>, LimitError> {
        self.pool.lift_refuted(key, model).await
    }
}

impl Pool {
    /// Has what a refusal hints at confirmed, where that can be.
    pub(crate) fn suspect(&self, suspect: Suspect) {
        if self.prober.get().is_some() {
            self.proofs.ask(Question::Confirm(Box::new(suspect)));
        }
    }

    /// Asks whether a refusal is confirmed, and condemns what the answer shows.
    pub(crate) async fn confirm(&self, suspect: &Suspect) {
        let Suspect { permit, model, projects, penalty } = suspect;
        let name = format!("proof/{}/{}", permit.key, permit.fingerprint);
        if !self.is_first(&name, ONCE).await {
            return;
        }
        let Proof::Refused(outcome) = self.proof(&permit.key, permit.fingerprint, model).await else {
            return;
        };
        let Some(condemn) = shown_by(&outcome) else { return };
        penalty.proven.store(true, Ordering::Release);
        // It counts whatever was lifted meanwhile: it is newer than the call.
        let report = CoolReport { stamp: None, ..blame::report(permit, condemn, *projects) };
        if let Some(cooled) = self.cool(report).await {
            tracing::warn!(key_id = %permit.key, scope = %cooled.scope, outcome = outcome.label(),
                "a refusal is confirmed");
            self.watch_for_recovery(permit, model, condemn.reason);
        }
    }

    /// What the server says of a key with this secret, within its time.
    pub(crate) async fn proof(&self, key: &KeyId, fingerprint: Fingerprint, model: &ModelId) -> Proof {
        let resolved = self.secrets.get(key).filter(|resolved| resolved.fingerprint == fingerprint);
        let (Some(prober), Some(resolved)) = (self.prober.get(), resolved) else { return Proof::Unknown };
        tokio::select! {
            biased;
            proof = prober.probe(&resolved.secret, model) => proof,
            () = async { self.clock.sleep_until(self.clock.now() + TIMEOUT).await } => Proof::Unknown,
        }
    }

    /// Whether this process is the first of all that share the store to ask `name`, within `period`.
    pub(crate) async fn is_first(&self, name: &str, period: Duration) -> bool {
        let first = async {
            match self.limiter.get(name).await? {
                // Its end was never written: whoever took it is gone.
                Some(fact) if self.clock.now().since(fact.at) >= period => {}
                Some(_) => return Ok(false),
                None if self.limiter.increment(name, 1).await? > 1 => return Ok(false),
                None => {}
            }
            self.limiter.put(name, "1", Some(period)).await?;
            Ok(true)
        };
        self.patiently(first).await.unwrap_or_else(|error: LimitError| {
            tracing::debug!(%error, "cannot tell who else asks");
            false
        })
    }

    /// Why `key` with its secret as it is now cannot serve `bucket`, as far as the limiter says so.
    pub(crate) async fn in_the_way(
        &self,
        key: &KeyId,
        bucket: &Bucket,
    ) -> Result<Option<(Scope, Reason)>, LimitError> {
        let roster = self.roster();
        let (Some(entry), Some(resolved)) = (roster.find(key), self.secrets.get(key)) else {
            return Ok(None);
        };
        let domain = keyrot_core::Domain { project: entry.project.clone(), bucket: bucket.clone() };
        let fingerprint = resolved.fingerprint;
        let limits = Limits::default();
        let candidate = Candidate { key, fingerprint, domain: &domain, limits, concurrency: None };
        let standings = self.patiently(self.limiter.snapshot(&[candidate], Method::Generate, ONE)).await?;
        let refusal = standings.into_iter().next().and_then(|standing| standing.refusal);
        let Some(Why::Cooling { scope, reason }) = refusal.map(|refusal| refusal.why) else {
            return Ok(None);
        };
        let scope = match scope {
            ScopeKind::Key => Scope::Key(key.clone(), fingerprint),
            ScopeKind::Permission => {
                Scope::Permission(key.clone(), fingerprint, Method::Generate, domain.bucket)
            }
            ScopeKind::Project => Scope::Project(domain.project),
            ScopeKind::Domain => Scope::Domain(domain),
            ScopeKind::Model => Scope::Model(domain.bucket),
            ScopeKind::Pool => Scope::Pool,
        };
        Ok(Some((scope, reason)))
    }

    /// See [`Rotator::proven_to_work`].
    pub(crate) async fn lift_refuted(&self, key: &KeyId, model: &ModelId) -> Result<Vec<Scope>, LimitError> {
        let bucket = self.aliases.bucket_of(model);
        let mut lifted = Vec::new();
        for _ in 0..MOST_IN_THE_WAY {
            let Some((scope, reason)) = self.in_the_way(key, &bucket).await? else { break };
            if !is_refuted(reason) || lifted.contains(&scope) {
                break;
            }
            self.patiently(self.lift(&scope)).await?;
            lifted.push(scope);
        }
        Ok(lifted)
    }
}

/// What a refusal of a free question condemns: there is nothing that a request could have to do with it.
fn shown_by(outcome: &Outcome) -> Option<Condemn> {
    let effect = outcome.effect();
    effect.condemn.filter(|_| effect.hinted.is_some())
}

/// Whether a free question that was answered shows that this is not so (any more). That a key may look a
/// model up does not show that it may generate.
fn is_refuted(reason: Reason) -> bool {
    match reason {
        Reason::KeyRejected(_)
        | Reason::KeyRestricted
        | Reason::ProjectRejected(_)
        | Reason::ModelNotFound => true,
        Reason::QuotaMinute
        | Reason::QuotaDay
        | Reason::QuotaZero
        | Reason::Throttled
        | Reason::OperationDenied
        | Reason::Overloaded
        | Reason::Flaky
        | Reason::Operator => false,
    }
}
