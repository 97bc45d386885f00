//! Tables and lines of 80 columns at most.

use std::io::IsTerminal as _;

use keyrot::{KeyState, untrusted};

/// The width every output fits in.
pub(crate) const WIDTH: usize = 80;

/// At most `most` characters of the first line, with an ellipsis where something was cut.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let text = untrusted::one_line(text.lines().next().unwrap_or_default());
    if text.chars().count() <= most {
        return text.into_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A number in few characters: `999`, `12.3k`, `1M`.
pub(crate) fn short(n: u64) -> String {
    let (unit, sign) = match n {
        0..=9_999 => return n.to_string(),
        10_000..=999_999 => (1_000, "k"),
        1_000_000..=999_999_999 => (1_000_000, "M"),
        _ => (1_000_000_000, "G"),
    };
    let (whole, tenth) = (n / unit, n % unit * 10 / unit);
    if tenth == 0 || whole > 99 { format!("{whole}{sign}") } else { format!("{whole}.{tenth}{sign}") }
}

/// `used/limit`; without a limit only what was used.
pub(crate) fn used(used: u64, limit: Option<u64>) -> String {
    limit.map_or_else(|| short(used), |limit| format!("{}/{}", short(used), short(limit)))
}

/// A sentence over as many lines as it takes, the later ones indented.
pub(crate) fn folded(text: &str, indent: &str) -> String {
    let (mut out, mut column) = (String::new(), 0);
    for word in text.split_whitespace() {
        let word = cut(word, WIDTH - indent.len());
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(indent);
            column = indent.len();
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(&word);
        column += length;
    }
    out
}

/// Whether stdout takes colour.
pub(crate) fn colour(no_color: bool) -> bool {
    !no_color && std::io::stdout().is_terminal()
}

/// A state as a word.
pub(crate) fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Ready => "ready",
        KeyState::Cooling => "cooling",
        KeyState::Out => "out",
        KeyState::Disabled => "disabled",
    }
}

/// `text` in the colour of `state`.
pub(crate) fn painted(text: &str, state: KeyState, colour: bool) -> String {
    let code = match state {
        KeyState::Ready => 32,
        KeyState::Cooling => 33,
        KeyState::Out => 31,
        KeyState::Disabled => 90,
    };
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (n, text) in [
            (0, "0"),
            (9_999, "9999"),
            (12_345, "12.3k"),
            (999_999, "999k"),
            (1_000_000, "1M"),
            (2_500_000, "2.5M"),
            (1_000_000_000_000, "1000G"),
        ] {
            assert_eq!(short(n), text);
        }
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        let text = format!("{} {}", "word ".repeat(40), "x".repeat(300));
        assert!(folded(&text, "  ").lines().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(cut("ab\x1b[2Jcd\nef", 20), r"ab\u{1b}[2Jcd");
    }
}
