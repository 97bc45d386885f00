//! Limits and cooldowns in this process's memory.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arrayvec::ArrayVec;
use dashmap::DashMap;
use foldhash::fast::RandomState;
use keyrot_core::{
    Ask, Candidate, Clock, CoolReport, Cooled, Cost, Domain, Ended, Gate, Grant, KeyId, LimitError,
    MAX_CANDIDATES, Method, Permit, RateLimiter, Reason, Refusal, Reply, Scope, Stamp, Standing, Timestamp,
};
use parking_lot::{Mutex, RwLock};

use crate::flight::InFlight;
use crate::guard::Guard;
use crate::ledger::Ledger;
use crate::scopes::Scopes;

/// A [`RateLimiter`] for one process: a lock per domain, and none that all requests share unless
/// something is cooling (then a read lock).
///
/// ```
/// # use std::sync::Arc;
/// use keyrot_core::{FakeClock, Timestamp};
/// use keyrot_limiter::MemoryLimiter;
/// let clock = FakeClock::new(Timestamp::from_millis(0));
/// let limiter = MemoryLimiter::new(Arc::new(clock));
/// ```
pub struct MemoryLimiter {
    clock: Arc<dyn Clock>,
    domains: DashMap<Domain, Mutex<Ledger>, RandomState>,
    in_flight: DashMap<KeyId, InFlight, RandomState>,
    scopes: RwLock<Scopes>,
    /// Whether anything ever cooled: until then nobody takes `scopes`' lock.
    cooled: AtomicBool,
    guard: Mutex<Guard>,
    /// `guard`'s width, for reading without its lock.
    guard_ms: AtomicU64,
    seq: AtomicU64,
}

impl MemoryLimiter {
    /// An empty limiter that decides by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let guard = Guard::default();
        Self {
            clock,
            domains: DashMap::default(),
            in_flight: DashMap::default(),
            scopes: RwLock::default(),
            cooled: AtomicBool::new(false),
            guard_ms: AtomicU64::new(millis(guard.width())),
            guard: Mutex::new(guard),
            seq: AtomicU64::new(0),
        }
    }

    fn guard(&self) -> Duration {
        Duration::from_millis(self.guard_ms.load(Ordering::Relaxed))
    }

    fn with_ledger<T>(&self, domain: &Domain, f: impl FnOnce(&mut Ledger) -> T) -> T {
        if let Some(ledger) = self.domains.get(domain) {
            return f(&mut ledger.lock());
        }
        f(self.domains.entry(domain.clone()).or_default().get_mut())
    }

    fn next_seq(&self) -> u64 {
        self.seq.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Tries one candidate, its domain's lock held throughout.
    fn try_one(&self, ask: &Ask<'_>, index: usize, now: Timestamp) -> Result<Grant, Refusal> {
        let candidate = &ask.candidates[index];
        let guard = self.guard();
        self.with_ledger(candidate.domain, |ledger| {
            let gate = self.gate(candidate, ask.method, now);
            let limit = ledger.refusal(&candidate.limits, ask.cost, guard, now);
            let gate = match (gate, limit) {
                (Ok(gate), None) => gate,
                (Err(shut), limit) => return Err(longer(shut, limit)),
                (Ok(_), Some(limit)) => return Err(limit),
            };
            let permit = Permit {
                id: ask.permit,
                key: candidate.key.clone(),
                fingerprint: candidate.fingerprint,
                domain: candidate.domain.clone(),
                method: ask.method,
                cost: ask.cost,
                stamp: Stamp { seq: self.next_seq(), admitted: now },
                probe: gate == Gate::Probe,
            };
            if let Some(limit) = candidate.concurrency {
                let mut in_flight = self.in_flight.entry(candidate.key.clone()).or_default();
                if let Some(refusal) = in_flight.refusal(limit, now) {
                    return Err(refusal);
                }
                in_flight.enter(ask.permit, ask.lease, now);
            }
            if permit.probe
                && let Err(refusal) = self.take_probes(candidate, &permit, ask.lease, now)
            {
                self.leave(&permit);
                return Err(refusal);
            }
            ledger.charge(ask.permit, ask.cost, guard, now);
            Ok(Grant { index, permit, headroom: ledger.headroom(&candidate.limits) })
        })
    }

    fn gate(&self, candidate: &Candidate<'_>, method: Method, now: Timestamp) -> Result<Gate, Refusal> {
        if !self.cooled.load(Ordering::Acquire) {
            return Ok(Gate::Open);
        }
        self.scopes.read().gate(candidate, method, now)
    }

    /// Looks again under the write lock: somebody else may have become the probe meanwhile.
    fn take_probes(
        &self,
        candidate: &Candidate<'_>,
        permit: &Permit,
        lease: Duration,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut scopes = self.scopes.write();
        scopes.gate(candidate, permit.method, now)?;
        scopes.take_probes(permit, lease, now);
        Ok(())
    }

    fn leave(&self, permit: &Permit) {
        if let Some(mut in_flight) = self.in_flight.get_mut(&permit.key) {
            in_flight.leave(permit.id);
        }
    }

    fn standing(&self, candidate: &Candidate<'_>, method: Method, now: Timestamp) -> Standing {
        let one = Cost { requests: u32::from(method == Method::Generate), tokens: 0 };
        let guard = self.guard();
        let (limit, (requests, tokens, day)) = match self.domains.get(candidate.domain) {
            Some(ledger) => {
                let mut ledger = ledger.lock();
                (ledger.refusal(&candidate.limits, one, guard, now), ledger.used())
            }
            None => (None, (0, 0, 0)),
        };
        let shut = self.gate(candidate, method, now).err();
        let (full, in_flight) = match (candidate.concurrency, self.in_flight.get_mut(candidate.key)) {
            (Some(limit), Some(mut in_flight)) => (in_flight.refusal(limit, now), in_flight.count(now)),
            _ => (None, 0),
        };
        let refusal = [shut, limit, full].into_iter().flatten().max_by_key(|r| r.retry_after);
        Standing { requests, tokens, day, in_flight, refusal }
    }
}

fn longer(one: Refusal, other: Option<Refusal>) -> Refusal {
    other.filter(|other| other.retry_after > one.retry_after).unwrap_or(one)
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for MemoryLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLimiter").field("domains", &self.domains.len()).finish_non_exhaustive()
    }
}

impl RateLimiter for MemoryLimiter {
    async fn reserve(&self, ask: &Ask<'_>) -> Result<Reply, LimitError> {
        let now = self.clock.now();
        let mut refusals = ArrayVec::new();
        for index in 0..ask.candidates.len().min(MAX_CANDIDATES) {
            match self.try_one(ask, index, now) {
                Ok(grant) => return Ok(Reply { refusals, grant: Some(grant) }),
                Err(refusal) => refusals.push(refusal),
            }
        }
        Ok(Reply { refusals, grant: None })
    }

    async fn settle(&self, permit: &Permit, tokens: u64) -> Result<(), LimitError> {
        self.with_ledger(&permit.domain, |ledger| ledger.settle(permit.id, tokens));
        Ok(())
    }

    async fn release(&self, permit: &Permit, ended: Ended) -> Result<(), LimitError> {
        self.with_ledger(&permit.domain, |ledger| ledger.release(permit.id, ended));
        if !self.in_flight.is_empty() {
            self.leave(permit);
        }
        if self.cooled.load(Ordering::Acquire) {
            let candidate = Candidate {
                key: &permit.key,
                fingerprint: permit.fingerprint,
                domain: &permit.domain,
                limits: keyrot_core::Limits::default(),
                concurrency: None,
            };
            let cares = self.scopes.read().cares(&candidate, permit);
            if cares {
                let mut scopes = self.scopes.write();
                match ended {
                    Ended::Succeeded => scopes.succeeded(permit, self.next_seq(), self.clock.now()),
                    Ended::Failed | Ended::NeverSent => scopes.freed(permit),
                }
            }
        }
        Ok(())
    }

    async fn cool(&self, report: &CoolReport) -> Result<Cooled, LimitError> {
        let now = self.clock.now();
        if let (Reason::QuotaMinute, Some(_), Scope::Domain(domain)) =
            (report.reason, report.stamp, &report.scope)
        {
            let mut guard = self.guard.lock();
            guard.relax(now);
            if self.with_ledger(domain, |ledger| ledger.knew_minute_limits()) {
                guard.widen(now);
            }
            self.guard_ms.store(millis(guard.width()), Ordering::Relaxed);
        }
        let mut scopes = self.scopes.write();
        self.cooled.store(true, Ordering::Release);
        Ok(scopes.cool(report, self.seq.load(Ordering::Acquire), now))
    }

    async fn lift(&self, scope: &Scope) -> Result<(), LimitError> {
        let seq = self.next_seq();
        self.scopes.write().lift(scope, seq);
        Ok(())
    }

    async fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
    ) -> Result<Vec<Standing>, LimitError> {
        let now = self.clock.now();
        Ok(candidates.iter().map(|c| self.standing(c, method, now)).collect())
    }
}
