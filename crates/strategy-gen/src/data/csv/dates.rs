//! Dates in the many ways people write them; the whole column decides where one date could be two.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// How the dates of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dates {
    /// Seconds since 1970, times this.
    Epoch {
        per_second: i64,
    },
    /// Year, month, day.
    YearFirst,
    DayFirst,
    MonthFirst,
}

impl Dates {
    /// By all dates of the column.
    pub(super) fn of(column: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut day, mut month) = (false, false);
        let mut kind = None;
        for text in column {
            if let Some(number) = epoch(&text) {
                // Up to the year 5138 in seconds; each finer unit has three digits more.
                let per_second = match number.unsigned_abs() {
                    0..100_000_000_000 => 1,
                    100_000_000_000..100_000_000_000_000 => 1_000,
                    100_000_000_000_000..100_000_000_000_000_000 => 1_000_000,
                    _ => 1_000_000_000,
                };
                return Ok(Self::Epoch { per_second });
            }
            let Some(([first, second, _], separator)) = parts(&text) else { continue };
            if first > 31 {
                return Ok(Self::YearFirst);
            }
            day |= first > 12;
            month |= second > 12;
            kind = Some(separator);
        }
        match (day, month, kind) {
            (true, true, _) => Err("some dates have the day first and some the month".to_owned()),
            (true, false, _) | (false, false, Some('.')) => Ok(Self::DayFirst),
            (false, true, _) => Ok(Self::MonthFirst),
            (false, false, Some(_)) => {
                Err("the dates may have the day or the month first: write them like 2026-01-31".to_owned())
            }
            (false, false, None) => Ok(Self::YearFirst),
        }
    }

    /// Seconds since 1970-01-01 00:00; an offset from UTC is taken off where one is written.
    pub(super) fn seconds(self, text: &str) -> Option<i64> {
        if let Self::Epoch { per_second } = self {
            return epoch(text).map(|number| number.div_euclid(per_second));
        }
        let ([first, second, third], _) = parts(text)?;
        let (year, month, day) = match self {
            Self::DayFirst => (third, second, first),
            Self::MonthFirst => (third, first, second),
            Self::YearFirst | Self::Epoch { .. } => (first, second, third),
        };
        let (hour, minute, second, offset) = clock(text)?;
        let small = |number: i64| i8::try_from(number).ok();
        let year = i16::try_from(if year < 100 { year + 2_000 } else { year }).ok()?;
        let civil =
            DateTime::new(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?, 0);
        let zoned = TimeZone::fixed(Offset::from_seconds(offset).ok()?).to_timestamp(civil.ok()?).ok()?;
        Some(zoned.as_second())
    }
}

/// A number of seconds or finer; not a date of eight digits such as 20260131.
fn epoch(text: &str) -> Option<i64> {
    let whole = text.split_once('.').map_or(text, |(whole, rest)| {
        if rest.bytes().all(|byte| byte.is_ascii_digit()) { whole } else { text }
    });
    let digits = whole.bytes().all(|byte| byte.is_ascii_digit());
    (digits && whole.len() >= 9).then(|| whole.parse().ok()).flatten()
}

/// The three numbers of the date, and what stands between them.
fn parts(text: &str) -> Option<([i64; 3], char)> {
    let date = text.split(['T', ' ']).next()?;
    if date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(([date[..4].parse().ok()?, date[4..6].parse().ok()?, date[6..].parse().ok()?], '-'));
    }
    let separator = ['-', '/', '.'].into_iter().find(|separator| date.contains(*separator))?;
    let mut numbers = date.split(separator).map(|part| part.parse().ok());
    let three = [numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some((three, separator))
}

/// Hour, minute, second and the offset in seconds; midnight where there is no time of day.
fn clock(text: &str) -> Option<(i64, i64, i64, i32)> {
    let Some((_, time)) = text.split_once(['T', ' ']) else { return Some((0, 0, 0, 0)) };
    let time = time.trim().trim_end_matches(" UTC").trim_end_matches(" GMT");
    let (time, offset) = match time.find(['Z', '+', '-']) {
        Some(at) => (&time[..at], seconds_of(&time[at..])?),
        None => (time, 0),
    };
    let mut numbers = time.trim().split(':');
    let mut next = || numbers.next().map(|part| part.split('.').next().unwrap_or_default().parse().ok());
    let clock = match (next(), next(), next()) {
        // `09:30`, `09:30:00`, `093000` and `0930`
        (Some(hour), Some(minute), second) => (hour?, minute?, second.unwrap_or(Some(0))?),
        (Some(Some(number)), None, _) => match time.trim().len() {
            6 => (number / 10_000, number / 100 % 100, number % 100),
            4 => (number / 100, number % 100, 0),
            _ => return None,
        },
        _ => return None,
    };
    Some((clock.0, clock.1, clock.2, offset))
}

/// `Z`, `+02:00`, `-0500`.
fn seconds_of(offset: &str) -> Option<i32> {
    if offset == "Z" {
        return Some(0);
    }
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let digits: String = offset[1..].chars().filter(|c| *c != ':').collect();
    let number: i32 = digits.parse().ok()?;
    let (hours, minutes) = if digits.len() > 2 { (number / 100, number % 100) } else { (number, 0) };
    Some(sign * (hours * 3_600 + minutes * 60))
}
