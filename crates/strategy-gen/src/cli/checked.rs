//! `strategy-gen check FILE`.

use std::path::Path;

use keyrot::file::{self, Links, ReadError};
use strategy_gen::check::{MAX_SOURCE, check_against, too_large};
use strategy_gen::python::description_in;

use super::args::Format;
use super::{Failure, print, print_json, print_json_line, say, strictly};

/// Checks a file; 1 when it has errors, or anything when that is to be as bad.
pub(crate) fn run(
    file: &Path,
    description: Option<&str>,
    format: Format,
    strict: bool,
) -> Result<u8, Failure> {
    let name = keyrot::untrusted::path(&file);
    let report = match text(file, &name.to_string())? {
        Some(source) => {
            let description = description.or_else(|| description_in(&source)).unwrap_or_default();
            check_against(&source, description).map_err(strategy_gen::GenerateError::from)?
        }
        None => too_large(),
    };
    let failed = report.has_errors();
    let status = if failed { "findings" } else { "ok" };
    if format == Format::Jsonl {
        for diagnostic in &report.diagnostics {
            let mut line = serde_json::json!({ "event": "diagnostic", "file": name.to_string() });
            if let (Some(line), Ok(serde_json::Value::Object(found))) =
                (line.as_object_mut(), serde_json::to_value(diagnostic))
            {
                line.extend(found);
            }
            print_json_line(line)?;
        }
        let last = serde_json::json!({
            "event": "result", "schema": 1, "status": status, "file": name.to_string(), "strategies": report.strategies,
        });
        print_json_line(last)?;
    } else if format == Format::Json {
        let json = serde_json::json!({
            "schema": 1, "status": status, "file": name.to_string(),
            "strategies": report.strategies, "diagnostics": report.diagnostics,
        });
        print_json(json)?;
    } else {
        let text = report.text(&name.to_string());
        if !text.is_empty() {
            print(text.trim_end())?;
        }
        say(if failed { "the strategy must be repaired before it is run" } else { "no errors" });
    }
    Ok(strictly(strict, u8::from(failed), !report.diagnostics.is_empty()))
}

/// The whole text of the file.
pub(super) fn read(file: &Path, name: &str) -> Result<String, Failure> {
    text(file, name)?.ok_or_else(|| {
        Failure::usage(format!(
            "`{name}` is larger than {} KiB, the most that a strategy may have\nhint: write a shorter strategy",
            MAX_SOURCE / 1024
        ))
    })
}

/// The whole text of the file; `None` where it is too large.
fn text(file: &Path, name: &str) -> Result<Option<String>, Failure> {
    match file::read(file, Links::Follow, MAX_SOURCE as u64) {
        Ok(bytes) => String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Failure::usage(format!("`{name}` is not UTF-8 text\nhint: save it as UTF-8"))),
        Err(ReadError::TooLarge { .. }) => Ok(None),
        Err(error) => Err(Failure::usage(format!(
            "cannot read `{name}`: {error}\nhint: name a Python file that exists and can be read"
        ))),
    }
}
