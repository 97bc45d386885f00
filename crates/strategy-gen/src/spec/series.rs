//! Lines: prices and indicators.

use std::fmt;

use serde::Serialize;

use super::Number;

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
