//! Stops, targets and sizes.

use std::fmt;

use serde::Serialize;

use super::{Number, Series};

/// How far from the close of the signal bar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// Per cent of the price.
    Percent(Number),
    /// Average true ranges.
    Atr {
        /// How many.
        multiple: Number,
        /// Bars of the average.
        period: u32,
    },
}

impl Distance {
    pub(crate) const fn series(self) -> Option<Series> {
        match self {
            Self::Percent(_) => None,
            Self::Atr { period, .. } => Some(Series::Atr { period }),
        }
    }

    pub(crate) fn numbers(&self) -> Vec<Number> {
        match *self {
            Self::Percent(percent) => vec![percent],
            Self::Atr { multiple, period } => vec![multiple, period.into()],
        }
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent} %"),
            Self::Atr { multiple, period } => write!(f, "{multiple} x ATR({period})"),
        }
    }
}

/// Where a gain is taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// So far from the close of the signal bar.
    Distance(Distance),
    /// So many times the distance of the stop.
    Reward(Number),
}

impl Target {
    pub(crate) fn numbers(&self) -> Vec<Number> {
        match self {
            Self::Distance(distance) => distance.numbers(),
            Self::Reward(reward) => vec![*reward],
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Distance(distance) => distance.fmt(f),
            Self::Reward(reward) => write!(f, "{reward} x the stop's distance"),
        }
    }
}

/// How much is bought or sold short.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// All available cash.
    #[default]
    All,
    /// Per cent of the equity.
    Percent(Number),
    /// Pieces.
    Units(u32),
    /// So much that the stop loses these per cent of the equity.
    Risk(Number),
}

impl Size {
    pub(crate) fn number(self) -> Option<Number> {
        match self {
            Self::All => None,
            Self::Percent(number) | Self::Risk(number) => Some(number),
            Self::Units(units) => Some(units.into()),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all cash"),
            Self::Percent(percent) => write!(f, "{percent} % of equity"),
            Self::Units(units) => write!(f, "{units} units"),
            Self::Risk(percent) => write!(f, "{percent} % of equity at risk"),
        }
    }
}
