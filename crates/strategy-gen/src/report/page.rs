//! The page about one strategy.

use std::fmt::{Display, Write as _};

use super::calendar::{iso, monthly};
use super::chart;
use super::data::{Figure, Run, Subject, Unit, Verdict};
use super::escape::Text;
use super::scale::short;

/// By which a page of ours is known again.
pub(super) const GENERATOR: &str = "strategy-gen";
const STYLE: &str = include_str!("style.css");
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Trades that are listed; all are on the chart.
const LISTED: usize = 500;

/// A whole page around `body`. Nothing on it is fetched from anywhere: it says so to the browser as well.
pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         img-src data:; base-uri 'none'; form-action 'none'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"referrer\" content=\"no-referrer\"><meta name=\"generator\" content=\"{GENERATOR}\"><link rel=\"icon\" href=\"data:,\">\
         <title>{}</title><style>{STYLE}</style></head><body>{body}</body></html>\n",
        Text(title),
    )
}

/// Whether a file that begins like this is a page of ours, which another of ours may replace.
#[must_use]
pub fn is_page(beginning: &str) -> bool {
    beginning.starts_with("<!doctype html>") && beginning.contains(&format!("content=\"{GENERATOR}\""))
}

/// The page about `subject`.
#[must_use]
pub fn page(subject: &Subject) -> String {
    let mut body = String::new();
    head(&mut body, subject);
    for run in &subject.runs {
        section(&mut body, run);
    }
    checks(&mut body, subject);
    list(&mut body, "Assumptions", &subject.assumptions);
    parameters(&mut body, subject);
    let _ = write!(
        body,
        "<h2>Repeat it</h2><pre>{}</pre><details><summary>The file</summary><pre>{}</pre></details>\
         <p class=\"soft\">A backtest shows what would have been, on these prices, with these costs. It is no \
         promise, and nothing here is financial advice.</p>",
        Text(&subject.command),
        Text(&subject.code),
    );
    document(&subject.name, &body)
}

fn head(body: &mut String, subject: &Subject) {
    let _ = write!(body, "<h1>{}</h1>", Text(&subject.name));
    if !subject.description.is_empty() {
        let _ = write!(body, "<blockquote>{}</blockquote>", Text(&subject.description));
    }
    if !subject.date.is_empty() {
        let by = subject.model.as_deref().unwrap_or("the offline engine");
        let _ = write!(body, "<p class=\"soft\">written by {} on {}</p>", Text(by), Text(&subject.date));
    }
    list(body, "Look at this first", &subject.warnings);
}

fn section(body: &mut String, run: &Run) {
    let span = match (run.times.first(), run.times.last()) {
        (Some(first), Some(last)) => format!("{} to {}", iso(*first), iso(*last)),
        _ => "no bars".to_owned(),
    };
    let _ = write!(
        body,
        "<h2>{}</h2><p class=\"soft\">{} bars, {span}; {}</p>",
        Text(&run.data),
        run.times.len(),
        Text(&run.costs),
    );
    figures(body, &run.figures);
    let _ = write!(
        body,
        "<figure>{}<figcaption><span class=\"key one\">equity</span> &nbsp; <span class=\"key two\">buy and hold, \
         first bar to last</span></figcaption></figure>\
         <h3>Drawdown, %</h3><figure>{}</figure><h3>Trades on the price</h3><figure>{}</figure>",
        chart::equity(run),
        chart::drawdown(run),
        chart::trades(run),
    );
    months(body, run);
    trades(body, run);
}

fn figures(body: &mut String, figures: &[Figure]) {
    body.push_str("<dl class=\"figures\">");
    for figure in figures {
        let class = match (figure.unit, figure.value) {
            (Unit::Percent, Some(value)) if value < 0.0 => " class=\"bad\"",
            _ => "",
        };
        let source = if figure.verified {
            ""
        } else {
            " <span title=\"as the strategy's process reported it\">*</span>"
        };
        let _ = write!(
            body,
            "<div><dt>{}{source}</dt><dd{class}>{}</dd></div>",
            Text(figure.name),
            in_unit(figure.value, figure.unit)
        );
    }
    body.push_str("</dl>");
    if figures.iter().any(|figure| !figure.verified) {
        body.push_str(
            "<p class=\"soft\">* as the strategy's process reported it; the others are computed from the trades and \
             the prices.</p>",
        );
    }
}

pub(super) fn in_unit(value: Option<f64>, unit: Unit) -> String {
    match (value, unit) {
        (None, _) => "–".to_owned(),
        (Some(value), Unit::Percent) => format!("{value:.2} %"),
        (Some(value), Unit::Count) => short(value),
        (Some(value), Unit::Ratio) => format!("{value:.2}"),
    }
}

fn months(body: &mut String, run: &Run) {
    let years = monthly(&run.times, &run.equity);
    if years.is_empty() {
        return;
    }
    body.push_str("<h3>Returns by month, %</h3><div class=\"wide\"><table><tr><th>year</th>");
    for month in MONTHS {
        let _ = write!(body, "<th>{month}</th>");
    }
    body.push_str("<th>all</th></tr>");
    for (year, months) in years {
        let _ = write!(body, "<tr><td>{year}</td>");
        let mut all = 1.0;
        for change in months {
            all *= change.map_or(1.0, |change| 1.0 + change / 100.0);
            signed(body, change);
        }
        signed(body, Some((all - 1.0) * 100.0));
        body.push_str("</tr>");
    }
    body.push_str("</table></div>");
}

fn signed(body: &mut String, change: Option<f64>) {
    let _ = match change {
        None => write!(body, "<td></td>"),
        Some(change) if change.abs() < 0.05 => write!(body, "<td>0.0</td>"),
        Some(change) => {
            let class = if change > 0.0 { "good" } else { "bad" };
            write!(body, "<td class=\"{class}\">{change:.1}</td>")
        }
    };
}

fn trades(body: &mut String, run: &Run) {
    let day = |bar: usize| run.times.get(bar).copied().map(iso).unwrap_or_default();
    let _ = write!(
        body,
        "<details><summary>{} trades</summary><div class=\"wide\"><table><tr><th class=\"left\">entry</th>\
         <th>price</th><th>exit</th><th>price</th><th>size</th><th>profit</th></tr>",
        run.trades.len()
    );
    for trade in run.trades.iter().take(LISTED) {
        let class = if trade.profit >= 0.0 { "good" } else { "bad" };
        let _ = write!(
            body,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"{class}\">{}</td></tr>",
            day(trade.entry),
            short(trade.entry_price),
            day(trade.exit),
            short(trade.exit_price),
            short(trade.size),
            short(trade.profit),
        );
    }
    body.push_str("</table></div>");
    if run.trades.len() > LISTED {
        let _ = write!(body, "<p class=\"soft\">The first {LISTED} are listed.</p>");
    }
    body.push_str("</details>");
}

fn checks(body: &mut String, subject: &Subject) {
    if subject.checks.is_empty() {
        return;
    }
    body.push_str("<h2>Checks</h2><div class=\"wide\"><table><tr><th>check</th><th class=\"left\">verdict</th><th class=\"left\">detail</th></tr>");
    for check in &subject.checks {
        let (class, word) = match check.verdict {
            Verdict::Passed => ("good", "passed"),
            Verdict::Noted => ("", "see"),
            Verdict::Failed => ("bad", "failed"),
            Verdict::Skipped => ("soft", "not done"),
        };
        let _ = write!(
            body,
            "<tr><td>{}</td><td class=\"left {class}\">{word}</td><td class=\"text\">{}</td></tr>",
            Text(&check.name),
            Text(&check.detail)
        );
    }
    body.push_str("</table></div>");
}

fn parameters(body: &mut String, subject: &Subject) {
    if subject.parameters.is_empty() {
        return;
    }
    body.push_str("<h2>Parameters</h2><table>");
    for (name, value) in &subject.parameters {
        let _ = write!(body, "<tr><td>{}</td><td>{}</td></tr>", Text(name), Text(value));
    }
    body.push_str("</table>");
}

fn list<T: Display>(body: &mut String, title: &str, items: &[T]) {
    if items.is_empty() {
        return;
    }
    let _ = write!(body, "<h2>{title}</h2><ul>");
    for item in items {
        let _ = write!(body, "<li>{}</li>", Text(&item.to_string()));
    }
    body.push_str("</ul>");
}
