//! Lines: prices and indicators.

use std::fmt;

use serde::Serialize;

use super::Number;

/// A column of the price data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Price {
    /// First price of the bar.
    Open,
    /// Highest price of the bar.
    High,
    /// Lowest price of the bar.
    Low,
    /// Last price of the bar.
    Close,
    /// Pieces traded in the bar.
    Volume,
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
        })
    }
}

/// How a moving average weighs its bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// Every bar counts the same.
    Simple,
    /// Recent bars count more; seeded with the simple mean of the first bars.
    Exponential,
    /// Linear weights: the current bar counts most.
    Weighted,
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

/// Periods of the stochastic oscillator, in bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StochasticPeriods {
    /// The range that the close is placed in.
    pub range: u32,
    /// Simple average that makes %K.
    pub smoothing: u32,
    /// Simple average of %K that makes %D.
    pub signal: u32,
}

impl StochasticPeriods {
    /// The usual 14, 3, 3.
    pub const STANDARD: Self = Self { range: 14, smoothing: 3, signal: 3 };
}

/// A line that has a value on every bar. Periods count bars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Series {
    /// A price column.
    Price {
        /// Which column.
        column: Price,
        /// So many bars before the current one.
        ago: u32,
    },
    /// A moving average.
    Average {
        /// How it weighs.
        kind: Average,
        /// Bars.
        period: u32,
        /// The column that is averaged.
        of: Price,
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
    /// Wilder's average true range.
    Atr {
        /// Bars.
        period: u32,
    },
    /// %K of the stochastic oscillator, 0 to 100.
    StochasticK {
        /// Its periods.
        periods: StochasticPeriods,
    },
    /// %D of the stochastic oscillator, 0 to 100.
    StochasticD {
        /// Its periods.
        periods: StochasticPeriods,
    },
    /// Wilder's average directional index, 0 to 100.
    Adx {
        /// Bars.
        period: u32,
    },
    /// Wilder's +DI.
    PlusDi {
        /// Bars.
        period: u32,
    },
    /// Wilder's -DI.
    MinusDi {
        /// Bars.
        period: u32,
    },
    /// Commodity channel index.
    Cci {
        /// Bars.
        period: u32,
    },
    /// Per cent that Close gained since so many bars ago.
    Roc {
        /// Bars.
        period: u32,
    },
    /// Close less that of so many bars ago.
    Momentum {
        /// Bars.
        period: u32,
    },
    /// Volume-weighted average price of the last bars.
    Vwap {
        /// Bars.
        period: u32,
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
    Volume,
    Rsi,
    Macd,
    Histogram,
    /// A distance in prices: ATR, momentum.
    Distance,
    Stochastic,
    Directional,
    Cci,
    Percent,
}

impl Unit {
    /// Whether values lie between 0 and 100.
    pub(crate) const fn bounded(self) -> bool {
        matches!(self, Self::Rsi | Self::Stochastic | Self::Directional)
    }

    /// Whether 0 parts bullish from bearish.
    pub(crate) const fn signed(self) -> bool {
        matches!(self, Self::Macd | Self::Histogram | Self::Cci | Self::Percent | Self::Distance)
    }
}

impl Series {
    pub(crate) const CLOSE: Self = Self::price(Price::Close);

    /// A column of the current bar.
    pub(crate) const fn price(column: Price) -> Self {
        Self::Price { column, ago: 0 }
    }

    /// An average of Close.
    pub(crate) const fn average(kind: Average, period: u32) -> Self {
        Self::Average { kind, period, of: Price::Close }
    }

    pub(crate) const fn unit(&self) -> Unit {
        match self {
            Self::Price { column: Price::Volume, .. } | Self::Average { of: Price::Volume, .. } => {
                Unit::Volume
            }
            Self::Price { .. }
            | Self::Average { .. }
            | Self::Bollinger { .. }
            | Self::Channel { .. }
            | Self::Vwap { .. } => Unit::Price,
            Self::Rsi { .. } => Unit::Rsi,
            Self::Macd { .. } | Self::MacdSignal { .. } => Unit::Macd,
            Self::MacdHistogram { .. } => Unit::Histogram,
            Self::Atr { .. } | Self::Momentum { .. } => Unit::Distance,
            Self::StochasticK { .. } | Self::StochasticD { .. } => Unit::Stochastic,
            Self::Adx { .. } | Self::PlusDi { .. } | Self::MinusDi { .. } => Unit::Directional,
            Self::Cci { .. } => Unit::Cci,
            Self::Roc { .. } => Unit::Percent,
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
            Self::StochasticD { periods } => Self::StochasticK { periods },
            Self::Bollinger { period, deviations, .. } => {
                Self::Bollinger { band: Band::Middle, period, deviations }
            }
            other => other,
        }
    }

    /// The parameters, the periods first, with the ends of their names.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, Number)> {
        match *self {
            Self::Price { .. } => Vec::new(),
            Self::Average { period, .. }
            | Self::Rsi { period }
            | Self::Channel { period, .. }
            | Self::Atr { period }
            | Self::Adx { period }
            | Self::PlusDi { period }
            | Self::MinusDi { period }
            | Self::Cci { period }
            | Self::Roc { period }
            | Self::Momentum { period }
            | Self::Vwap { period } => vec![("period", period.into())],
            Self::Macd { periods: p }
            | Self::MacdSignal { periods: p }
            | Self::MacdHistogram { periods: p } => {
                vec![
                    ("fast_period", p.fast.into()),
                    ("slow_period", p.slow.into()),
                    ("signal_period", p.signal.into()),
                ]
            }
            Self::StochasticK { periods: p } | Self::StochasticD { periods: p } => vec![
                ("period", p.range.into()),
                ("smoothing", p.smoothing.into()),
                ("signal_period", p.signal.into()),
            ],
            Self::Bollinger { period, deviations, .. } => {
                vec![("period", period.into()), ("deviations", deviations)]
            }
        }
    }

    /// Every number that a user may have stated for it.
    pub(crate) fn numbers(&self) -> Vec<Number> {
        match *self {
            Self::Price { ago, .. } if ago > 0 => vec![ago.into()],
            _ => self.parameters().into_iter().map(|(_, number)| number).collect(),
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Price { column, ago: 0 } => write!(f, "{column}"),
            Self::Price { column, ago: 1 } => write!(f, "{column} of the bar before"),
            Self::Price { column, ago } => write!(f, "{column} of {ago} bars before"),
            Self::Average { kind, period, of } => {
                let kind = match kind {
                    Average::Simple => "SMA",
                    Average::Exponential => "EMA",
                    Average::Weighted => "WMA",
                };
                match of {
                    Price::Close => write!(f, "{kind}({period})"),
                    other => write!(f, "{kind}({period}) of {other}"),
                }
            }
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
            Self::Atr { period } => write!(f, "ATR({period})"),
            Self::StochasticK { periods: p } => {
                write!(f, "Stochastic({},{},{}) %K", p.range, p.smoothing, p.signal)
            }
            Self::StochasticD { periods: p } => {
                write!(f, "Stochastic({},{},{}) %D", p.range, p.smoothing, p.signal)
            }
            Self::Adx { period } => write!(f, "ADX({period})"),
            Self::PlusDi { period } => write!(f, "+DI({period})"),
            Self::MinusDi { period } => write!(f, "-DI({period})"),
            Self::Cci { period } => write!(f, "CCI({period})"),
            Self::Roc { period } => write!(f, "ROC({period})"),
            Self::Momentum { period } => write!(f, "momentum({period})"),
            Self::Vwap { period } => write!(f, "VWAP({period})"),
            Self::Channel { extreme: Extreme::High, period } => {
                write!(f, "high of the previous {period} bars")
            }
            Self::Channel { extreme: Extreme::Low, period } => write!(f, "low of the previous {period} bars"),
        }
    }
}
