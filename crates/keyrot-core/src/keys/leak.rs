//! Finds what looks like an API key, so that a pasted secret is pointed out and never repeated.

use std::ops::Range;

/// How Google's keys begin, and how many characters at least must follow.
const SHAPES: [(&str, usize); 3] = [("AIza", 35), ("AQ.", 20), ("IQ.", 20)];

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
            let fresh = start == 0 || !bytes[start - 1].is_ascii_alphanumeric();
            let shape = SHAPES.iter().find(|(prefix, _)| bytes[start..].starts_with(prefix.as_bytes()));
            if let (true, Some((prefix, at_least))) = (fresh, shape) {
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
pub(super) fn find(text: &str) -> Vec<usize> {
    spans(text).map(|span| span.start).collect()
}

/// `text` without anything that looks like an API key.
pub(super) fn scrub(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut done = 0;
    for span in spans(text) {
        clean.push_str(&text[done..span.start]);
        clean.push_str("[REDACTED]");
        done = span.end;
    }
    clean.push_str(&text[done..]);
    clean
}
