//! The figures of a backtest that are worth keeping.

use keyrot::UntrustedText;
use serde::{Deserialize, Serialize};

use crate::backtest::{DatasetReport, Report};
use crate::data::Costs;

use super::digest;

/// The last run of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// When, such as `2026-01-31T12:00:00Z`.
    pub at: UntrustedText,
    /// The file as it was run.
    pub sha256: String,
    /// The exit code of the run.
    pub exit_code: u8,
    /// One for each set of prices.
    pub results: Vec<Headline>,
    /// Why it ended early, whatever the prices.
    pub failure: Option<UntrustedText>,
}

/// The headline of one backtest; figures are `None` where it did not end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// The prices.
    pub dataset: UntrustedText,
    /// How many bars.
    pub bars: usize,
    /// The first bar.
    pub from: UntrustedText,
    /// The last bar.
    pub to: UntrustedText,
    /// What trading cost.
    pub costs: Costs,
    /// Gain on the cash at the start, in percent.
    pub return_pct: Option<f64>,
    /// Gain of buying and holding, in percent.
    pub benchmark_pct: Option<f64>,
    /// How many trades.
    pub trades: Option<usize>,
    /// Share of trades with a gain, in percent.
    pub win_rate_pct: Option<f64>,
    /// Deepest fall from a peak, in percent; 0 or below.
    pub max_drawdown_pct: Option<f64>,
    /// Return of a year by its volatility.
    pub sharpe: Option<f64>,
    /// Whether the figures are confirmed.
    pub verified: bool,
    /// Whether a difference between the run on all bars and on the first ones was found; `None` where not tried.
    pub looks_ahead: Option<bool>,
    /// Why it did not end.
    pub failure: Option<UntrustedText>,
}

impl LastRun {
    /// What is kept of `report`, a run of the file with the text `code`.
    #[must_use]
    pub fn of(report: &Report, code: &str, at: String) -> Self {
        Self {
            at: at.into(),
            sha256: digest(code),
            exit_code: report.exit_code(),
            results: report.results.iter().map(Headline::of).collect(),
            failure: report.failure.as_ref().map(|failure| failure.line().into()),
        }
    }

    /// Why there is no result, or not one for each set of prices.
    #[must_use]
    pub fn failed(&self) -> Option<&UntrustedText> {
        let of_one = || self.results.iter().find_map(|result| result.failure.as_ref());
        self.failure.as_ref().or_else(of_one)
    }
}

impl Headline {
    fn of(result: &DatasetReport) -> Self {
        let metrics = result.metrics.as_ref();
        // JSON has no word for what is not finite.
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        Self {
            dataset: result.dataset.as_str().into(),
            bars: result.bars,
            from: result.from.as_str().into(),
            to: result.to.as_str().into(),
            costs: result.costs,
            return_pct: finite(metrics.map(|m| m.return_pct)),
            benchmark_pct: finite(metrics.map(|m| m.benchmark_pct)),
            trades: metrics.map(|m| m.trades),
            win_rate_pct: finite(metrics.and_then(|m| m.win_rate_pct)),
            max_drawdown_pct: finite(metrics.map(|m| m.max_drawdown_pct)),
            sharpe: finite(metrics.and_then(|m| m.sharpe)),
            verified: metrics.is_some_and(|m| m.verified),
            looks_ahead: result.look_ahead.as_ref().map(|found| !found.differences.is_empty()),
            failure: result.failure.as_ref().map(|failure| failure.line().into()),
        }
    }
}
