//! One domain's ledger: the minute, the day, and the charges that are not settled yet.

use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::RandomState;
use keyrot_core::limit::Ended;
use keyrot_core::{Cost, Headroom, LimitKind, Limits, PermitId, Refusal, Timestamp, Why};

use crate::day::{DayCount, DayMark};
use crate::sweep::Sweep;
use crate::window::{Ring, SlotNo};

#[derive(Debug, Clone, Copy)]
struct Charge {
    slot: SlotNo,
    day: DayMark,
    cost: Cost,
    settled: bool,
}

/// What one domain has used. The pure arithmetic every store must agree with.
#[derive(Debug, Default)]
pub struct Ledger {
    ring: Ring,
    day: DayCount,
    open: HashMap<PermitId, Charge, RandomState>,
    sweep: Sweep,
    /// The limits last asked with, and since when they are in force.
    limits: Limits,
    since: Timestamp,
}

impl Ledger {
    /// Why `cost` does not fit at `now`, if it does not: the limit that lasts longest.
    pub fn refusal(
        &mut self,
        limits: &Limits,
        cost: Cost,
        guard: Duration,
        now: Timestamp,
    ) -> Option<Refusal> {
        if self.limits != *limits {
            (self.limits, self.since) = (*limits, now);
        }
        self.ring.prune(guard, now);
        self.day.roll(now);
        if cost.requests == 0 && cost.tokens == 0 {
            return None;
        }
        let refusal = |kind, at: Option<Timestamp>| match at {
            Some(at) => Refusal { retry_after: at.since(now), why: Why::Limit(kind) },
            None => Refusal { retry_after: Duration::MAX, why: Why::TooLarge(kind) },
        };
        let minute = self.ring.full(limits, cost, guard, now).map(|full| refusal(full.kind, full.at));
        let day = limits.rpd.and_then(|rpd| self.day.fits(rpd, cost.requests.into(), guard, now).err());
        let day = day.map(|at| refusal(LimitKind::Rpd, at));
        minute.into_iter().chain(day).max_by_key(|r| r.retry_after)
    }

    /// Charges `cost` at `now` to `permit`.
    pub fn charge(&mut self, permit: PermitId, cost: Cost, guard: Duration, now: Timestamp) {
        if cost.requests == 0 && cost.tokens == 0 {
            return;
        }
        let slot = self.ring.charge(cost, now);
        let day = self.day.charge(cost.requests.into(), guard, now);
        if self.sweep.due(self.open.len()) {
            let oldest = self.ring.oldest();
            self.open.retain(|_, charge| Some(charge.slot) >= oldest);
            self.sweep.done(self.open.len());
        }
        self.open.insert(permit, Charge { slot, day, cost, settled: false });
    }

    /// Replaces the estimate of `permit` by what was used, once.
    pub fn settle(&mut self, permit: PermitId, tokens: u64) {
        if let Some(charge) = self.open.get_mut(&permit)
            && !charge.settled
        {
            charge.settled = true;
            self.ring.amend(charge.slot, charge.cost.tokens, tokens);
        }
    }

    /// Ends `permit`; gives its charge back when it was never sent.
    pub fn release(&mut self, permit: PermitId, ended: Ended) {
        let Some(charge) = self.open.remove(&permit) else { return };
        if ended == Ended::NeverSent && !charge.settled {
            self.ring.amend(charge.slot, charge.cost.tokens, 0);
            self.ring.refund_requests(charge.slot, charge.cost.requests);
            self.day.refund(charge.day, charge.cost.requests.into());
        }
    }

    /// What the scarcest limit has left.
    #[must_use]
    pub fn headroom(&self, limits: &Limits) -> Headroom {
        let day = limits.rpd.map_or(Headroom::FULL, |rpd| Headroom::of(self.day.today(), rpd));
        self.ring.headroom(limits).min(day)
    }

    /// Whether what was admitted at `admitted` was held to the limits per minute known now, so that
    /// Google refusing it by the minute contradicts this ledger.
    #[must_use]
    pub fn held_to_the_minute(&self, admitted: Timestamp) -> bool {
        (self.limits.rpm.is_some() || self.limits.tpm.is_some()) && admitted >= self.since
    }

    /// Whether nothing remembered here can matter at `now` or later.
    pub fn idle(&mut self, guard: Duration, now: Timestamp) -> bool {
        self.ring.prune(guard, now);
        self.ring.oldest().is_none() && self.day.idle(guard, now)
    }

    /// Requests and input tokens in the window, requests in the day: as of the last
    /// [`refusal`](Self::refusal).
    #[must_use]
    pub fn used(&self) -> (u64, u64, u64) {
        (self.ring.requests(), self.ring.tokens(), self.day.today())
    }
}
