//! Looks at a Python file without running it: syntax, shape, imports, look-ahead.
//!
//! ```
//! use strategy_gen::check::{Code, check};
//! let report = check("import os\n").unwrap();
//! assert!(report.has(Code::Import) && report.has(Code::NoStrategy));
//! assert!(report.text("bot.py").contains("bot.py:1:8 import `os` may not be imported; hint: "));
//! ```

mod diagnostic;
mod fidelity;
mod lists;
mod policy;
mod syntax;

pub use diagnostic::{Code, Diagnostic, Report, Severity};

use serde_json::Value;

use crate::english::numbers_in;
use syntax::Position;

/// Largest source that is read, in bytes.
pub const MAX_SOURCE: usize = 128 * 1024;

/// The check itself could not run; says nothing about the file.
#[derive(Debug, thiserror::Error)]
#[error("cannot check the file: {source}")]
pub struct CheckError {
    #[from]
    source: std::io::Error,
}

/// Checks a source text for Python 3.10 and backtesting.py.
///
/// # Errors
/// [`CheckError`] when no thread could be started or the parser failed; findings are in the report.
pub fn check(source: &str) -> Result<Report, CheckError> {
    inspect(source, None)
}

/// As [`check`], and also warns of numbers and indicators of the description that the code does not hold.
///
/// "2 %" counts as held when 2 or 0.02 stands in the code.
///
/// # Errors
/// As [`check`].
pub fn check_against(source: &str, description: &str) -> Result<Report, CheckError> {
    inspect(source, Some(description))
}

/// The parameters of the first strategy in `source`, in its order: class attributes that are numbers, truths or
/// texts. Empty for a source that is too large to be a strategy.
///
/// # Errors
/// As [`check`].
pub fn parameters(source: &str) -> Result<Vec<(String, Value)>, CheckError> {
    if source.len() > MAX_SOURCE {
        return Ok(Vec::new());
    }
    let facts = syntax::facts(source)?;
    let (_, strategies) = policy::judge(&facts);
    let class = facts.classes.into_iter().find(|class| strategies.first() == Some(&class.name));
    let attributes = class.map(|class| class.attributes).unwrap_or_default();
    Ok(attributes.into_iter().map(|(name, text)| (name, literal(&text))).collect())
}

/// A Python literal; what JSON cannot say stays text.
fn literal(text: &str) -> Value {
    let plain = text.replace('_', "");
    match text {
        "True" => Value::Bool(true),
        "False" => Value::Bool(false),
        _ => match (plain.parse::<i64>(), plain.parse::<f64>()) {
            (Ok(whole), _) => Value::from(whole),
            (_, Ok(number)) => Value::from(number),
            _ => Value::from(text.trim_matches(['"', '\''])),
        },
    }
}

/// What is said of a source of more than [`MAX_SOURCE`] bytes, which need not be read for it.
#[must_use]
pub fn too_large() -> Report {
    let start = Position { line: 1, column: 1 };
    let message = format!("the source is larger than {} KiB", MAX_SOURCE / 1024);
    let diagnostic = Diagnostic::new(Code::TooLarge, start, message, "write a shorter strategy");
    Report { strategies: Vec::new(), diagnostics: vec![diagnostic] }
}

fn inspect(source: &str, description: Option<&str>) -> Result<Report, CheckError> {
    if source.len() > MAX_SOURCE {
        return Ok(too_large());
    }
    let start = Position { line: 1, column: 1 };
    let facts = syntax::facts(source)?;
    let (mut diagnostics, strategies) = policy::judge(&facts);
    if facts.errors.is_empty() {
        for indicator in fidelity::lost(description.unwrap_or_default(), &facts) {
            let message = format!("`{indicator}` of the description is not computed");
            let hint = "compute it with the function of the module `indicators`";
            diagnostics.push(Diagnostic::new(Code::LostIndicator, start, message, hint));
        }
        for number in numbers_in(description.unwrap_or_default()) {
            let number = number.abs();
            let held = facts.numbers.iter().any(|n| *n == number || (*n - number / 100.0).abs() < 1e-12);
            if !held {
                let message = format!("`{number}` of the description is not in the code");
                diagnostics.push(Diagnostic::new(
                    Code::LostNumber,
                    start,
                    message,
                    "use the number as it was given",
                ));
            }
        }
    }
    Ok(Report { strategies, diagnostics })
}

#[cfg(test)]
mod tests;
