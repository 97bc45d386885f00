//! What is behind an error, or behind a backtest without trades, in words that help.

use serde_json::{Map, Value};

use super::report::{DatasetReport, ErrorInChain, IndicatorRange, Warning};

/// Part of an error's message, and what to do. The first that fits wins; the innermost cause is asked first.
const REMEDIES: [(&str, &str); 20] = [
    (
        "size must be a positive fraction",
        "a size is a share between 0 and 1, or a whole number of units: use `int(...)`, and skip the order at 0",
    ),
    (
        "Long orders require",
        "for a long order the stop-loss lies below the price and the take-profit above it",
    ),
    (
        "Short orders require",
        "for a short order the take-profit lies below the price and the stop-loss above it",
    ),
    (
        "'_Array' object has no attribute",
        "`self.data.Close` is an array: wrap it in `pd.Series(...)` inside the function given to `self.I`",
    ),
    (
        "'Position' object has no attribute",
        "a position has `size`, `pl`, `pl_pct`, `is_long`, `is_short` and `close()`; prices are in `self.trades[-1]`",
    ),
    (
        "'Trade' object has no attribute",
        "a trade has `size`, `entry_price`, `entry_bar`, `pl`, `pl_pct`, `sl`, `tp`, `is_long` and `close()`",
    ),
    ("Column 'close'", "columns begin with a capital: `self.data.Close`"),
    ("'close'", "columns begin with a capital: `self.data.Close`"),
    (
        "must be a pandas.DataFrame with columns",
        "the strategy is run for you, on prices that are there already",
    ),
    ("Column '", "the columns are `Open`, `High`, `Low`, `Close` and `Volume`"),
    ("takes 1 positional argument but", "do not override `__init__`: set things up in `init(self)`"),
    ("__init__() ", "do not override `__init__`: set things up in `init(self)`"),
    (
        "must return (optionally a tuple of) numpy.arrays",
        "the function given to `self.I` returns an array as long as the data",
    ),
    ("-1", "compute the indicator in `init` with `self.I(...)`: a plain Series has no last value at `[-1]`"),
    ("truth value of", "compare the last values, as in `self.rsi[-1] < 30`, not whole arrays"),
    ("unexpected keyword argument", "`buy` and `sell` take `size`, `limit`, `stop`, `sl`, `tp` and `tag`"),
    ("Operation not permitted", "a strategy reads and writes nothing: the prices are in `self.data`"),
    ("Permission denied", "a strategy reads and writes nothing: the prices are in `self.data`"),
    (
        "No module named",
        "import backtesting, numpy, pandas, indicators and the calculating parts of the standard library alone",
    ),
    ("expected one class", "keep exactly one class that derives from `Strategy`"),
];

/// Columns as some write them, in the words of a `KeyError`.
const LOWER: [&str; 5] = ["'open'", "'high'", "'low'", "'close'", "'volume'"];

/// The remedy for a known error.
pub(super) fn remedy(errors: &[ErrorInChain]) -> Option<String> {
    errors.iter().rev().find_map(|error| {
        let fits = |part: &str| match part {
            // The whole message of a `KeyError`.
            "-1" => error.class == "KeyError" && error.message == "-1",
            "'close'" => error.class == "KeyError" && LOWER.contains(&error.message.as_str()),
            part => error.message.as_str().contains(part),
        };
        REMEDIES.iter().find(|(part, _)| fits(part)).map(|(_, remedy)| (*remedy).to_owned())
    })
}

/// Names of parameters that are no thresholds.
const OTHER_PARAMETERS: [&str; 16] = [
    "period", "window", "length", "lookback", "fast", "slow", "signal", "size", "stop", "profit", "pct",
    "percent", "atr", "std", "mult", "days",
];

/// What the figures of a backtest give cause to say.
pub(super) fn warnings(report: &DatasetReport, params: &Map<String, Value>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |code, message: String, hint: &str| {
        warnings.push(Warning {
            code,
            message: message.into(),
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
        });
    };
    if report.trades.is_empty() {
        let (message, hint) = no_trades(report, params);
        warn("no_trades", message, hint);
    } else if report.rejected_orders > 0 {
        warn(
            "rejected_orders",
            format!(
                "the broker refused {} of the orders: there was not enough money",
                report.rejected_orders
            ),
            "use a smaller size, or more with `--cash`",
        );
    }
    if (1..10).contains(&report.trades.len()) {
        warn(
            "few_trades",
            format!("{} trades say little about a strategy", report.trades.len()),
            "try more data",
        );
    }
    if let Some(seen) = &report.look_ahead {
        let real: Vec<_> = seen.differences.iter().filter(|difference| difference.what != "error").collect();
        if let Some(first) = real.first() {
            let what = match first.what.as_str() {
                "indicator" => format!("the indicator `{}` has other values", first.detail),
                other => format!("its {other} are others"),
            };
            let message = format!(
                "the strategy looks into the future: without the bars from {} on, {what} ({} of {} tries differ)",
                first.cut,
                real.iter().map(|difference| difference.cut).collect::<std::collections::BTreeSet<_>>().len(),
                seen.cuts
            );
            warn("look_ahead", message, "use no negative shift, no value of the whole sample, no later bar");
        }
    }
    warnings
}

fn no_trades(report: &DatasetReport, params: &Map<String, Value>) -> (String, &'static str) {
    let DatasetReport { bars, orders, rejected_orders, indicators, .. } = report;
    if *rejected_orders > 0 {
        let message = format!(
            "no trades: the broker refused {rejected_orders} orders, as one unit costs more than is there"
        );
        return (message, "use a larger share as size, or more with `--cash`");
    }
    if *orders > 0 {
        let message = format!("no trades: none of the {orders} orders was filled");
        return (message, "limit and stop prices may lie where the price never went");
    }
    if let Some(late) = indicators.iter().find(|indicator| indicator.first_bar.is_none()) {
        let message = format!("no trades: `{}` has no value on any of the {bars} bars", late.name);
        return (message, "use more data or a shorter period");
    }
    let ranges: Vec<String> = indicators.iter().filter_map(range).collect();
    if ranges.is_empty() {
        return ("no trades: the strategy gave no order".to_owned(), "its conditions were never met");
    }
    let outside: Vec<String> = params
        .iter()
        .filter(|(name, _)| !OTHER_PARAMETERS.iter().any(|other| name.contains(other)))
        .filter_map(|(name, value)| Some((name, value.as_f64()?)))
        .filter(|(_, value)| !indicators.iter().any(|indicator| reaches(indicator, *value)))
        .map(|(name, value)| format!("`{name}` = {value}"))
        .collect();
    let never =
        if outside.is_empty() { String::new() } else { format!("; never reached: {}", outside.join(", ")) };
    (
        format!("no trades: the strategy gave no order; {}{never}", ranges.join(", ")),
        "its conditions were never met on these prices",
    )
}

fn range(indicator: &IndicatorRange) -> Option<String> {
    Some(format!("`{}` went from {:.4} to {:.4}", indicator.name, indicator.min?, indicator.max?))
}

fn reaches(indicator: &IndicatorRange, value: f64) -> bool {
    matches!((indicator.min, indicator.max), (Some(min), Some(max)) if min <= value && value <= max)
}
