//! `strategy-gen check FILE`.

use std::path::Path;

use strategy_gen::check::{MAX_SOURCE, check};

use super::{Failure, print, say};

/// Checks a file; 1 when it has errors.
pub(crate) fn run(file: &Path, json: bool) -> Result<u8, Failure> {
    let name = file.display();
    let too_large =
        std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.len() > 8 * MAX_SOURCE as u64);
    if too_large {
        return Err(Failure::usage(format!("`{name}` is far too large to be a strategy")));
    }
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::usage(format!(
            "cannot read `{name}`: {error}\nhint: name a Python file that exists and can be read"
        ))
    })?;
    let source = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("`{name}` is not UTF-8\nhint: save it as UTF-8")))?;
    let report = check(&source).map_err(strategy_gen::GenerateError::from)?;
    let failed = report.has_errors();
    if json {
        let status = if failed { "findings" } else { "ok" };
        let json = serde_json::json!({
            "schema": 1, "status": status, "file": name.to_string(),
            "strategies": report.strategies, "diagnostics": report.diagnostics,
        });
        print(&format!("{json:#}"));
    } else {
        let text = report.text(&name.to_string());
        if !text.is_empty() {
            print(text.trim_end());
        }
        say(if failed { "the strategy must be repaired before it is run" } else { "no errors" });
    }
    Ok(u8::from(failed))
}
