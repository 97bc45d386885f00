//! Takes keys out of texts that came from elsewhere: servers do echo them
//! (`Consumer 'api_key:AIza…' has been suspended.`).

use secrecy::{ExposeSecret, SecretString};

/// What stands where a key stood.
pub const REDACTED: &str = "[REDACTED]";

/// Most bytes of a server's message that are kept.
pub const LONGEST_MESSAGE: usize = 2048;

/// Prefixes of known kinds of keys, and how many key characters must follow before a run is taken
/// for one. `AQ.` and `IQ.` also end ordinary words ("see the FAQ."), so they must stand at the
/// start of a word and be followed by more.
const PATTERNS: [(&str, usize, bool); 3] = [("AIza", 4, false), ("AQ.", 8, true), ("IQ.", 8, true)];

/// Replaces every occurrence of `keys`, and everything that looks like a Gemini key.
///
/// ```
/// use gemini_client::scrub::scrub;
/// use secrecy::SecretString;
/// let key = SecretString::from("my-own-key");
/// assert_eq!(scrub("bad my-own-key, AIzaSyA1b2C3", [&key]), "bad [REDACTED], [REDACTED]");
/// ```
#[must_use]
pub fn scrub<'k>(text: &str, keys: impl IntoIterator<Item = &'k SecretString>) -> String {
    let exact = keys.into_iter().fold(text.to_owned(), |text, key| match key.expose_secret() {
        "" => text,
        key => text.replace(key, REDACTED),
    });
    patterns(&exact)
}

/// [`scrub`], then at most [`LONGEST_MESSAGE`] bytes of it. In this order: a key cut in half would
/// not be recognized.
#[must_use]
pub fn message<'k>(text: &str, keys: impl IntoIterator<Item = &'k SecretString>) -> String {
    let mut clean = scrub(text, keys);
    if clean.len() > LONGEST_MESSAGE {
        clean.truncate(clean.floor_char_boundary(LONGEST_MESSAGE));
        clean.push('…');
    }
    clean
}

fn patterns(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(next) = rest.chars().next() {
        let run = PATTERNS.iter().find_map(|&(prefix, least, at_word_start)| {
            if at_word_start && before.is_some_and(is_key_char) {
                return None;
            }
            let tail = rest.strip_prefix(prefix)?;
            let length = tail.find(|c| !is_key_char(c)).unwrap_or(tail.len());
            (length >= least).then_some(prefix.len() + length)
        });
        let taken = match run {
            Some(length) => {
                clean.push_str(REDACTED);
                length
            }
            None => {
                clean.push(next);
                next.len_utf8()
            }
        };
        let (done, left) = rest.split_at(taken);
        before = done.chars().next_back();
        rest = left;
    }
    clean
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: [&SecretString; 0] = [];

    #[test]
    fn what_looks_like_a_key_goes() {
        for (text, clean) in [
            (
                "Permission denied: Consumer 'api_key:AIzaSyD-9tSrke72PouQMnMX_a7eZSW0jkFMBWY' has been suspended.",
                "Permission denied: Consumer 'api_key:[REDACTED]' has been suspended.",
            ),
            ("?key=AIzaSyA1&alt=sse", "?key=[REDACTED]&alt=sse"),
            ("\"AQ.Ab8RN6Kzz-_x1\"", "\"[REDACTED]\""),
            ("IQ.0123456789", "[REDACTED]"),
            ("xAIzaSyA1b2", "x[REDACTED]"),
        ] {
            assert_eq!(scrub(text, NONE), clean);
        }
    }

    #[test]
    fn ordinary_words_stay() {
        for text in ["see the FAQ.and-more-text", "an AQ. test", "IQ.", "AIza", "Ünïcode AIz"] {
            assert_eq!(scrub(text, NONE), text);
        }
    }

    #[test]
    fn a_key_on_the_cut_does_not_survive_in_half() {
        let text = format!("{}AIza{}", "x".repeat(LONGEST_MESSAGE - 6), "S".repeat(40));
        let clean = message(&text, NONE);
        assert!(!clean.contains("AIza"), "{clean}");
        assert!(clean.len() <= LONGEST_MESSAGE + '…'.len_utf8());
    }

    proptest! {
        #[test]
        fn the_exact_key_never_survives(before in "\\PC{0,40}", key in "[!-~]{11,40}", after in "\\PC{0,40}") {
            let secret = SecretString::from(key.clone());
            let text = format!("{before}{key}{after}");
            prop_assert!(!scrub(&text, [&secret]).contains(&key));
        }

        #[test]
        fn patterns_leave_nothing_behind(before in "[ :'\"=ü]{0,4}", tail in "[A-Za-z0-9_-]{8,60}") {
            for prefix in ["AIza", "AQ.", "IQ."] {
                let clean = scrub(&format!("{before}{prefix}{tail} end"), NONE);
                prop_assert_eq!(clean, format!("{before}{REDACTED} end"));
            }
        }
    }
}
