//! Finds what looks like an API key, so that a pasted secret is pointed out and never repeated.

use std::ops::Range;

/// How Google's keys begin, and how many characters at least must follow: so many in a row that no
/// word before (`FAQ.`) makes an ordinary text of it.
const SHAPES: [(&str, usize); 3] = [("AIza", 35), ("AQ.", 20), ("IQ.", 20)];

/// What stands where a key stood.
const REDACTED: &str = "[REDACTED]";

fn in_key(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')
}

fn spans(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut next = 0;
    std::iter::from_fn(move || {
        while next < bytes.len() {
            let start = next;
            next += 1;
            let shape = SHAPES.iter().find(|(prefix, _)| bytes[start..].starts_with(prefix.as_bytes()));
            if let Some((prefix, at_least)) = shape {
                let body = start + prefix.len();
                let length = bytes[body..].iter().take_while(|b| in_key(**b)).count();
                if length >= *at_least {
                    next = body + length;
                    return Some(start..next);
                }
            }
        }
        None
    })
}

/// The byte offsets where something like an API key begins.
pub(crate) fn find(text: &str) -> Vec<usize> {
    spans(text).map(|span| span.start).collect()
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
    spans(text).next().is_some()
}

/// `text` without anything that looks like an API key.
#[must_use]
pub fn scrub(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut done = 0;
    for span in spans(text) {
        clean.push_str(&text[done..span.start]);
        clean.push_str(REDACTED);
        done = span.end;
    }
    clean.push_str(&text[done..]);
    clean
}

/// At most `most` characters of `text`, on one line, without anything that looks like an API key.
/// In this order: half a key would not be recognized, and neither would one with a line break in it.
pub(crate) fn label(text: &str, most: usize) -> String {
    let line: String = text.chars().filter(|c| !c.is_control()).collect();
    scrub(&line).chars().take(most).collect()
}
