//! What a strategy is, once understood: typed rules with every number resolved.

mod number;
mod series;

use std::fmt;

use serde::Serialize;

pub use number::Number;
pub(crate) use series::Unit;
pub use series::{Average, Band, Extreme, MacdPeriods, Price, Series};

/// How two values stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Left is greater now.
    Above,
    /// Left is greater or equal now.
    AtOrAbove,
    /// Left is smaller now.
    Below,
    /// Left is smaller or equal now.
    AtOrBelow,
    /// Left was at or below right on the bar before and is above it now.
    CrossesAbove,
    /// Left was at or above right on the bar before and is below it now.
    CrossesBelow,
}

impl Relation {
    /// The same statement in the other direction: what "the reverse" means.
    pub(crate) const fn reversed(self) -> Self {
        match self {
            Self::Above => Self::Below,
            Self::AtOrAbove => Self::AtOrBelow,
            Self::Below => Self::Above,
            Self::AtOrBelow => Self::AtOrAbove,
            Self::CrossesAbove => Self::CrossesBelow,
            Self::CrossesBelow => Self::CrossesAbove,
        }
    }

    /// Whether it is an event of one bar and not a state.
    pub(crate) const fn is_cross(self) -> bool {
        matches!(self, Self::CrossesAbove | Self::CrossesBelow)
    }

    /// Whether it points up.
    pub(crate) const fn is_up(self) -> bool {
        matches!(self, Self::Above | Self::AtOrAbove | Self::CrossesAbove)
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Above => ">",
            Self::AtOrAbove => ">=",
            Self::Below => "<",
            Self::AtOrBelow => "<=",
            Self::CrossesAbove => "crosses above",
            Self::CrossesBelow => "crosses below",
        })
    }
}

/// The right side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operand {
    /// A fixed level.
    Level(Number),
    /// Another line.
    Series(Series),
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(number) => number.fmt(f),
            Self::Series(series) => series.fmt(f),
        }
    }
}

/// One comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Signal {
    /// What is watched.
    pub left: Series,
    /// What must hold.
    pub relation: Relation,
    /// Against what.
    pub right: Operand,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.left, self.relation, self.right)
    }
}

/// When something is done.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A single comparison.
    Signal(Signal),
    /// All of them on the same bar.
    All(Vec<Self>),
    /// At least one of them.
    Any(Vec<Self>),
}

impl Condition {
    /// Every comparison in reading order.
    pub fn signals(&self) -> Vec<&Signal> {
        match self {
            Self::Signal(signal) => vec![signal],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::signals).collect(),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, word) = match self {
            Self::Signal(signal) => return signal.fmt(f),
            Self::All(parts) => (parts, " and "),
            Self::Any(parts) => (parts, " or "),
        };
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                f.write_str(word)?;
            }
            match part {
                Self::Signal(signal) => signal.fmt(f)?,
                group => write!(f, "({group})")?,
            }
        }
        Ok(())
    }
}

/// When one side of the market is entered and left.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Opens the position.
    pub entry: Condition,
    /// Closes it; `None` when only the stop or the target does.
    pub exit: Option<Condition>,
}

/// A whole strategy. At least one side is present.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StrategySpec {
    /// Rules for long positions.
    pub long: Option<Side>,
    /// Rules for short positions.
    pub short: Option<Side>,
    /// Loss at which a position is closed, in per cent of the signal bar's close.
    pub stop_loss_pct: Option<Number>,
    /// Gain at which a position is closed, in per cent of the signal bar's close.
    pub take_profit_pct: Option<Number>,
    /// What the text left open and how it was read.
    pub assumptions: Vec<String>,
}

impl StrategySpec {
    /// The rules in one line each, to be read back to the user.
    pub fn rules(&self) -> Vec<String> {
        let mut rules = Vec::new();
        for (side, enter, leave) in [(&self.long, "buy", "sell"), (&self.short, "short", "cover")] {
            let Some(side) = side else { continue };
            rules.push(format!("{enter} when {}", side.entry));
            rules.extend(side.exit.as_ref().map(|exit| format!("{leave} when {exit}")));
        }
        rules.extend(self.stop_loss_pct.map(|pct| format!("stop loss {pct} %")));
        rules.extend(self.take_profit_pct.map(|pct| format!("take profit {pct} %")));
        rules
    }

    /// Every number of the rules.
    pub(crate) fn numbers(&self) -> Vec<Number> {
        let signals = self.conditions().flat_map(Condition::signals);
        let mut numbers: Vec<Number> = signals
            .flat_map(|signal| {
                let right = match signal.right {
                    Operand::Level(level) => vec![level],
                    Operand::Series(series) => series.numbers(),
                };
                signal.left.numbers().into_iter().chain(right)
            })
            .collect();
        numbers.extend(self.stop_loss_pct);
        numbers.extend(self.take_profit_pct);
        numbers
    }

    /// Every condition of the strategy.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.long.iter().chain(&self.short).flat_map(|side| std::iter::once(&side.entry).chain(&side.exit))
    }
}
