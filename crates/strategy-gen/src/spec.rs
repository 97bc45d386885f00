//! What a strategy is, once understood: typed rules with every number resolved.

use std::fmt;

use serde::{Serialize, Serializer};

/// A finite number exactly as precise as the user wrote it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Number(f64);

impl Number {
    /// Wraps a value; `None` when it is not finite.
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(value))
    }

    /// The value itself.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The value as a whole number, when it is one between 0 and `u32::MAX`.
    pub fn whole(self) -> Option<u32> {
        format!("{}", self.0).parse().ok()
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        Self(f64::from(value))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.whole() {
            Some(whole) => serializer.serialize_u32(whole),
            None => serializer.serialize_f64(self.0),
        }
    }
}

/// A column of the price data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Price {
    /// Highest price of the bar.
    High,
    /// Lowest price of the bar.
    Low,
    /// Last price of the bar.
    Close,
}

/// How a moving average weighs its bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// Every bar counts the same.
    Simple,
    /// Recent bars count more; seeded with the simple mean of the first bars.
    Exponential,
}

/// One of the three Bollinger lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// Mean plus the deviations.
    Upper,
    /// The mean.
    Middle,
    /// Mean minus the deviations.
    Lower,
}

/// Which extreme of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Extreme {
    /// The highest High.
    High,
    /// The lowest Low.
    Low,
}

/// Periods of the MACD, in bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MacdPeriods {
    /// Fast exponential average.
    pub fast: u32,
    /// Slow exponential average.
    pub slow: u32,
    /// Average of the difference.
    pub signal: u32,
}

impl MacdPeriods {
    /// The usual 12, 26, 9.
    pub const STANDARD: Self = Self { fast: 12, slow: 26, signal: 9 };
}

/// A line that has a value on every bar. Periods count bars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Series {
    /// A price column.
    Price {
        /// Which column.
        column: Price,
    },
    /// A moving average of Close.
    Average {
        /// How it weighs.
        kind: Average,
        /// Bars.
        period: u32,
    },
    /// Wilder's relative strength index of Close, 0 to 100.
    Rsi {
        /// Bars.
        period: u32,
    },
    /// The MACD line.
    Macd {
        /// Its periods.
        periods: MacdPeriods,
    },
    /// The MACD's signal line.
    MacdSignal {
        /// Its periods.
        periods: MacdPeriods,
    },
    /// The MACD line less its signal line.
    MacdHistogram {
        /// Its periods.
        periods: MacdPeriods,
    },
    /// A Bollinger line.
    Bollinger {
        /// Which line.
        band: Band,
        /// Bars.
        period: u32,
        /// Distance from the mean, in population standard deviations.
        deviations: Number,
    },
    /// Highest High or lowest Low of the `period` bars *before* the current one.
    Channel {
        /// High or low.
        extreme: Extreme,
        /// Bars.
        period: u32,
    },
}

/// What kind of value a line has; only like is compared with like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Price,
    Rsi,
    Macd,
    Histogram,
}

impl Series {
    pub(crate) const CLOSE: Self = Self::Price { column: Price::Close };

    pub(crate) const fn unit(&self) -> Unit {
        match self {
            Self::Price { .. } | Self::Average { .. } | Self::Bollinger { .. } | Self::Channel { .. } => {
                Unit::Price
            }
            Self::Rsi { .. } => Unit::Rsi,
            Self::Macd { .. } | Self::MacdSignal { .. } => Unit::Macd,
            Self::MacdHistogram { .. } => Unit::Histogram,
        }
    }

    /// Whether both are lines of the same indicator with the same parameters.
    pub(crate) fn same_indicator(&self, other: &Self) -> bool {
        self.indicator() == other.indicator()
    }

    /// A line that stands for all lines of its indicator.
    fn indicator(self) -> Self {
        match self {
            Self::MacdSignal { periods } | Self::MacdHistogram { periods } => Self::Macd { periods },
            Self::Bollinger { period, deviations, .. } => {
                Self::Bollinger { band: Band::Middle, period, deviations }
            }
            other => other,
        }
    }

    pub(crate) fn numbers(&self) -> Vec<Number> {
        match *self {
            Self::Price { .. } => Vec::new(),
            Self::Average { period, .. } | Self::Rsi { period } | Self::Channel { period, .. } => {
                vec![period.into()]
            }
            Self::Macd { periods } | Self::MacdSignal { periods } | Self::MacdHistogram { periods } => {
                vec![periods.fast.into(), periods.slow.into(), periods.signal.into()]
            }
            Self::Bollinger { period, deviations, .. } => vec![period.into(), deviations],
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Price { column: Price::Close } => f.write_str("close"),
            Self::Price { column: Price::High } => f.write_str("high"),
            Self::Price { column: Price::Low } => f.write_str("low"),
            Self::Average { kind: Average::Simple, period } => write!(f, "SMA({period})"),
            Self::Average { kind: Average::Exponential, period } => write!(f, "EMA({period})"),
            Self::Rsi { period } => write!(f, "RSI({period})"),
            Self::Macd { periods: p } => write!(f, "MACD({},{},{})", p.fast, p.slow, p.signal),
            Self::MacdSignal { periods: p } => {
                write!(f, "MACD({},{},{}) signal line", p.fast, p.slow, p.signal)
            }
            Self::MacdHistogram { periods: p } => {
                write!(f, "MACD({},{},{}) histogram", p.fast, p.slow, p.signal)
            }
            Self::Bollinger { band, period, deviations } => {
                let band = match band {
                    Band::Upper => "upper",
                    Band::Middle => "middle",
                    Band::Lower => "lower",
                };
                write!(f, "{band} Bollinger band({period}, {deviations})")
            }
            Self::Channel { extreme: Extreme::High, period } => {
                write!(f, "high of the previous {period} bars")
            }
            Self::Channel { extreme: Extreme::Low, period } => write!(f, "low of the previous {period} bars"),
        }
    }
}

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
