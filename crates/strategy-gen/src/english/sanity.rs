//! Rules that can never fire, always fire, or contradict each other.

use super::Refusal;
use crate::spec::{Condition, MacdPeriods, Number, Operand, Relation, Series, Side, Signal, StrategySpec};

/// Largest take profit, in per cent.
const MAX_TARGET: f64 = 1000.0;
/// Widest Bollinger band, in standard deviations.
const MAX_DEVIATIONS: f64 = 10.0;

pub(super) fn check(spec: &StrategySpec) -> Result<(), Refusal> {
    for condition in spec.conditions() {
        for signal in condition.signals() {
            line(&signal.left)?;
            match signal.right {
                Operand::Series(series) => line(&series)?,
                Operand::Level(value) => level(signal, value)?,
            }
        }
        possible(condition)?;
    }
    for side in spec.long.iter().chain(&spec.short) {
        leaves(side)?;
    }
    if let (Some(long), Some(short)) = (&spec.long, &spec.short)
        && overlap(&long.entry, &short.entry)
    {
        return Err(Refusal::because(
            format!("`{}` buys and `{}` shorts at the same time", long.entry, short.entry),
            "make the two conditions exclude each other",
        ));
    }
    distances(spec)
}

fn line(series: &Series) -> Result<(), Refusal> {
    let shortest = match series {
        Series::Average { period, .. } | Series::Rsi { period } | Series::Bollinger { period, .. } => *period,
        Series::Macd { periods: MacdPeriods { fast, signal, .. } }
        | Series::MacdSignal { periods: MacdPeriods { fast, signal, .. } }
        | Series::MacdHistogram { periods: MacdPeriods { fast, signal, .. } } => *fast.min(signal),
        Series::Price { .. } | Series::Channel { .. } => return Ok(()),
    };
    if shortest < 2 {
        return Err(Refusal::because(
            format!("`{series}` needs a period of at least 2"),
            "write `14-period RSI`",
        ));
    }
    if let Series::Bollinger { deviations, .. } = series
        && !(deviations.get() > 0.0 && deviations.get() <= MAX_DEVIATIONS)
    {
        return Err(Refusal::because(
            format!("`{series}` needs a width above 0 and up to {MAX_DEVIATIONS} standard deviations"),
            "the usual width is 2",
        ));
    }
    Ok(())
}

fn level(signal: &Signal, value: Number) -> Result<(), Refusal> {
    if matches!(signal.left, Series::Rsi { .. }) && !(value.get() > 0.0 && value.get() < 100.0) {
        return Err(Refusal::because(
            format!("`{signal}` cannot be a signal: the RSI lies between 0 and 100"),
            "use a level such as 30 or 70",
        ));
    }
    Ok(())
}

/// The open interval of values for which a state with a fixed level holds.
fn interval(signal: &Signal) -> Option<(f64, f64)> {
    let Operand::Level(level) = signal.right else { return None };
    match signal.relation {
        Relation::Above | Relation::AtOrAbove => Some((level.get(), f64::INFINITY)),
        Relation::Below | Relation::AtOrBelow => Some((f64::NEG_INFINITY, level.get())),
        Relation::CrossesAbove | Relation::CrossesBelow => None,
    }
}

/// Whether one comparison is the contrary of the other: both can never hold.
fn exclude(a: &Signal, b: &Signal) -> bool {
    if a.left != b.left {
        return false;
    }
    match (interval(a), interval(b)) {
        (Some((a_low, a_high)), Some((b_low, b_high))) => a_low.max(b_low) >= a_high.min(b_high),
        _ => a.right == b.right && a.relation.is_up() != b.relation.is_up(),
    }
}

fn possible(condition: &Condition) -> Result<(), Refusal> {
    let (Condition::All(parts) | Condition::Any(parts)) = condition else { return Ok(()) };
    for (index, part) in parts.iter().enumerate() {
        possible(part)?;
        for other in &parts[..index] {
            if part == other {
                return Err(Refusal::because(format!("`{part}` is said twice"), "drop one of them"));
            }
            if let (Condition::All(_), Condition::Signal(a), Condition::Signal(b)) = (condition, other, part)
                && exclude(a, b)
            {
                return Err(Refusal::because(
                    format!("`{condition}` can never be true"),
                    "join the two with `or`, or change a level",
                ));
            }
        }
    }
    Ok(())
}

/// Whether two conditions plainly hold at the same time.
fn overlap(a: &Condition, b: &Condition) -> bool {
    if a == b {
        return true;
    }
    match (a, b) {
        (Condition::Signal(a), Condition::Signal(b)) if a.left == b.left => {
            match (interval(a), interval(b)) {
                (Some(_), Some(_)) => !exclude(a, b),
                _ => false,
            }
        }
        _ => false,
    }
}

fn leaves(side: &Side) -> Result<(), Refusal> {
    match &side.exit {
        Some(exit) if overlap(&side.entry, exit) => Err(Refusal::because(
            format!("`{}` opens and `{exit}` closes the position at the same time", side.entry),
            "make the two conditions exclude each other",
        )),
        _ => Ok(()),
    }
}

fn distances(spec: &StrategySpec) -> Result<(), Refusal> {
    if let Some(stop) = spec.stop_loss_pct
        && !(stop.get() > 0.0 && stop.get() < 100.0)
    {
        return Err(Refusal::because(
            format!("a stop loss of {stop} % is impossible"),
            "use a distance between 0 and 100 %",
        ));
    }
    // The price of a short position cannot fall by more than all of it.
    let most = if spec.short.is_some() { 99.0 } else { MAX_TARGET };
    if let Some(target) = spec.take_profit_pct
        && !(target.get() > 0.0 && target.get() <= most)
    {
        return Err(Refusal::because(
            format!("a take profit of {target} % is impossible"),
            format!("use a distance above 0 and up to {most} %"),
        ));
    }
    Ok(())
}
