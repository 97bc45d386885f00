//! Server-side counting: one bucket's minute window and Pacific day, and what a request finds exceeded.

use std::collections::VecDeque;

use crate::clock::PacificDay;
use crate::project::Quota;

/// Length of a minute window in milliseconds.
const MINUTE: u64 = 60_000;

/// How the server counts a minute. Which of the two Google uses is not established.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The last 60 seconds: a request at `e` counts at `t` while `t - 60 s < e <= t`.
    #[default]
    Sliding,
    /// Minutes aligned to the epoch; everything is forgotten when a new one begins.
    FixedMinute,
}

impl Window {
    const fn counts(self, event: u64, now: u64) -> bool {
        match self {
            Self::Sliding => event.saturating_add(MINUTE) > now,
            Self::FixedMinute => event / MINUTE == now / MINUTE,
        }
    }

    /// The instant from which an event no longer counts.
    const fn forgotten_at(self, event: u64) -> u64 {
        match self {
            Self::Sliding => event.saturating_add(MINUTE),
            Self::FixedMinute => (event / MINUTE + 1).saturating_mul(MINUTE),
        }
    }
}

/// A dimension of quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dimension {
    RequestsPerDay,
    RequestsPerMinute,
    TokensPerMinute,
}

/// One exceeded limit, and the instant from which the refused request would fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) dimension: Dimension,
    pub(crate) limit: u64,
    pub(crate) ready_at: u64,
}

#[derive(Debug, Clone, Copy)]
struct Charge {
    seq: u64,
    at: u64,
    tokens: u64,
}

/// What one project has consumed of one base model.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    minute: VecDeque<Charge>,
    day: Option<(PacificDay, u64)>,
}

impl Bucket {
    /// Charges the request, or says which limits it would exceed and charges nothing.
    pub(crate) fn admit(
        &mut self,
        seq: u64,
        now: u64,
        tokens: u64,
        quota: Quota,
        window: Window,
    ) -> Result<(), Vec<Violation>> {
        self.forget(now, window);
        let violations: Vec<Violation> = [
            self.day_violation(now, quota.rpd),
            self.request_violation(now, quota.rpm, window),
            self.token_violation(now, tokens, quota.tpm, window),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !violations.is_empty() {
            return Err(violations);
        }
        self.charge(seq, now, tokens);
        Ok(())
    }

    /// Counts a request whatever the limits say.
    pub(crate) fn charge(&mut self, seq: u64, now: u64, tokens: u64) {
        self.minute.push_back(Charge { seq, at: now, tokens });
        let (_, used) = self.day_of(now);
        *used += 1;
    }

    /// Replaces the tokens a request was charged at admission.
    pub(crate) fn correct(&mut self, seq: u64, tokens: u64) {
        if let Some(charge) = self.minute.iter_mut().rev().find(|charge| charge.seq == seq) {
            charge.tokens = tokens;
        }
    }

    fn forget(&mut self, now: u64, window: Window) {
        self.minute.retain(|charge| window.counts(charge.at, now));
    }

    fn day_of(&mut self, now: u64) -> &mut (PacificDay, u64) {
        if !self.day.is_some_and(|(day, _)| day.contains(now)) {
            self.day = None;
        }
        self.day.get_or_insert_with(|| (PacificDay::of(now), 0))
    }

    fn day_violation(&mut self, now: u64, limit: Option<u64>) -> Option<Violation> {
        let limit = limit?;
        let (day, used) = *self.day_of(now);
        (used >= limit).then_some(Violation {
            dimension: Dimension::RequestsPerDay,
            limit,
            ready_at: day.end,
        })
    }

    fn request_violation(&self, now: u64, limit: Option<u64>, window: Window) -> Option<Violation> {
        let limit = limit?;
        let used = u64::try_from(self.minute.len()).unwrap_or(u64::MAX);
        if used < limit {
            return None;
        }
        let last_to_leave = usize::try_from(used - limit).ok().and_then(|index| self.minute.get(index));
        Some(Violation {
            dimension: Dimension::RequestsPerMinute,
            limit,
            ready_at: window.forgotten_at(last_to_leave.map_or(now, |charge| charge.at)),
        })
    }

    fn token_violation(
        &self,
        now: u64,
        tokens: u64,
        limit: Option<u64>,
        window: Window,
    ) -> Option<Violation> {
        let limit = limit?;
        let mut used = self.minute.iter().fold(0_u64, |sum, charge| sum.saturating_add(charge.tokens));
        if limit > 0 && used.saturating_add(tokens) <= limit {
            return None;
        }
        let mut leaving = now;
        for charge in &self.minute {
            if limit > 0 && used.saturating_add(tokens) <= limit {
                break;
            }
            used = used.saturating_sub(charge.tokens);
            leaving = charge.at;
        }
        Some(Violation {
            dimension: Dimension::TokensPerMinute,
            limit,
            ready_at: window.forgotten_at(leaving),
        })
    }
}

#[cfg(test)]
mod tests;
