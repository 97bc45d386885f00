//! The server's time: an injectable millisecond clock and the Pacific day by which Google resets daily quota.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Milliseconds since the Unix epoch, whenever the server asks.
///
/// Only quota and the request log read it; pacing of answers runs in real time.
pub type SimClock = Arc<dyn Fn() -> u64 + Send + Sync>;

static PACIFIC: TimeZone = jiff::tz::get!("America/Los_Angeles");

/// The clock of the machine.
pub(crate) fn system_clock() -> SimClock {
    Arc::new(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where the simulator reads the machine's clock"
        )]
        let now = SystemTime::now();
        now.duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    })
}

/// One day of America/Los_Angeles as `[start, end)` in milliseconds since the epoch: 23, 24 or 25 hours long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PacificDay {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl PacificDay {
    /// The day `now` falls into. Instants the calendar cannot express count as one endless day.
    pub(crate) fn of(now: u64) -> Self {
        Self::find(now).unwrap_or(Self { start: 0, end: u64::MAX })
    }

    fn find(now: u64) -> Option<Self> {
        let here =
            Timestamp::from_millisecond(i64::try_from(now).ok()?).ok()?.to_zoned_datetime(PACIFIC.clone());
        let start = here.start_of_day().ok()?;
        let end = here.tomorrow().ok()?.start_of_day().ok()?;
        Some(Self {
            // The first Pacific day of the epoch began before it.
            start: u64::try_from(start.timestamp().as_millisecond()).unwrap_or(0),
            end: u64::try_from(end.timestamp().as_millisecond()).ok()?,
        })
    }

    pub(crate) const fn contains(self, now: u64) -> bool {
        self.start <= now && now < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> u64 {
        let at: Timestamp = text.parse().unwrap();
        u64::try_from(at.as_millisecond()).unwrap()
    }

    #[test]
    fn a_day_has_23_24_or_25_hours() {
        for (noon, hours) in
            [("2026-03-08T19:00:00Z", 23), ("2026-06-15T19:00:00Z", 24), ("2026-11-01T20:00:00Z", 25)]
        {
            let day = PacificDay::of(millis(noon));
            assert_eq!(day.end - day.start, hours * 3_600_000, "{noon}");
        }
    }

    #[test]
    fn midnight_belongs_to_the_new_day() {
        let midnight = millis("2026-03-08T08:00:00Z");
        assert_eq!(PacificDay::of(midnight).start, midnight);
        assert_eq!(PacificDay::of(midnight - 1).end, midnight);
    }

    #[test]
    fn extreme_instants_do_not_panic() {
        for now in [0, 1, u64::MAX, i64::MAX as u64] {
            assert!(PacificDay::of(now).contains(now.min(u64::MAX - 1)));
        }
    }
}
