//! Canaries: keys planted in a test, and the grep that finds them in whatever came out.
//!
//! A canary is found whole, by any eight characters of what follows its known prefix, and in the
//! forms texts take on their way: percent-encoded, escaped for JSON, HTML or a debug text, base64
//! at each of the three alignments, hexadecimal, and the list of its bytes. Letter case is ignored.

use std::collections::HashMap;

/// A standard key, in the shape Google gives it.
pub const STANDARD: &str = "AIzaSyQ7vXk2LmW9pRt4ZcN8bHj3Fd6GsYu1EoT";
/// Another one.
pub const OTHER: &str = "AIzaSyB5nKe8VdJ1xMf7Ua3WqPh0Cg9RzTl4Iy2";
/// A key that holds [`STANDARD`] whole.
pub const LONGER: &str = "AIzaSyQ7vXk2LmW9pRt4ZcN8bHj3Fd6GsYu1EoT-Kd83nfQ0a";
/// A key that stands in the middle of [`STANDARD`].
pub const INNER: &str = "2LmW9pRt4ZcN8bHj";
/// An auth key.
pub const AUTH: &str = "AQ.Ab8RN6JwTz5pLx0Vq9KdYfHu2MsEiGo7CtBn";
/// A key of the other new kind.
pub const INTERACTION: &str = "IQ.Zr4Nh7Wm1TfPk6YbQx9LsDv3JgUa8EcOi5";
/// A key that follows no known pattern.
pub const PLAIN: &str = "m3Xv81LkPq02RtYw57Bn";
/// Every character that some text form escapes.
pub const ODD: &str = r#"o"d\<Jd>&'kU%e+y/7=Zt;{9w}#Qx~3"#;
/// Too short for a part of it to tell anything.
pub const SHORT: &str = "q7!Zx";

/// All of them.
pub const ALL: [&str; 9] = [STANDARD, OTHER, LONGER, INNER, AUTH, INTERACTION, PLAIN, ODD, SHORT];

/// Those that look like an API key to whoever does not know them.
pub const TELLTALE: [&str; 5] = [STANDARD, OTHER, LONGER, AUTH, INTERACTION];

/// How many characters of a canary's tail give it away.
const PART: usize = 8;

/// Looks for canaries, in one pass over a text.
#[derive(Debug)]
pub struct Grep {
    /// What to look for in lower case, each with what to call it, by its first three bytes.
    wanted: HashMap<[u8; 3], Vec<(String, String)>>,
    /// By first byte, whether anything begins so: most positions of a text are done with here.
    begins: [bool; 256],
}

impl Default for Grep {
    fn default() -> Self {
        Self::of(&ALL)
    }
}

impl Grep {
    /// Looks for these alone.
    #[must_use]
    pub fn of(canaries: &[&str]) -> Self {
        let mut grep = Self { wanted: HashMap::new(), begins: [false; 256] };
        for canary in canaries {
            for (name, form) in forms(canary) {
                grep.want(&form, &format!("`{canary}` {name}"));
            }
            let tail = tail(canary);
            for from in 0..=tail.len().saturating_sub(PART) {
                if let Some(part) = tail.get(from..from + PART) {
                    grep.want(part, &format!("a part of `{canary}`"));
                }
            }
        }
        grep
    }

    fn want(&mut self, form: &str, name: &str) {
        let form = form.to_ascii_lowercase();
        if let Some(begin) = form.as_bytes().first_chunk::<3>() {
            self.begins[usize::from(begin[0])] = true;
            self.wanted.entry(*begin).or_default().push((form, name.to_owned()));
        }
    }

    /// What was found in `text` and where, if anything.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<String> {
        let lower = text.to_ascii_lowercase();
        for (at, byte) in lower.bytes().enumerate() {
            if !self.begins[usize::from(byte)] {
                continue;
            }
            let rest = lower.as_bytes().get(at..).unwrap_or_default();
            let wanted = rest.first_chunk::<3>().and_then(|begin| self.wanted.get(begin));
            let found = wanted.and_then(|all| all.iter().find(|(form, _)| rest.starts_with(form.as_bytes())));
            if let Some((_, name)) = found {
                return Some(format!("{name} in: {}", around(text, at)));
            }
        }
        None
    }
}

fn tail(canary: &str) -> &str {
    ["AIza", "AQ.", "IQ."].iter().find_map(|prefix| canary.strip_prefix(prefix)).unwrap_or(canary)
}

fn around(text: &str, at: usize) -> &str {
    let from = text.floor_char_boundary(at.saturating_sub(300));
    let to = text.ceil_char_boundary((at + 300).min(text.len()));
    text.get(from..to).unwrap_or(text)
}

/// The texts a canary may come out as.
#[must_use]
pub fn forms(canary: &str) -> Vec<(&'static str, String)> {
    let bytes = canary.as_bytes();
    let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
    let mut forms = vec![
        ("as it is", canary.to_owned()),
        ("percent-encoded", percent(canary, "-_.~")),
        ("percent-encoded as a path", percent(canary, "-_.~!$&'()*+,;=:@/")),
        ("escaped for JSON", each(canary, |c| matches!(c, '"' | '\\').then(|| format!("\\{c}")))),
        (
            "escaped for JSON twice",
            each(canary, |c| match c {
                '"' => Some(r#"\\\""#.to_owned()),
                '\\' => Some(r"\\\\".to_owned()),
                _ => None,
            }),
        ),
        ("escaped for a debug text", canary.escape_default().to_string()),
        ("escaped for HTML", html(canary, "&#39;")),
        ("escaped for HTML, quotes in hexadecimal", html(canary, "&#x27;")),
        ("in hexadecimal", bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        ("as a list of bytes", list.join(", ")),
    ];
    for skip in 0..3 {
        // Bytes before it shift it against the groups of three; what they share with it is cut off.
        let before = vec![0; skip];
        let encoded = base64(&[&before, bytes].concat());
        let from = [0, 2, 3][skip];
        let whole = (skip + bytes.len()) / 3 * 4;
        if let Some(core) = encoded.get(from..whole).filter(|core| core.len() >= 4) {
            forms.push(("in base64", core.to_owned()));
            forms.push(("in base64 for URLs", core.replace('+', "-").replace('/', "_")));
        }
    }
    forms
}

fn each(text: &str, escape: impl Fn(char) -> Option<String>) -> String {
    text.chars().map(|c| escape(c).unwrap_or_else(|| c.to_string())).collect()
}

fn percent(text: &str, plain: &str) -> String {
    each(text, |c| (!c.is_ascii_alphanumeric() && !plain.contains(c)).then(|| format!("%{:02X}", c as u32)))
}

fn html(text: &str, apostrophe: &str) -> String {
    each(text, |c| {
        let entity = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\'' => apostrophe,
            _ => return None,
        };
        Some(entity.to_owned())
    })
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |group: &[u8]| {
        let bits =
            (0..3).fold(0_usize, |bits, i| bits << 8 | usize::from(group.get(i).copied().unwrap_or(0)));
        (0..=group.len()).map(move |i| char::from(DIGITS[bits >> (18 - 6 * i) & 63])).collect::<String>()
    };
    bytes.chunks(3).map(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_and_every_part_is_found() {
        let grep = Grep::default();
        for canary in ALL {
            for (name, form) in forms(canary) {
                assert!(grep.find(&format!("said {form}: no")).is_some(), "{canary} {name}: {form}");
            }
            let tail = tail(canary);
            for from in (0..=tail.len()).filter(|from| from + PART <= tail.len()) {
                let part = &tail[from..from + PART];
                assert!(grep.find(&format!("key ends in {part}.")).is_some(), "{part}");
                assert!(grep.find(&part.to_uppercase()).is_some(), "{part}");
            }
        }
    }

    #[test]
    fn ordinary_texts_are_clean() {
        let grep = Grep::default();
        for text in
            ["", "AIza", "AQ. and IQ.", "the key `standard` was rejected", "{\"a\": [1, 2]}", "ümläut"]
        {
            assert_eq!(grep.find(text), None);
        }
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        for (text, encoded) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
        let grep = Grep::of(&[PLAIN]);
        for before in ["", "u", "us", "user:"] {
            assert!(grep.find(&base64(format!("{before}{PLAIN} after").as_bytes())).is_some(), "{before}");
        }
    }
}
