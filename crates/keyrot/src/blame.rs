//! Who is to blame for a failure: the key, its project, the model, or the request.
//!
//! A refusal that names its reason is believed at once, unless the key (or a key of the project) worked a
//! moment ago. What only hints at a key or project costs it the model for a short while ([`Penalty`]), is
//! confirmed by a free question in the background, and is taken back when every key that the request asked
//! answered alike. Failures of server and network blame a key only when several requests failed on it and
//! were served by others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keyrot_core::select::{Blocked, Hint, Pick};
use keyrot_core::{
    Condemn, CoolFor, CoolReport, Cooled, Evidence, KeyFault, KeyId, NetworkFault, Outcome, Permit, Reason,
    Samples, Scope, ScopeKind, Timestamp, Why,
};

use crate::event::Event;
use crate::lane::Lane;
use crate::learn;
use crate::lease::Attempt;
use crate::names;
use crate::pool::Pool;
use crate::proof::Suspect;
use crate::request_id::RequestId;

/// So many requests must have failed on a key, and have been served by another, before it rests.
const FLAKY_AFTER: u32 = 3;
/// So many keys or projects that only hint at a reason are asked for one request.
pub(crate) const MOST_HINTS: usize = 5;
/// So many failures of the server are enough where other requests are served.
const SERVER_FAILURES: usize = 3;

/// What an attempt's end came to.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// What cools because of it.
    pub(crate) cooled: Option<Cooled>,
    /// The same, where it is not proven.
    pub(crate) penalty: Option<Penalty>,
}

/// A short cooldown for a reason that is not proven.
#[derive(Debug, Clone)]
pub(crate) struct Penalty {
    scope: Scope,
    /// Whether it was proven meanwhile.
    pub(crate) proven: Arc<AtomicBool>,
}

/// What one request was answered by the keys it asked, as far as that blames anybody.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    refusals: Vec<(KeyId, &'static str)>,
    penalties: Vec<Penalty>,
    /// Attempts on which the server or the network failed.
    failures: Vec<Attempt>,
}

impl Answers {
    /// Notes how an attempt ended.
    pub(crate) fn note(&mut self, attempt: &Attempt, outcome: &Outcome, penalty: Option<Penalty>) {
        if outcome.effect().hinted.is_some() || *outcome == Outcome::ModelGated {
            self.refusals.push((attempt.permit.key.clone(), outcome.label()));
        }
        if blames_server(outcome) {
            self.failures.push(attempt.clone());
        }
        self.penalties.extend(penalty);
    }

    /// Whether another key may be asked after so many that only hinted at a reason.
    pub(crate) fn may_ask_more(&self) -> bool {
        self.penalties.len() < MOST_HINTS
    }

    /// Whether a request that failed again and again is not to be tried any more: it is itself to blame where
    /// others are served, and three keys that failed alike leave little hope of a fourth.
    pub(crate) fn blame_request(&self, attempt: &Attempt, now: Timestamp) -> bool {
        let keys = || distinct(self.failures.iter().map(|failed| &failed.permit.key));
        self.failures.len() >= SERVER_FAILURES
            && (attempt.lane.recent.is_served(now) || keys() >= SERVER_FAILURES)
    }

    /// What all refusals came to, if they are alike.
    fn unanimous(&self) -> Option<&'static str> {
        let (_, first) = self.refusals.first()?;
        self.refusals.iter().all(|(_, label)| label == first).then_some(*first)
    }

    fn keys(&self) -> usize {
        distinct(self.refusals.iter().map(|(key, _)| key))
    }

    /// Whether every key of `lane` has refused, itself or by its project.
    fn has_asked_all(&self, lane: &Lane) -> bool {
        let asked = |key: &KeyId| self.refusals.iter().any(|(asked, _)| asked == key);
        let project = |key: &KeyId| lane.roster.find(key).map(|key| &key.project);
        let by_project = |owner| self.refusals.iter().any(|(asked, _)| project(asked) == Some(owner));
        let per_project = self.penalties.iter().any(|penalty| matches!(penalty.scope, Scope::Domain(_)));
        let mut keys = lane.roster.keys.iter().filter(|key| lane.index(&key.id).is_some());
        keys.all(|key| asked(&key.id) || (per_project && by_project(&key.project)))
    }
}

fn distinct<'a>(keys: impl Iterator<Item = &'a KeyId>) -> usize {
    let mut keys: Vec<_> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}

/// Whether a failure may be the key's, the server's or the request's: nobody can tell from one alone.
fn blames_server(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::ServerError { .. } | Outcome::OwnDeadline(_) => true,
        // No connection says nothing about a key.
        Outcome::Network(fault) => *fault != NetworkFault::Connect,
        _ => false,
    }
}

impl Pool {
    /// Learns from an outcome, and condemns what it is proven against.
    pub(crate) async fn judge(&self, attempt: &Attempt, outcome: &Outcome, now: Timestamp) -> Judgement {
        learn::learn(self, attempt, outcome, now).await;
        let Some((condemn, proven)) = sentence(attempt, outcome, now) else {
            return Judgement::default();
        };
        let lane = &attempt.lane;
        // One name among many that share a place: another may be a model.
        if condemn.reason == Reason::ModelNotFound && names::are_others(&lane.bucket) {
            return Judgement::default();
        }
        let mut blamed = attempt.permit.clone();
        // Which it may just have learned; in a place that many names share, it is all of them that are asked.
        if !names::are_others(&lane.bucket) {
            blamed.domain.bucket = self.aliases.bucket_of(&lane.key.model);
        }
        let samples = match condemn.reason {
            Reason::Overloaded => {
                let samples = lane.recent.overloaded(attempt.started, now);
                if samples.is_empty() {
                    // Nothing to say yet.
                    return Judgement::default();
                }
                samples
            }
            _ => Samples::new(),
        };
        let report = CoolReport { samples, ..report(&blamed, condemn, lane.roster.projects) };
        let cooled = self.cool(report).await;
        let Some(Cooled { scope, lasts: Some(lasts) }) = &cooled else {
            return Judgement { cooled, penalty: None };
        };
        self.keep_as_hint(attempt, scope, *lasts, condemn.reason, now);
        if proven || condemn.reason == Reason::ModelNotFound {
            self.watch_for_recovery(&blamed, &lane.key.model, condemn.reason);
        }
        if proven {
            return Judgement { cooled, penalty: None };
        }
        let penalty = Penalty { scope: scope.clone(), proven: Arc::default() };
        if can_be_proven(outcome) {
            let model = lane.key.model.clone();
            self.suspect(Suspect {
                permit: blamed,
                model,
                projects: lane.roster.projects,
                penalty: penalty.clone(),
            });
        }
        Judgement { cooled, penalty: Some(penalty) }
    }

    /// What has just been condemned need not be asked for.
    fn keep_as_hint(
        &self,
        attempt: &Attempt,
        scope: &Scope,
        lasts: Duration,
        reason: Reason,
        now: Timestamp,
    ) {
        let field = &attempt.lane.field;
        let elsewhere = matches!(scope, Scope::Domain(domain) if domain.bucket != field.bucket);
        if lasts.is_zero() || elsewhere {
            return;
        }
        let kind = scope.kind();
        let hint = Hint::of(now + lasts, Some(Why::Cooling { scope: kind, reason }));
        let pick = Pick { key: attempt.key, group: attempt.group };
        {
            let mut draw = field.draw.lock();
            let seen = draw.selector.reopenings();
            match kind {
                ScopeKind::Key | ScopeKind::Permission => {
                    draw.selector.refused(pick, Blocked::Key, hint, seen);
                }
                ScopeKind::Project | ScopeKind::Domain => {
                    draw.selector.refused(pick, Blocked::Group, hint, seen);
                }
                ScopeKind::Model | ScopeKind::Pool => draw.wide = Some(hint),
            }
        }
        self.lanes.keeps_hints(field);
    }

    /// A request was served by `server` after it had failed elsewhere: keys on which that happened to
    /// several requests, with none served between, rest.
    pub(crate) async fn served_elsewhere(&self, answers: &Answers, server: &Attempt) {
        let mut seen = vec![&server.permit.key];
        for failed in &answers.failures {
            if seen.contains(&&failed.permit.key) {
                continue;
            }
            seen.push(&failed.permit.key);
            {
                let mut health = failed.lane.roster.tally(failed.key).health.lock();
                health.served_elsewhere += 1;
                if health.served_elsewhere < FLAKY_AFTER {
                    continue;
                }
                (health.served_elsewhere, health.resting) = (0, true);
            }
            if let Some(cooled) = self.cool(report(&failed.permit, FLAKY, failed.lane.roster.projects)).await
            {
                tracing::warn!(key_id = %failed.permit.key, scope = %cooled.scope,
                    "several requests failed on this key and were served by others: it rests");
            }
        }
    }

    /// Ends the search of a request that was refused: takes every penalty back when all the keys it asked
    /// answered alike, for then it is the request's fault. Gives whether it is, and that answer.
    ///
    /// Of keys that were left out because so many had been asked, nobody can tell: when another request
    /// meets with the same and none is served meanwhile, its penalties stay, so that the next one asks others.
    pub(crate) async fn take_back(
        &self,
        answers: &Answers,
        lane: &Lane,
        request: &RequestId,
    ) -> Option<&'static str> {
        let gated = Outcome::ModelGated.label();
        // What is proven is no request's fault.
        let answer =
            answers.unanimous().filter(|answer| !answers.penalties.is_empty() || *answer == gated)?;
        let all = answers.has_asked_all(lane);
        if !all && answers.keys() < 2 {
            return None;
        }
        if all || !lane.recent.refused_again(answer, self.clock.now()) {
            let mut all_back = !answers.penalties.is_empty();
            for penalty in &answers.penalties {
                if penalty.proven.load(Ordering::Acquire) {
                    all_back = false;
                } else if let Err(error) = self.patiently(self.lift(&penalty.scope)).await {
                    tracing::warn!(%error, scope = %penalty.scope, "cannot take a cooldown back");
                    all_back = false;
                }
            }
            if all_back {
                self.watch.tell(|| Event::TakenBack { request: request.clone(), answer });
            }
        }
        Some(answer)
    }
}

/// What an outcome condemns, and whether that is proven.
fn sentence(attempt: &Attempt, outcome: &Outcome, now: Timestamp) -> Option<(Condemn, bool)> {
    let effect = outcome.effect();
    match (effect.condemn, effect.hinted) {
        (Some(full), Some(narrow)) => {
            let believed =
                outcome.evidence() == Some(Evidence::Named) && !worked_just_now(attempt, full.scope, now);
            Some(if believed { (full, true) } else { (narrow, false) })
        }
        (Some(full), None) => Some((full, true)),
        (None, _) => {
            let health = attempt.lane.roster.tally(attempt.key).health.lock();
            let again = attempt.permit.probe && health.resting && blames_server(outcome);
            again.then_some((FLAKY, true))
        }
    }
}

/// Whether what a refusal points at served another request within the last minute.
fn worked_just_now(attempt: &Attempt, scope: ScopeKind, now: Timestamp) -> bool {
    let (roster, permit) = (&attempt.lane.roster, &attempt.permit);
    match scope {
        ScopeKind::Project => roster
            .members()
            .filter(|(key, _)| key.project == permit.domain.project)
            .any(|(_, tally)| tally.health.lock().worked_just_now(None, now)),
        _ => roster.tally(attempt.key).health.lock().worked_just_now(Some(permit.fingerprint), now),
    }
}

/// Whether a free question may tell whether a refusal is right. A leaked key is never asked about, for
/// somebody else may be using it.
fn can_be_proven(outcome: &Outcome) -> bool {
    let leaked = matches!(outcome, Outcome::KeyRejected { fault: KeyFault::Leaked, .. });
    outcome.evidence().is_some() && !leaked
}

const FLAKY: Condemn = Condemn {
    scope: ScopeKind::Key,
    cool: CoolFor::Escalating { at_least: Duration::ZERO },
    reason: Reason::Flaky,
};

/// That what `permit` belongs to must cool.
pub(crate) fn report(permit: &Permit, condemn: Condemn, projects: usize) -> CoolReport {
    CoolReport {
        scope: Scope::of(condemn.scope, permit),
        cool: condemn.cool,
        reason: condemn.reason,
        stamp: Some(permit.stamp),
        projects,
        samples: Samples::new(),
    }
}
