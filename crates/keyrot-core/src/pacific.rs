//! The day Google counts: midnight to midnight in America/Los_Angeles.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::clock::Timestamp;

/// The rules as shipped with this build: no file of the machine is read.
static PACIFIC: TimeZone = jiff::tz::get!("America/Los_Angeles");

/// One Pacific calendar day, daylight saving included: 23, 24 or 25 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacificDay {
    /// Its first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

impl PacificDay {
    /// The day `at` falls in.
    ///
    /// An instant past the calendar's end (year 9999) is in a day that never ends.
    #[must_use]
    pub fn containing(at: Timestamp) -> Self {
        Self::try_containing(at).unwrap_or(Self { start: Timestamp::default(), end: Timestamp::NEVER })
    }

    fn try_containing(at: Timestamp) -> Option<Self> {
        let instant = jiff::Timestamp::from_millisecond(i64::try_from(at.as_millis()).ok()?).ok()?;
        let date = instant.to_zoned_datetime(PACIFIC.clone()).date();
        Some(Self { start: midnight(date)?, end: midnight(date.tomorrow().ok()?)? })
    }
}

fn midnight(date: Date) -> Option<Timestamp> {
    let ms = date.to_zoned_datetime(PACIFIC.clone()).ok()?.timestamp().as_millisecond();
    Some(Timestamp::from_millis(u64::try_from(ms.max(0)).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(text: &str) -> Timestamp {
        let ms = text.parse::<jiff::Timestamp>().expect(text).as_millisecond();
        Timestamp::from_millis(u64::try_from(ms).expect("after 1970"))
    }

    #[test]
    fn days_end_at_pacific_midnight_across_both_changes_of_2026() {
        for (inside, start, hours) in [
            ("2026-11-23T12:00:00Z", "2026-11-23T08:00:00Z", 24),
            ("2026-03-08T12:00:00Z", "2026-03-08T08:00:00Z", 23),
            ("2026-11-01T12:00:00Z", "2026-11-01T07:00:00Z", 25),
            ("2026-07-01T06:59:59Z", "2026-06-30T07:00:00Z", 24),
            ("2026-07-01T07:00:00Z", "2026-07-01T07:00:00Z", 24),
        ] {
            let day = PacificDay::containing(at(inside));
            assert_eq!(day.start, at(start), "{inside}");
            assert_eq!(day.end.since(day.start), Duration::from_secs(hours * 3600), "{inside}");
        }
    }

    #[test]
    fn every_instant_is_inside_its_own_day() {
        let mut t = at("2026-01-01T00:00:00Z");
        for _ in 0..3_000 {
            let day = PacificDay::containing(t);
            assert!(day.start <= t && t < day.end, "{t:?}");
            t = t + Duration::from_secs(4 * 3600 + 977);
        }
    }
}
