//! Tables of what is kept: the history, a folder, one strategy, the ranking of a batch.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use keyrot::{UntrustedText, untrusted};
use serde_json::Value;
use strategy_gen::batch::{Item, ranked};
use strategy_gen::history::Entry;
use strategy_gen::report::Verdict;
use strategy_gen::shelf::{Book, Condition, Headline, LastRun, Sidecar};

use super::{cut, first_line};

/// What is said of a record that may be anybody's.
const UNVERIFIED: &str =
    "its record was not written by this installation, or was changed since; what it says is not confirmed";
/// Characters of a description in a table.
const DESCRIPTION: usize = 60;

/// The history, a line each.
pub(crate) fn entries(entries: &[Entry]) -> String {
    let mut text = format!("{:>6}  {:20}  {:7}  {:>4}  {:>9}  what", "#", "when", "kind", "exit", "return");
    for entry in entries {
        let name = entry.name.as_deref().map_or_else(String::new, |name| format!("{name}: "));
        let what = format!("{name}{}", first_line(&entry.description));
        let _ = write!(
            text,
            "\n{:>6}  {:20}  {:7}  {:>4}  {:>9}  {}",
            format!("#{}", entry.id),
            entry.at.to_string(),
            entry.kind.name(),
            entry.exit_code,
            return_of(entry.run.as_ref()),
            cut(&what, DESCRIPTION)
        );
    }
    text
}

/// The strategies of a folder, a line each.
pub(crate) fn books(books: &[Book]) -> String {
    let file = |book: &Book| book.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let width = |of: &dyn Fn(&Book) -> usize| books.iter().map(of).max().unwrap_or(0).clamp(4, 32);
    let files = width(&|book| file(book).chars().count());
    let names = width(&|book| book.name.chars().count());
    let mut text =
        format!("{:files$}  {:names$}  {:13}  {:>9}  description", "file", "name", "condition", "return");
    for book in books {
        let own = book.sidecar.as_ref().filter(|_| book.condition != Condition::Unverified);
        let run = own.and_then(|sidecar| sidecar.run.as_ref());
        let _ = write!(
            text,
            "\n{:files$}  {:names$}  {:13}  {:>9}  {}",
            cut(&file(book), files),
            cut(&book.name, names),
            book.condition.in_words(),
            return_of(run),
            cut(first_line(book.description.as_ref().map_or("", UntrustedText::as_str)), DESCRIPTION)
        );
    }
    text
}

/// The items of a batch, the best first, a line each.
pub(crate) fn ranking(items: &[Item]) -> String {
    let called = |item: &Item| match (&item.name, &item.file) {
        (Some(name), Some(file)) => format!("{name} ({file})"),
        _ => format!("line {}", item.line),
    };
    let names = items.iter().map(|item| called(item).chars().count()).max().unwrap_or(0).clamp(8, 48);
    let mut text = format!(
        "{:>4}  {:names$} {:>9} {:>9} {:>8} {:>6} {:>6}",
        "#", "strategy", "return", "buy&hold", "max DD", "trades", "won"
    );
    for (place, item) in (1..).zip(ranked(items)) {
        let _ = write!(text, "\n{place:>4}  {:names$} ", cut(&called(item), names));
        let headline = item.run.as_ref().and_then(|run| run.results.first());
        match (headline.filter(|headline| headline.return_pct.is_some()), &item.error) {
            (Some(headline), _) => text.push_str(&figures(headline)),
            (None, Some(error)) => text.push_str(&cut(first_line(error), DESCRIPTION)),
            (None, None) => text.push_str("not run"),
        }
    }
    text
}

fn figures(headline: &Headline) -> String {
    format!(
        "{:>9} {:>9} {:>8} {:>6} {:>6}",
        percent(headline.return_pct),
        percent(headline.benchmark_pct),
        percent(headline.max_drawdown_pct),
        headline.trades.map_or_else(|| "-".to_owned(), |trades| trades.to_string()),
        percent(headline.win_rate_pct)
    )
}

/// Everything known of one strategy.
pub(crate) fn strategy(book: Option<&Book>, entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut line = |title: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{}: {}", untrusted::one_line(title), untrusted::one_line(value));
        }
    };
    match book {
        Some(book) => about(book, &mut line),
        None => {
            if let Some(entry) = entries.first() {
                line("name", entry.name.as_deref().unwrap_or_default());
                line("file", entry.path.as_deref().unwrap_or_default());
                line("description", &entry.description);
                line("model", entry.model.as_deref().unwrap_or_default());
                line("error", entry.error.as_deref().unwrap_or_default());
                results(entry.run.as_ref(), &mut line);
            }
        }
    }
    if !entries.is_empty() {
        let _ = write!(text, "history:\n{}", self::entries(entries));
    }
    text.trim_end().to_owned()
}

fn about(book: &Book, line: &mut impl FnMut(&str, &str)) {
    line("name", &book.name);
    line("file", &format!("{} ({})", keyrot::untrusted::path(&book.path), book.condition.in_words()));
    line("description", book.description.as_ref().map_or("", UntrustedText::as_str));
    line("note", book.problem.as_deref().map(first_line).unwrap_or_default());
    let Some(sidecar) = &book.sidecar else { return };
    if book.condition == Condition::Unverified {
        line("note", UNVERIFIED);
        return claims(sidecar, &mut |title, value| line(&format!("claimed {title}"), value));
    }
    claims(sidecar, line);
    line("repeat with", sidecar.command.as_str());
}

/// What a record says, which is true if it is verified.
fn claims(sidecar: &Sidecar, line: &mut impl FnMut(&str, &str)) {
    line("written by", sidecar.model.as_ref().map_or("the offline engine", UntrustedText::as_str));
    line("on", sidecar.date.as_str());
    line("with", sidecar.tool.as_str());
    line("answers of the model", &sidecar.rounds.len().to_string());
    let keys: BTreeSet<&str> = sidecar.rounds.iter().filter_map(|round| round["key_id"].as_str()).collect();
    line("keys", &keys.into_iter().collect::<Vec<_>>().join(", "));
    for (name, value) in &sidecar.parameters {
        line("parameter", &format!("{name} = {}", plain(value)));
    }
    for assumption in &sidecar.assumptions {
        line("assumed", assumption.as_str());
    }
    let checks = [
        ("syntax", sidecar.checks.syntax),
        ("policy", sidecar.checks.policy),
        ("fidelity", sidecar.checks.fidelity),
    ];
    line("checks", &checks.map(|(name, verdict)| format!("{name} {}", in_words(verdict))).join(", "));
    for warning in &sidecar.warnings {
        line("warning", warning.as_str());
    }
    results(sidecar.run.as_ref(), line);
}

fn results(run: Option<&LastRun>, line: &mut impl FnMut(&str, &str)) {
    let Some(run) = run else { return };
    line("last run", &format!("{}, exit code {}", run.at, run.exit_code));
    line("failed", run.failure.as_ref().map_or("", UntrustedText::as_str));
    for result in &run.results {
        let told = match &result.failure {
            Some(failure) => format!("failed: {failure}"),
            None => format!(
                "return {}, buy and hold {}, max drawdown {}, {} trades, won {}, {} bars from {} to {}{}",
                percent(result.return_pct),
                percent(result.benchmark_pct),
                percent(result.max_drawdown_pct),
                result.trades.unwrap_or(0),
                percent(result.win_rate_pct),
                result.bars,
                result.from,
                result.to,
                if result.verified { "" } else { "; not confirmed" }
            ),
        };
        line(&format!("on {}", result.dataset), &told);
    }
}

const fn in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Noted => "with warnings",
        Verdict::Failed => "failed",
        Verdict::Skipped => "not done",
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn return_of(run: Option<&LastRun>) -> String {
    let first = run.and_then(|run| run.results.first());
    first.map_or_else(String::new, |result| percent(result.return_pct))
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}%"))
}
