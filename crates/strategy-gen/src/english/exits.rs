//! Exits that the text leaves to us.

use super::Refusal;
use super::cursor::state;
use crate::spec::{Condition, Extreme, Number, Operand, Series, Signal, Unit};

/// The exit where none is said: the other side's entry, the target, or the reverse of the entry.
pub(super) fn unsaid(
    entry: &Condition,
    other: Option<&Condition>,
    leaves_itself: bool,
    trails: bool,
    notes: &mut Vec<String>,
) -> Result<Option<Condition>, Refusal> {
    if let Some(other) = other {
        state(notes, "a signal for the other side closes the open position".to_owned());
        return Ok(Some(other.clone()));
    }
    if leaves_itself {
        state(notes, "no exit rule is said: the position is left by stop, target or time alone".to_owned());
        return Ok(None);
    }
    let reverse = match entry {
        Condition::Signal(signal) => usual_reverse(signal),
        Condition::All(parts) => {
            let mut crosses = parts.iter().filter_map(|part| match part {
                Condition::Signal(signal) if signal.relation.is_cross() => Some(signal),
                _ => None,
            });
            match (crosses.next(), crosses.next()) {
                (Some(signal), None) => usual_reverse(signal),
                _ => None,
            }
        }
        Condition::Any(_) | Condition::Held { .. } => None,
    };
    match reverse {
        Some(reverse) => {
            state(notes, format!("no exit is said: the position is closed on the reverse, {reverse}"));
            Ok(Some(Condition::Signal(reverse)))
        }
        None if trails => {
            state(notes, "no exit rule is said: the position is left by the trailing stop alone".to_owned());
            Ok(None)
        }
        None => Err(Refusal::because(
            "it is not said when to close the position",
            "add `sell when ...` or `take profit 10%`",
        )),
    }
}

/// What "the opposite" of an entry is, when the user asks for it.
pub(super) fn opposite(entry: &Condition) -> Option<Condition> {
    let Condition::Signal(signal) = entry else { return None };
    if !matches!(signal.left.unit(), Unit::Rsi | Unit::Stochastic)
        && let Some(reverse) = usual_reverse(signal)
    {
        return Some(Condition::Signal(reverse));
    }
    // "RSI below 30" has many opposites; "RSI crosses above 50" has one.
    signal
        .relation
        .is_cross()
        .then(|| Condition::Signal(Signal { relation: signal.relation.reversed(), ..*signal }))
}

/// The reverse of a signal that is usually left on its reverse.
fn usual_reverse(signal: &Signal) -> Option<Signal> {
    let reversed = Signal { relation: signal.relation.reversed(), ..*signal };
    let close_or_average = matches!(signal.left, Series::CLOSE | Series::Average { .. });
    match signal.right {
        Operand::Series(Series::Average { .. }) if close_or_average => Some(reversed),
        Operand::Series(Series::Vwap { .. }) if close_or_average => Some(reversed),
        Operand::Series(Series::MacdSignal { .. }) => Some(reversed),
        Operand::Series(Series::StochasticD { .. } | Series::MinusDi { .. } | Series::PlusDi { .. }) => {
            signal.relation.is_cross().then_some(reversed)
        }
        Operand::Level(level) => match signal.left.unit() {
            Unit::Rsi | Unit::Stochastic => mirrored(signal, level),
            unit if unit.signed() => (level.get() == 0.0).then_some(reversed),
            _ => None,
        },
        Operand::Series(Series::Channel { extreme, period }) if signal.left == Series::CLOSE => {
            let broken = match extreme {
                Extreme::High => signal.relation.is_up(),
                Extreme::Low => !signal.relation.is_up(),
            };
            let extreme = match extreme {
                Extreme::High => Extreme::Low,
                Extreme::Low => Extreme::High,
            };
            broken
                .then_some(Signal { right: Operand::Series(Series::Channel { extreme, period }), ..reversed })
        }
        _ => None,
    }
}

/// "RSI below 30" is usually left above 70. Only where the two ranges lie apart.
fn mirrored(signal: &Signal, level: Number) -> Option<Signal> {
    let mirror = Number::new(100.0 - level.get())?;
    let apart = if signal.relation.is_up() { level >= mirror } else { level <= mirror };
    apart.then(|| Signal { relation: signal.relation.reversed(), right: Operand::Level(mirror), ..*signal })
}
