//! The shared cooldowns as this instance knows them: what it reported and what it saw refused, for
//! the time when the store is away.

use keyrot_core::{
    Candidate, CoolFor, CoolReport, Cooled, Ended, Method, Permit, Reason, Refusal, Samples, Scope,
    ScopeKind, Timestamp, Why,
};
use std::time::Duration;

use super::books::{Books, granted_here};
use crate::scopes::Holder;

/// What two readings of one cooldown may differ by and still be the same.
const SAME: Duration = Duration::from_secs(1);

impl Books {
    /// The store cooled `cooled` for a report of ours.
    pub(super) fn cooled(&mut self, reason: Reason, cooled: &Cooled, now: Timestamp) {
        if let Some(lasts) = cooled.lasts.filter(|_| !is_breaker(cooled.scope.kind(), reason)) {
            self.reflect(cooled.scope.clone(), reason, lasts, now);
        }
    }

    /// The store refused `candidate`.
    pub(super) fn refused(
        &mut self,
        candidate: &Candidate<'_>,
        method: Method,
        refusal: &Refusal,
        now: Timestamp,
    ) {
        let Why::Cooling { scope, reason } = refusal.why else { return };
        if is_breaker(scope, reason) {
            return;
        }
        let known = self.scopes.gate(&Holder::candidate(candidate, method), now);
        if known.is_err_and(|known| known.retry_after.saturating_add(SAME) >= refusal.retry_after) {
            return;
        }
        self.reflect(scope_of(scope, candidate, method), reason, refusal.retry_after, now);
    }

    fn reflect(&mut self, scope: Scope, reason: Reason, lasts: Duration, now: Timestamp) {
        let cool = if lasts == Duration::MAX { CoolFor::UntilLifted } else { CoolFor::After(lasts) };
        // Whether it was a storm the store has decided already.
        let report =
            CoolReport { scope, cool, reason, stamp: None, projects: usize::MAX, samples: Samples::new() };
        self.scopes.cool(&report, self.seq, now);
    }

    /// What the store admitted is not cooling, whatever was known of it.
    pub(super) fn believe(&mut self, holder: &Holder<'_>, permit: &Permit, now: Timestamp) {
        while let Err(Refusal { why: Why::Cooling { scope, .. }, .. }) = self.scopes.gate(holder, now) {
            self.lift(&Scope::of(scope, permit), now);
        }
    }

    /// Condemns a scope here.
    pub(super) fn cool(&mut self, report: &CoolReport, now: Timestamp) -> Cooled {
        let contradicts_us = match (&report.scope, report.reason, report.stamp) {
            (Scope::Domain(domain), Reason::QuotaMinute, Some(stamp)) => {
                granted_here(stamp) && self.held_to_the_minute(domain, stamp.admitted)
            }
            _ => false,
        };
        let stamp = report.stamp.map(|stamp| self.in_line(stamp));
        let cooled = self.scopes.cool(&CoolReport { stamp, ..report.clone() }, self.seq, now);
        if contradicts_us && cooled.lasts.is_some() {
            self.scopes.guard.widen(now);
        }
        cooled
    }

    /// Lifts a scope's cooldown here.
    pub(super) fn lift(&mut self, scope: &Scope, now: Timestamp) {
        self.seq += 1;
        self.scopes.lift(scope, self.seq, now);
    }

    /// A permit ended: it may have been a probe of ours, or end a streak.
    pub(super) fn ended(&mut self, permit: &Permit, ended: Ended, open: bool, now: Timestamp) {
        // By our own count.
        let in_line = || Permit { stamp: self.in_line(permit.stamp), ..permit.clone() };
        match ended {
            Ended::Succeeded if permit.probe || self.scopes.has_streak(permit) => {
                let permit = in_line();
                self.seq += 1;
                self.scopes.succeeded(&permit, open, self.seq, now);
            }
            Ended::Succeeded => {}
            Ended::Failed | Ended::NeverSent => {
                let permit = in_line();
                self.scopes.freed(&permit, open, now);
            }
        }
    }
}

/// Whether it is the store's breaker that speaks: what it said a moment ago is no cooldown, and while the
/// store is away this instance has its own.
fn is_breaker(scope: ScopeKind, reason: Reason) -> bool {
    scope == ScopeKind::Model && reason == Reason::Overloaded
}

fn scope_of(kind: ScopeKind, candidate: &Candidate<'_>, method: Method) -> Scope {
    match kind {
        ScopeKind::Key => Scope::Key(candidate.key.clone(), candidate.fingerprint),
        ScopeKind::Permission => {
            let bucket = candidate.domain.bucket.clone();
            Scope::Permission(candidate.key.clone(), candidate.fingerprint, method, bucket)
        }
        ScopeKind::Project => Scope::Project(candidate.domain.project.clone()),
        ScopeKind::Domain => Scope::Domain(candidate.domain.clone()),
        ScopeKind::Model => Scope::Model(candidate.domain.bucket.clone()),
        ScopeKind::Pool => Scope::Pool,
    }
}
