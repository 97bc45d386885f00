//! What a backtest gave, as reports show it.

use super::data::{Check, Figure, Run, Subject, Trade, Unit, Verdict};
use crate::backtest::{DatasetReport, Metrics};
use crate::data::Dataset;
use crate::shelf::{Headline, Sidecar};

impl Run {
    /// The backtest `result` on `data`.
    #[must_use]
    pub fn of(result: &DatasetReport, data: &Dataset) -> Self {
        let bars = &data.prices.bars;
        let first = bars.first().map_or(1.0, |bar| bar.close);
        let mut worth = data.costs.cash;
        let equity = bars.iter().enumerate().map(|(bar, _)| {
            // Before the first bar that the strategy sees, and where nothing was told, it is what it was.
            worth = result.equity.get(bar).copied().flatten().filter(|e| e.is_finite()).unwrap_or(worth);
            worth
        });
        let trade = |trade: &crate::backtest::Trade| Trade {
            entry: trade.entry_bar.min(bars.len().saturating_sub(1)),
            exit: trade.exit_bar.min(bars.len().saturating_sub(1)),
            size: trade.size,
            entry_price: trade.entry_price,
            exit_price: trade.exit_price,
            profit: trade.pnl,
        };
        Self {
            data: result.dataset.clone(),
            times: bars.iter().map(|bar| bar.time.saturating_mul(1_000)).collect(),
            prices: bars.iter().map(|bar| bar.close).collect(),
            equity: equity.collect(),
            benchmark: bars.iter().map(|bar| data.costs.cash * bar.close / first).collect(),
            trades: result.trades.iter().map(trade).collect(),
            figures: result.metrics.as_ref().map(figures).unwrap_or_default(),
            costs: format!(
                "cash {}, commission {} %, spread {} %",
                data.costs.cash,
                in_percent(data.costs.commission),
                in_percent(data.costs.spread)
            ),
        }
    }

    /// As much of a run as a ranking shows: its headline, and a curve of its equity.
    #[must_use]
    pub fn ranked(headline: &Headline, curve: Vec<f64>) -> Self {
        let figure = |name, value, unit| Figure { name, value, unit, verified: headline.verified };
        Self {
            data: headline.dataset.clone(),
            equity: curve,
            figures: vec![
                figure("return", headline.return_pct, Unit::Percent),
                figure("buy and hold", headline.benchmark_pct, Unit::Percent),
                figure("max drawdown", headline.max_drawdown_pct, Unit::Percent),
                figure("trades", headline.trades.map(|trades| trades as f64), Unit::Count),
                figure("win rate", headline.win_rate_pct, Unit::Percent),
            ],
            ..Self::default()
        }
    }
}

impl Subject {
    /// The strategy that `sidecar` is about, with its file's text and its backtests.
    #[must_use]
    pub fn of(sidecar: &Sidecar, code: &str, runs: Vec<Run>) -> Self {
        let check = |name: &str, verdict| Check { name: name.to_owned(), verdict, detail: String::new() };
        let looked = sidecar.run.iter().flat_map(|run| &run.results).filter_map(|result| result.looks_ahead);
        let look_ahead = looked.fold(Verdict::Skipped, |so_far, found| match (so_far, found) {
            (Verdict::Failed, _) | (_, true) => Verdict::Failed,
            _ => Verdict::Passed,
        });
        Self {
            name: sidecar.name.clone(),
            description: sidecar.description.clone(),
            model: sidecar.model.clone(),
            date: sidecar.date.chars().take(10).collect(),
            command: sidecar.command.clone(),
            parameters: sidecar
                .parameters
                .iter()
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect(),
            assumptions: sidecar.assumptions.clone(),
            checks: vec![
                check("syntax", sidecar.checks.syntax),
                check("policy", sidecar.checks.policy),
                check("fidelity", sidecar.checks.fidelity),
                check("look-ahead", look_ahead),
            ],
            warnings: sidecar.warnings.clone(),
            code: code.to_owned(),
            runs,
        }
    }
}

fn figures(metrics: &Metrics) -> Vec<Figure> {
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    let own = |name, value, unit| Figure { name, value: finite(value), unit, verified: metrics.verified };
    let told = |name, value, unit| Figure { name, value: finite(value), unit, verified: false };
    vec![
        own("return", Some(metrics.return_pct), Unit::Percent),
        own("buy and hold", Some(metrics.benchmark_pct), Unit::Percent),
        own("max drawdown", Some(metrics.max_drawdown_pct), Unit::Percent),
        own("trades", Some(metrics.trades as f64), Unit::Count),
        own("win rate", metrics.win_rate_pct, Unit::Percent),
        told("Sharpe", metrics.sharpe, Unit::Ratio),
        told("exposure", metrics.exposure_pct, Unit::Percent),
    ]
}

fn in_percent(share: f64) -> f64 {
    (share * 1e6).round() / 1e4
}
