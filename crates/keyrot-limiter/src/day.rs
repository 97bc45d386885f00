//! The Pacific day: how many requests it has seen, with midnight counted on both sides.

use std::time::Duration;

use keyrot_core::{PacificDay, Timestamp};

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
    in_tomorrow: bool,
}

impl DayCount {
    /// Moves on to the day of `now`. Time never moves it back.
    pub fn roll(&mut self, now: Timestamp) -> PacificDay {
        match self.day {
            Some(day) if now < day.end => day,
            previous => {
                let day = PacificDay::containing(now);
                let next = previous.is_some_and(|p| p.end == day.start);
                (self.yesterday, self.today) = if next { (self.today, self.tomorrow) } else { (0, 0) };
                self.tomorrow = 0;
                self.day = Some(day);
                day
            }
        }
    }

    /// When `requests` more fit under `limit`: `Ok` for now, else the instant; `None` inside for
    /// never.
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
        let near_end = now >= day.end.before(guard);
        let near_start = now < day.start + guard;
        if fits(self.today) && (!near_end || fits(self.tomorrow)) {
            return if near_start && !fits(self.yesterday) { Err(Some(day.start + guard)) } else { Ok(()) };
        }
        if fits(self.tomorrow) {
            // The first instant of tomorrow at which today's count no longer matters.
            return Err(Some(day.end + if fits(self.today) { Duration::ZERO } else { guard }));
        }
        Err(Some(PacificDay::containing(day.end).end + guard))
    }

    /// Counts `requests` at `now`.
    pub fn charge(&mut self, requests: u64, guard: Duration, now: Timestamp) -> DayMark {
        let day = self.roll(now);
        let in_tomorrow = now >= day.end.before(guard);
        self.today += requests;
        if in_tomorrow {
            self.tomorrow += requests;
        }
        DayMark { start: day.start, end: day.end, in_tomorrow }
    }

    /// Gives back what a charge counted.
    pub fn refund(&mut self, mark: DayMark, requests: u64) {
        let Some(day) = self.day else { return };
        if day.start == mark.start {
            self.today = self.today.saturating_sub(requests);
            if mark.in_tomorrow {
                self.tomorrow = self.tomorrow.saturating_sub(requests);
            }
        } else if day.start == mark.end {
            self.yesterday = self.yesterday.saturating_sub(requests);
            if mark.in_tomorrow {
                self.today = self.today.saturating_sub(requests);
            }
        }
    }

    /// Requests counted in the day of the last [`roll`](Self::roll).
    #[must_use]
    pub fn today(&self) -> u64 {
        self.today
    }
}
