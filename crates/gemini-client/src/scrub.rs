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

/// How many bytes of a key in a row give it away. Servers name keys by their ends.
const PART: usize = 8;

/// Replaces every occurrence of `keys`, also where a page or an object quotes it with escapes, every
/// part of one of eight bytes or more, and everything that looks like a Gemini key.
///
/// ```
/// use gemini_client::scrub::scrub;
/// use secrecy::SecretString;
/// let key = SecretString::from("my-own-key");
/// assert_eq!(scrub("bad my-own-key, AIzaSyA1b2C3", [&key]), "bad [REDACTED], [REDACTED]");
/// ```
#[must_use]
pub fn scrub<'k>(text: &str, keys: impl IntoIterator<Item = &'k SecretString>) -> String {
    let exact = keys.into_iter().fold(text.to_owned(), |text, key| {
        let forms = escaped(key.expose_secret());
        forms.iter().chain([key]).fold(text, |text, form| without(&text, form.expose_secret()))
    });
    patterns(&exact)
}

/// The key as JSON, a URL and HTML write it, where that is not the key itself.
fn escaped(key: &str) -> Vec<SecretString> {
    if key.chars().all(is_key_char) {
        return Vec::new();
    }
    let html = key.chars().map(|c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        c => c.to_string(),
    });
    let url = key.bytes().map(|b| match char::from(b) {
        c if is_key_char(c) || c == '~' => c.to_string(),
        _ => format!("%{b:02X}"),
    });
    [key.escape_default().to_string(), url.collect(), html.collect()].map(SecretString::from).into()
}

/// `text` without `form` and without every part of it that gives it away.
fn without(text: &str, form: &str) -> String {
    let least = PART.min(form.len());
    if least == 0 {
        return text.to_owned();
    }
    let told = |part: &&[u8]| form.as_bytes().windows(least).any(|it| it == *part);
    let mut clean = String::with_capacity(text.len());
    let (mut done, mut run_ends) = (0, None);
    for (at, _) in text.as_bytes().windows(least).enumerate().filter(|(_, part)| told(part)) {
        if run_ends.is_none_or(|end| at > end) {
            let before = text.get(done..text.floor_char_boundary(at));
            clean.push_str(before.unwrap_or_default());
            clean.push_str(REDACTED);
        }
        run_ends = Some(at + least);
        done = text.ceil_char_boundary(at + least);
    }
    clean.push_str(text.get(done..).unwrap_or_default());
    clean
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

/// Whether `text` holds the whole of `key`, in whatever way it is written. A key too short to be
/// told from ordinary words is not looked for.
pub(crate) fn is_quoted_in(text: &str, key: &SecretString) -> bool {
    let forms = escaped(key.expose_secret());
    let mut forms = forms.iter().chain([key]).map(ExposeSecret::expose_secret);
    forms.any(|form| form.len() >= PART && text.contains(form))
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
        fn no_part_of_a_key_survives(key in "[!-~]{8,40}", from in 0_usize..33, text in "[a-z ü]{0,20}") {
            let secret = SecretString::from(key.clone());
            let part = key.get(from..).filter(|part| part.len() >= PART).unwrap_or(&key);
            for form in [part.to_owned(), format!("{part}{key}"), format!("{key}{part}")] {
                let clean = scrub(&format!("{text}{form}{text}"), [&secret]);
                prop_assert!(!key.as_bytes().windows(PART).any(|it| {
                    clean.replace(REDACTED, "\n").as_bytes().windows(PART).any(|part| part == it)
                }), "{}", clean);
            }
        }

        #[test]
        fn escapes_do_not_hide_a_key(key in "[A-Za-z0-9]{0,9}[\"\\\\<>&'%/+=;{}#~!]{1,6}[A-Za-z0-9\"&<%]{6,20}") {
            let secret = SecretString::from(key.clone());
            let json = serde_json::to_string(&key).unwrap();
            for form in escaped(&key).into_iter().chain([SecretString::from(json.trim_matches('"'))]) {
                let clean = scrub(&format!("<a href=\"{}\">", form.expose_secret()), [&secret]);
                prop_assert!(!clean.contains(form.expose_secret()), "{}", clean);
            }
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
