//! Rules about files and manifests that no compiler checks. All findings are told at once.

mod foreign;
mod layers;
mod manifests;
mod repository;
mod reviewed;
mod sources;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::command::{root, say};

/// A text file of the checkout.
#[derive(Debug)]
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from 1; 0 where the file as a whole is meant.
    line: usize,
    message: String,
    /// Told, but no failure.
    warning: bool,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into(), warning: false }
    }

    fn warning(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { warning: true, ..Self::new(path, line, message) }
    }
}

/// Folders that hold nothing of ours, wherever they stand.
const FOREIGN: &[&str] = &[".git", ".venv", "__pycache__"];

/// The same, at the root alone: further down a module may have the name.
const FOREIGN_AT_ROOT: &[&str] = &["target", "strategies", "state"];

/// Files of one person, never committed.
const PERSONAL: &[&str] = &[".env", "keys.json"];

/// Tells all findings of the checkout, and fails if there is one that is not a warning.
pub(crate) fn run() -> Result<()> {
    let files = files(root())?;
    let findings = check(&files, sources::EXPOSING, reviewed::REVIEWED);
    for Finding { path, line, message, warning } in &findings {
        say(&format!("{path}:{line} {}{message}", if *warning { "warning: " } else { "" }));
    }
    let broken = findings.iter().filter(|finding| !finding.warning).count();
    if broken > 0 {
        bail!("tidy: {broken} findings");
    }
    say(&format!("tidy: {} files in order", files.len()));
    Ok(())
}

fn check(files: &[File], exposing: sources::Exposing, reviewed: foreign::Reviewed) -> Vec<Finding> {
    let mut findings = sources::check(files, exposing);
    findings.extend(foreign::check(files, reviewed));
    findings.extend(manifests::check(files));
    findings.extend(repository::check(files));
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    findings
}

/// Every text file below `root` that could be committed.
pub(crate) fn files(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).with_context(|| format!("could not list `{folder}`"))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if entry.file_type()?.is_dir() {
                let at_root = folder.is_empty() && FOREIGN_AT_ROOT.contains(&name.as_str());
                if !at_root && !FOREIGN.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if !PERSONAL.contains(&name.as_str()) {
                // What is not UTF-8 is a picture or the like, and has no lines to check.
                if let Ok(text) = fs::read_to_string(entry.path()) {
                    files.push(File { path, text });
                }
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
