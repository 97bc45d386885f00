//! Limits and cooldowns in this process's memory.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::one::RefMut;
use foldhash::fast::RandomState;
use keyrot_core::{
    Ask, Caller, Candidate, Clock, CoolReport, Cooled, Cost, Domain, Ended, Gate, Grant, Headroom, KeyId,
    Lifted, LimitError, MAX_CANDIDATES, Method, Permit, PermitId, RateLimiter, Reason, Refusal, Refusals,
    Reply, Scope, Stamp, Standing,
};
use parking_lot::{Mutex, RwLock};

use crate::account::Account;
use crate::flight::InFlight;
use crate::guard::WIDEST;
use crate::ledger::{Ledger, Now, by_caller};
use crate::lifts::Heard;
use crate::scopes::{Holder, Scopes, longest};
use crate::sweep::Sweep;
use crate::window::WINDOW;

/// How long a probe may last and still be counted.
const PROBES: Duration = Duration::from_secs(3600);

/// A [`RateLimiter`] for one process: a lock per domain; the cooldowns, which all share, are only
/// read unless something cools or is probed.
///
/// ```
/// # use std::sync::Arc;
/// use keyrot_core::{FakeClock, Timestamp};
/// use keyrot_limiter::MemoryLimiter;
/// let clock = FakeClock::new(Timestamp::from_millis(0));
/// let limiter = MemoryLimiter::new(Arc::new(clock));
/// ```
// Locks are taken in the order of the fields, and each of them at most once at a time, so that no
// two threads can wait for each other.
pub struct MemoryLimiter {
    clock: Arc<dyn Clock>,
    callers_sweep: Mutex<Sweep>,
    /// Not among the domains: two locks of one map are taken by nobody.
    callers: Accounts,
    domains_sweep: Mutex<Sweep>,
    domains: Accounts,
    in_flight_sweep: Mutex<Sweep>,
    in_flight: DashMap<KeyId, InFlight, RandomState>,
    /// Whether any key's concurrency was ever limited.
    has_places: AtomicBool,
    granted_sweep: Mutex<Sweep>,
    /// Open grants, so that a question repeated is answered as before.
    granted: DashMap<PermitId, Granted, RandomState>,
    scopes: RwLock<Scopes>,
    heard: Heard,
    seq: AtomicU64,
}

/// What a grant was, for a question that is put again.
#[derive(Debug, Clone, Copy)]
struct Granted {
    index: usize,
    stamp: Stamp,
    probe: bool,
    headroom: Headroom,
}

type Accounts = DashMap<Domain, Mutex<Account>, RandomState>;

impl MemoryLimiter {
    /// An empty limiter that decides by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            callers_sweep: Mutex::default(),
            callers: DashMap::default(),
            domains_sweep: Mutex::default(),
            domains: DashMap::default(),
            in_flight_sweep: Mutex::default(),
            in_flight: DashMap::default(),
            has_places: AtomicBool::new(false),
            granted_sweep: Mutex::default(),
            // Four sweeps' worth: the coming and going of grants finds room without growing.
            granted: DashMap::with_capacity_and_hasher(1_024, RandomState::default()),
            scopes: RwLock::default(),
            heard: Heard::default(),
            seq: AtomicU64::new(0),
        }
    }

    fn with_account<T>(
        &self,
        accounts: &Accounts,
        sweep: &Mutex<Sweep>,
        domain: &Domain,
        f: impl FnOnce(&mut Account) -> T,
    ) -> T {
        loop {
            if let Some(account) = accounts.get(domain) {
                return f(&mut account.lock());
            }
            self.sweep(accounts, sweep);
            // Entered and then looked up: deciding under `entry` would stop its whole shard.
            accounts.entry(domain.clone()).or_default();
        }
    }

    /// Forgets accounts that have nothing left to count: callers may name any number of models.
    fn sweep(&self, accounts: &Accounts, sweep: &Mutex<Sweep>) {
        let mut sweep = sweep.lock();
        if sweep.due(accounts.len()) {
            let now = Now::both(self.clock.now());
            accounts.retain(|_, account| !account.get_mut().ledger.idle(WIDEST, now));
            sweep.done(accounts.len());
        }
    }

    /// The places of a key whose concurrency is limited.
    fn places(&self, key: &KeyId) -> RefMut<'_, KeyId, InFlight> {
        if let Some(places) = self.in_flight.get_mut(key) {
            return places;
        }
        let mut sweep = self.in_flight_sweep.lock();
        if sweep.due(self.in_flight.len()) {
            let now = self.clock.now();
            self.in_flight.retain(|_, places| places.count(now) > 0);
            sweep.done(self.in_flight.len());
        }
        drop(sweep);
        self.has_places.store(true, Ordering::Release);
        self.in_flight.entry(key.clone()).or_default()
    }

    /// Keeps a grant for as long as its charge may count.
    fn remember(&self, grant: &Grant) {
        let mut sweep = self.granted_sweep.lock();
        if sweep.due_by_inserts(|| self.granted.len()) {
            let since = grant.permit.stamp.admitted.before(WINDOW + WIDEST);
            // Of a probe it must be known for longer whether it has ended.
            let probes = grant.permit.stamp.admitted.before(PROBES);
            self.granted.retain(|_, old| old.stamp.admitted >= if old.probe { probes } else { since });
            sweep.done(self.granted.len());
        }
        drop(sweep);
        let Grant { index, permit: Permit { id, stamp, probe, .. }, headroom } = *grant;
        self.granted.insert(id, Granted { index, stamp, probe, headroom });
    }

    fn next_seq(&self) -> u64 {
        self.seq.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Tries one candidate, everything it depends on held still throughout.
    fn try_one(&self, ask: &Ask<'_>, index: usize) -> Result<Grant, Refusal> {
        let Some(caller) = ask.caller else { return self.try_for(ask, index, None) };
        self.with_account(&self.callers, &self.callers_sweep, caller.ledger, |account| {
            self.try_for(ask, index, Some((caller, account)))
        })
    }

    fn try_for(
        &self,
        ask: &Ask<'_>,
        index: usize,
        mut caller: Option<(Caller<'_>, &mut Account)>,
    ) -> Result<Grant, Refusal> {
        let candidate = &ask.candidates[index];
        let holder = Holder::candidate(candidate, ask.method);
        self.with_account(&self.domains, &self.domains_sweep, candidate.domain, |account| {
            let mut places = candidate.concurrency.map(|limit| (limit, self.places(candidate.key)));
            let scopes = self.scopes.read();
            // Read here: who waited for a lock is admitted now, not when he came.
            let now = self.clock.now();
            let guard = scopes.guard.width(now);
            let gate = scopes.gate(&holder, now);
            let full = places.as_mut().and_then(|(limit, places)| places.refusal(*limit, now));
            account.ledger.note(&candidate.limits, Now::both(now));
            let limit = account.ledger.refusal(&candidate.limits, ask.cost, guard, Now::both(now));
            let own = caller.as_mut().and_then(|(caller, account)| {
                account.ledger.note(&caller.limits, Now::both(now));
                let refusal = account.ledger.refusal(&caller.limits, ask.cost, guard, Now::both(now));
                refusal.map(by_caller)
            });
            if let Some(refusal) = longest([full, gate.err(), limit, own]) {
                return Err(refusal);
            }
            let mut admit = |probe| {
                if let Some((_, places)) = &mut places {
                    places.enter(ask.permit, ask.lease, now);
                }
                account.charge(ask.permit, ask.cost, guard, Now::both(now));
                if let Some((_, account)) = &mut caller {
                    account.charge(ask.permit, ask.cost, guard, Now::both(now));
                }
                ask.permit_for(candidate, Stamp { seq: self.next_seq(), admitted: now }, probe)
            };
            let permit = if gate == Ok(Gate::Probe) {
                drop(scopes);
                let mut scopes = self.scopes.write();
                // Somebody else may have become the probe meanwhile.
                let probe = scopes.gate(&holder, now)? == Gate::Probe;
                let permit = admit(probe);
                scopes.take_probes(&permit, ask.lease, now);
                permit
            } else {
                admit(false)
            };
            Ok(Grant { index, permit, headroom: account.ledger.headroom(&candidate.limits) })
        })
    }

    fn standing(&self, candidate: &Candidate<'_>, method: Method, cost: Cost) -> Standing {
        let now = self.clock.now();
        let (gate, guard) = {
            let scopes = self.scopes.read();
            (scopes.gate(&Holder::candidate(candidate, method), now), scopes.guard.width(now))
        };
        // A copy: what a wider guard would count again must not be forgotten by looking.
        let account = self.domains.get(candidate.domain);
        let mut ledger = account.map_or_else(Ledger::default, |account| account.lock().ledger.clone());
        let limit = ledger.refusal(&candidate.limits, cost, guard, Now::both(now));
        let (requests, tokens, day) = ledger.used();
        let (full, in_flight) = match candidate.concurrency {
            Some(limit) => match self.in_flight.get_mut(candidate.key) {
                Some(mut places) => (places.refusal(limit, now), places.count(now)),
                None => (InFlight::default().refusal(limit, now), 0),
            },
            None => (None, 0),
        };
        Standing { requests, tokens, day, in_flight, refusal: longest([full, gate.err(), limit]) }
    }
}

impl fmt::Debug for MemoryLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLimiter").field("domains", &self.domains.len()).finish_non_exhaustive()
    }
}

impl RateLimiter for MemoryLimiter {
    async fn reserve(&self, ask: &Ask<'_>) -> Result<Reply, LimitError> {
        let mut refusals = Refusals::new();
        if let Some(Granted { index, stamp, probe, headroom }) = self.granted.get(&ask.permit).map(|old| *old)
            && let Some(candidate) = ask.candidates.get(index)
        {
            let permit = ask.permit_for(candidate, stamp, probe);
            return Ok(Reply { refusals, grant: Some(Grant { index, permit, headroom }) });
        }
        for index in 0..ask.candidates.len().min(MAX_CANDIDATES) {
            match self.try_one(ask, index) {
                Ok(grant) => {
                    self.remember(&grant);
                    return Ok(Reply { refusals, grant: Some(grant) });
                }
                Err(refusal) => refusals.push(refusal),
            }
        }
        Ok(Reply { refusals, grant: None })
    }

    async fn settle(&self, permit: &Permit, tokens: u64) -> Result<(), LimitError> {
        if let Some(account) = self.domains.get(&permit.domain) {
            account.lock().settle(permit.id, tokens);
        }
        if let Some(caller) = &permit.caller
            && let Some(account) = self.callers.get(&**caller)
        {
            account.lock().settle(permit.id, tokens);
        }
        Ok(())
    }

    async fn release(&self, permit: &Permit, ended: Ended) -> Result<(), LimitError> {
        let open = self.granted.remove(&permit.id).is_some();
        if let Some(account) = self.domains.get(&permit.domain)
            && account.lock().release(permit.id, ended)
        {
            self.heard.hear(Lifted::Scopes(vec![Scope::Domain(permit.domain.clone())]));
        }
        if let Some(caller) = &permit.caller
            && let Some(account) = self.callers.get(&**caller)
            && account.lock().release(permit.id, ended)
        {
            self.heard.hear(Lifted::Scopes(vec![Scope::Domain((**caller).clone())]));
        }
        if self.has_places.load(Ordering::Acquire)
            && let Some(mut places) = self.in_flight.get_mut(&permit.key)
        {
            places.leave(permit.id);
        }
        match ended {
            Ended::Succeeded => {
                let matters = permit.probe || self.scopes.read().has_streak(permit);
                if matters {
                    let mut scopes = self.scopes.write();
                    scopes.succeeded(permit, open, self.next_seq(), self.clock.now());
                    self.heard.hear(scopes.take_lifted());
                }
            }
            Ended::Failed | Ended::NeverSent if permit.probe => {
                self.scopes.write().freed(permit, open, self.clock.now());
            }
            Ended::Failed | Ended::NeverSent => {}
        }
        Ok(())
    }

    async fn cool(&self, report: &CoolReport) -> Result<Cooled, LimitError> {
        let contradicts_us = match (&report.scope, report.reason, report.stamp) {
            (Scope::Domain(domain), Reason::QuotaMinute, Some(stamp)) => {
                self.domains.get(domain).is_some_and(|a| a.lock().ledger.held_to_the_minute(stamp.admitted))
            }
            _ => false,
        };
        let mut scopes = self.scopes.write();
        let now = self.clock.now();
        let cooled = scopes.cool(report, self.seq.load(Ordering::Acquire), now);
        if contradicts_us && cooled.lasts.is_some() {
            scopes.guard.widen(now);
        }
        self.heard.hear(scopes.take_lifted());
        Ok(cooled)
    }

    fn lifted(&self) -> Lifted {
        self.heard.take()
    }

    async fn listen(&self) -> Result<(), LimitError> {
        Ok(())
    }

    async fn lift(&self, scope: &Scope) -> Result<(), LimitError> {
        let mut scopes = self.scopes.write();
        scopes.lift(scope, self.next_seq(), self.clock.now());
        self.heard.hear(scopes.take_lifted());
        Ok(())
    }

    async fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
        cost: Cost,
    ) -> Result<Vec<Standing>, LimitError> {
        Ok(candidates.iter().map(|c| self.standing(c, method, cost)).collect())
    }
}

#[cfg(test)]
mod tests;
