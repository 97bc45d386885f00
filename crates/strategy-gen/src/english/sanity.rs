//! Rules that can never fire, always fire, or contradict each other.

use super::Refusal;
use crate::spec::{
    Condition, Distance, MacdPeriods, Number, Operand, Relation, Series, Side, Signal, Size, StrategySpec,
    Target,
};

/// Largest take profit, in per cent.
const MAX_TARGET: f64 = 1000.0;
/// Farthest stop or target, in average true ranges or in distances of the stop.
const MAX_ATRS: f64 = 100.0;
/// Widest Bollinger band, in standard deviations.
const MAX_DEVIATIONS: f64 = 10.0;

pub(super) fn check(spec: &StrategySpec) -> Result<(), Refusal> {
    for condition in spec.conditions() {
        for signal in condition.signals() {
            line(&signal.left)?;
            if let Some(series) = signal.right.series() {
                line(&series)?;
            }
            if let Operand::Level(value) = signal.right {
                level(signal, value)?;
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
        Series::StochasticK { periods } | Series::StochasticD { periods } => periods.range,
        Series::Atr { period }
        | Series::Adx { period }
        | Series::PlusDi { period }
        | Series::MinusDi { period }
        | Series::Cci { period } => *period,
        Series::Price { .. }
        | Series::Channel { .. }
        | Series::Roc { .. }
        | Series::Momentum { .. }
        | Series::Vwap { .. } => return Ok(()),
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
    if signal.left.unit().bounded() && !(value.get() > 0.0 && value.get() < 100.0) {
        return Err(Refusal::because(
            format!("`{signal}` cannot be a signal: it lies between 0 and 100"),
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
    let (Condition::All(parts) | Condition::Any(parts)) = condition else {
        return match condition {
            Condition::Held { condition, .. } => possible(condition),
            _ => Ok(()),
        };
    };
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
    let refuse = |message: String, hint: &str| Err(Refusal::because(message, hint));
    for (name, distance) in [("stop loss", spec.stop_loss), ("trailing stop", spec.trailing_stop)] {
        let Some(distance) = distance else { continue };
        let fits = match distance {
            Distance::Percent(percent) => percent.get() > 0.0 && percent.get() < 100.0,
            Distance::Atr { multiple, period } => {
                multiple.get() > 0.0 && multiple.get() <= MAX_ATRS && period > 1
            }
        };
        if !fits {
            return refuse(
                format!("a {name} of {distance} is impossible"),
                "use a distance between 0 and 100 %, or up to 100 ATR",
            );
        }
    }
    // The price of a short position cannot fall by more than all of it.
    let most = if spec.short.is_some() { 99.0 } else { MAX_TARGET };
    let fits = match spec.take_profit {
        None => true,
        Some(Target::Distance(Distance::Percent(percent))) => percent.get() > 0.0 && percent.get() <= most,
        Some(Target::Distance(Distance::Atr { multiple, period })) => {
            multiple.get() > 0.0 && multiple.get() <= MAX_ATRS && period > 1
        }
        Some(Target::Reward(reward)) => reward.get() > 0.0 && reward.get() <= MAX_ATRS,
    };
    if let Some(target) = spec.take_profit.filter(|_| !fits) {
        return refuse(
            format!("a take profit of {target} is impossible"),
            &format!("use a distance above 0 and up to {most} %"),
        );
    }
    let stopped = spec.stop_loss.is_some() || spec.trailing_stop.is_some();
    if matches!(spec.take_profit, Some(Target::Reward(_))) && !stopped {
        return refuse("a risk-reward ratio needs a stop".to_owned(), "add `5% stop loss`");
    }
    match spec.size {
        Size::Risk(_) if !stopped => refuse("a risk per trade needs a stop".to_owned(), "add `5% stop loss`"),
        Size::Percent(percent) | Size::Risk(percent) if !(percent.get() > 0.0 && percent.get() < 100.0) => {
            refuse(
                format!("a size of {percent} % is impossible"),
                "use between 0 and 100 %; without a size all cash is used",
            )
        }
        _ => Ok(()),
    }
}
