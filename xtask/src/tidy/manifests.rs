//! Rules about `Cargo.toml` files: one lint table, one table of dependencies.

use super::{File, Finding};
use crate::manifest::{Entry, entries};

/// Members whose folder is not named like their crate.
const OTHER_FOLDERS: &[(&str, &str)] = &[("tests", "keyrot-tests")];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let members: Vec<(&File, Vec<Entry<'_>>)> = files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
        .map(|file| (file, entries(&file.text)))
        .collect();
    for (file, entries) in &members {
        place(file, entries, &mut findings);
        inherits(file, entries, &mut findings);
        dependencies(file, entries, &mut findings);
    }
    if let Some(root) = files.iter().find(|file| file.path == "Cargo.toml") {
        versions(root, &members, &mut findings);
    }
    findings
}

/// `crates/NAME`, or a folder at the root.
fn place(file: &File, entries: &[Entry<'_>], findings: &mut Vec<Finding>) {
    let folder = file.path.trim_end_matches("/Cargo.toml");
    let short = folder.strip_prefix("crates/").unwrap_or(folder);
    if short.contains('/') {
        findings.push(Finding::new(&file.path, 0, "crates lie flat in `crates/`"));
    }
    let name = find(entries, "package", "name").map_or("", |entry| entry.value.trim_matches('"'));
    if name != short && !OTHER_FOLDERS.contains(&(folder, name)) {
        findings.push(Finding::new(
            &file.path,
            0,
            format!("crate `{name}` lies in a folder of another name"),
        ));
    }
}

fn inherits(file: &File, entries: &[Entry<'_>], findings: &mut Vec<Finding>) {
    if find(entries, "lints", "workspace").is_none_or(|entry| entry.value != "true") {
        findings.push(Finding::new(&file.path, 0, "no `[lints] workspace = true`"));
    }
    for key in ["version", "edition", "rust-version", "license"] {
        // A backend whose SDK needs a newer compiler may say so itself.
        let own = key == "rust-version" && find(entries, "package", key).is_some();
        let inherited =
            find(entries, "package", &format!("{key}.workspace")).is_some_and(|it| it.value == "true");
        if !own && !inherited {
            findings.push(Finding::new(&file.path, 0, format!("no `{key}.workspace = true`")));
        }
    }
}

/// Versions and sources stand in the root's table alone.
fn dependencies(file: &File, entries: &[Entry<'_>], findings: &mut Vec<Finding>) {
    let hint = "hint: it belongs in `[workspace.dependencies]`";
    for entry in entries {
        let mut parts = entry.section.rsplit('.');
        let last = parts.next().unwrap_or_default();
        if last.ends_with("dependencies") {
            let whole = entry.key.ends_with(".workspace") && entry.value == "true";
            let table = entry.field("workspace") == Some("true");
            if !whole && !table {
                let message = format!("`{}` does not say `workspace = true`; {hint}", entry.key);
                findings.push(Finding::new(&file.path, entry.line, message));
            }
        } else if parts.next().is_some_and(|above| above.ends_with("dependencies")) {
            // `[dependencies.x]`
            if find(entries, entry.section, "workspace").is_none_or(|it| it.value != "true") {
                let message = format!("`{last}` does not say `workspace = true`; {hint}");
                findings.push(Finding::new(&file.path, entry.line, message));
            }
        }
    }
}

/// What is published names the versions of ours that it needs.
fn versions(root: &File, members: &[(&File, Vec<Entry<'_>>)], findings: &mut Vec<Finding>) {
    for entry in entries(&root.text).iter().filter(|entry| entry.section == "workspace.dependencies") {
        let Some(path) = entry.field("path").map(|path| path.trim_matches('"')) else { continue };
        let manifest = format!("{path}/Cargo.toml");
        let Some((_, member)) = members.iter().find(|(file, _)| file.path == manifest) else {
            findings.push(Finding::new(
                &root.path,
                entry.line,
                format!("`{}` is not at `{path}`", entry.key),
            ));
            continue;
        };
        let published = find(member, "package", "publish").is_none_or(|it| it.value != "false");
        if published && entry.field("version").is_none() {
            let message = format!("`{}` is published and has no `version` here", entry.key);
            findings.push(Finding::new(&root.path, entry.line, message));
        }
    }
}

fn find<'a, 'b>(entries: &'a [Entry<'b>], section: &str, key: &str) -> Option<&'a Entry<'b>> {
    entries.iter().find(|entry| entry.section == section && entry.key == key)
}
