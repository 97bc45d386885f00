//! Collects findings, and knows where in the file everything stands.

use std::borrow::Cow;

use jsonc_parser::ast::{ObjectPropName, StringLit, Value};
use jsonc_parser::common::Range;

use super::finding::{Finding, Severity};
use crate::leak;
use crate::untrusted::redact;

/// Most characters that a message repeats of a name out of the file.
const LONGEST_LABEL: usize = 200;

/// A place in the file and what it is about.
#[derive(Debug, Clone, Default)]
pub(super) struct Spot {
    /// Byte offset.
    pub(super) offset: usize,
    /// The key, where one is named.
    pub(super) key: Option<String>,
    /// The path of the field, as in `limits.gemini-2.5-pro.rpm`.
    pub(super) field: Option<String>,
}

impl Spot {
    /// The same key and field, elsewhere.
    pub(super) fn at(&self, offset: usize) -> Self {
        Self { offset, ..self.clone() }
    }

    /// A member of what stands here.
    pub(super) fn member(&self, name: &str, offset: usize) -> Self {
        let field = match &self.field {
            Some(path) => format!("{path}.{name}"),
            None => name.to_owned(),
        };
        Self { offset, key: self.key.clone(), field: Some(field) }
    }
}

/// What has been found so far in one file.
#[derive(Debug)]
pub(super) struct Report<'t> {
    file: &'t str,
    text: &'t str,
    line_starts: Vec<usize>,
    members: Vec<(Range, Spot)>,
    found: Vec<(usize, Finding)>,
}

impl<'t> Report<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let breaks = (0..bytes.len()).filter(|&i| match bytes[i] {
            b'\n' => true,
            b'\r' => bytes.get(i + 1) != Some(&b'\n'),
            _ => false,
        });
        let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let line_starts = std::iter::once(start).chain(breaks.map(|i| i + 1)).collect();
        Self { file, text, line_starts, members: Vec::new(), found: Vec::new() }
    }

    pub(super) fn error(&mut self, spot: &Spot, message: impl AsRef<str>, hint: impl AsRef<str>) {
        self.add(Severity::Error, spot, message.as_ref(), hint.as_ref());
    }

    pub(super) fn warn(&mut self, spot: &Spot, message: impl AsRef<str>, hint: impl AsRef<str>) {
        self.add(Severity::Warning, spot, message.as_ref(), hint.as_ref());
    }

    /// Every text passes through [`redact`]: whatever a message repeats of the file may be a
    /// secret somebody pasted there.
    fn add(&mut self, severity: Severity, spot: &Spot, message: &str, hint: &str) {
        let (line, column) = self.line_and_column(spot.offset);
        let finding = Finding {
            file: self.file.to_owned(),
            line,
            column,
            key_id: spot.key.as_deref().map(|text| leak::label(text, LONGEST_LABEL)),
            field: spot.field.as_deref().map(|text| leak::label(text, LONGEST_LABEL)),
            severity,
            message: redact(message),
            hint: (!hint.is_empty()).then(|| redact(hint)),
        };
        self.found.push((spot.offset, finding));
    }

    /// Line and column of a byte offset, both from 1, the column in characters.
    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|&start| start <= offset).max(1);
        let start = self.line_starts[line - 1];
        let before = self.text.get(start..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// The line a byte offset is on, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_and_column(offset).0
    }

    /// Remembers where a member's value stands.
    pub(super) fn remember(&mut self, range: Range, spot: &Spot) {
        self.members.push((range, spot.clone()));
    }

    /// Where the value of `field` of `key` stands, if it was given.
    pub(super) fn find(&self, key: Option<&str>, field: &str) -> Option<usize> {
        let mut members = self.members.iter().map(|(_, spot)| spot);
        members
            .find(|spot| spot.key.as_deref() == key && spot.field.as_deref() == Some(field))
            .map(|spot| spot.offset)
    }

    /// Points out everything in the file, comments included, that looks like an API key; in `root`
    /// also what does so only once its escapes are read.
    pub(super) fn leaks(&mut self, root: Option<&Value<'_>>) {
        let mut offsets = leak::find(self.text);
        if let Some(root) = root {
            escaped(root, &mut offsets);
        }
        for offset in offsets {
            let inside = |range: &Range| (range.start..range.end).contains(&offset);
            // Inner members are remembered after outer ones.
            let innermost = self.members.iter().rev().find(|(range, _)| inside(range));
            let spot = innermost.map_or_else(Spot::default, |(_, spot)| spot.clone()).at(offset);
            self.error(
                &spot,
                "holds what looks like an API key; secrets do not belong in this file",
                "remove it, treat the key as published, and put its successor in a secret store, \
                 for example `GEMINI_KEY_{key_id}` in .env",
            );
        }
    }

    /// All findings in file order, and whether any is an error.
    pub(super) fn finish(mut self) -> (Vec<Finding>, bool) {
        self.found.sort_by_key(|(offset, _)| *offset);
        let findings: Vec<Finding> = self.found.into_iter().map(|(_, finding)| finding).collect();
        let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
        (findings, failed)
    }
}

/// Where in `value` texts with escapes begin that look like an API key.
fn escaped(value: &Value<'_>, offsets: &mut Vec<usize>) {
    let mut text = |text: &StringLit<'_>| {
        // Only what had escapes was copied.
        if matches!(text.value, Cow::Owned(_)) && leak::looks_like_a_key(&text.value) {
            offsets.push(text.range.start);
        }
    };
    match value {
        Value::StringLit(it) => text(it),
        Value::Object(object) => {
            for member in &object.properties {
                if let ObjectPropName::String(name) = &member.name {
                    text(name);
                }
            }
            object.properties.iter().for_each(|member| escaped(&member.value, offsets));
        }
        Value::Array(list) => list.elements.iter().for_each(|value| escaped(value, offsets)),
        Value::NumberLit(_) | Value::BooleanLit(_) | Value::NullKeyword(_) => {}
    }
}
