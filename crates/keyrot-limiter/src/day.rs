//! The Pacific day: how many requests it has seen, with midnight counted on both sides.

use std::time::Duration;

use keyrot_core::{PacificDay, Timestamp};

#[cfg(feature = "sqlite")]
use crate::bytes::{Bytes, put};
#[cfg(feature = "sqlite")]
use crate::window::MOST_COUNTED;

/// Longer than any two clocks that are right may differ.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long after its day a request may still be reported on: no attempt lives so long.
const LATE: Duration = Duration::from_secs(12 * 3600);

/// Requests counted by Pacific day. Those within `guard` of a midnight count in both days: Google's
/// clock and ours may differ.
#[derive(Debug, Clone, Default)]
pub struct DayCount {
    day: Option<PacificDay>,
    yesterday: u64,
    today: u64,
    tomorrow: u64,
}

/// Where a charge was counted, so that it can be given back.
#[derive(Debug, Clone, Copy)]
pub struct DayMark {
    start: Timestamp,
    end: Timestamp,
    in_yesterday: bool,
    in_tomorrow: bool,
}

impl DayCount {
    /// Moves on to the day of `now`. Time never moves it back, unless by so much that the calendar
    /// must have been wrong: then what was counted was counted today.
    pub fn roll(&mut self, now: Timestamp) -> PacificDay {
        loop {
            match self.day {
                Some(day) if now + DAY < day.start => {
                    self.day = Some(PacificDay::containing(now));
                    (self.yesterday, self.tomorrow) = (0, 0);
                }
                Some(day) if now < day.end || day.end == Timestamp::NEVER => return day,
                Some(day) if !self.is_empty() => {
                    (self.yesterday, self.today, self.tomorrow) = (self.today, self.tomorrow, 0);
                    self.day = Some(PacificDay::containing(day.end));
                }
                _ => self.day = Some(PacificDay::containing(now)),
            }
        }
    }

    fn is_empty(&self) -> bool {
        (self.yesterday, self.today, self.tomorrow) == (0, 0, 0)
    }

    /// Whether `requests` more fit under `limit` at `now`.
    ///
    /// # Errors
    /// The instant at which they fit if nothing else happens, or `None` when they never do.
    pub fn fits(
        &mut self,
        limit: u64,
        requests: u64,
        guard: Duration,
        now: Timestamp,
    ) -> Result<(), Option<Timestamp>> {
        let day = self.roll(now);
        if requests > limit {
            return Err(None);
        }
        let fits = |count: u64| count + requests <= limit;
        let (near_start, near_end) = near(day, guard, now);
        if fits(self.today) && (!near_end || fits(self.tomorrow)) {
            return if near_start && !fits(self.yesterday) { Err(Some(day.start + guard)) } else { Ok(()) };
        }
        // The first instant at which the days that are full no longer matter.
        let full = if fits(self.tomorrow) { day } else { PacificDay::containing(day.end) };
        Err(Some(full.end + guard))
    }

    /// Counts `requests` at `now`.
    pub fn charge(&mut self, requests: u64, guard: Duration, now: Timestamp) -> DayMark {
        let day = self.roll(now);
        let (in_yesterday, in_tomorrow) = near(day, guard, now);
        self.today += requests;
        if in_yesterday {
            self.yesterday += requests;
        }
        if in_tomorrow {
            self.tomorrow += requests;
        }
        DayMark { start: day.start, end: day.end, in_yesterday, in_tomorrow }
    }

    /// Gives back what a charge counted.
    pub fn refund(&mut self, mark: DayMark, requests: u64) {
        let Some(day) = self.day else { return };
        let give = |count: &mut u64, counted: bool| {
            *count = count.saturating_sub(if counted { requests } else { 0 });
        };
        if day.start == mark.start {
            give(&mut self.yesterday, mark.in_yesterday);
            give(&mut self.today, true);
            give(&mut self.tomorrow, mark.in_tomorrow);
        } else if day.start == mark.end {
            give(&mut self.yesterday, true);
            give(&mut self.today, mark.in_tomorrow);
        }
    }

    /// Requests counted in the day of the last [`roll`](Self::roll).
    #[must_use]
    pub fn today(&self) -> u64 {
        self.today
    }

    /// Whether nothing admitted in the days known here can matter at `now` or later, be it counted or
    /// reported on.
    #[must_use]
    pub fn idle(&self, guard: Duration, now: Timestamp) -> bool {
        let Some(day) = self.day else { return true };
        let last = if self.tomorrow == 0 { day } else { PacificDay::containing(day.end) };
        last.end + guard.max(LATE) <= now
    }
}

#[cfg(feature = "sqlite")]
impl DayCount {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put(out, u64::from(self.day.is_some()));
        if let Some(day) = self.day {
            put(out, day.start.as_millis());
            put(out, day.end.as_millis());
            for count in [self.yesterday, self.today, self.tomorrow] {
                put(out, count);
            }
        }
    }

    /// `None` for what [`write`](Self::write) never wrote.
    pub(crate) fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        if bytes.take()? == 0 {
            return Some(Self::default());
        }
        let [start, end] = [bytes.take()?, bytes.take()?].map(Timestamp::from_millis);
        let (yesterday, today, tomorrow) = (bytes.take()?, bytes.take()?, bytes.take()?);
        let is_a_day = start <= end && (end.since(start) <= DAY * 2 || end == Timestamp::NEVER);
        if !is_a_day || [yesterday, today, tomorrow].iter().any(|count| *count > MOST_COUNTED) {
            return None;
        }
        Some(Self { day: Some(PacificDay { start, end }), yesterday, today, tomorrow })
    }
}

#[cfg(feature = "sqlite")]
impl DayMark {
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        put(out, self.start.as_millis());
        put(out, self.end.as_millis());
        put(out, u64::from(self.in_yesterday) | u64::from(self.in_tomorrow) << 1);
    }

    /// `None` for what [`write`](Self::write) never wrote.
    pub(crate) fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        let [start, end] = [bytes.take()?, bytes.take()?].map(Timestamp::from_millis);
        let marks = bytes.take().filter(|marks| *marks < 4)?;
        Some(Self { start, end, in_yesterday: marks & 1 != 0, in_tomorrow: marks & 2 != 0 })
    }
}

/// Whether `now` is within `guard` after the start and before the end of `day`.
fn near(day: PacificDay, guard: Duration, now: Timestamp) -> (bool, bool) {
    (now < day.start + guard, now >= day.end.before(guard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_that_was_years_ahead_does_not_freeze_the_day() {
        let (now, guard) = (Timestamp::from_millis(1_795_464_000_000), Duration::ZERO);
        let wrong = now + DAY * 10_000;
        let mut count = DayCount::default();
        count.charge(2, guard, wrong);
        // An hour back is a correction; it stays in the newer day.
        assert_eq!(count.roll(wrong.before(DAY / 24)).start, PacificDay::containing(wrong).start);
        assert_eq!(count.fits(2, 1, guard, now), Err(Some(PacificDay::containing(now).end)));
        assert_eq!(count.fits(2, 1, guard, PacificDay::containing(now).end), Ok(()));
    }
}
