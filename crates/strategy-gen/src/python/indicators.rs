//! Indicator functions as Python text, inlined where a strategy uses them.
//!
//! They agree with TA-Lib, its seeding included: recursive averages start from the mean of their first values, the
//! MACD's two averages start on one bar, Bollinger bands use the population standard deviation.

use crate::spec::{Average, Extreme, Relation, Series, StrategySpec};

/// A piece of Python text that other pieces may need before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Recipe {
    Sma,
    Ema,
    Rsi,
    Macd,
    MacdHistogram,
    Bollinger,
    Channel,
    CrossesAbove,
    CrossesBelow,
}

impl Recipe {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Sma => include_str!("indicators/sma.py"),
            Self::Ema => include_str!("indicators/ema.py"),
            Self::Rsi => include_str!("indicators/rsi.py"),
            Self::Macd => include_str!("indicators/macd.py"),
            Self::MacdHistogram => include_str!("indicators/macd_histogram.py"),
            Self::Bollinger => include_str!("indicators/bollinger.py"),
            Self::Channel => include_str!("indicators/channel.py"),
            Self::CrossesAbove => include_str!("indicators/crosses_above.py"),
            Self::CrossesBelow => include_str!("indicators/crosses_below.py"),
        }
    }

    const fn needed_by(series: &Series) -> &'static [Self] {
        match series {
            Series::Price { .. } => &[],
            Series::Average { kind: Average::Simple, .. } => &[Self::Sma],
            Series::Average { kind: Average::Exponential, .. } => &[Self::Ema],
            Series::Rsi { .. } => &[Self::Rsi],
            Series::Macd { .. } | Series::MacdSignal { .. } => &[Self::Ema, Self::Macd],
            Series::MacdHistogram { .. } => &[Self::Ema, Self::Macd, Self::MacdHistogram],
            Series::Bollinger { .. } => &[Self::Bollinger],
            Series::Channel { .. } => &[Self::Channel],
        }
    }

    /// What a strategy needs, in an order in which each finds what it uses.
    pub(super) fn needed(spec: &StrategySpec) -> Vec<Self> {
        let signals: Vec<_> = spec.conditions().flat_map(crate::spec::Condition::signals).collect();
        let mut needed: Vec<Self> = spec.series().iter().flat_map(Self::needed_by).copied().collect();
        needed.extend(signals.iter().filter_map(|signal| match signal.relation {
            Relation::CrossesAbove => Some(Self::CrossesAbove),
            Relation::CrossesBelow => Some(Self::CrossesBelow),
            _ => None,
        }));
        needed.sort_unstable();
        needed.dedup();
        needed
    }
}

/// The function that computes one side of a channel.
pub(super) const fn channel_function(extreme: Extreme) -> &'static str {
    match extreme {
        Extreme::High => "previous_high",
        Extreme::Low => "previous_low",
    }
}
