//! Faults that need no model: they are mended before a call is paid for.

use std::borrow::Cow;

use crate::check::{CheckError, Code, Report, check};

/// One mend: what it is called, and how it is done.
type Mend = (&'static str, fn(&str, &Report) -> String);

/// In this order: each sees what the one before left.
const MENDS: [Mend; 4] = [
    ("line ends", line_ends),
    ("marks of a code fence", fences),
    ("tabs among spaces", tabs),
    ("missing imports", imports),
];

/// The code without faults of its form, and what they were. A mend after which the check finds no less is not kept.
pub(super) fn mended(code: &str) -> Result<(Cow<'_, str>, Vec<String>), CheckError> {
    let mut code = Cow::Borrowed(code);
    let mut notes = Vec::new();
    let mut report = check(&code)?;
    for (name, mend) in MENDS {
        // A carriage return is in nobody's way, but no line of ours has one.
        if errors(&report) == 0 && !code.contains('\r') {
            break;
        }
        let better = mend(&code, &report);
        if better == code {
            continue;
        }
        let now = check(&better)?;
        if errors(&now) < errors(&report) || name == "line ends" {
            notes.push(name.to_owned());
            (code, report) = (Cow::Owned(better), now);
        }
    }
    Ok((code, notes))
}

fn errors(report: &Report) -> usize {
    report.diagnostics.iter().filter(|found| found.severity == crate::check::Severity::Error).count()
}

fn line_ends(code: &str, _: &Report) -> String {
    code.replace("\r\n", "\n").replace('\r', "\n")
}

/// Lines that are but the mark of a fence, as an answer in two fences leaves them.
fn fences(code: &str, _: &Report) -> String {
    let is_mark = |line: &str| {
        let rest = line.trim().trim_start_matches('`');
        line.trim().len() >= rest.len() + 3 && rest.chars().all(char::is_alphanumeric)
    };
    lines(code.lines().filter(|line| !is_mark(line)).map(Cow::Borrowed))
}

/// Tabs at the beginning of lines become four spaces.
fn tabs(code: &str, _: &Report) -> String {
    lines(code.lines().map(|line| {
        let rest = line.trim_start_matches([' ', '\t']);
        match &line[..line.len() - rest.len()] {
            indent if indent.contains('\t') => Cow::Owned(indent.replace('\t', "    ") + rest),
            _ => Cow::Borrowed(line),
        }
    }))
}

/// The imports that the check names, above the first import.
fn imports(code: &str, report: &Report) -> String {
    let missing = report.diagnostics.iter().filter(|found| found.code == Code::MissingImport);
    let mut wanted: Vec<&str> =
        missing.filter_map(|found| found.hint.as_deref()?.strip_prefix("add `")?.strip_suffix('`')).collect();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return code.to_owned();
    }
    let all: Vec<&str> = code.lines().collect();
    let future = all.iter().rposition(|line| line.starts_with("from __future__ "));
    let place = match future {
        Some(at) => at + 1,
        None => all.iter().position(is_import).or(all.iter().position(is_code)).unwrap_or(0),
    };
    let (head, tail) = all.split_at(place);
    lines([head, &wanted, tail].concat().into_iter().map(Cow::Borrowed))
}

fn is_import(line: &&str) -> bool {
    line.starts_with("import ") || line.starts_with("from ")
}

fn is_code(line: &&str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#')
}

fn lines<'l>(lines: impl Iterator<Item = Cow<'l, str>>) -> String {
    lines.fold(String::new(), |mut text, line| {
        text.push_str(&line);
        text.push('\n');
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "from backtesting import Strategy\nfrom backtesting.lib import crossover\n\n\n\
        class Good(Strategy):\n    def init(self):\n        pass\n\n    def next(self):\n        \
        if crossover(self.data.Close, self.data.Open):\n            self.buy()\n";

    fn mended_to(code: &str) -> (String, Vec<String>) {
        let (code, notes) = mended(code).unwrap();
        (code.into_owned(), notes)
    }

    #[test]
    fn good_code_is_left_alone() {
        assert_eq!(mended_to(GOOD), (GOOD.to_owned(), vec![]));
        let tabs = GOOD.replace("    ", "\t");
        assert_eq!(mended_to(&tabs), (tabs.clone(), vec![]));
    }

    #[test]
    fn each_fault_of_form_is_mended_and_named() {
        let imports = "from backtesting import Strategy\nfrom backtesting.lib import crossover\n";
        for (fault, name) in [
            (GOOD.replace('\n', "\r\n"), "line ends"),
            (format!("```python\n{GOOD}```\n"), "marks of a code fence"),
            (GOOD.replace("            self.buy()", "\t\t\tself.buy()"), "tabs among spaces"),
            (GOOD.replace(imports, ""), "missing imports"),
        ] {
            let (code, notes) = mended_to(&fault);
            assert_eq!(notes, [name], "{fault}");
            assert!(!check(&code).unwrap().has_errors(), "{code}");
            let told: Vec<&str> = code.lines().filter(|line| !line.is_empty()).collect();
            assert_eq!(told, GOOD.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn imports_go_behind_those_from_the_future() {
        let code = GOOD.replace(
            "from backtesting import Strategy\nfrom backtesting.lib import crossover\n",
            "\"\"\"A file.\"\"\"\nfrom __future__ import annotations\n",
        );
        let (code, notes) = mended_to(&code);
        assert_eq!(notes, ["missing imports"]);
        assert!(code.starts_with(
            "\"\"\"A file.\"\"\"\nfrom __future__ import annotations\nfrom backtesting import Strategy\n"
        ));
    }

    #[test]
    fn what_helps_nothing_is_not_done() {
        let docstring =
            GOOD.replace("        pass\n", "        \"\"\"\n```\n        \"\"\"\n        x = (\n");
        assert_eq!(mended_to(&docstring), (docstring.clone(), vec![]));
    }
}
