//! The breaker of an overloaded model: it is judged by its share of failures, not by one of them, and
//! while it is held back, an allowance of calls in flight finds out whether it has recovered.
//!
//! [`Breaker`] is plain data and its methods are the whole machine, as with
//! [`Cooldown`](crate::Cooldown): each takes `now` and changes nothing but the value.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::cooldown::{Gate, Reason, Stamp};
use crate::limit::{Ended, Sample};

/// How many seconds of calls are looked at.
const SECONDS: u64 = 10;
/// The fewest samples that say anything.
const FLOOR: u64 = 16;
/// A model that answers so often without a failure has recovered, however few its calls are.
const FEW: u64 = 4;
/// The pause after a failure: doubles with each strike.
const PAUSE: Duration = Duration::from_secs(1);
/// The most strikes that count: with them the pause is 4 s.
const MOST_STRIKES: u32 = 3;
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// How often the allowance doubles while nothing fails.
const GROWTH: Duration = Duration::from_secs(2);
/// The largest allowance.
const MOST: u32 = 1 << 16;
/// A breaker that has seen no failure for so long is closed.
const IDLE: Duration = Duration::from_secs(60);
/// How long a lift is remembered: reports of earlier calls come in before.
const MEMORY: Duration = Duration::from_secs(600);

/// What became of the calls of one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Slot {
    /// Seconds since the epoch.
    second: u64,
    /// Calls that ended in it with an answer.
    succeeded: u32,
    /// Calls that ended in it because the model had no capacity.
    failed: u32,
    /// Calls that were admitted in it, as part of the allowance, and are in flight.
    out: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Tripped {
    /// Calls that may be in flight, as of `grown`.
    allowance: u32,
    /// Failures in a row, less successes.
    strikes: u32,
    /// Nobody passes before.
    until: Timestamp,
    /// Since when the allowance grows by itself.
    grown: Timestamp,
    /// The newest admission when it last failed: what was admitted before belongs to the storm.
    newest: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Lift {
    /// Reports of permits admitted at or before this sequence number are ignored.
    seq: u64,
    at: Timestamp,
}

/// The state of one model's breaker. [`Default`] is closed, with nothing known.
///
/// Closed, it lets everybody pass and counts how calls ended. It trips when in any stretch of the last
/// 1 to 10 seconds there are at least 16 samples and clearly more than half of them failed: so many more
/// that chance does not explain it (3 standard deviations), for else a model that fails at 20 % would
/// trip it within minutes. Tripped, it lets nobody pass for 1 s, doubling with strikes to 4 s; then as
/// many calls may be in flight as its allowance says, beginning with 1. The allowance doubles with each
/// success and every 2 s without a failure; a failure makes it 1 again, after the next pause. The breaker
/// lifts when over the newest stretch with at least 16 samples less than half failed, or when all of the
/// last 10 s went well and there are at least 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Breaker {
    /// By the second, modulo their number.
    slots: [Slot; SECONDS as usize],
    tripped: Option<Tripped>,
    lifted: Option<Lift>,
}

fn second(at: Timestamp) -> u64 {
    at.as_millis() / 1_000
}

impl Tripped {
    fn pause(strikes: u32) -> Duration {
        PAUSE * (1 << (strikes.min(MOST_STRIKES).saturating_sub(1)))
    }

    /// How often the allowance has doubled by itself.
    fn steps(&self, now: Timestamp) -> u32 {
        let steps = now.since(self.grown).as_millis() / GROWTH.as_millis();
        u32::try_from(steps).unwrap_or(u32::MAX).min(16)
    }

    fn allowance(&self, now: Timestamp) -> u32 {
        (self.allowance << self.steps(now)).min(MOST)
    }

    /// When the pause ends. What would last longer than it ever does was begun by a clock that was ahead.
    fn opens(&self, now: Timestamp) -> Timestamp {
        if self.until.since(now) > LONGEST_PAUSE { now } else { self.until }
    }
}

impl Breaker {
    /// Whether a call may pass at `now`: as a probe, while the breaker is tripped.
    #[must_use]
    pub fn gate(&self, now: Timestamp) -> Gate {
        let Some(tripped) = self.tripped(now) else { return Gate::Open };
        let mut until = tripped.opens(now);
        if until <= now {
            let allowance = tripped.allowance(now);
            if self.out(now) < u64::from(allowance) {
                return Gate::Probe;
            }
            until = self.next(&tripped, now);
        }
        Gate::Shut { until, reason: Reason::Overloaded }
    }

    /// When there is room for a call where there is none: when the allowance next grows, or when a call
    /// has been out for so long that it is not counted any more.
    fn next(&self, tripped: &Tripped, now: Timestamp) -> Timestamp {
        let most = now + GROWTH;
        let grows = tripped.grown + GROWTH * (tripped.steps(now) + 1);
        let out = self.live(now).filter(|slot| slot.out > 0);
        let leaves = out.map(|slot| Timestamp::from_millis((slot.second + SECONDS) * 1_000)).min();
        let grows = if tripped.allowance(now) < MOST { grows.min(most) } else { most };
        grows.min(leaves.unwrap_or(most))
    }

    /// A call passes at `now`, when [`gate`](Self::gate) said [`Gate::Probe`].
    pub fn admitted(&mut self, now: Timestamp) {
        if self.tripped(now).is_some() {
            let slot = self.slot(now);
            slot.out = slot.out.saturating_add(1);
        }
    }

    /// A call found the model without capacity; `samples` are how calls of it ended of late, this one
    /// included, or empty for this one alone. Gives when calls may pass again: `now` if they may, `None`
    /// when the report was of a permit admitted before the last lift and changed nothing.
    ///
    /// `stamp` is the admission of the call; `seq` is the newest admission of all.
    pub fn report(
        &mut self,
        samples: &[Sample],
        stamp: Option<Stamp>,
        seq: u64,
        now: Timestamp,
    ) -> Option<Timestamp> {
        self.forget(now);
        if let (Some(stamp), Some(lift)) = (stamp, self.lifted)
            && stamp.seq <= lift.seq
        {
            return None;
        }
        for sample in samples.iter().filter(|sample| u64::from(sample.age) < SECONDS) {
            let slot = self.slot(now.before(Duration::from_secs(sample.age.into())));
            slot.succeeded = slot.succeeded.saturating_add(sample.succeeded);
            slot.failed = slot.failed.saturating_add(sample.failed);
        }
        if samples.is_empty() {
            let slot = self.slot(now);
            slot.failed = slot.failed.saturating_add(1);
        }
        match self.tripped {
            None if self.fails(now) => self.pause(1, seq, now),
            Some(old) if stamp.is_none_or(|stamp| stamp.seq > old.newest) => {
                self.pause((old.strikes + 1).min(MOST_STRIKES), seq, now);
            }
            _ => {}
        }
        match self.gate(now) {
            Gate::Shut { until, .. } => Some(until),
            Gate::Open | Gate::Probe => Some(now),
        }
    }

    /// A call admitted at `stamp` while the breaker was tripped has ended. Whether that lifts it: then
    /// reports of permits admitted at or before `seq` no longer count.
    ///
    /// To be told once for each call.
    pub fn ended(&mut self, stamp: Stamp, ended: Ended, seq: u64, now: Timestamp) -> bool {
        self.forget(now);
        let Some(mut tripped) = self.tripped else { return false };
        // What was admitted before the last failure is not counted any more.
        let counted = stamp.seq > tripped.newest;
        let admitted = second(stamp.admitted);
        let slot = &mut self.slots[(admitted % SECONDS) as usize];
        if counted && slot.second == admitted {
            slot.out = slot.out.saturating_sub(1);
        }
        if ended != Ended::Succeeded {
            return false;
        }
        let slot = self.slot(now);
        slot.succeeded = slot.succeeded.saturating_add(1);
        tripped.strikes = tripped.strikes.saturating_sub(1);
        if counted {
            let steps = tripped.steps(now);
            tripped.allowance = tripped.allowance(now).saturating_mul(2).min(MOST);
            tripped.grown = tripped.grown + GROWTH * steps;
        }
        self.tripped = Some(tripped);
        let lifts = self.recovers(now);
        if lifts {
            self.lift(seq, now);
        }
        lifts
    }

    /// Closes the breaker and forgets what it has seen: reports of permits admitted at or before `seq` no
    /// longer count.
    pub fn lift(&mut self, seq: u64, now: Timestamp) {
        *self = Self { lifted: Some(Lift { seq, at: now }), ..Self::default() };
    }

    /// Whether nothing is left to remember at `now`, so that a store may forget the breaker.
    #[must_use]
    pub fn forgettable(&self, now: Timestamp) -> bool {
        let mut kept = *self;
        kept.forget(now);
        kept.tripped.is_none() && kept.lifted.is_none() && kept.live(now).next().is_none()
    }

    fn forget(&mut self, now: Timestamp) {
        self.tripped = self.tripped(now);
        self.lifted = self.lifted.filter(|lift| now < lift.at + MEMORY);
    }

    fn tripped(&self, now: Timestamp) -> Option<Tripped> {
        self.tripped.filter(|tripped| now.since(tripped.until) < IDLE)
    }

    /// Begins a pause, and an allowance of one call after it.
    fn pause(&mut self, strikes: u32, seq: u64, now: Timestamp) {
        let until = now + Tripped::pause(strikes);
        self.tripped = Some(Tripped { allowance: 1, strikes, until, grown: until, newest: seq });
        for slot in &mut self.slots {
            slot.out = 0;
        }
    }

    fn slot(&mut self, at: Timestamp) -> &mut Slot {
        let second = second(at);
        let slot = &mut self.slots[(second % SECONDS) as usize];
        if slot.second != second {
            *slot = Slot { second, ..Slot::default() };
        }
        slot
    }

    /// What is known of the last ten seconds.
    fn live(&self, now: Timestamp) -> impl Iterator<Item = &Slot> {
        let now = second(now);
        let live = move |slot: &&Slot| slot.second <= now && slot.second + SECONDS > now;
        self.slots.iter().filter(live).filter(|slot| slot.succeeded > 0 || slot.failed > 0 || slot.out > 0)
    }

    fn out(&self, now: Timestamp) -> u64 {
        self.live(now).map(|slot| u64::from(slot.out)).sum()
    }

    /// Successes and failures of the last 1, 2, ... 10 seconds.
    fn stretches(&self, now: Timestamp) -> impl Iterator<Item = (u64, u64)> {
        let newest = second(now);
        (0..SECONDS).scan((0, 0), move |(succeeded, failed), age| {
            if let Some(second) = newest.checked_sub(age) {
                let slot = &self.slots[(second % SECONDS) as usize];
                if slot.second == second {
                    *succeeded += u64::from(slot.succeeded);
                    *failed += u64::from(slot.failed);
                }
            }
            Some((*succeeded, *failed))
        })
    }

    /// Whether so many calls failed that it is not chance: more than half of `n` samples, and 3 times the
    /// square root of `n` more than did not.
    fn fails(&self, now: Timestamp) -> bool {
        self.stretches(now).any(|(succeeded, failed)| {
            let more = failed.saturating_sub(succeeded);
            succeeded + failed >= FLOOR && more * more >= 9 * (succeeded + failed)
        })
    }

    /// Whether the newest calls that say anything went well.
    fn recovers(&self, now: Timestamp) -> bool {
        let enough = self.stretches(now).find(|(succeeded, failed)| succeeded + failed >= FLOOR);
        match enough.or_else(|| self.stretches(now).last()) {
            Some((succeeded, failed)) if succeeded + failed >= FLOOR => failed < succeeded,
            Some((succeeded, failed)) => failed == 0 && succeeded >= FEW,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests;
