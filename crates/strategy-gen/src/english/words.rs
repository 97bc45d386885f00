//! Characters to words: numbers, words and signs, each with the text it came from.

use crate::spec::Number;

/// A piece of the description.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// A number.
    Number(Number),
    /// A word: in lower case, and as written.
    Letters { lower: String, written: String },
    /// A sign that carries meaning.
    Sign(&'static str),
    /// Something that has no place in a strategy's text, as written.
    Odd(String),
}

/// Replaces typographic characters by their plain form, so that what is accepted is ASCII.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{2264}' => plain.push_str("<="),
            '\u{2265}' => plain.push_str(">="),
            '\u{2018}' | '\u{2019}' => plain.push('\''),
            '\u{201c}' | '\u{201d}' => plain.push('"'),
            '\u{2013}' | '\u{2014}' => plain.push_str(" - "),
            '\u{2011}' => plain.push('-'),
            '\u{a0}' | '\u{202f}' | '\u{2009}' => plain.push(' '),
            other => plain.push(other),
        }
    }
    plain
}

/// Signs, longest first.
const SIGNS: [&str; 22] = [
    "<=", ">=", "=<", "=>", "&&", "||", "==", "<", ">", "=", "%", "(", ")", ",", ":", "/", ";", "!", "?",
    "&", "*", "$",
];

/// Longest number taken: enough for any period or price, short enough to print exactly.
const MAX_DIGITS: usize = 9;

/// Splits a plain text into words.
pub(super) fn split(text: &str) -> Vec<Word> {
    let chars: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied();
        let before = at.checked_sub(1).and_then(|i| chars.get(i)).copied();
        if c == '\n' {
            words.push(Word::Sign(";"));
            at += 1;
        } else if c.is_whitespace() || c == '"' {
            at += 1;
        } else if c.is_ascii_digit() || (c == '.' && next.is_some_and(|n| n.is_ascii_digit())) {
            at = number(&chars, at, &mut words);
        } else if let Some(length) = marked_name(&chars[at..]) {
            let written: String = chars[at..at + length].iter().collect();
            words.push(Word::Letters { lower: written.to_lowercase(), written });
            at += length;
        } else if c.is_alphabetic() {
            let end = run(&chars, at, |c| c.is_alphabetic() || c == '\'');
            let written: String = chars[at..end].iter().collect();
            let written = written.trim_end_matches('\'').to_owned();
            words.push(Word::Letters { lower: written.to_lowercase(), written });
            at = end;
        } else if c == '-' {
            at += 1;
            match (before, next) {
                // A hyphen inside a term ("200-day", "stop-loss", "sma-50") joins; it says nothing itself.
                (Some(b), Some(n)) if b.is_ascii_digit() && n.is_ascii_digit() => words.push(Word::Sign("-")),
                (Some(b), Some(n)) if b.is_alphanumeric() && n.is_alphanumeric() => {}
                (None, Some(n)) if n.is_whitespace() => {}
                (b, Some(n))
                    if n.is_ascii_digit() && b.is_none_or(|b| b.is_whitespace() || "(<>=".contains(b)) =>
                {
                    at = number(&chars, at, &mut words);
                    if let Some(Word::Number(number)) = words.last_mut() {
                        *number = number.negated();
                    }
                }
                (Some(b), Some(n)) if b.is_whitespace() && n.is_whitespace() => words.push(Word::Sign(";")),
                _ => words.push(Word::Odd("-".to_owned())),
            }
        } else if c == '+' && next.is_some_and(|n| n.is_ascii_digit()) {
            at += 1;
        } else if c == '.' {
            words.push(Word::Sign(";"));
            at += 1;
        } else if let Some(sign) = SIGNS.iter().find(|sign| starts_with(&chars[at..], sign)) {
            words.push(Word::Sign(match *sign {
                "!" | "?" => ";",
                "=<" => "<=",
                "=>" => ">=",
                "&&" => "&",
                other => other,
            }));
            at += sign.len();
        } else {
            words.push(Word::Odd(c.to_string()));
            at += 1;
        }
    }
    words
}

/// Length of a name that begins with a sign: `%K`, `+DI`.
fn marked_name(chars: &[char]) -> Option<usize> {
    let name: String = chars.iter().take(3).collect::<String>().to_lowercase();
    let length = match name.as_str() {
        "+di" | "-di" => 3,
        other if other.starts_with("%k") || other.starts_with("%d") => 2,
        _ => return None,
    };
    (!chars.get(length).is_some_and(|next| next.is_alphanumeric())).then_some(length)
}

fn starts_with(chars: &[char], sign: &str) -> bool {
    chars.len() >= sign.len() && sign.chars().zip(chars).all(|(a, b)| a == *b)
}

fn run(chars: &[char], from: usize, belongs: impl Fn(char) -> bool) -> usize {
    chars[from..].iter().position(|c| !belongs(*c)).map_or(chars.len(), |length| from + length)
}

/// Reads one number; a form we could misread (`1,000`, `1.2.3`, `007`) becomes `Odd`.
fn number(chars: &[char], from: usize, words: &mut Vec<Word>) -> usize {
    let mut end = run(chars, from, |c| c.is_ascii_digit());
    let dotted =
        |at: usize| chars.get(at) == Some(&'.') && chars.get(at + 1).is_some_and(char::is_ascii_digit);
    let mut dots = 0;
    while dotted(end) {
        end = run(chars, end + 1, |c| c.is_ascii_digit());
        dots += 1;
    }
    let grouped = |at: usize| {
        chars.get(at) == Some(&',')
            && run(chars, at + 1, |c| c.is_ascii_digit()) == at + 4
            && chars.get(at + 4) != Some(&',')
            && chars.get(at + 4) != Some(&')')
    };
    let mut groups = 0;
    while grouped(end) {
        end += 4;
        groups += 1;
    }
    let text: String = chars[from..end].iter().collect();
    let leading_zero = text.len() > 1 && text.starts_with('0') && !text.starts_with("0.");
    let odd = dots > 1 || groups > 0 || leading_zero || text.len() > MAX_DIGITS;
    let parsed = text.parse().ok().and_then(Number::new).filter(|_| !odd);
    words.push(parsed.map_or(Word::Odd(text), Word::Number));
    end
}

impl Word {
    /// The word as it may be shown to the user.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Letters { written: text, .. } | Self::Odd(text) => text.clone(),
            Self::Sign(sign) => (*sign).to_owned(),
        }
    }
}
