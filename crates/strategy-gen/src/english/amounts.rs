//! The numbers of a text, in digits and in words, whether or not the rest of it is understood.

use super::plain;
use super::vocabulary::{NUMBER_WORDS, TENS};
use super::words::{Word, split};

/// What a number word must stand before to be an amount: "two percent", and not "the two averages".
const UNITS: [&str; 25] = [
    "atr",
    "bar",
    "bars",
    "candle",
    "candles",
    "day",
    "days",
    "deviation",
    "deviations",
    "hour",
    "hours",
    "minute",
    "minutes",
    "month",
    "months",
    "per",
    "percent",
    "period",
    "periods",
    "standard",
    "times",
    "week",
    "weeks",
    "year",
    "years",
];

/// Every number that a text holds: in digits, and in words before a unit.
pub(crate) fn numbers_in(text: &str) -> Vec<f64> {
    let words = split(&plain(text));
    let mut numbers = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        if let Word::Number(number) = word {
            numbers.push(number.get());
        } else if let Some((value, length)) = in_words(&words[at - 1..]) {
            at += length - 1;
            // "One day ago" is the bar before; nobody writes a 1 for it.
            if value > 1 && words.get(at).is_some_and(is_unit) {
                numbers.push(f64::from(value));
            }
        }
    }
    numbers
}

fn is_unit(word: &Word) -> bool {
    match word {
        Word::Letters { lower, .. } => UNITS.contains(&lower.as_str()),
        Word::Sign(sign) => *sign == "%",
        Word::Number(_) | Word::Odd(_) => false,
    }
}

/// "Two hundred and fifty": the number that the words begin with, and how many words it takes.
fn in_words(words: &[Word]) -> Option<(u32, usize)> {
    let (first, mut length) = below_a_hundred(words)?;
    if !matches!(words.get(length), Some(Word::Letters { lower, .. }) if lower == "hundred") {
        return Some((first, length));
    }
    length += 1;
    let and = usize::from(matches!(words.get(length), Some(Word::Letters { lower, .. }) if lower == "and"));
    match below_a_hundred(words.get(length + and..)?) {
        Some((rest, more)) => Some((first * 100 + rest, length + and + more)),
        None => Some((first * 100, length)),
    }
}

fn below_a_hundred(words: &[Word]) -> Option<(u32, usize)> {
    let small = |word: Option<&Word>| match word {
        Some(Word::Letters { lower, .. }) => {
            (0_u32..).zip(NUMBER_WORDS).find_map(|(value, name)| (name == lower.as_str()).then_some(value))
        }
        _ => None,
    };
    let Some(Word::Letters { lower, .. }) = words.first() else { return None };
    let ten =
        (30_u32..).step_by(10).zip(TENS).find_map(|(value, name)| (name == lower.as_str()).then_some(value));
    let first = ten.or(small(words.first()))?;
    match small(words.get(1)).filter(|unit| first >= 20 && (1..10).contains(unit)) {
        Some(unit) => Some((first + unit, 2)),
        None => Some((first, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_in_digits_and_in_words() {
        for (text, numbers) in [
            ("RSI(14) below 30, stop 2.5 %", vec![14.0, 30.0, 2.5]),
            ("a two percent stop, five per cent target, three % fee", vec![2.0, 5.0, 3.0]),
            ("fifty-day and two-hundred-day average", vec![50.0, 200.0]),
            ("twenty-five bars, one hundred and twenty periods, ninety nine days", vec![25.0, 120.0, 99.0]),
            ("two ATR below, three standard deviations", vec![2.0, 3.0]),
            ("the two averages, one position at a time, one day ago, a second entry", vec![]),
        ] {
            assert_eq!(numbers_in(text), numbers, "{text}");
        }
    }
}
