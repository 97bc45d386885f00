//! Tables: of the keys' health, 80 columns at most, of backtests, and of what is kept.

mod kept;

pub(crate) use kept::{books, entries, ranking, strategy};

use keyrot::{KeyStatus, Status, in_words, untrusted};
use strategy_gen::backtest::DatasetReport;

/// The table, a line per key.
pub(crate) fn health(status: &Status) -> String {
    let width = |f: fn(&KeyStatus) -> usize, least: usize, most: usize| {
        status.keys.iter().map(f).max().unwrap_or(0).clamp(least, most)
    };
    let key = width(|k| k.key_id.as_str().len(), 3, 18);
    let project = width(|k| k.project.as_str().len(), 7, 16);
    let mut text = format!("{:key$}  {:project$}  {:>4}  {:>6}  state", "key", "project", "ok", "errors");
    for k in &status.keys {
        let state = match (&k.why, k.until) {
            (None, _) => "ready".to_owned(),
            (Some(why), None) => first_line(why).to_owned(),
            (Some(why), Some(until)) => format!("{}, {}", first_line(why), in_words(until.since(status.at))),
        };
        let row = format!(
            "{:key$}  {:project$}  {:>4}  {:>6}  {state}",
            cut(k.key_id.as_str(), key),
            cut(k.project.as_str(), project),
            k.success_count,
            k.error_count
        );
        text.push('\n');
        text.push_str(&cut(&row, 80));
    }
    text
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// At most `most` characters on one line, with an ellipsis where something was cut.
fn cut(text: &str, most: usize) -> String {
    let text = untrusted::one_line(text);
    if text.chars().count() <= most {
        return text.into_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// The headline of each backtest, a line each.
pub(crate) fn results(results: &[DatasetReport]) -> String {
    let name = results.iter().map(|result| result.dataset.chars().count()).max().unwrap_or(0).clamp(7, 20);
    let mut text = format!(
        "{:name$} {:>9} {:>9} {:>6} {:>6} {:>8} {:>6} {:>5}  {}",
        "data", "return", "buy&hold", "trades", "won", "max DD", "Sharpe", "held", "costs"
    );
    for result in results {
        let Some(m) = &result.metrics else {
            text.push_str(&format!("\n{:name$} failed", cut(&result.dataset, name)));
            continue;
        };
        let percent =
            |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}%"));
        let sharpe = m.sharpe.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        text.push_str(&format!(
            "\n{:name$} {:>9} {:>9} {:>6} {:>6} {:>8} {:>6} {:>5}  {}",
            cut(&result.dataset, name),
            percent(Some(m.return_pct)),
            percent(Some(m.benchmark_pct)),
            m.trades,
            percent(m.win_rate_pct),
            percent(Some(m.max_drawdown_pct)),
            sharpe,
            m.exposure_pct.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}%")),
            result.costs,
        ));
    }
    text
}
