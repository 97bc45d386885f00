//! What was admitted here while the store was away, until it is told.

use std::collections::BTreeMap;
use std::time::Duration;

use keyrot_core::{Cost, Domain, PacificDay, Timestamp};

use super::books::Change;
use super::shared::{Charges, DayCharge};
use crate::guard::WIDEST;
use crate::window::{SLOT, WINDOW};

/// How far the store's clock is ahead of this instance's, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Offset(i64);

impl Offset {
    /// The store said `theirs` when it was `ours` here.
    pub(super) fn between(ours: Timestamp, theirs: Timestamp) -> Self {
        let ms = |at: Timestamp| i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
        Self(ms(theirs).saturating_sub(ms(ours)))
    }

    /// An instant of ours by the store's clock.
    pub(super) fn apply(self, at: Timestamp) -> Timestamp {
        Timestamp::from_millis(at.as_millis().saturating_add_signed(self.0))
    }
}

/// One domain's part of a batch.
#[derive(Debug, Default)]
struct Part {
    /// Requests and tokens by the number of the quarter second, by our clock.
    window: BTreeMap<u64, (u64, u64)>,
    /// Requests by the store's day.
    days: Vec<(PacificDay, u64)>,
}

/// A batch under way.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Its number in the life of this instance.
    pub(super) no: u64,
    parts: BTreeMap<Domain, Part>,
}

fn slot(at: Timestamp) -> u64 {
    at.as_millis() / SLOT.as_millis() as u64
}

/// Google's clock may differ: what lies near midnight counts in both days.
fn days(at: Timestamp, guard: Duration) -> impl Iterator<Item = PacificDay> {
    let (first, last) = (PacificDay::containing(at.before(guard)), PacificDay::containing(at + guard));
    std::iter::once(first).chain((first != last).then_some(last))
}

impl Batch {
    pub(super) fn new(no: u64) -> Self {
        Self { no, parts: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Adds a charge admitted at `at`.
    pub(super) fn charge(
        &mut self,
        domain: &Domain,
        cost: Cost,
        at: Timestamp,
        guard: Duration,
        offset: Offset,
    ) {
        if cost.requests == 0 && cost.tokens == 0 {
            return;
        }
        let part = self.parts.entry(domain.clone()).or_default();
        let sum = part.window.entry(slot(at)).or_default();
        *sum = (sum.0 + u64::from(cost.requests), sum.1.saturating_add(cost.tokens));
        for day in days(offset.apply(at), guard) {
            match part.days.iter_mut().find(|(old, _)| *old == day) {
                Some((_, sum)) => *sum += u64::from(cost.requests),
                None => part.days.push((day, cost.requests.into())),
            }
        }
    }

    /// Changes a charge admitted at `at`.
    pub(super) fn change(
        &mut self,
        domain: &Domain,
        change: Change,
        at: Timestamp,
        guard: Duration,
        offset: Offset,
    ) {
        let Some(part) = self.parts.get_mut(domain) else { return };
        let add = |sum: &mut u64, by: i128| {
            *sum = u64::try_from((i128::from(*sum) + by).max(0)).unwrap_or(u64::MAX);
        };
        if let Some((requests, tokens)) = part.window.get_mut(&slot(at)) {
            add(requests, change.requests);
            add(tokens, change.tokens);
        }
        for day in days(offset.apply(at), guard) {
            if let Some((_, sum)) = part.days.iter_mut().find(|(old, _)| *old == day) {
                add(sum, change.requests);
            }
        }
    }

    /// It by the store's clock, where it is `now` by ours. A slot is told by its last instant: it
    /// leaves the store's window no sooner than it would have left ours.
    pub(super) fn charges(&self, offset: Offset, now: Timestamp) -> Vec<Charges> {
        let oldest = slot(now.before(WINDOW + WIDEST));
        let last = |slot: u64| {
            let end = Timestamp::from_millis((slot + 1) * SLOT.as_millis() as u64 - 1);
            offset.apply(end.min(now))
        };
        let charges = |(domain, part): (&Domain, &Part)| Charges {
            domain: domain.clone(),
            window: part.window.range(oldest..).map(|(slot, (r, t))| (last(*slot), *r, *t)).collect(),
            days: part.days.iter().map(|(day, n)| (*day, DayCharge::Add(*n))).collect(),
        };
        self.parts.iter().map(charges).collect()
    }
}
