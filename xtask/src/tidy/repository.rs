//! Rules about the checkout as a whole: licences, what is ignored, what must not be named.

use super::{File, Finding, PERSONAL};

/// Both licence texts, with words that each must hold, the last of them near its end.
const LICENCES: &[(&str, &[&str])] = &[
    ("LICENSE-MIT", &["Permission is hereby granted, free of charge", "THE SOFTWARE IS PROVIDED \"AS IS\""]),
    ("LICENSE-APACHE", &["Version 2.0, January 2004", "END OF TERMS AND CONDITIONS"]),
];

/// Paths of one machine, in two halves each so that this file does not name them.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/tmp/ta", "rget"), concat!("/ro", "ot/")];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    licences(files, &mut findings);
    clippy_file(files, &mut findings);
    ignored(files, &mut findings);
    for file in files {
        machine_paths(file, &mut findings);
    }
    findings
}

fn licences(files: &[File], findings: &mut Vec<Finding>) {
    for (path, wanted) in LICENCES {
        let text = text(files, path);
        if let Some(words) = wanted.iter().find(|words| !text.contains(**words)) {
            findings.push(Finding::new(path, 0, format!("no licence text with `{words}`")));
        }
    }
}

/// A second one would not add to the first but replace it for its crate, and switch the bans off.
fn clippy_file(files: &[File], findings: &mut Vec<Finding>) {
    let named = |file: &&File| matches!(file.path.rsplit('/').next(), Some("clippy.toml" | ".clippy.toml"));
    for file in files.iter().filter(named).filter(|file| file.path != "clippy.toml") {
        findings.push(Finding::new(&file.path, 0, "a second `clippy.toml` replaces the first, bans and all"));
    }
    if text(files, "clippy.toml").is_empty() {
        findings.push(Finding::new("clippy.toml", 0, "missing"));
    }
}

fn ignored(files: &[File], findings: &mut Vec<Finding>) {
    let text = text(files, ".gitignore");
    for name in PERSONAL {
        if !text.lines().any(|line| line.trim() == *name) {
            findings.push(Finding::new(".gitignore", 0, format!("does not ignore `{name}`")));
        }
        if let Some(line) = text.lines().position(|line| line.trim().strip_prefix('!') == Some(name)) {
            findings.push(Finding::new(".gitignore", line + 1, format!("takes `{name}` back in")));
        }
    }
}

fn machine_paths(file: &File, findings: &mut Vec<Finding>) {
    // Behind any of these, the rest is part of a longer path or of an address.
    let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | '*' | '~');
    for (index, line) in file.text.lines().enumerate() {
        for path in MACHINE_PATHS {
            let starts = line.match_indices(path).any(|(at, _)| !line[..at].ends_with(goes_on));
            if starts {
                findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    format!("names the path `{path}` of one machine"),
                ));
            }
        }
    }
}

/// Empty where there is no such file.
fn text<'a>(files: &'a [File], path: &str) -> &'a str {
    files.iter().find(|file| file.path == path).map_or("", |file| &file.text)
}
