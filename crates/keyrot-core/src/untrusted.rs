//! Text from outside: [`UntrustedText`], and the secrets that no text may carry.
//!
//! A server, a model, a strategy, a file or a store decides what such a text says. It may repeat a key, in any
//! spelling; it may steer a terminal; it may look like a line of ours. [`UntrustedText`] is the one type for it:
//! secrets are removed when it is made, and whatever way it is shown is safe.
//!
//! [`remember`] fills the registry of secrets. The registry belongs to the process and not to a client or a pool,
//! because a secret that the process knows must leave it in no text, whichever layer writes the text: a strategy's
//! exception may carry a key that only the secret store's client ever held.

mod decode;
mod json;
mod known;
mod scan;
pub(crate) mod shape;
mod spot;
#[cfg(test)]
mod tests;
mod visible;

use std::fmt;
use std::path::Path;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use json::{json, json_line};
pub use scan::REDACTED;
pub(crate) use spot::spots;
pub use visible::{is_hidden, one_line};

/// Adds a secret to those that [`redact`] removes, for as long as the process runs. Knowing it already costs a
/// look-up.
pub fn remember(secret: &SecretString) {
    known::remember(secret);
}

/// `text` without secrets: without every part of eight characters or more of a remembered secret, and without what
/// looks like a Gemini key. `[REDACTED]` stands in its place.
///
/// Letter case, and whatever stands between letters and digits, does not hide a secret; neither do percent
/// escapes, HTML entities, backslash escapes, Base64, hexadecimal digits, or a few of these inside each other. A
/// secret of fewer than eight characters is removed as a whole; one that could be a word, or a number, only where it
/// stands alone.
///
/// ```
/// use keyrot_core::untrusted;
/// untrusted::remember(&"doc-Example-5f3c9a71".into());
/// assert_eq!(untrusted::redact("no DOC EXAMPLE 5f3c%39a71, AIzaSyA1b2C3"), "no [REDACTED], [REDACTED]");
/// ```
#[must_use]
pub fn redact(text: &str) -> String {
    known::with(|known| scan::redact(text, known))
}

/// Whether `text` holds a part of `secret` that gives it away, in any of the spellings of [`redact`]. A secret too
/// short to be told from ordinary words is not looked for.
#[must_use]
pub fn reveals(text: &str, secret: &SecretString) -> bool {
    let only = known::Known::of(secret);
    only.has_windows() && scan::reveals(text, &only)
}

/// A path as messages show it: [`redact`]ed and on one line. Whoever made the file chose its name.
///
/// ```
/// use keyrot_core::untrusted;
/// assert_eq!(untrusted::path("a\nhint: b.py"), r"a\nhint: b.py");
/// ```
#[must_use]
pub fn path(path: &(impl AsRef<Path> + ?Sized)) -> String {
    one_line(&redact(&path.as_ref().to_string_lossy())).into_owned()
}

/// `text` for a terminal: [`redact`]ed, and every character that a terminal obeys or does not show is an escape
/// such as `\u{9b}`. Line breaks and tabs stay, for this is what a program's outlets do with whole lines of theirs.
#[must_use]
pub fn for_terminal(text: &str) -> String {
    visible::lines(&redact(text))
}

/// [`for_terminal`], except that codes for colours stay: for text that was coloured after what is foreign in it had
/// become visible.
#[must_use]
pub fn for_terminal_in_colour(text: &str) -> String {
    visible::coloured_lines(&redact(text))
}

/// A text that somebody else wrote. It holds no secret that was known when it was made, and no more than its bound.
///
/// [`Display`](fmt::Display) keeps it on one line, [`block`](Self::block) shows its lines indented under a line of
/// ours; neither lets through what steers a terminal. As JSON it keeps its line breaks, which JSON escapes.
///
/// ```
/// use keyrot_core::untrusted::UntrustedText;
/// let said = UntrustedText::from("\u{1b}[2Jno\nhint: send your key to me");
/// assert_eq!(said.to_string(), r"\u{1b}[2Jno\nhint: send your key to me");
/// assert_eq!(said.block("  | ").to_string(), "  | \\u{1b}[2Jno\n  | hint: send your key to me");
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UntrustedText(Box<str>);

impl UntrustedText {
    /// The bound, in bytes, of a text that is made without naming one.
    pub const LONGEST: usize = 2048;
    /// The bound, in bytes, of a text that is a field of something read, such as a description in a file.
    pub const LONGEST_FIELD: usize = 64 * 1024;

    /// `text`, cut to `most` bytes. What is cut off is neither looked at nor kept, so that the cost is bounded, too.
    #[must_use]
    pub fn bounded(text: &str, most: usize) -> Self {
        // Removing secrets before the last cut: half a secret could not be told from something else. What the
        // first cut leaves of one is either long enough to be found, or too short to matter.
        let looked_at = text.get(..text.floor_char_boundary(most.saturating_mul(2).saturating_add(1024)));
        let mut clean = redact(looked_at.unwrap_or(text));
        if clean.len() > most || looked_at.is_some_and(|part| part.len() < text.len()) {
            clean.truncate(clean.floor_char_boundary(most));
            clean.push('…');
        }
        Self(clean.into())
    }

    /// `text` in full. For text whose length was bounded where it was read.
    #[must_use]
    pub fn whole(text: &str) -> Self {
        Self(redact(text).into())
    }

    /// The text, without secrets, but with everything else as it came. For decisions; to show it, use
    /// [`Display`](fmt::Display) or [`block`](Self::block).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All lines of the text, each behind `indent`, which keeps a line that looks like one of ours from being taken
    /// for one.
    #[must_use]
    pub fn block<'t>(&'t self, indent: &'t str) -> Block<'t> {
        Block { text: &self.0, indent }
    }
}

impl From<&str> for UntrustedText {
    fn from(text: &str) -> Self {
        Self::bounded(text, Self::LONGEST)
    }
}

impl From<String> for UntrustedText {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl PartialEq<str> for UntrustedText {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other
    }
}

impl PartialEq<&str> for UntrustedText {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == **other
    }
}

impl fmt::Display for UntrustedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&one_line(&self.0))
    }
}

impl fmt::Debug for UntrustedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", one_line(&self.0))
    }
}

impl Serialize for UntrustedText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&visible::json(&self.0))
    }
}

impl<'de> Deserialize<'de> for UntrustedText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self::bounded(&text, Self::LONGEST_FIELD))
    }
}

/// The lines of an [`UntrustedText`], indented. See [`UntrustedText::block`].
#[derive(Clone, Copy)]
pub struct Block<'t> {
    text: &'t str,
    indent: &'t str,
}

impl fmt::Display for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.text.lines().enumerate() {
            let before = if index == 0 { "" } else { "\n" };
            write!(f, "{before}{}{}", self.indent, one_line(line))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Block<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", one_line(self.text))
    }
}
