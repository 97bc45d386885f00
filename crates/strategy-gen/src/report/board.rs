//! The page about many strategies: the ranking.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::chart;
use super::data::{Run, Unit};
use super::escape::Text;
use super::page::{document, in_unit};

/// What is written as it is in a link to a file: nothing that could be a scheme or lead to another folder.
const IN_A_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// Strategies drawn over each other: the first of the ranking.
const DRAWN: usize = 20;

/// A strategy in the ranking.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its class.
    pub name: String,
    /// The user's words.
    pub description: String,
    /// The file of its own page, in the same folder; `None` where it has none.
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
        Some(link) => {
            let link = utf8_percent_encode(link, IN_A_NAME);
            format!("<a href=\"{link}\">{}</a>", Text(&entry.name))
        }
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
    fn a_link_stays_in_its_folder_whatever_the_name() {
        for (name, link) in [
            ("rsi_strategy.html", "rsi_strategy.html"),
            ("javascript:alert(1)", "javascript%3Aalert%281%29"),
            ("../a b.html", "..%2Fa%20b.html"),
            ("//host/\"x", "%2F%2Fhost%2F%22x"),
        ] {
            let (name, link) = (Some(name.to_owned()), format!("href=\"{link}\""));
            let entry = Entry {
                name: "a".to_owned(),
                description: String::new(),
                link: name,
                run: Err("no".to_owned()),
            };
            assert!(board("one", &[entry]).contains(&link), "{link}");
        }
    }

    #[test]
    fn no_name_is_markup() {
        for evil in ["javascript:alert(1)", "//x.example", "\"><script>alert(1)</script>"] {
            let entry = Entry {
                name: evil.to_owned(),
                description: evil.to_owned(),
                link: Some(evil.to_owned()),
                run: Err(evil.to_owned()),
            };
            let html = board(evil, &[entry]);
            assert!(!html.contains("<script"), "{html}");
        }
    }
}
