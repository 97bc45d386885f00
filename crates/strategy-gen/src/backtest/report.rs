//! The result of a run, for people, programs and the repair loop.

use keyrot::UntrustedText;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::draw::{Chart, Line};
use crate::data::Costs;
use crate::harness::{FRAMES, at_most};
use crate::sandbox::Limit;

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// 1; another number where fields change their meaning.
    pub schema: u32,
    /// In one word.
    pub status: Status,
    /// What was run.
    pub strategy: StrategyInfo,
    /// The layers of the sandbox, by name.
    pub sandbox: Vec<String>,
    /// From start to end, in milliseconds.
    pub took_ms: u64,
    /// One for each set of prices, in the order asked for.
    pub results: Vec<DatasetReport>,
    /// Why the run ended early, whatever the prices.
    pub failure: Option<Failure>,
    /// The first 4 KiB of what the strategy printed.
    pub output: UntrustedText,
}

impl Report {
    /// The exit code of a program that ends with this.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self.status {
            Status::Ok => 0,
            Status::Failed | Status::Unverified => 1,
            Status::Limit => 7,
        }
    }
}

/// What came of a run, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every backtest ended, and its figures are confirmed.
    Ok,
    /// The strategy failed.
    Failed,
    /// Figures do not follow from the trades and the prices, or something else wrote on the harness's channel.
    Unverified,
    /// The strategy was stopped at a limit.
    Limit,
}

/// What was run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StrategyInfo {
    /// The class; `None` where the file could not be loaded.
    pub name: Option<UntrustedText>,
    /// What the user calls the file.
    pub path: String,
    /// The parameters in force.
    pub params: Map<String, Value>,
}

/// One backtest.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DatasetReport {
    /// The prices.
    pub dataset: String,
    /// How many bars.
    pub bars: usize,
    /// The first bar.
    pub from: String,
    /// The last bar.
    pub to: String,
    /// What trading cost.
    pub costs: Costs,
    /// The headline; `None` where the backtest did not end.
    pub metrics: Option<Metrics>,
    /// All figures of backtesting.py under its own names, as the harness tells them: not confirmed.
    pub stats: Map<String, Value>,
    /// Every trade.
    pub trades: Vec<Trade>,
    /// What the last bar's orders opened, and nothing has closed: part of the return, and of no other figure.
    pub open: Vec<OpenTrade>,
    /// Money at the end of each bar, computed here.
    pub equity: Vec<Option<f64>>,
    /// Where each indicator went.
    pub indicators: Vec<IndicatorRange>,
    /// Orders that the strategy gave.
    pub orders: usize,
    /// Orders that the broker refused.
    pub rejected_orders: usize,
    /// Whether decisions depend on the future; `None` where it was not tried.
    pub look_ahead: Option<LookAhead>,
    /// The indicators' values, until the chart is drawn.
    #[serde(skip)]
    pub(crate) lines: Vec<Line>,
    /// backtesting.py's own chart, where one was asked for; [`report::plot`](crate::report::plot) makes a page of it.
    #[serde(skip)]
    pub plot: Option<Chart>,
    /// What to look at.
    pub warnings: Vec<Warning>,
    /// Why this backtest did not end.
    pub failure: Option<Failure>,
}

/// The headline, computed here from the trades and the prices that were handed out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Metrics {
    /// Gain on the cash at the start, in percent.
    pub return_pct: f64,
    /// Gain of who buys on the first bar's close and holds to the last, in percent.
    pub benchmark_pct: f64,
    /// How many trades.
    pub trades: usize,
    /// Share of trades with a gain after commission, in percent.
    pub win_rate_pct: Option<f64>,
    /// Deepest fall from a peak, in percent; 0 or below.
    pub max_drawdown_pct: f64,
    /// Whether the harness told the same.
    pub verified: bool,
    /// Return of a year by its volatility, without a risk-free rate; `None` where the account never moves.
    pub sharpe: Option<f64>,
    /// Share of bars with a position, in percent.
    pub exposure_pct: Option<f64>,
    /// Commission in all.
    pub commission: f64,
}

/// One trade, or one part of a trade that was closed in parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trade {
    /// Units; below 0 for a short one.
    pub size: f64,
    /// Number of the bar, from 0.
    pub entry_bar: usize,
    /// Number of the bar, from 0.
    pub exit_bar: usize,
    /// Price paid, spread included.
    pub entry_price: f64,
    /// Price at the end.
    pub exit_price: f64,
    /// Stop-loss at the end.
    pub sl: Option<f64>,
    /// Take-profit at the end.
    pub tp: Option<f64>,
    /// Gain after commission.
    pub pnl: f64,
    /// Of entry and exit.
    pub commission: f64,
    /// Gain in percent.
    pub return_pct: Option<f64>,
    /// What the strategy called it.
    pub tag: Option<UntrustedText>,
    /// When it began; filled in here, from the prices.
    #[serde(default)]
    pub entry_time: String,
    /// When it ended; filled in here, from the prices.
    #[serde(default)]
    pub exit_time: String,
}

/// A trade that has not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OpenTrade {
    /// Units; below 0 for a short one.
    pub size: f64,
    /// Number of the bar, from 0.
    pub entry_bar: usize,
    /// Price paid, spread included.
    pub entry_price: f64,
}

/// Where an indicator went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IndicatorRange {
    /// Its name.
    pub name: UntrustedText,
    /// Lowest value.
    pub min: Option<f64>,
    /// Highest value.
    pub max: Option<f64>,
    /// The first bar on which it has a value; `None` where it never has.
    pub first_bar: Option<usize>,
}

/// Runs on the first bars alone, compared with the run on all. No difference is no proof of honesty.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LookAhead {
    /// How many were tried.
    pub cuts: usize,
    /// What was not the same.
    pub differences: Vec<Difference>,
}

/// What was not the same without the bars from `cut` on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Difference {
    /// How many bars there were.
    pub cut: usize,
    /// `orders`, `exits`, `indicator` or `error`.
    pub what: UntrustedText,
    /// Which.
    pub detail: UntrustedText,
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Warning {
    /// For machines: `no_trades`, `rejected_orders`, `look_ahead`, `few_trades`, `data`, `library`, `plot`,
    /// `unverified`, `other_data`, `leftover`.
    pub code: &'static str,
    /// For people.
    pub message: UntrustedText,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Why a run or a backtest did not end.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The strategy failed: what a model can repair.
    Strategy {
        /// `load`, `params` or `run`.
        stage: UntrustedText,
        /// From the outermost error to its cause.
        errors: Vec<ErrorInChain>,
        /// The remedy, where the error is a known one.
        hint: Option<String>,
    },
    /// It used too much.
    Limit {
        /// Of what.
        limit: Limit,
        /// In words.
        message: String,
    },
}

/// One error of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorInChain {
    /// Its class.
    #[serde(rename = "type")]
    pub class: UntrustedText,
    /// What it says.
    pub message: UntrustedText,
    /// The lines of the strategy that it passed, the innermost last.
    #[serde(deserialize_with = "at_most::<FRAMES, _, _>")]
    pub frames: Vec<Frame>,
    /// The system's number, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
}

/// A line of the strategy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Frame {
    /// From 1.
    pub line: usize,
    /// The function it is in.
    pub function: UntrustedText,
    /// Its text.
    pub code: UntrustedText,
}

impl Failure {
    /// In one line, with the line of the strategy where it is known.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::Limit { message, .. } => message.clone(),
            Self::Strategy { errors, stage, .. } => {
                let frame = errors.iter().rev().find_map(|error| error.frames.last());
                let place = frame.map_or_else(String::new, |frame| format!("line {}: ", frame.line));
                let chain: Vec<_> = errors.iter().map(|e| format!("{}: {}", e.class, e.message)).collect();
                let chain = if chain.is_empty() {
                    format!("failed in stage `{stage}`")
                } else {
                    chain.join("; because of ")
                };
                format!("{place}{chain}")
            }
        }
    }
}
