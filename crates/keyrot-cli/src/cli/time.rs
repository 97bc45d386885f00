//! Instants and durations as people read them.

use std::time::Duration;

use jiff::tz::TimeZone;
use keyrot::Timestamp;

/// Local time: the time of day where it is near, the date too where it is not.
pub(crate) fn local(at: Timestamp, now: Timestamp) -> String {
    in_zone(at, now, &TimeZone::system())
}

fn in_zone(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let zoned = |at: Timestamp| {
        let at = i64::try_from(at.as_millis()).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        at.map(|at| at.to_zoned_datetime(zone.clone()))
    };
    let (Some(at), Some(now)) = (zoned(at), zoned(now)) else { return "never".to_owned() };
    let pattern = if at.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    at.strftime(pattern).to_string()
}

/// `12 days`, or less in words.
pub(crate) fn age(age: Duration) -> String {
    match age.as_secs() / 86_400 {
        0 => keyrot::in_words(age),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_told_where_it_is_another_one_there() {
        let now = Timestamp::from_millis(1_800_000_000_000); // 2027-01-15 08:00:00 UTC
        let zone = TimeZone::fixed(jiff::tz::offset(15));
        let later = |s| now + Duration::from_secs(s);
        assert_eq!(in_zone(later(59), now, &zone), "23:00:59");
        assert_eq!(in_zone(later(3600), now, &zone), "2027-01-16 00:00");
        assert_eq!(in_zone(Timestamp::NEVER, now, &zone), "never");
    }
}
