//! Durations as Google writes them: protobuf (`56s`, `0.539477544s`) in `RetryInfo`, Go
//! (`1h52m56.409571576s`, `900.2ms`) in the prose of a message; and as gateways write them in
//! `Retry-After`.

use std::time::Duration;

use http::header::{DATE, HeaderMap, RETRY_AFTER};

/// The longest delay believed. Nothing Google counts takes longer to refill than a Pacific day,
/// which has 25 hours once a year; a broken or hostile answer must not park a project for years.
pub const LONGEST: Duration = Duration::from_secs(25 * 3600);

/// Parses a whole text as a duration; longer than [`LONGEST`] is cut to it.
///
/// ```
/// # use std::time::Duration;
/// use gemini_client::delay::parse;
/// assert_eq!(parse("56s"), Some(Duration::from_secs(56)));
/// assert_eq!(parse("1h52m56.4s"), Some(Duration::from_millis(6_776_400)));
/// assert_eq!(parse("900.2ms"), Some(Duration::from_micros(900_200)));
/// assert_eq!(parse("soon"), None);
/// ```
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let number_ends = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_ends);
        let unit_ends = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_ends);
        nanos = nanos.saturating_add(scaled(number, unit_nanos(unit)?)?);
        rest = after;
    }
    Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).min(LONGEST))
}

/// The longest delay a message asks for in the words "retry in …".
#[must_use]
pub fn in_prose(message: &str) -> Option<Duration> {
    const WORDS: &str = "retry in ";
    let lower = message.to_ascii_lowercase();
    lower
        .match_indices(WORDS)
        .filter_map(|(at, _)| {
            let token = lower.get(at + WORDS.len()..)?.split_whitespace().next()?;
            parse(token.trim_end_matches(|c: char| !c.is_alphanumeric()))
        })
        .max()
}

/// What the headers of an answer ask for (`Retry-After`): the longest, if it came more than once.
///
/// A date is held against the answer's own `Date`, so that no clock of this machine's is asked; it is
/// ignored where there is none.
#[must_use]
pub fn in_headers(headers: &HeaderMap) -> Option<Duration> {
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let sent = || date(headers.get(DATE)?.to_str().ok()?);
    let until = |text: &str| {
        let (until, sent) = (date(text)?, sent()?);
        // A date that has passed means at once.
        Some(until.duration_since(sent).unwrap_or_default().min(LONGEST))
    };
    let values = headers.get_all(RETRY_AFTER).iter().filter_map(|value| value.to_str().ok());
    values.filter_map(|text| seconds(text).or_else(|| until(text.trim()))).max()
}

/// A bare number of seconds, as headers write it.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let bare = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    parse(&format!("{text}s")).filter(|_| bare)
}

fn unit_nanos(unit: &str) -> Option<u128> {
    Some(match unit {
        "h" => 3_600_000_000_000,
        "m" => 60_000_000_000,
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" | "µs" | "μs" => 1_000,
        "ns" => 1,
        _ => return None,
    })
}

/// A decimal number times a unit, in integers: a float would lose nanoseconds.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().unwrap_or(u64::MAX) };
    let mut total = u128::from(whole) * unit;
    let mut place = unit;
    for digit in fraction.chars().filter_map(|c| c.to_digit(10)) {
        place /= 10;
        total += u128::from(digit) * place;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_recorded_form_is_understood() {
        for (text, nanos) in [
            ("56s", 56_000_000_000),
            ("0s", 0),
            ("0.539477544s", 539_477_544),
            ("45.837906927s", 45_837_906_927),
            ("21599.960323804s", 21_599_960_323_804),
            ("900ms", 900_000_000),
            ("900.2ms", 900_200_000),
            ("1h52m56.409571576s", 6_776_409_571_576),
            ("12m", 720_000_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("3µs", 3_000),
            ("3us4ns", 3_004),
        ] {
            assert_eq!(parse(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_none() {
        for text in ["", " ", "s", "5", "5 s", "-5s", "1.2.3s", ".s", "5d", "1h s", "٣s", "5sms"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_absurd_delay_is_cut() {
        for text in ["99999999999999999999999h", "30h", "18446744073709551615s"] {
            assert_eq!(parse(text), Some(LONGEST), "{text}");
        }
    }

    #[test]
    fn prose_gives_its_longest_delay() {
        assert_eq!(in_prose("limit: 2\nPlease retry in 56.185908122s."), parse("56.185908122s"));
        assert_eq!(in_prose("Please retry in 1h52m56.409571576s."), parse("1h52m56.409571576s"));
        assert_eq!(in_prose("retry in 2s, or Retry in 5s; else retry in a while"), parse("5s"));
        assert_eq!(in_prose("Please try again later. İretry in 3s"), parse("3s"));
        assert_eq!(in_prose("try again later"), None);
    }

    fn asked(retry_after: &[&str], date: Option<&str>) -> Option<Duration> {
        let value = |text: &str| http::HeaderValue::from_str(text).unwrap();
        let mut headers = HeaderMap::new();
        for text in retry_after {
            headers.append(RETRY_AFTER, value(text));
        }
        headers.extend(date.map(|date| (DATE, value(date))));
        in_headers(&headers)
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let date = Some("Tue, 01 Dec 2026 10:00:00 GMT");
        let soon = "Tue, 01 Dec 2026 10:00:07 GMT";
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(asked(&["1"], None), seconds(1));
        assert_eq!(asked(&[" 30 "], date), seconds(30));
        assert_eq!(asked(&["1.5"], None), Some(Duration::from_millis(1500)));
        assert_eq!(asked(&["0"], None), seconds(0));
        assert_eq!(asked(&[soon], date), seconds(7));
        assert_eq!(asked(&["Tuesday, 01-Dec-26 10:00:07 GMT"], date), seconds(7));
        assert_eq!(asked(&["Tue Dec  1 10:00:07 2026"], date), seconds(7));
        assert_eq!(asked(&["Tue, 01 Dec 2026 09:00:00 GMT"], date), seconds(0), "it has passed");
        assert_eq!(asked(&["2", "5", "soon"], None), seconds(5));
        for endless in ["99999999999", "18446744073709551616"] {
            assert_eq!(asked(&[endless], None), Some(LONGEST));
        }
        assert_eq!(asked(&["Fri, 31 Dec 9999 23:59:59 GMT"], date), Some(LONGEST));
        assert_eq!(asked(&[soon], None), None, "no clock to hold it against");
        for nothing in ["", "soon", "-1", "5s", "1h", "1e3", "."] {
            assert_eq!(asked(&[nothing], date), None, "{nothing:?}");
        }
        assert_eq!(asked(&[], date), None);
    }

    proptest! {
        #[test]
        fn go_durations_round_trip(h in 0u64..20, m in 0u64..60, s in 0u64..60, n in 0u64..1_000_000_000) {
            let expected = Duration::new(h * 3600 + m * 60 + s, n as u32);
            prop_assert_eq!(parse(&format!("{h}h{m}m{s}.{n:09}s")), Some(expected));
            prop_assert_eq!(parse(&format!("{}.{n:09}s", expected.as_secs())), Some(expected));
        }

        #[test]
        fn no_text_panics(text in ".*", tail in "[0-9hmsµn. ]*") {
            let _ = parse(&text);
            let _ = parse(&tail);
            let _ = in_prose(&format!("{text} retry in {tail}"));
        }
    }
}
