//! Shows characters that a terminal obeys, or that nobody sees, as escapes.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether `c` steers the output or cannot be seen: controls, bidirectional marks, zero-width and other ignorable
/// characters, line and paragraph separators.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

fn escaped(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if !is_hidden(c) || keep(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c => {
                // Writing to a string does not fail.
                let _ = write!(shown, "{}", c.escape_unicode());
            }
        }
    }
    shown
}

/// `text` on one line: whatever steers the output or cannot be seen is an escape, line breaks as well.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_hidden) { escaped(text, |_| false).into() } else { text.into() }
}

/// On as many lines as it has.
pub(super) fn lines(text: &str) -> String {
    escaped(&text.replace("\r\n", "\n"), |c| matches!(c, '\n' | '\t'))
}

/// [`lines`] with colours: `ESC [`, numbers, `m`.
pub(super) fn coloured_lines(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut shown = lines(parts.next().unwrap_or_default());
    for part in parts {
        let code = part.split_once('m').map(|(code, _)| code);
        // Not the one that conceals what follows.
        let colours = |code: &str| {
            code.split(';').all(|number| matches!(number.parse(), Ok(0..=4 | 30..=37 | 39 | 90..=97)))
        };
        shown.push_str(if code.is_some_and(colours) { "\u{1b}[" } else { r"\u{1b}[" });
        shown.push_str(&lines(part));
    }
    shown
}

/// For a JSON string, whose writer escapes everything below U+0020 itself.
pub(super) fn json(text: &str) -> String {
    escaped(text, |c| c < ' ')
}
