//! The page about many strategies: the ranking.

use std::fmt::Write as _;

use super::chart;
use super::data::{Run, Unit};
use super::escape::Text;
use super::page::{document, in_unit};

/// Strategies drawn over each other: the first of the ranking.
const DRAWN: usize = 20;

/// A strategy in the ranking.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its class.
    pub name: String,
    /// The user's words.
    pub description: String,
    /// Where its own page is, relative to this one; `None` where it has none.
    pub link: Option<String>,
    /// Its backtest; `Err` says in a line why there is none.
    pub run: Result<Run, String>,
}

/// Figures that are shown of each, and what they are counted in.
const COLUMNS: [(&str, &str, Unit); 5] = [
    ("return", "return", Unit::Percent),
    ("buy and hold", "buy & hold", Unit::Percent),
    ("max drawdown", "max DD", Unit::Percent),
    ("trades", "trades", Unit::Count),
    ("win rate", "wins", Unit::Percent),
];

/// Puts the best return first, and what has none last.
pub fn rank(entries: &mut [Entry]) {
    let value = |entry: &Entry| entry.run.as_ref().ok().and_then(|run| run.figure("return"));
    entries.sort_by(|a, b| match (value(a), value(b)) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
}

/// The page about `entries`, in their order.
#[must_use]
pub fn board(title: &str, entries: &[Entry]) -> String {
    let mut body = format!("<h1>{}</h1>", Text(title));
    let runs: Vec<(&str, &[f64])> = entries
        .iter()
        .filter_map(|entry| Some((entry.name.as_str(), entry.run.as_ref().ok()?.equity.as_slice())))
        .take(DRAWN)
        .collect();
    let failed = entries.iter().filter(|entry| entry.run.is_err()).count();
    let _ = write!(body, "<p class=\"soft\">{} strategies, {failed} without a result</p>", entries.len());
    if !runs.is_empty() {
        let _ = write!(
            body,
            "<figure>{}<figcaption>growth of the first {}, each over its own bars; <span class=\"key one\">the best\
             </span></figcaption></figure>",
            chart::overlay(&runs, 0),
            runs.len()
        );
    }
    body.push_str("<div class=\"wide\"><table><tr><th>#</th><th class=\"left\">strategy</th><th class=\"left\">equity</th>");
    for (_, title, _) in COLUMNS {
        let _ = write!(body, "<th>{}</th>", Text(title));
    }
    body.push_str("</tr>");
    for (n, entry) in entries.iter().enumerate() {
        row(&mut body, n + 1, entry);
    }
    body.push_str("</table></div><p class=\"soft\">A ranking of backtests finds luck as easily as skill. Nothing here is financial advice.</p>");
    document(title, &body)
}

fn row(body: &mut String, place: usize, entry: &Entry) {
    let name = match &entry.link {
        // A path, whatever it looks like: never an address with a scheme or a host.
        Some(link) => format!("<a href=\"./{}\">{}</a>", Text(link), Text(&entry.name)),
        None => Text(&entry.name).to_string(),
    };
    let _ = write!(
        body,
        "<tr><td>{place}</td><td class=\"text\">{name}<br><span class=\"soft\">{}</span></td>",
        Text(&entry.description)
    );
    match &entry.run {
        Ok(run) => {
            let _ = write!(body, "<td class=\"left\">{}</td>", chart::sparkline(&run.equity));
            for (name, _, unit) in COLUMNS {
                let _ = write!(body, "<td>{}</td>", in_unit(run.figure(name), unit));
            }
        }
        Err(why) => {
            let _ =
                write!(body, "<td class=\"text bad\" colspan=\"{}\">{}</td>", COLUMNS.len() + 1, Text(why));
        }
    }
    body.push_str("</tr>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_file_and_no_name_is_markup() {
        for evil in ["javascript:alert(1)", "//x.example", "\"><script>alert(1)</script>"] {
            let entry = Entry {
                name: evil.to_owned(),
                description: evil.to_owned(),
                link: Some(evil.to_owned()),
                run: Err(evil.to_owned()),
            };
            let html = board(evil, &[entry]);
            assert_eq!(html.matches("href=\"").count(), html.matches("href=\"./").count() + 1, "{html}");
            assert!(!html.contains("<script"), "{html}");
        }
    }
}
