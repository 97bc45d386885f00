//! Cooldowns: what is out, until when, why, and who may probe it.
//!
//! [`Cooldown`] is the state of one scope, and its methods are the whole machine: each takes `now`
//! and changes nothing but the value. Within a generation `until` only grows; a lift starts a new
//! generation, and reports of permits granted before it are ignored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::limit::PermitId;
use crate::outcome::{KeyFault, ProjectFault};
use crate::pacific::PacificDay;

/// How long a cooldown lasts: never an instant of the client's, for clients' clocks differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoolFor {
    /// This long from now.
    After(Duration),
    /// Until the Pacific midnight after the attempt's admission; 10 minutes when the answer came
    /// within 10 minutes after that midnight.
    NextPacificMidnight,
    /// Until somebody lifts it.
    UntilLifted,
    /// 30 s, then 60 s, 120 s … up to 30 min while strikes follow one another.
    Escalating {
        /// A server's own hint; the cooldown is at least this long.
        at_least: Duration,
    },
}

/// Why something is cooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A per-minute limit was hit.
    QuotaMinute,
    /// The per-day limit was hit.
    QuotaDay,
    /// The model is not in the project's tier.
    QuotaZero,
    /// 429 without details.
    Throttled,
    /// The key is dead.
    KeyRejected(KeyFault),
    /// The key is restricted.
    KeyRestricted,
    /// The key may not use the method.
    OperationDenied,
    /// The project is out.
    ProjectRejected(ProjectFault),
    /// The model has no capacity.
    Overloaded,
    /// The model is unknown to the project.
    ModelNotFound,
    /// Three failures in a row on one key while others succeeded.
    Flaky,
    /// An operator said so.
    Operator,
}

impl Reason {
    /// Whether the way back is one probe, not a stampede (quota.md §5).
    #[must_use]
    pub fn half_open(self) -> bool {
        match self {
            Self::Throttled | Self::Overloaded | Self::ProjectRejected(_) | Self::QuotaZero | Self::Flaky => {
                true
            }
            Self::QuotaMinute
            | Self::QuotaDay
            | Self::KeyRejected(_)
            | Self::KeyRestricted
            | Self::OperationDenied
            | Self::ModelNotFound
            | Self::Operator => false,
        }
    }

    /// The reason in words, for status and errors.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::QuotaMinute => "per-minute quota reached",
            Self::QuotaDay => "daily quota reached",
            Self::QuotaZero => "model not in this project's tier",
            Self::Throttled => "throttled without details",
            Self::KeyRejected(KeyFault::Invalid) => "key not valid",
            Self::KeyRejected(KeyFault::Expired) => "key expired",
            Self::KeyRejected(KeyFault::Leaked) => "key reported as leaked",
            Self::KeyRejected(KeyFault::Unauthenticated) => "key no longer accepted",
            Self::KeyRestricted => "key restricted",
            Self::OperationDenied => "key may not use this method",
            Self::ProjectRejected(ProjectFault::ServiceDisabled) => "API disabled in the project",
            Self::ProjectRejected(ProjectFault::Denied) => "project denied access",
            Self::ProjectRejected(ProjectFault::Suspended) => "project suspended",
            Self::ProjectRejected(ProjectFault::Billing) => "project out of credit",
            Self::Overloaded => "model overloaded",
            Self::ModelNotFound => "model not found",
            Self::Flaky => "three failures in a row",
            Self::Operator => "cooled by an operator",
        }
    }
}

/// When the attempt that is being reported was admitted, by the store's own count and clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The store's sequence number of the admission.
    pub seq: u64,
    /// The store's time of the admission.
    pub admitted: Timestamp,
}

/// The first escalating cooldown.
const FIRST: Duration = Duration::from_secs(30);
/// The longest escalating cooldown.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// How near to midnight a per-day refusal is taken for a late answer or a skewed clock.
const MIDNIGHT_DOUBT: Duration = Duration::from_secs(10 * 60);

/// The probe that is out while a scope is half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Probe {
    permit: PermitId,
    deadline: Timestamp,
}

/// The state of one scope's cooldown. [`Default`] is "never cooled".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cooldown {
    state: Option<Cooling>,
    /// Strikes in a row, for escalation; kept across the end of a cooldown, cleared by success.
    strikes: u32,
    /// Reports of permits admitted at or before this sequence number are ignored.
    lifted_at: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cooling {
    until: Timestamp,
    reason: Reason,
    probe: Option<Probe>,
    /// The newest admission any report of this cooldown spoke of.
    newest: u64,
}

/// Whether a scope lets a request through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Nothing in the way.
    Open,
    /// Half-open, and the probe's place is free: whoever goes now is the probe.
    Probe,
    /// Shut.
    Shut {
        /// When it opens, if nothing else happens.
        until: Timestamp,
        /// Why it is shut.
        reason: Reason,
    },
}

impl Cooldown {
    /// Whether a request may pass at `now`.
    #[must_use]
    pub fn gate(&self, now: Timestamp) -> Gate {
        match self.state {
            None => Gate::Open,
            Some(Cooling { until, reason, .. }) if now < until => Gate::Shut { until, reason },
            Some(Cooling { reason, .. }) if !reason.half_open() => Gate::Open,
            Some(Cooling { probe: Some(Probe { deadline, .. }), reason, .. }) if now < deadline => {
                Gate::Shut { until: deadline, reason }
            }
            Some(_) => Gate::Probe,
        }
    }

    /// Gives the probe's place to `permit` until `deadline`. Call it only when [`gate`](Self::gate)
    /// said [`Gate::Probe`].
    pub fn take_probe(&mut self, permit: PermitId, deadline: Timestamp) {
        if let Some(cooling) = &mut self.state {
            cooling.probe = Some(Probe { permit, deadline });
        }
    }

    /// Condemns the scope; returns until when it is now shut, or `None` when the report was of
    /// a permit granted before the last lift and changed nothing.
    ///
    /// `stamp` is the admission of the attempt reported on; `None` for an operator. Within
    /// a generation `until` never shrinks. Reports of permits that were admitted before the cooldown
    /// they would escalate began do not add a strike: one storm is one strike.
    pub fn cool(
        &mut self,
        cool: CoolFor,
        reason: Reason,
        stamp: Option<Stamp>,
        seq: u64,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if let (Some(stamp), Some(lifted)) = (stamp, self.lifted_at)
            && stamp.seq <= lifted
        {
            return None;
        }
        let same_storm = self.state.zip(stamp).is_some_and(|(state, stamp)| stamp.seq <= state.newest);
        let until = match cool {
            CoolFor::After(wait) => now + wait,
            CoolFor::UntilLifted => Timestamp::NEVER,
            CoolFor::NextPacificMidnight => day_end(stamp.map_or(now, |s| s.admitted), now),
            CoolFor::Escalating { at_least } => {
                if !same_storm {
                    self.strikes = self.strikes.saturating_add(1);
                }
                let doublings = self.strikes.saturating_sub(1).min(16);
                now + FIRST.saturating_mul(1 << doublings).min(LONGEST).max(at_least)
            }
        };
        let (until, reason) = match self.state {
            Some(old) if old.until > until => (old.until, old.reason),
            _ => (until, reason),
        };
        let newest = if same_storm { self.state.map_or(seq, |s| s.newest) } else { seq };
        self.state = Some(Cooling { until, reason, probe: None, newest });
        Some(until)
    }

    /// Ends the cooldown and starts a new generation: reports of permits admitted at or before `seq`
    /// no longer count.
    pub fn lift(&mut self, seq: u64) {
        *self = Self { state: None, strikes: 0, lifted_at: Some(seq) };
    }

    /// A permit ended well: clears the streak, and lifts the cooldown if it was the probe.
    pub fn succeeded(&mut self, permit: PermitId, seq: u64, now: Timestamp) {
        let probed = self.probe_is(permit);
        if probed {
            self.lift(seq);
        } else if self.gate(now) == Gate::Open {
            self.strikes = 0;
        }
    }

    /// A permit ended without a verdict on this scope: if it was the probe, the place is free again.
    pub fn freed(&mut self, permit: PermitId) {
        if self.probe_is(permit)
            && let Some(cooling) = &mut self.state
        {
            cooling.probe = None;
        }
    }

    /// Whether nothing is left to remember, so that a store may forget the scope.
    #[must_use]
    pub fn forgettable(&self, now: Timestamp) -> bool {
        self.strikes == 0 && self.lifted_at.is_none() && self.gate(now) == Gate::Open
    }

    /// Strikes in a row.
    #[must_use]
    pub fn strikes(&self) -> u32 {
        self.strikes
    }

    fn probe_is(&self, permit: PermitId) -> bool {
        self.state.and_then(|s| s.probe).is_some_and(|p| p.permit == permit)
    }
}

/// The end of the Pacific day `admitted` fell in; or, when that has passed, 10 minutes from `now`:
/// a late answer or a skewed clock must not cost a day.
fn day_end(admitted: Timestamp, now: Timestamp) -> Timestamp {
    let today = PacificDay::containing(now);
    if now.since(today.start) < MIDNIGHT_DOUBT {
        return now + MIDNIGHT_DOUBT;
    }
    PacificDay::containing(admitted).end.max(now + Duration::from_secs(1))
}

#[cfg(test)]
mod tests;
