//! One domain's ledger: the minute, the day, and the limits it was last asked with. The charges that
//! are not settled yet lie beside it, wherever a store keeps them.

use std::time::Duration;

use keyrot_core::{Cost, Headroom, LimitKind, Limits, Refusal, Timestamp, Why};

#[cfg(feature = "sqlite")]
use crate::bytes::{Bytes, put};
use crate::day::{DayCount, DayMark};
use crate::window::{Ring, SlotNo};

/// Now, by both clocks of a store: they are one in memory, and two where processes share a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// What windows and leases run on: never goes back, whatever happens to the calendar.
    pub minute: Timestamp,
    /// What days and cooldowns run on: the calendar.
    pub day: Timestamp,
}

impl Now {
    /// One clock for both.
    #[must_use]
    pub const fn both(at: Timestamp) -> Self {
        Self { minute: at, day: at }
    }
}

/// What a permit was charged, and where: kept until the permit ends.
#[derive(Debug, Clone, Copy)]
pub struct Charge {
    slot: SlotNo,
    day: DayMark,
    cost: Cost,
    settled: bool,
}

/// What one domain has used. The pure arithmetic every store must agree with.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    ring: Ring,
    day: DayCount,
    /// The limits last asked with, and since when (by the calendar) they are in force.
    limits: Limits,
    since: Timestamp,
}

/// A refusal by a caller's own ledger.
pub fn by_caller(refusal: Refusal) -> Refusal {
    match refusal.why {
        Why::Limit(kind) | Why::TooLarge(kind) => Refusal { why: Why::Caller(kind), ..refusal },
        Why::Caller(_) | Why::Cooling { .. } => refusal,
    }
}

impl Ledger {
    /// Takes note of the limits asked with; whether they are new.
    pub fn note(&mut self, limits: &Limits, now: Now) -> bool {
        let new = self.limits != *limits;
        if new {
            (self.limits, self.since) = (*limits, now.day);
        }
        new
    }

    /// Why `cost` does not fit at `now`, if it does not: the limit that lasts longest.
    pub fn refusal(&mut self, limits: &Limits, cost: Cost, guard: Duration, now: Now) -> Option<Refusal> {
        self.ring.prune(guard, now.minute);
        self.day.roll(now.day);
        if cost.requests == 0 && cost.tokens == 0 {
            return None;
        }
        let refusal = |kind, at: Option<Timestamp>, now| match at {
            Some(at) => Refusal { retry_after: at.since(now), why: Why::Limit(kind) },
            None => Refusal { retry_after: Duration::MAX, why: Why::TooLarge(kind) },
        };
        let minute = self.ring.full(limits, cost, guard, now.minute);
        let minute = minute.map(|full| refusal(full.kind, full.at, now.minute));
        let day = limits.rpd.and_then(|rpd| self.day.fits(rpd, cost.requests.into(), guard, now.day).err());
        let day = day.map(|at| refusal(LimitKind::Rpd, at, now.day));
        minute.into_iter().chain(day).max_by_key(|r| r.retry_after)
    }

    /// Charges `cost` at `now`; `None` when it is nothing.
    pub fn charge(&mut self, cost: Cost, guard: Duration, now: Now) -> Option<Charge> {
        if cost.requests == 0 && cost.tokens == 0 {
            return None;
        }
        let slot = self.ring.charge(cost, now.minute);
        let day = self.day.charge(cost.requests.into(), guard, now.day);
        Some(Charge { slot, day, cost, settled: false })
    }

    /// Counts what was used elsewhere: `requests` and `tokens` in the window, placed at `now`, and
    /// `day` requests in the day.
    pub fn seed(&mut self, requests: u64, tokens: u64, day: u64, guard: Duration, now: Now) {
        let requests = u32::try_from(requests).unwrap_or(u32::MAX);
        if requests > 0 || tokens > 0 {
            self.ring.charge(Cost { requests, tokens }, now.minute);
        }
        self.day.charge(day, guard, now.day);
    }

    /// Replaces the estimate of `charge` by what was used, once. Whether that changed anything.
    pub fn settle(&mut self, charge: &mut Charge, tokens: u64) -> bool {
        if charge.settled {
            return false;
        }
        charge.settled = true;
        self.ring.amend(charge.slot, charge.cost.tokens, tokens);
        true
    }

    /// Gives a charge back whose request was never sent; what is settled was sent.
    pub fn refund(&mut self, charge: &Charge) -> bool {
        if !charge.settled {
            self.ring.amend(charge.slot, charge.cost.tokens, 0);
            self.ring.refund_requests(charge.slot, charge.cost.requests);
            self.day.refund(charge.day, charge.cost.requests.into());
        }
        !charge.settled
    }

    /// Whether `charge` has left the minute, so that it can no longer be settled.
    #[must_use]
    pub fn has_left(&self, charge: &Charge) -> bool {
        Some(charge.slot) < self.ring.oldest()
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
    pub fn idle(&mut self, guard: Duration, now: Now) -> bool {
        self.ring.prune(guard, now.minute);
        self.ring.oldest().is_none() && self.day.idle(guard, now.day)
    }

    /// The window's charges by slot: see [`Ring::slots`].
    pub fn slots(&self) -> impl Iterator<Item = (Timestamp, u64, u64)> {
        self.ring.slots()
    }

    /// Requests and input tokens in the window, requests in the day: as of the last
    /// [`refusal`](Self::refusal).
    #[must_use]
    pub fn used(&self) -> (u64, u64, u64) {
        (self.ring.requests(), self.ring.tokens(), self.day.today())
    }
}

#[cfg(feature = "sqlite")]
impl Ledger {
    /// The oldest slot still counted.
    pub(crate) fn oldest(&self) -> Option<SlotNo> {
        self.ring.oldest()
    }

    /// The ledger as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        let Limits { rpm, tpm, rpd, burst } = self.limits;
        let limits = [rpm, tpm, rpd, burst];
        put(&mut out, limits.iter().enumerate().map(|(i, limit)| u64::from(limit.is_some()) << i).sum());
        limits.iter().flatten().for_each(|&limit| put(&mut out, limit));
        put(&mut out, self.since.as_millis());
        self.day.write(&mut out);
        self.ring.write(&mut out);
        out
    }

    /// `None` for what [`to_bytes`](Self::to_bytes) never wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        let known = bytes.take().filter(|known| *known < 16)?;
        let mut limits = [None; 4];
        for (i, limit) in limits.iter_mut().enumerate() {
            if known >> i & 1 != 0 {
                *limit = Some(bytes.take()?);
            }
        }
        let [rpm, tpm, rpd, burst] = limits;
        let since = Timestamp::from_millis(bytes.take()?);
        let (day, ring) = (DayCount::read(&mut bytes)?, Ring::read(&mut bytes)?);
        bytes.end()?;
        Some(Self { ring, day, limits: Limits { rpm, tpm, rpd, burst }, since })
    }
}

#[cfg(feature = "sqlite")]
impl Charge {
    /// What was charged.
    pub(crate) fn cost(&self) -> Cost {
        self.cost
    }

    /// The charge as bytes.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        self.slot.write(&mut out);
        self.day.write(&mut out);
        put(&mut out, self.cost.requests.into());
        put(&mut out, self.cost.tokens);
        put(&mut out, u64::from(self.settled));
        out
    }

    /// `None` for what [`to_bytes`](Self::to_bytes) never wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        let slot = SlotNo::read(&mut bytes)?;
        let day = DayMark::read(&mut bytes)?;
        let cost = Cost { requests: u32::try_from(bytes.take()?).ok()?, tokens: bytes.take()? };
        let settled = bytes.take().filter(|settled| *settled < 2)? == 1;
        bytes.end()?;
        Some(Self { slot, day, cost, settled })
    }
}
