//! `strategy-gen check FILE`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use strategy_gen::check::{MAX_SOURCE, check_against};
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
    let source = read(file, &name.to_string())?;
    let description = description.or_else(|| description_in(&source)).unwrap_or_default();
    let report = check_against(&source, description).map_err(strategy_gen::GenerateError::from)?;
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

/// The text of the file, and of no more than it takes to see that it is too large: it may have no end.
pub(super) fn read(file: &Path, name: &str) -> Result<String, Failure> {
    let cannot = |error: io::Error| {
        Failure::usage(format!(
            "cannot read `{name}`: {error}\nhint: name a Python file that exists and can be read"
        ))
    };
    let mut bytes = Vec::new();
    let file = File::open(file).map_err(cannot)?;
    file.take(MAX_SOURCE as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > MAX_SOURCE {
        // The cut may have gone through a character, and the check looks no further than the size.
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("`{name}` is not UTF-8 text\nhint: save it as UTF-8")))
}
