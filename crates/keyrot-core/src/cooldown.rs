//! Cooldowns: what is out, until when, why, and who may probe it.
//!
//! [`Cooldown`] is the state of one scope, and its methods are the whole machine: each takes `now`
//! and changes nothing but the value. Within a generation `until` only grows; a lift starts a new
//! generation, and reports of permits granted before it are ignored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::fault::{KeyFault, ProjectFault};
use crate::id::PermitId;
use crate::pacific::PacificDay;

/// How long a cooldown lasts: never an instant of the client's, for clients' clocks differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoolFor {
    /// This long from now.
    After(Duration),
    /// Until the Pacific midnight after the attempt's admission; 10 minutes and then one probe when
    /// the answer came within 10 minutes after a midnight.
    NextPacificMidnight,
    /// Until somebody lifts it.
    UntilLifted,
    /// Doubling while strikes follow one another, between the bounds of the reason's
    /// [`escalation`](Reason::escalation).
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
    /// Several requests failed on it and were served by other keys.
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

    /// The first and the longest cooldown when strikes follow one another: 30 s and 30 min; 1 s and
    /// 5 min for an overload that is not a model's, which has a [`Breaker`](crate::Breaker).
    #[must_use]
    pub fn escalation(self) -> (Duration, Duration) {
        match self {
            Self::Overloaded => (Duration::from_secs(1), Duration::from_secs(5 * 60)),
            _ => (Duration::from_secs(30), Duration::from_secs(30 * 60)),
        }
    }

    /// The longest that a cooldown for this reason is decided to last: what bounds one that does not
    /// remember its own length. An operator may cool for as long as they like.
    #[must_use]
    pub fn longest(self) -> Duration {
        match self {
            Self::QuotaMinute
            | Self::Throttled
            | Self::KeyRestricted
            | Self::OperationDenied
            | Self::ProjectRejected(_) => HOUR,
            Self::Overloaded | Self::Flaky => self.escalation().1,
            Self::QuotaZero | Self::ModelNotFound | Self::QuotaDay | Self::KeyRejected(_) => LONGEST_DAY,
            Self::Operator => Duration::MAX,
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
            Self::Flaky => "requests fail on it that others serve",
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

/// How near to midnight a per-day refusal is taken for a late answer or a skewed clock.
const MIDNIGHT_DOUBT: Duration = Duration::from_secs(10 * 60);
/// How long a streak, a half-open place nobody probes, and a lift are remembered: no attempt lives
/// so long, and a store must not grow with everything that ever failed.
const MEMORY: Duration = Duration::from_secs(24 * 3600);

/// How long a probe's place is kept for it: then another may go. A probe may run on, as a stream
/// does to its end, and its success still lifts.
pub const PROBE_TIME: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);
/// The longest Pacific day.
const LONGEST_DAY: Duration = Duration::from_secs(25 * 3600);

/// The probe that is out while a scope is half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Probe {
    permit: PermitId,
    deadline: Timestamp,
}

/// The start of a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Lift {
    /// Reports of permits admitted at or before this sequence number are ignored.
    seq: u64,
    at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Cooling {
    until: Timestamp,
    reason: Reason,
    /// Whether the way back is one probe.
    half_open: bool,
    probe: Option<Probe>,
    /// The newest admission when this storm began: what was admitted before belongs to the storm.
    newest: u64,
    /// How long it was decided to last; older stores did not keep it.
    #[serde(default)]
    lasts: Option<Duration>,
}

impl Cooling {
    /// When it ends. A clock that was put back does not make it longer: what would last longer than was
    /// decided is over.
    fn ends(&self, now: Timestamp) -> Timestamp {
        let lasts = self.lasts.unwrap_or_else(|| self.reason.longest());
        if self.until == Timestamp::NEVER || self.until.since(now) <= lasts { self.until } else { now }
    }

    /// When the scope opens, if only to a probe: not while one is out.
    fn opens(&self, now: Timestamp) -> Timestamp {
        let probe = self.probe.filter(|p| self.half_open && p.deadline.since(now) <= PROBE_TIME);
        self.ends(now).max(probe.map_or(now, |p| p.deadline))
    }
}

/// The state of one scope's cooldown. [`Default`] is "never cooled".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cooldown {
    state: Option<Cooling>,
    /// Strikes in a row, for escalation; kept across the end of a cooldown, cleared by success.
    strikes: u32,
    lifted: Option<Lift>,
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
            Some(state) if now < state.opens(now) => {
                Gate::Shut { until: state.opens(now), reason: state.reason }
            }
            Some(state) if state.half_open && now < state.until + MEMORY => Gate::Probe,
            _ => Gate::Open,
        }
    }

    /// Why the scope is out, shut or half-open, if it is.
    #[must_use]
    pub fn reason(&self, now: Timestamp) -> Option<Reason> {
        self.state.filter(|_| self.gate(now) != Gate::Open).map(|s| s.reason)
    }

    /// Gives the probe's place to `permit` until `deadline`, at most [`PROBE_TIME`] from now. Call it
    /// only when [`gate`](Self::gate) said [`Gate::Probe`].
    pub fn take_probe(&mut self, permit: PermitId, deadline: Timestamp) {
        if let Some(cooling) = &mut self.state {
            cooling.probe = Some(Probe { permit, deadline });
        }
    }

    /// Condemns the scope; returns until when it is now shut, or `None` when the report was of
    /// a permit granted before the last lift and changed nothing.
    ///
    /// `stamp` is the admission of the attempt reported on; `None` for an operator. `seq` is the
    /// newest admission of all. Within a generation `until` never shrinks. Reports of permits that
    /// were admitted before the cooldown they would escalate began add no strike and do not take the
    /// place of a probe that is out: one storm is one strike.
    pub fn cool(
        &mut self,
        cool: CoolFor,
        reason: Reason,
        stamp: Option<Stamp>,
        seq: u64,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if let (Some(stamp), Some(lift)) = (stamp, self.lifted)
            && stamp.seq <= lift.seq
        {
            return None;
        }
        self.forget(now);
        let storm = self.state.filter(|state| stamp.is_some_and(|stamp| stamp.seq <= state.newest));
        let mut half_open = reason.half_open();
        let until = match cool {
            CoolFor::After(wait) => now + wait,
            CoolFor::UntilLifted => Timestamp::NEVER,
            CoolFor::NextPacificMidnight => {
                let (until, doubtful) = day_end(stamp.map_or(now, |s| s.admitted), now);
                half_open |= doubtful;
                until
            }
            CoolFor::Escalating { at_least } => {
                if storm.is_none() || self.strikes == 0 {
                    self.strikes = self.strikes.saturating_add(1);
                }
                let doublings = self.strikes.saturating_sub(1).min(16);
                let (first, longest) = reason.escalation();
                now + first.saturating_mul(1 << doublings).min(longest).max(at_least)
            }
        };
        let (probe, newest) = storm.map_or((None, seq), |s| (s.probe, s.newest));
        let mut lasts = until.since(now);
        if cool == CoolFor::NextPacificMidnight {
            lasts = lasts.min(LONGEST_DAY);
        }
        let new = Cooling { until, reason, half_open, probe, newest, lasts: Some(lasts) };
        let state = match self.state {
            Some(old) if old.ends(now) > until => Cooling { probe, newest, ..old },
            _ => new,
        };
        self.state = Some(state);
        Some(state.opens(now))
    }

    /// Ends the cooldown and starts a new generation: reports of permits admitted at or before `seq`
    /// no longer count.
    pub fn lift(&mut self, seq: u64, now: Timestamp) {
        *self = Self { state: None, strikes: 0, lifted: Some(Lift { seq, at: now }) };
    }

    /// Takes back a condemnation for `reason` that turned out to be about something else. What the
    /// scope is out for otherwise stays.
    pub fn acquit(&mut self, reason: Reason) {
        self.strikes = 0;
        self.state = self.state.filter(|s| s.reason != reason);
    }

    /// A permit admitted at `stamp` ended well: clears the streak, and lifts the cooldown if it was a
    /// probe, however late. Whether it lifted.
    pub fn succeeded(&mut self, permit: PermitId, stamp: Stamp, seq: u64, now: Timestamp) -> bool {
        let open = self.gate(now) == Gate::Open;
        // What passed since the last failure passed as a probe.
        let probe = |state: Cooling| state.half_open && stamp.seq > state.newest && !open;
        if self.probe_is(permit) || self.state.is_some_and(probe) {
            self.lift(seq, now);
            return true;
        }
        if open {
            self.strikes = 0;
        }
        false
    }

    /// A permit ended without a verdict on this scope: if it was the probe, the place is free again.
    pub fn freed(&mut self, permit: PermitId) {
        if self.probe_is(permit)
            && let Some(cooling) = &mut self.state
        {
            cooling.probe = None;
        }
    }

    /// Whether nothing is left to remember at `now`, so that a store may forget the scope.
    #[must_use]
    pub fn forgettable(&self, now: Timestamp) -> bool {
        let mut kept = *self;
        kept.forget(now);
        kept.gate(now) == Gate::Open && kept.strikes == 0 && kept.lifted.is_none()
    }

    /// Strikes in a row.
    #[must_use]
    pub fn strikes(&self) -> u32 {
        self.strikes
    }

    /// Drops what is older than [`MEMORY`].
    fn forget(&mut self, now: Timestamp) {
        if self.state.is_some_and(|s| now >= s.until + MEMORY) && self.gate(now) == Gate::Open {
            self.state = None;
            self.strikes = 0;
        }
        self.lifted = self.lifted.filter(|lift| now < lift.at + MEMORY);
    }

    fn probe_is(&self, permit: PermitId) -> bool {
        self.state.and_then(|s| s.probe).is_some_and(|p| p.permit == permit)
    }
}

/// Until when a per-day refusal holds, and whether it is doubtful: the end of the Pacific day
/// `admitted` fell in, or a second when that is over. Right after midnight nobody knows which day
/// was meant, and a late answer or a skewed clock must not cost a day: 10 minutes, then one probe.
fn day_end(admitted: Timestamp, now: Timestamp) -> (Timestamp, bool) {
    if now.since(PacificDay::containing(now).start) < MIDNIGHT_DOUBT {
        return (now + MIDNIGHT_DOUBT, true);
    }
    (PacificDay::containing(admitted).end.max(now + Duration::from_secs(1)), false)
}

#[cfg(test)]
mod tests;
