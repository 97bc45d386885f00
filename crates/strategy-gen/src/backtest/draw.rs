//! backtesting.py's own chart, drawn where the strategy is not.
//!
//! The strategy's process hands over numbers and short labels. A second process, in a sandbox of its own and with
//! folders of its own, draws from them and never loads the strategy, so that no script in a chart can be the
//! strategy's.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use keyrot::UntrustedText;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::folders::Folders;
use super::report::{DatasetReport, Report, Warning};
use super::runner::{RunError, Runner};
use crate::data::Dataset;
use crate::harness::{ToldLine, column_bytes};
use crate::sandbox::{Cancel, Ended, Limit, Limits, Output};

/// The text of the program that draws.
const SCRIPT: &str = include_str!("../harness/draw.py");
/// Its name among the input files.
const FILE: &str = "draw.py";
/// Bytes of one chart with its library, which alone is more than one million.
const LARGEST_CHART: usize = 16 << 20;
/// Bytes of a message: of a part of a chart, with its escapes.
const LONGEST_PART: usize = 8 << 20;
/// The most lines of one chart; the harness keeps to the same number.
const MOST_LINES: usize = 100;
/// The most lines that are known by name; the harness keeps to the same number.
const MOST_NAMED: usize = 500;
/// The most values of all lines of all charts of a run; the harness keeps to the same number.
const MOST_VALUES: usize = 1_000_000;
/// Characters of a label.
const LONGEST_LABEL: usize = 60;
/// Characters of a color's name; the longest is `lightgoldenrodyellow`.
const LONGEST_COLOR: usize = 24;

/// backtesting.py's own chart of one backtest: Bokeh's script, and the document that it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    pub(crate) library: Arc<str>,
    /// JSON.
    pub(crate) document: String,
}

/// One line of an indicator, made safe to show.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// Lines of one indicator share its number.
    indicator: usize,
    label: String,
    color: Option<String>,
    overlay: bool,
    plot: bool,
    scatter: bool,
    /// `None` where there is no room for them.
    values: Option<Vec<Option<f64>>>,
}

/// Keeps a line for the chart of its backtest; `None` where it belongs to none, or does not fit the prices.
pub(super) fn keep(report: &mut Report, line: ToldLine) -> Option<()> {
    let held = report.results.iter().flat_map(|result| &result.lines);
    let held: usize = held.filter_map(|line| line.values.as_ref()).map(Vec::len).sum();
    let result = report.results.get_mut(line.dataset).filter(|result| result.metrics.is_some())?;
    if result.lines.len() == MOST_NAMED {
        return None;
    }
    if line.values.as_ref().is_some_and(|values| values.len() != result.bars) {
        return None;
    }
    let fits = |values: &Vec<_>| held + values.len() <= MOST_VALUES && result.lines.len() < MOST_LINES;
    result.lines.push(Line {
        indicator: line.indicator,
        label: safe_label(line.label.as_str()),
        color: line.color.filter(|color| is_color(color.as_str())).map(|color| color.to_string()),
        overlay: line.overlay,
        plot: line.plot,
        scatter: line.scatter,
        values: line.values.filter(fits),
    });
    Some(())
}

/// A label without anything that HTML, a script, a formula or Bokeh's templates could take for more than text.
fn safe_label(text: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || " _(),.%+-[]=…".contains(c) { c } else { '_' };
    let label: String = text.chars().take(LONGEST_LABEL).map(safe).collect();
    if label.trim().is_empty() { "_".to_owned() } else { label }
}

/// Whether it is `#` with hexadecimal digits, or could be a color's name.
fn is_color(text: &str) -> bool {
    let hex = text.strip_prefix('#').is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
    text.len() <= LONGEST_COLOR && (hex || text.chars().all(|c| c.is_ascii_alphabetic()))
}

impl Runner {
    /// Draws a chart of every backtest of the report that has figures. What stands in the way of a chart is a warning.
    pub(super) fn draw(
        &self,
        data: &[Dataset],
        report: &mut Report,
        cancel: &Cancel,
    ) -> Result<(), RunError> {
        let mut drawn: Vec<usize> = Vec::new();
        let folders = Folders::new(&self.temporary)?;
        let mut charts = Vec::new();
        for (i, (result, data)) in report.results.iter_mut().zip(data).enumerate() {
            let lines = std::mem::take(&mut result.lines);
            if result.metrics.is_none() {
                continue;
            }
            if result.equity.len() != result.bars {
                result.warnings.push(not_drawn("the account does not have a value for each bar"));
                continue;
            }
            let (shown, left_out): (Vec<_>, Vec<_>) =
                lines.into_iter().partition(|line| line.values.is_some());
            if !left_out.is_empty() {
                result.warnings.push(not_all_drawn(shown.len(), left_out.len()));
            }
            charts.push(chart(&folders.input, i, result, data, &shown)?);
            drawn.push(i);
        }
        if drawn.is_empty() {
            return Ok(());
        }
        fs::write(folders.input.join(FILE), SCRIPT)?;
        fs::write(folders.input.join("job.json"), json!({ "charts": charts }).to_string())?;
        let mut pages = Pages::default();
        let size = (LONGEST_PART, LARGEST_CHART.saturating_mul(charts.len() + 1));
        let output = self.start(FILE, &folders, size, &mut |line| pages.line(line), cancel)?;
        pages.library = pages.texts.remove(&None).map(Arc::from);
        for (number, i) in drawn.into_iter().enumerate() {
            let Some(result) = report.results.get_mut(i) else { continue };
            match pages.take(number, &output, self.limits) {
                Ok(chart) => result.plot = Some(chart),
                Err(why) => result.warnings.push(not_drawn(&why)),
            }
        }
        if let Some(result) = report.results.first_mut() {
            result.warnings.extend(folders.close());
        }
        Ok(())
    }
}

/// One chart of the job; its numbers go to a file.
fn chart(
    input: &Path,
    i: usize,
    result: &DatasetReport,
    data: &Dataset,
    lines: &[Line],
) -> io::Result<Value> {
    let file = format!("numbers-{i}");
    let mut numbers = column_bytes(&data.prices.bars);
    let rows = lines.iter().filter_map(|line| line.values.as_ref());
    for row in std::iter::once(&result.equity).chain(rows) {
        numbers.extend(row.iter().flat_map(|value| value.unwrap_or(f64::NAN).to_le_bytes()));
    }
    fs::write(input.join(&file), numbers)?;
    let trades = &result.trades;
    let column = |of: &dyn Fn(&super::Trade) -> Value| Value::Array(trades.iter().map(of).collect());
    let indicators = lines.chunk_by(|a, b| a.indicator == b.indicator).filter_map(|rows| {
        let first = rows.first()?;
        Some(json!({
            "labels": rows.iter().map(|row| &row.label).collect::<Vec<_>>(),
            "colors": rows.iter().map(|row| &row.color).collect::<Vec<_>>(),
            "overlay": first.overlay, "plot": first.plot, "scatter": first.scatter,
        }))
    });
    Ok(json!({
        "file": file,
        "bars": result.bars,
        "indicators": indicators.collect::<Vec<_>>(),
        "trades": {
            "Size": column(&|trade| json!(trade.size)),
            "EntryBar": column(&|trade| json!(trade.entry_bar)),
            "ExitBar": column(&|trade| json!(trade.exit_bar)),
            "EntryPrice": column(&|trade| json!(trade.entry_price)),
            "ExitPrice": column(&|trade| json!(trade.exit_price)),
            "PnL": column(&|trade| json!(trade.pnl)),
            "ReturnPct": column(&|trade| json!(trade.return_pct.map(|percent| percent / 100.0))),
        },
    }))
}

/// One line of the program that draws. `chart` is `None` for what all charts share.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Message {
    Entered(IgnoredAny),
    Environment { message: UntrustedText },
    Part { chart: Option<usize>, text: String },
    Failed { chart: Option<usize>, why: UntrustedText },
}

/// What the program that draws has sent.
#[derive(Default)]
struct Pages {
    texts: BTreeMap<Option<usize>, String>,
    failures: BTreeMap<Option<usize>, UntrustedText>,
    library: Option<Arc<str>>,
}

impl Pages {
    fn line(&mut self, line: &[u8]) {
        match serde_json::from_slice(line) {
            Ok(Message::Part { chart, text }) => self.texts.entry(chart).or_default().push_str(&text),
            Ok(Message::Failed { chart, why }) => drop(self.failures.insert(chart, why)),
            Ok(Message::Environment { message }) => drop(self.failures.insert(None, message)),
            // The last line may be cut, where the process was stopped.
            Ok(Message::Entered(_)) | Err(_) => {}
        }
    }

    /// A chart, or why there is none.
    fn take(&mut self, number: usize, output: &Output, limits: Limits) -> Result<Chart, String> {
        if let Some(why) = self.failures.get(&None).or_else(|| self.failures.get(&Some(number))) {
            return Err(why.to_string());
        }
        match output.ended {
            Ended::Limit(Limit::Time) => {
                let seconds = limits.wall.as_secs_f64();
                return Err(format!(
                    "drawing was stopped after {seconds} s; hint: allow more with `--timeout`"
                ));
            }
            Ended::Itself { code: Some(0), .. } => {}
            Ended::Itself { .. } | Ended::Limit(_) | Ended::Cancelled => {
                return Err("drawing ended early; hint: allow more with `--memory`".to_owned());
            }
        }
        let chart = self.library.clone().zip(self.texts.remove(&Some(number)));
        let Some((library, document)) = chart else { return Err("nothing was drawn".to_owned()) };
        if library.len() + document.len() > LARGEST_CHART {
            return Err(format!("it is larger than {} MiB", LARGEST_CHART >> 20));
        }
        Ok(Chart { library, document })
    }
}

fn not_drawn(why: &str) -> Warning {
    Warning { code: "plot", message: format!("the chart was not drawn: {why}").into(), hint: None }
}

fn not_all_drawn(shown: usize, left_out: usize) -> Warning {
    let message = format!(
        "the chart shows {shown} of {} indicator lines: it holds {MOST_LINES} lines, and all charts of a run hold \
         {MOST_VALUES} values",
        shown + left_out
    );
    Warning { code: "plot", message: message.into(), hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_text_and_nothing_else() {
        for (text, label) in [
            ("SMA(C,20)", "SMA(C,20)"),
            ("λ(C,10)[1] = 3.5 %", "λ(C,10)[1] = 3.5 %"),
            ("</script><b>", "__script__b_"),
            ("$$\\href{https://x.example}{y}$$", "___href_https___x.example__y___"),
            ("@{Close} $index", "__Close_ _index"),
            ("a\u{202e}b\n\u{1b}[0m", "a_b__[0m"),
            ("", "_"),
            ("  ", "_"),
        ] {
            assert_eq!(safe_label(text), label);
        }
        assert_eq!(safe_label(&"x".repeat(1_000)).len(), LONGEST_LABEL);
    }

    #[test]
    fn a_color_is_a_name_or_a_number() {
        for color in ["red", "LightGoldenRodYellow", "#0f0", "#00ff0080"] {
            assert!(is_color(color), "{color}");
        }
        for other in ["url(x)", "#xyz", "red;", "rgb(1,2,3)", "</script>", &"a".repeat(25)] {
            assert!(!is_color(other), "{other}");
        }
    }
}
