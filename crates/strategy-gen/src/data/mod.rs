//! Prices to run strategies on.
//!
//! ```
//! use strategy_gen::data::synthetic;
//! let prices = synthetic::daily(7, 1_500);
//! assert_eq!(prices.bars.len(), 1_500);
//! assert!(prices.csv().starts_with("Date,Open,High,Low,Close,Volume\n2015-01-01,"));
//! ```

pub mod synthetic;

use std::fmt::Write as _;

use jiff::Timestamp;

const DAY: i64 = 86_400;

/// One bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// When it opens, in seconds since 1970-01-01 00:00 as the source writes its clock.
    pub time: i64,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// What was traded; 0 where the source does not say.
    pub volume: f64,
}

/// The bars of one instrument, in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    /// What the user calls it.
    pub name: String,
    /// The bars.
    pub bars: Vec<Bar>,
    /// What was mended while reading, one line each.
    pub notes: Vec<String>,
}

impl Prices {
    /// The bars as CSV with a header; the time of day only where there is one.
    pub fn csv(&self) -> String {
        let mut text = "Date,Open,High,Low,Close,Volume\n".to_owned();
        let daily = self.bars.iter().all(|bar| bar.time.rem_euclid(DAY) == 0);
        for Bar { time, open, high, low, close, volume } in &self.bars {
            let date = written(*time, daily);
            let _ = writeln!(text, "{date},{open},{high},{low},{close},{volume}");
        }
        text
    }
}

/// `2026-01-31`, or `2026-01-31 09:30:00`.
pub(crate) fn written(time: i64, daily: bool) -> String {
    let Ok(instant) = Timestamp::from_second(time) else { return time.to_string() };
    let format = if daily { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M:%S" };
    instant.strftime(format).to_string()
}
