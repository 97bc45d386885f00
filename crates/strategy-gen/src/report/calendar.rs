//! Months, for the table of returns and the foot of a chart.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The day of an instant in milliseconds since the epoch, in UTC. What no calendar reaches is its first day.
fn date(ms: i64) -> Date {
    TimeZone::UTC.to_datetime(Timestamp::from_millisecond(ms).unwrap_or_default()).date()
}

/// `2026-01-31`.
pub(super) fn iso(ms: i64) -> String {
    date(ms).to_string()
}

/// The return of each month in per cent, by year: from the last value of the month before, and of the first month
/// from its first value.
pub(super) fn monthly(times: &[i64], values: &[f64]) -> BTreeMap<i16, [Option<f64>; 12]> {
    let mut years: BTreeMap<i16, [Option<f64>; 12]> = BTreeMap::new();
    let (mut base, mut last) = (values.first().copied().unwrap_or_default(), None);
    for (ms, value) in times.iter().zip(values) {
        let day = date(*ms);
        let (year, month) = (day.year(), day.month());
        if let Some((known, before)) = last
            && known != (year, month)
        {
            base = before;
        }
        let change = (base > 0.0).then(|| (value / base - 1.0) * 100.0);
        if let Some(place) =
            usize::try_from(month - 1).ok().and_then(|n| years.entry(year).or_default().get_mut(n))
        {
            *place = change;
        }
        last = Some(((year, month), *value));
    }
    years
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, date) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (19_782, "2024-02-29"),
            (20_782, "2026-11-25"),
        ] {
            assert_eq!(iso(days * DAY), date);
        }
    }

    #[test]
    fn a_month_begins_where_the_one_before_ended() {
        // The last two days of January 2026, the first of February, one in March of the next year.
        let times = [20_483, 20_484, 20_485, 20_884].map(|day| day * DAY);
        let months = monthly(&times, &[100.0, 110.0, 99.0, 198.0]);
        let of = |year: i16, month: usize| months[&year][month - 1].map(f64::round);
        assert_eq!((of(2026, 1), of(2026, 2), of(2027, 3)), (Some(10.0), Some(-10.0), Some(100.0)));
        assert_eq!(of(2026, 3), None);
    }
}
