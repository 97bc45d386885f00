//! Finds what looks like an API key, so that a pasted secret is pointed out and never repeated.

use std::ops::Range;

use crate::untrusted::shape::{self, Likeness};
use crate::untrusted::{redact, spots};

fn spans(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    shape::find(&spots(text), Likeness::Certain, &mut spans);
    spans
}

/// The byte offsets where something like an API key begins.
pub(crate) fn find(text: &str) -> Vec<usize> {
    spans(text).into_iter().map(|span| span.start).collect()
}

/// Whether something in `text` looks like an API key: it has a known beginning and is as long as
/// one. What does not may still be one.
///
/// ```
/// use keyrot_core::leak;
/// assert!(leak::looks_like_a_key("key=AIzaSyD-9tSrke72PouQMnMX_a7eZSW0jkFMBWY"));
/// assert!(!leak::looks_like_a_key("gemini-2.5-flash"));
/// ```
#[must_use]
pub fn looks_like_a_key(text: &str) -> bool {
    !spans(text).is_empty()
}

/// At most `most` characters of `text`, on one line, without secrets.
/// In this order: half a key would not be recognized, and neither would one with a line break in it.
pub(crate) fn label(text: &str, most: usize) -> String {
    let line: String = text.chars().filter(|c| !c.is_control()).collect();
    redact(&line).chars().take(most).collect()
}
