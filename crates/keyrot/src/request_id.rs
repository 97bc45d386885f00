//! The name of a request in events and log lines.

use std::fmt;
use std::sync::Arc;

/// The longest name kept of those that callers give, in characters.
const LONGEST: usize = 64;

/// Names one request in every [`Event`](crate::Event) and log line about it. Cloning is cheap.
///
/// A caller gives it with [`Profile::request_id`](crate::Profile::request_id); otherwise the rotator
/// makes one up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Name);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Given(Arc<str>),
    Numbered(u64),
}

impl RequestId {
    /// The first 64 characters of `text`, without spaces and whatever else a log line or a terminal
    /// could trip over.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let kept: String = text.chars().filter(char::is_ascii_graphic).take(LONGEST).collect();
        Self(Name::Given(kept.into()))
    }

    pub(crate) fn numbered(number: u64) -> Self {
        Self(Name::Numbered(number))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Given(text) => f.write_str(text),
            Name::Numbered(number) => write!(f, "{number:016x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_name_is_one_short_word() {
        assert_eq!(RequestId::new("a b\n\u{1b}[31mc").to_string(), "ab[31mc");
        assert_eq!(RequestId::new(&"x".repeat(1_000)).to_string().len(), LONGEST);
        assert_eq!(RequestId::numbered(255).to_string(), "00000000000000ff");
    }
}
