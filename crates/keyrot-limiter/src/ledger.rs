//! One domain's ledger: the minute, the day, and the charges that are not settled yet.

use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::RandomState;
use keyrot_core::limit::Ended;
use keyrot_core::{Cost, Headroom, LimitKind, Limits, PermitId, Refusal, Timestamp, Why};

use crate::day::{DayCount, DayMark};
use crate::window::{Ring, SlotNo};

#[derive(Debug, Clone, Copy)]
struct Charge {
    slot: SlotNo,
    day: DayMark,
    cost: Cost,
    settled: bool,
}

/// Above this many open charges, those whose slot has left are swept out.
const SWEEP_AT: usize = 256;

/// What one domain has used. The pure arithmetic every store must agree with.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    ring: Ring,
    day: DayCount,
    open: HashMap<PermitId, Charge, RandomState>,
    sweep_at: usize,
    /// The limits last asked with: whether a refusal by Google contradicts this ledger.
    limits: Limits,
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
        self.limits = *limits;
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
        if self.open.len() >= self.sweep_at.max(SWEEP_AT) {
            let oldest = self.ring.oldest();
            self.open.retain(|_, charge| Some(charge.slot) >= oldest);
            self.sweep_at = self.open.len() * 2;
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

    /// Whether a limit per minute was known, so that Google refusing by the minute contradicts us.
    #[must_use]
    pub fn knew_minute_limits(&self) -> bool {
        self.limits.rpm.is_some() || self.limits.tpm.is_some()
    }

    /// Requests and input tokens in the window, requests in the day: as of the last
    /// [`refusal`](Self::refusal).
    #[must_use]
    pub fn used(&self) -> (u64, u64, u64) {
        (self.ring.requests(), self.ring.tokens(), self.day.today())
    }
}
