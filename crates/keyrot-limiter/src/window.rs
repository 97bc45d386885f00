//! The sliding minute: a ring of quarter-second slots, exact for every window wherever it starts.
//!
//! Why it is exact: at an admission at time `a`, every slot that overlaps `(a − 60 s, a]` is counted
//! whole. Take any window `(t − 60 s, t]` and its last admission `a ≤ t`: everything admitted in it
//! lies in slots counted at `a`, so their sum was within the limit.

use std::collections::VecDeque;
use std::time::Duration;

use keyrot_core::{Cost, Headroom, LimitKind, Limits, Timestamp};

#[cfg(feature = "sqlite")]
use crate::bytes::{Bytes, put};

/// The length of a slot.
pub const SLOT: Duration = Duration::from_millis(250);
/// The length of the window.
pub const WINDOW: Duration = Duration::from_secs(60);
/// The finest a clock tells apart.
const MS: Duration = Duration::from_millis(1);
/// The window of the burst limit.
const SECOND: Duration = Duration::from_secs(1);

const SLOT_MS: u64 = 250;
/// What one charge counts at most, so that no sum can overflow and every slot stays exact: far above
/// any request there can be.
const MOST_TOKENS: u64 = 1 << 40;

/// More than anything adds up to; a file that says so is damaged.
#[cfg(feature = "sqlite")]
pub(crate) const MOST_COUNTED: u64 = 1 << 53;

/// The number of a slot: its start in quarter seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotNo(u64);

impl SlotNo {
    #[cfg(feature = "sqlite")]
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        put(out, self.0);
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        bytes.take().map(Self)
    }

    fn of(at: Timestamp) -> Self {
        Self(at.as_millis() / SLOT_MS)
    }

    /// The first instant at which nothing of the slot is inside a window of length `window`.
    fn leaves(self, window: Duration) -> Timestamp {
        Timestamp::from_millis((self.0 + 1).saturating_mul(SLOT_MS)) + window
    }
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    no: SlotNo,
    requests: u64,
    tokens: u64,
}

/// A limit that a cost does not fit now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// Which limit.
    pub kind: LimitKind,
    /// When it fits if nothing else happens; `None` for never.
    pub at: Option<Timestamp>,
}

/// The charges of the last minute of one domain.
#[derive(Debug, Clone, Default)]
pub struct Ring {
    slots: VecDeque<Slot>,
    requests: u64,
    tokens: u64,
}

impl Ring {
    /// Forgets the slots that lie wholly outside the window of 60 s and `guard` at `now`.
    pub fn prune(&mut self, guard: Duration, now: Timestamp) {
        while let Some(oldest) = self.slots.front()
            && oldest.no.leaves(WINDOW + guard) <= now
        {
            self.requests -= oldest.requests;
            self.tokens -= oldest.tokens;
            self.slots.pop_front();
        }
    }

    /// The limit that `cost` would overrun at `now`: the one that lasts longest, or `None` when it
    /// fits. Call [`prune`](Self::prune) first.
    #[must_use]
    pub fn full(&self, limits: &Limits, cost: Cost, guard: Duration, now: Timestamp) -> Option<Full> {
        let requests = u64::from(cost.requests);
        let window = WINDOW + guard;
        let mut worst: Option<Full> = None;
        let mut consider =
            |kind, limit: Option<u64>, sum: u64, ask: u64, window: Duration, amount: fn(&Slot) -> u64| {
                let Some(limit) = limit else { return };
                if sum.saturating_add(ask) <= limit {
                    return;
                }
                let at =
                    if ask > limit { None } else { self.frees(sum - (limit - ask), window, now, amount) };
                let later = worst.is_none_or(|w| w.at.is_some_and(|old| at.is_none_or(|new| new > old)));
                if later {
                    worst = Some(Full { kind, at });
                }
            };
        consider(LimitKind::Rpm, limits.rpm, self.requests, requests, window, |s| s.requests);
        consider(LimitKind::Tpm, limits.tpm, self.tokens, cost.tokens, window, |s| s.tokens);
        if limits.burst.is_some_and(|burst| burst < self.requests + requests) {
            consider(LimitKind::Burst, limits.burst, self.last_second(now), requests, SECOND, |s| s.requests);
        }
        worst
    }

    /// When `excess` has left a window of length `window`, counting from the oldest slot in it.
    fn frees(
        &self,
        excess: u64,
        window: Duration,
        now: Timestamp,
        amount: fn(&Slot) -> u64,
    ) -> Option<Timestamp> {
        let mut freed = 0_u64;
        for slot in self.slots.iter().filter(|s| s.no.leaves(window) > now) {
            freed += amount(slot);
            if freed >= excess {
                return Some(slot.no.leaves(window));
            }
        }
        None
    }

    fn last_second(&self, now: Timestamp) -> u64 {
        self.slots.iter().rev().take_while(|s| s.no.leaves(SECOND) > now).map(|s| s.requests).sum()
    }

    /// Adds a charge to the slot of `now` and gives that slot's number. If time ran backwards, the
    /// newest slot takes it.
    pub fn charge(&mut self, cost: Cost, now: Timestamp) -> SlotNo {
        let no = self.slots.back().map_or(SlotNo::of(now), |newest| newest.no.max(SlotNo::of(now)));
        let (requests, tokens) = (u64::from(cost.requests), cost.tokens.min(MOST_TOKENS));
        match self.slots.back_mut() {
            Some(slot) if slot.no == no => {
                slot.requests += requests;
                slot.tokens += tokens;
            }
            _ => self.slots.push_back(Slot { no, requests, tokens }),
        }
        self.requests += requests;
        self.tokens += tokens;
        no
    }

    /// Changes the tokens charged to a slot from `was` to `is`; nothing when the slot has left: a
    /// refund never credits a later window.
    pub fn amend(&mut self, slot: SlotNo, was: u64, is: u64) {
        let (was, is) = (was.min(MOST_TOKENS), is.min(MOST_TOKENS));
        if let Some(slot) = self.slot(slot) {
            slot.tokens = slot.tokens - was + is;
            self.tokens = self.tokens - was + is;
        }
    }

    /// Gives requests back to a slot; nothing when the slot has left.
    pub fn refund_requests(&mut self, slot: SlotNo, requests: u32) {
        if let Some(slot) = self.slot(slot) {
            slot.requests -= u64::from(requests);
            self.requests -= u64::from(requests);
        }
    }

    fn slot(&mut self, no: SlotNo) -> Option<&mut Slot> {
        let at = self.slots.binary_search_by_key(&no, |s| s.no).ok()?;
        self.slots.get_mut(at)
    }

    /// What is charged to each slot, the oldest first: the slot's last instant, requests, tokens.
    pub fn slots(&self) -> impl Iterator<Item = (Timestamp, u64, u64)> {
        self.slots.iter().map(|s| (s.no.leaves(Duration::ZERO).before(MS), s.requests, s.tokens))
    }

    /// The number of the oldest slot still counted.
    #[must_use]
    pub fn oldest(&self) -> Option<SlotNo> {
        self.slots.front().map(|s| s.no)
    }

    /// Requests in the window, as of the last prune.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Input tokens in the window, as of the last prune.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// What the scarcer of RPM and TPM has left.
    #[must_use]
    pub fn headroom(&self, limits: &Limits) -> Headroom {
        let of = |limit: Option<u64>, used| limit.map_or(Headroom::FULL, |limit| Headroom::of(used, limit));
        of(limits.rpm, self.requests).min(of(limits.tpm, self.tokens))
    }
}

#[cfg(feature = "sqlite")]
impl Ring {
    /// The slots as bytes: the gap to the slot before, requests, tokens.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put(out, self.slots.len() as u64);
        let mut last = 0;
        for slot in &self.slots {
            put(out, slot.no.0 - last);
            put(out, slot.requests);
            put(out, slot.tokens);
            last = slot.no.0;
        }
    }

    /// `None` for what [`write`](Self::write) never wrote.
    pub(crate) fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        let mut ring = Self::default();
        let mut no = 0_u64;
        for _ in 0..bytes.take()? {
            no = no.checked_add(bytes.take()?)?;
            let (requests, tokens) = (bytes.take()?, bytes.take()?);
            ring.requests = ring.requests.checked_add(requests).filter(|sum| *sum <= MOST_COUNTED)?;
            ring.tokens = ring.tokens.checked_add(tokens).filter(|sum| *sum <= MOST_COUNTED)?;
            ring.slots.push_back(Slot { no: SlotNo(no), requests, tokens });
        }
        Some(ring)
    }
}
