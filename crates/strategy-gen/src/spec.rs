//! What a strategy is, once understood: typed rules with every number resolved.

mod number;
mod risk;
mod series;

use std::fmt;

use serde::Serialize;

pub use number::Number;
pub use risk::{Distance, Size, Target};
pub(crate) use series::Unit;
pub use series::{Average, Band, Extreme, MacdPeriods, Price, Series, StochasticPeriods};

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
    /// What holds whenever this state does not; `None` for an event, whose contrary is no event.
    pub(crate) const fn complement(self) -> Option<Self> {
        match self {
            Self::Above => Some(Self::AtOrBelow),
            Self::AtOrAbove => Some(Self::Below),
            Self::Below => Some(Self::AtOrAbove),
            Self::AtOrBelow => Some(Self::Above),
            Self::CrossesAbove | Self::CrossesBelow => None,
        }
    }

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
    /// So many times another line.
    Scaled {
        /// The line.
        series: Series,
        /// How often.
        factor: Number,
    },
    /// A line moved by a part of itself.
    Offset {
        /// The line.
        series: Series,
        /// Per cent; negative lies below.
        percent: Number,
    },
    /// A line as it was before.
    Earlier {
        /// The line.
        series: Series,
        /// So many bars ago.
        bars: u32,
    },
}

impl Operand {
    /// The line it is made of.
    pub const fn series(&self) -> Option<Series> {
        match self {
            Self::Level(_) => None,
            Self::Series(series)
            | Self::Scaled { series, .. }
            | Self::Offset { series, .. }
            | Self::Earlier { series, .. } => Some(*series),
        }
    }

    fn numbers(&self) -> Vec<Number> {
        let own = match *self {
            Self::Level(number) | Self::Scaled { factor: number, .. } => Some(number),
            Self::Offset { percent, .. } => Number::new(percent.get().abs()),
            Self::Series(_) => None,
            Self::Earlier { bars, .. } => Some(bars.into()),
        };
        own.into_iter().chain(self.series().iter().flat_map(Series::numbers)).collect()
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(number) => number.fmt(f),
            Self::Series(series) => series.fmt(f),
            Self::Scaled { series, factor } => write!(f, "{factor} x {series}"),
            Self::Offset { series, percent } if percent.get() < 0.0 => {
                write!(f, "{series} less {} %", -percent.get())
            }
            Self::Offset { series, percent } => write!(f, "{series} plus {percent} %"),
            Self::Earlier { series, bars: 1 } => write!(f, "{series} of the bar before"),
            Self::Earlier { series, bars } => write!(f, "{series} of {bars} bars before"),
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
    /// On each of the last bars, the current one included.
    Held {
        /// What holds.
        condition: Box<Self>,
        /// On so many bars.
        bars: u32,
    },
}

impl Condition {
    /// Every comparison in reading order.
    pub fn signals(&self) -> Vec<&Signal> {
        match self {
            Self::Signal(signal) => vec![signal],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::signals).collect(),
            Self::Held { condition, .. } => condition.signals(),
        }
    }

    fn numbers(&self) -> Vec<Number> {
        match self {
            Self::Signal(signal) => signal.left.numbers().into_iter().chain(signal.right.numbers()).collect(),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::numbers).collect(),
            Self::Held { condition, bars } => {
                std::iter::once(Number::from(*bars)).chain(condition.numbers()).collect()
            }
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, word) = match self {
            Self::Signal(signal) => return signal.fmt(f),
            Self::All(parts) => (parts, " and "),
            Self::Any(parts) => (parts, " or "),
            Self::Held { condition, bars } => return write!(f, "({condition}) for {bars} bars"),
        };
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                f.write_str(word)?;
            }
            match part {
                Self::Signal(_) | Self::Held { .. } => part.fmt(f)?,
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
    /// Loss at which a position is closed.
    pub stop_loss: Option<Distance>,
    /// As a stop, but it follows the best close of the position.
    pub trailing_stop: Option<Distance>,
    /// Gain at which a position is closed.
    pub take_profit: Option<Target>,
    /// A position is closed so many bars after it was opened.
    pub max_bars: Option<u32>,
    /// How much is bought.
    pub size: Size,
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
        rules.extend(self.stop_loss.map(|distance| format!("stop loss {distance}")));
        rules.extend(self.trailing_stop.map(|distance| format!("trailing stop {distance}")));
        rules.extend(self.take_profit.map(|target| format!("take profit {target}")));
        rules.extend(self.max_bars.map(|bars| format!("exit after {bars} bars")));
        rules.extend((self.size != Size::All).then(|| format!("size {}", self.size)));
        rules
    }

    /// Every number of the rules.
    pub(crate) fn numbers(&self) -> Vec<Number> {
        let mut numbers: Vec<Number> = self.conditions().flat_map(Condition::numbers).collect();
        for distance in self.stop_loss.iter().chain(&self.trailing_stop) {
            numbers.extend(distance.numbers());
        }
        numbers.extend(self.take_profit.iter().flat_map(Target::numbers));
        numbers.extend(self.max_bars.map(Number::from));
        numbers.extend(self.size.number());
        numbers
    }

    /// Every line of the rules and distances, once, in reading order.
    pub(crate) fn series(&self) -> Vec<Series> {
        let signals = self.conditions().flat_map(Condition::signals);
        let compared = signals.flat_map(|signal| std::iter::once(signal.left).chain(signal.right.series()));
        let target = match self.take_profit {
            Some(Target::Distance(distance)) => Some(distance),
            _ => None,
        };
        let distances = self.stop_loss.into_iter().chain(self.trailing_stop).chain(target);
        let mut all: Vec<Series> = Vec::new();
        for series in compared.chain(distances.filter_map(|distance| distance.series())) {
            if !all.contains(&series) {
                all.push(series);
            }
        }
        all
    }

    /// Every condition of the strategy.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.long.iter().chain(&self.short).flat_map(|side| std::iter::once(&side.entry).chain(&side.exit))
    }
}
