//! The way back of what is out for good: a key that was rejected, a model that was not found. Each is asked
//! about for free, at intervals that grow from a minute to an hour, by one process at a time.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use keyrot_core::call::Proof;
use keyrot_core::{
    Domain, Fingerprint, KeyFault, KeyId, ModelId, Permit, Reason, Scope, ScopeKind, Timestamp,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::pool::Pool;
use crate::proof::Question;

/// The first interval, which doubles up to the longest.
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);
/// How many are asked about at once.
const AT_ONCE: usize = 8;
/// The most that are asked about at growing intervals.
const MOST_CASES: usize = 1_024;

/// Something that is out, and how it would be found to work.
#[derive(Debug)]
pub(crate) struct Case {
    scope: Scope,
    key: KeyId,
    fingerprint: Fingerprint,
    model: ModelId,
    /// How often it was asked about in vain.
    asked: u32,
    next: Timestamp,
}

/// Whether what is out for `reason` comes back by being asked about alone. A leaked key is never asked
/// about: somebody else may be using it.
fn is_asked_about(reason: Reason) -> Option<ScopeKind> {
    match reason {
        Reason::KeyRejected(KeyFault::Leaked) => None,
        Reason::KeyRejected(_) => Some(ScopeKind::Key),
        Reason::ModelNotFound => Some(ScopeKind::Domain),
        _ => None,
    }
}

impl Pool {
    /// Asks about what is out for `reason` from now on, where that is the way back.
    pub(crate) fn watch_for_recovery(&self, permit: &Permit, model: &ModelId, reason: Reason) {
        self.watch_key(&permit.key, permit.fingerprint, &permit.domain, model, reason);
    }

    /// The same, for a key that was refused for `reason`.
    pub(crate) fn watch_key(
        &self,
        key: &KeyId,
        fingerprint: Fingerprint,
        domain: &Domain,
        model: &ModelId,
        reason: Reason,
    ) {
        let (Some(kind), true) = (is_asked_about(reason), self.prober.get().is_some()) else { return };
        let scope = match kind {
            ScopeKind::Domain => Scope::Domain(domain.clone()),
            _ => Scope::Key(key.clone(), fingerprint),
        };
        {
            let mut watched = self.proofs.watched.lock();
            if watched.len() >= MOST_CASES || !watched.insert(scope.clone()) {
                return;
            }
        }
        let next = self.clock.now() + self.interval(0);
        let (key, model) = (key.clone(), model.clone());
        self.proofs.ask(Question::Recover(Case { scope, key, fingerprint, model, asked: 0, next }));
    }

    /// The interval after so many answers in vain: a tenth more or less, so that processes do not ask
    /// together.
    fn interval(&self, asked: u32) -> Duration {
        let full = FIRST.saturating_mul(1 << asked.min(16)).min(LONGEST);
        full * self.rng.lock().u32(900..=1_100) / 1_000
    }

    /// Asks about a case. Gives it back while it is open.
    async fn ask_about(&self, mut case: Case) -> Option<Case> {
        let bucket = self.aliases.bucket_of(&case.model);
        let is_same = self.secrets.get(&case.key).is_some_and(|now| now.fingerprint == case.fingerprint);
        let out = match self.in_the_way(&case.key, &bucket).await {
            Ok(Some((_, reason))) => is_same && is_asked_about(reason).is_some(),
            Ok(None) => false,
            // The store will say.
            Err(_) => true,
        };
        if !out {
            self.proofs.watched.lock().remove(&case.scope);
            return None;
        }
        let interval = self.interval(case.asked);
        let name = format!("recovery/{}/{}/{bucket}", case.key, case.fingerprint);
        if self.is_first(&name, interval / 2).await
            && self.proof(&case.key, case.fingerprint, &case.model).await == Proof::Works
        {
            match self.lift_refuted(&case.key, &case.model).await {
                Ok(lifted) => {
                    for scope in lifted {
                        tracing::info!(key_id = %case.key, %scope, "the server accepts it again");
                    }
                }
                Err(error) => tracing::warn!(%error, key_id = %case.key, "cannot lift what works again"),
            }
        }
        case.asked = case.asked.saturating_add(1);
        case.next = self.clock.now() + self.interval(case.asked);
        Some(case)
    }
}

/// Answers the questions of a pool, as long as there is one.
pub(crate) async fn prove_in_background(pool: Weak<Pool>, mut inbox: mpsc::UnboundedReceiver<Question>) {
    let mut cases: HashMap<Scope, Case> = HashMap::new();
    let mut under_way: JoinSet<Option<Case>> = JoinSet::new();
    loop {
        let next = cases.values().map(|case| case.next).min();
        let Some(clock) = pool.upgrade().map(|pool| Arc::clone(&pool.clock)) else { return };
        tokio::select! {
            question = inbox.recv() => {
                let (Some(question), Some(pool)) = (question, pool.upgrade()) else { return };
                match question {
                    Question::Confirm(suspect) => {
                        under_way.spawn(async move {
                            pool.confirm(&suspect).await;
                            None
                        });
                    }
                    Question::Recover(case) => {
                        cases.insert(case.scope.clone(), case);
                    }
                }
            }
            Some(done) = under_way.join_next() => {
                if let Ok(Some(case)) = done {
                    cases.insert(case.scope.clone(), case);
                }
            }
            () = clock.sleep_until(next.unwrap_or(Timestamp::NEVER)), if under_way.len() < AT_ONCE && next.is_some() => {
                let now = clock.now();
                let due: Vec<_> = cases.values().filter(|case| case.next <= now).map(|case| case.scope.clone()).collect();
                for scope in due.into_iter().take(AT_ONCE) {
                    let (Some(case), Some(pool)) = (cases.remove(&scope), pool.upgrade()) else { return };
                    under_way.spawn(async move { pool.ask_about(case).await });
                }
            }
        }
    }
}
