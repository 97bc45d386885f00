//! The shipped indicators: one Python module, imported by strategies or inlined function by function.

/// The text of the module `indicators`.
pub const MODULE: &str = include_str!("indicators.py");

/// One function of the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

impl Function {
    /// `rsi(values, period)`.
    pub(crate) fn signature(&self) -> &'static str {
        let line = self.text.lines().next().unwrap_or_default();
        line.strip_prefix("def ").and_then(|line| line.strip_suffix(':')).unwrap_or(line)
    }

    /// What it computes, in a sentence.
    pub(crate) fn doc(&self) -> &'static str {
        self.text.split("\"\"\"").nth(1).unwrap_or_default()
    }
}

/// Every function, in the order of the module, in which each stands behind those it calls.
pub(crate) fn functions() -> Vec<Function> {
    let starts: Vec<usize> = MODULE.match_indices("\ndef ").map(|(at, _)| at + 1).collect();
    let ends = starts.iter().skip(1).copied().chain([MODULE.len()]);
    starts
        .iter()
        .zip(ends)
        .filter_map(|(start, end)| {
            let text = MODULE.get(*start..end)?.trim_end();
            let name = text.strip_prefix("def ")?.split('(').next()?;
            Some(Function { name, text })
        })
        .collect()
}

/// These functions and all they call, in an order in which each finds what it uses.
fn with_callees(names: &[&str]) -> Vec<Function> {
    let all = functions();
    let mut needed: Vec<&str> = names.to_vec();
    // Callees stand above their callers.
    for function in all.iter().rev() {
        if needed.contains(&function.name) {
            let called = |other: &&Function| {
                other.name != function.name && function.text.contains(&format!("{}(", other.name))
            };
            needed.extend(all.iter().filter(called).map(|other| other.name));
        }
    }
    all.into_iter().filter(|function| needed.contains(&function.name)).collect()
}

/// How a file gets at the indicators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Linkage {
    /// `from indicators import ...`: whoever runs the file offers the module.
    #[default]
    Imported,
    /// The functions stand in the file, which then needs nothing of ours.
    Standalone,
}

/// Replaces `from indicators import ...` by the functions themselves.
///
/// Only the plain form on one line, which the prompt asks for; anything else is left as it is.
pub fn standalone(code: &str) -> String {
    const IMPORT: &str = "from indicators import ";
    let mut names: Vec<&str> = Vec::new();
    let mut rest = String::with_capacity(code.len());
    for line in code.split_inclusive('\n') {
        let plain = |list: &&str| !list.contains(['(', '\\', '*', '#']) && !list.contains(" as ");
        match line.strip_prefix(IMPORT).filter(plain) {
            Some(list) => names.extend(list.trim().split(',').map(str::trim)),
            None => rest.push_str(line),
        }
    }
    let functions = with_callees(&names);
    if names.iter().any(|name| !functions.iter().any(|function| function.name == *name)) {
        return code.to_owned();
    }
    // The functions go behind the last plain import.
    let lines: Vec<&str> = rest.split_inclusive('\n').collect();
    let is_import = |line: &&str| line.starts_with("import ") || line.starts_with("from ");
    let place = lines.iter().rposition(is_import).map_or(0, |at| at + 1);
    let mut text = String::new();
    let numpy = lines.iter().any(|line| line.trim_end() == "import numpy as np");
    let first = lines.iter().position(is_import).unwrap_or(0);
    for (at, line) in lines.iter().enumerate() {
        if at == first && !numpy && functions.iter().any(|function| function.text.contains("np.")) {
            text.push_str("import numpy as np\n");
        }
        text.push_str(line);
        if at + 1 == place {
            for function in &functions {
                text.push_str("\n\n");
                text.push_str(function.text);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_says_what_it_computes_and_looks_back_only() {
        for function in functions() {
            assert!(function.doc().ends_with('.') || function.doc().contains('.'), "{}", function.name);
            assert!(
                !function.text.contains("shift(-") && !function.text.contains("[::-1]"),
                "{}",
                function.name
            );
        }
        assert!(functions().len() > 25);
    }

    #[test]
    fn a_function_brings_what_it_calls() {
        let names: Vec<&str> = with_callees(&["macd_histogram"]).iter().map(|f| f.name).collect();
        assert_eq!(names, ["floats", "ema", "macd_line", "macd_signal_line", "macd_histogram"]);
    }

    #[test]
    fn an_unknown_name_or_form_stays_an_import() {
        for code in ["from indicators import (\n    rsi)\n", "from indicators import nonsense\n"] {
            assert_eq!(standalone(code), code);
        }
    }
}
