//! What a backtest measured, as what a page shows.

use super::data::{Check, Figure, Run, Subject, Trade, Unit, Verdict};
use crate::backtest::{DatasetReport, Report};
use crate::data::Dataset;
use crate::python::Header;

impl Run {
    /// The backtest on `data`; `None` where it did not end.
    #[must_use]
    pub fn of(result: &DatasetReport, data: &Dataset) -> Option<Self> {
        let metrics = result.metrics.as_ref()?;
        let bars = &data.prices.bars;
        let first = bars.first().map_or(1.0, |bar| bar.close);
        let mut worth = data.costs.cash;
        // Where the account is not told, it is what it was.
        let equity = result.equity.iter().map(|told| {
            worth = told.unwrap_or(worth);
            worth
        });
        let figure = |name, value, unit| Figure { name, value, unit, verified: metrics.verified };
        let told = |name, key: &str, unit| Figure {
            name,
            value: result.stats.get(key).and_then(serde_json::Value::as_f64),
            unit,
            verified: false,
        };
        Some(Self {
            data: result.dataset.clone(),
            times: bars.iter().map(|bar| bar.time.saturating_mul(1_000)).collect(),
            prices: bars.iter().map(|bar| bar.close).collect(),
            equity: equity.collect(),
            benchmark: bars.iter().map(|bar| data.costs.cash * bar.close / first).collect(),
            trades: result.trades.iter().map(Trade::of).collect(),
            figures: vec![
                figure("return", Some(metrics.return_pct), Unit::Percent),
                figure("buy and hold", Some(metrics.benchmark_pct), Unit::Percent),
                figure("max drawdown", Some(metrics.max_drawdown_pct), Unit::Percent),
                figure("trades", Some(count(metrics.trades)), Unit::Count),
                figure("win rate", metrics.win_rate_pct, Unit::Percent),
                figure("commission", Some(metrics.commission), Unit::Count),
                figure("Sharpe", metrics.sharpe, Unit::Ratio),
                told("profit factor", "Profit Factor", Unit::Ratio),
                figure("time in the market", metrics.exposure_pct, Unit::Percent),
            ],
            costs: data.costs.to_string(),
        })
    }
}

impl Trade {
    fn of(trade: &crate::backtest::Trade) -> Self {
        let crate::backtest::Trade { entry_bar, exit_bar, size, entry_price, exit_price, pnl, .. } = *trade;
        Self { entry: entry_bar, exit: exit_bar, size, entry_price, exit_price, profit: pnl }
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^53 trades")]
fn count(trades: usize) -> f64 {
    trades as f64
}

impl Subject {
    /// What was run, with what its file says of itself. `checked` says whether the file passed the check before it was
    /// run; `command` repeats the run.
    #[must_use]
    pub fn of<'d>(
        report: &Report,
        data: impl IntoIterator<Item = &'d Dataset>,
        code: &str,
        checked: bool,
        command: String,
    ) -> Self {
        let Header { description, model, date, assumptions, command: _ } =
            Header::read(code).unwrap_or_default();
        let warnings = report.results.iter().flat_map(|result| {
            let of_this = |text: &str| format!("{}: {text}", result.dataset);
            let failed = result.failure.iter().map(move |failure| of_this(&failure.line()));
            failed.chain(result.warnings.iter().map(move |warning| of_this(warning.message.as_str())))
        });
        Self {
            name: report
                .strategy
                .name
                .as_ref()
                .map_or_else(|| report.strategy.path.clone(), ToString::to_string),
            description,
            model,
            date,
            command,
            parameters: report.strategy.params.iter().map(|(k, v)| (k.clone(), v.to_string())).collect(),
            assumptions,
            checks: checks(report, checked),
            warnings: report.failure.iter().map(crate::backtest::Failure::line).chain(warnings).collect(),
            code: code.to_owned(),
            runs: report
                .results
                .iter()
                .zip(data)
                .filter_map(|(result, data)| Run::of(result, data))
                .collect(),
        }
    }
}

fn checks(report: &Report, checked: bool) -> Vec<Check> {
    let check = |name: &str, verdict, detail: String| Check { name: name.to_owned(), verdict, detail };
    let mut checks = vec![if checked {
        check(
            "code",
            Verdict::Passed,
            "syntax, imports, look-ahead by reading, backtesting.py's own rules".to_owned(),
        )
    } else {
        check("code", Verdict::Skipped, String::new())
    }];
    for result in &report.results {
        if let Some(metrics) = &result.metrics {
            let (verdict, detail) = if metrics.verified {
                (Verdict::Passed, "computed again from the trades and the prices")
            } else {
                (Verdict::Failed, "what the strategy's process told does not follow from trades and prices")
            };
            checks.push(check(&format!("figures, {}", result.dataset), verdict, detail.to_owned()));
        }
        if let Some(look) = &result.look_ahead {
            let verdict = if look.differences.is_empty() { Verdict::Passed } else { Verdict::Failed };
            let detail = format!(
                "run on the first bars alone at {} places, {} differences; that none differs is no proof",
                look.cuts,
                look.differences.len()
            );
            checks.push(check(&format!("look-ahead, {}", result.dataset), verdict, detail));
        }
    }
    let confined = !report.sandbox.is_empty();
    let verdict = if confined { Verdict::Passed } else { Verdict::Skipped };
    checks.push(check("sandbox", verdict, report.sandbox.join(", ")));
    checks
}
