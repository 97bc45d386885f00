//! The comment that says where a file comes from.

use std::fmt::Write as _;

use super::indicators::Linkage;
use crate::english::plain;

/// How a header begins.
const MARK: &str = "# Strategy for backtesting.py, written by strategy-gen";

/// Who wrote the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// The offline engine.
    Offline,
    /// A model of Gemini's, by its id.
    Model(&'a str),
    /// A model behind a server that speaks OpenAI's protocol, by its id.
    OpenAi(&'a str),
}

/// Where a file comes from.
#[derive(Debug, Clone, Copy)]
pub struct Provenance<'a> {
    /// The user's words.
    pub description: &'a str,
    /// Who wrote the code.
    pub origin: Origin<'a>,
    /// The day of writing, such as `2026-01-31`.
    pub date: &'a str,
    /// The class name the user asked for, for the command to repeat.
    pub name: Option<&'a str>,
    /// How the file gets at the indicators, for the command as well.
    pub linkage: Linkage,
}

/// The header comment, with the rules as understood and what was assumed. ASCII; every line is a comment.
pub fn header(provenance: &Provenance<'_>, rules: &[String], assumptions: &[String]) -> String {
    let Provenance { description, origin, date, name, linkage } = provenance;
    let version = env!("CARGO_PKG_VERSION");
    let origin = match origin {
        Origin::Offline => "offline engine".to_owned(),
        Origin::Model(model) | Origin::OpenAi(model) => format!("model {}", one_line(model)),
    };
    // Python reads an encoding from a comment on the first two lines: no foreign text there.
    let mut text = format!("{MARK} {version}.\n");
    text.push_str("# Not financial advice; check the rules below before you rely on them.\n#\n");
    let mut line = |text_of: &str| {
        let _ = writeln!(text, "# {text_of}");
    };
    line(&format!("description: {}", one_line(description)));
    line(&format!("origin: {origin}, {}", one_line(date)));
    for (title, items) in [("rules:", rules), ("assumptions:", assumptions)] {
        if !items.is_empty() {
            line(title);
            for item in items {
                line(&format!("  - {}", one_line(item)));
            }
        }
    }
    // A file with errors is not saved; whatever else was found is told when it is.
    line(
        "checked: syntax, imports, calls, look-ahead in the code, numbers and indicators of the description",
    );
    let by = match provenance.origin {
        Origin::Offline => " --offline".to_owned(),
        Origin::Model(model) => format!(" --model {}", quoted(&one_line(model))),
        Origin::OpenAi(model) => format!(" --provider openai --model {}", quoted(&one_line(model))),
    };
    let form = if *linkage == Linkage::Standalone { " --standalone" } else { "" };
    let name = name.map(|name| format!(" -n {}", quoted(&one_line(name)))).unwrap_or_default();
    // A description that lost characters on its way to ASCII would repeat something else.
    if plain(description).chars().all(|c| c.is_ascii() && (!c.is_control() || c.is_ascii_whitespace())) {
        line(&format!("repeat with: strategy-gen new{by}{form}{name} -- {}", quoted(&one_line(description))));
    } else {
        line(&format!("repeat with: strategy-gen new{by}{form}{name} - < description.txt"));
    }
    text
}

/// One line of printable ASCII: line ends become spaces, control characters vanish, the rest becomes `?`.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for c in plain(text).trim().chars() {
        match c {
            ' '..='~' => line.push(c),
            '\n' | '\t' if !line.ends_with(' ') => line.push(' '),
            c if c.is_control() || c.is_whitespace() => {}
            _ => line.push('?'),
        }
    }
    line
}

/// `text` as one word of a POSIX shell.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// What the header of a file says, as [`header`] wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The user's words.
    pub description: String,
    /// The model that wrote the file; `None` for the offline engine, and where nothing is said.
    pub model: Option<String>,
    /// The day of writing, such as `2026-01-31`; empty where nothing is said.
    pub date: String,
    /// What the words left open and was filled in.
    pub assumptions: Vec<String>,
    /// What repeats it, to be pasted into a shell.
    pub command: String,
}

impl Header {
    /// Of a file's text; `None` for a file that has no such header.
    #[must_use]
    pub fn read(code: &str) -> Option<Self> {
        let description = description_in(code)?.to_owned();
        let entry = |title: &str| {
            let head = code.lines().take_while(|line| line.starts_with('#'));
            head.filter_map(|line| line.strip_prefix(title)).next()
        };
        let origin = entry("# origin: ");
        let (origin, date) = origin.and_then(|origin| origin.rsplit_once(", ")).unwrap_or_default();
        Some(Self {
            description,
            model: origin.strip_prefix("model ").map(str::to_owned),
            date: date.to_owned(),
            assumptions: assumptions_in(code),
            command: entry("# repeat with: ").unwrap_or_default().to_owned(),
        })
    }
}

/// The description in a file's header, as [`header`] wrote it.
pub fn description_in(code: &str) -> Option<&str> {
    let head = code.lines().take_while(|line| line.starts_with('#'));
    head.filter_map(|line| line.strip_prefix("# description: ")).next()
}

/// Splits a file into the header that [`header`] wrote, with the empty lines behind it, and the rest.
pub(crate) fn header_of(file: &str) -> (&str, &str) {
    if !file.starts_with(MARK) {
        return ("", file);
    }
    let mut end = 0;
    let mut lines = file.split_inclusive('\n').peekable();
    while let Some(line) = lines.next_if(|line| line.starts_with('#')) {
        end += line.len();
    }
    while let Some(line) = lines.next_if(|line| line.trim().is_empty()) {
        end += line.len();
    }
    file.split_at(end)
}

/// The assumptions in a header.
pub(crate) fn assumptions_in(head: &str) -> Vec<String> {
    let lines = head.lines().take_while(|line| line.starts_with('#'));
    let lines = lines.skip_while(|line| *line != "# assumptions:").skip(1);
    lines.map_while(|line| line.strip_prefix("#   - ")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_in_its_parts() {
        let provenance = Provenance {
            description: "buy the dip",
            origin: Origin::Offline,
            date: "2026-01-31",
            name: None,
            linkage: Linkage::Imported,
        };
        let assumptions = ["all cash".to_owned(), "long only".to_owned()];
        let head = header(&provenance, &["buy when low".to_owned()], &assumptions) + "\n";
        let code = "# a comment of the code\nimport numpy\n";
        let file = format!("{head}{code}");
        // What stands directly behind the header cannot be told from it, hence the empty line.
        assert_eq!(header_of(&file), (head.as_str(), code));
        assert_eq!(assumptions_in(&file), assumptions);
        assert_eq!(description_in(&file), Some("buy the dip"));
        assert_eq!(header_of(code), ("", code));
        assert_eq!(assumptions_in(code), Vec::<String>::new());
    }
}
