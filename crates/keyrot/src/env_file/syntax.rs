//! What a file of settings looks like: `NAME=value`, comments, quotes. Nothing is ever expanded.

/// A line that says something.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A variable, with the line it begins on, from 1.
    Variable { line: usize, name: &'a str, value: String },
    /// It is something else.
    Odd { line: usize },
}

/// The lines of a file, without blank ones and comments. A value in quotes may go over several.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut found, mut line) = (Vec::new(), 1);
    while !rest.is_empty() {
        let end = rest.find('\n').map_or(rest.len(), |at| at + 1);
        let trimmed = rest[..end].trim();
        let mut used = end;
        if !trimmed.is_empty() && !trimmed.starts_with('#') {
            found.push(match variable(&rest[..end]) {
                Some((name, at)) => match value(&rest[at..]) {
                    Some((value, length)) => {
                        used = at + length;
                        Line::Variable { line, name, value }
                    }
                    None => Line::Odd { line },
                },
                None => Line::Odd { line },
            });
        }
        line += rest[..used].matches('\n').count();
        rest = &rest[used..];
    }
    found
}

/// The name that a line sets, and where its value begins.
fn variable(line: &str) -> Option<(&str, usize)> {
    let equals = line.find('=')?;
    let name = line[..equals].trim();
    let name = match name.strip_prefix("export") {
        Some(behind) if behind.starts_with([' ', '\t']) => behind.trim_start(),
        _ => name,
    };
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (begins && is_name(name)).then_some((name, equals + 1))
}

/// The value that `text` begins with, and the bytes up to the end of its last line.
fn value(text: &str) -> Option<(String, usize)> {
    let lead = text.len() - text.trim_start_matches([' ', '\t']).len();
    let line = |from: usize| text[from..].find('\n').map_or(text.len(), |at| from + at + 1);
    let (value, closed) = match text[lead..].chars().next() {
        Some('\'') => {
            let length = text[lead + 1..].find('\'')?;
            (text[lead + 1..lead + 1 + length].to_owned(), lead + length + 2)
        }
        Some('"') => {
            let (value, length) = escaped(&text[lead + 1..])?;
            (value, lead + 1 + length)
        }
        _ => {
            let end = line(lead);
            let bare = &text[lead..end];
            // Behind white space, or where the value would begin.
            let comment = bare.match_indices('#').map(|(at, _)| at);
            let comment = comment.into_iter().find(|at| *at == 0 || bare[..*at].ends_with([' ', '\t']));
            return Some((bare[..comment.unwrap_or(bare.len())].trim().to_owned(), end));
        }
    };
    let end = line(closed);
    let behind = text[closed..end].trim();
    (behind.is_empty() || behind.starts_with('#')).then_some((value, end))
}

/// What stands before the next double quote, and the bytes up to and with it.
fn escaped(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, at + 1)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                c @ ('\\' | '"' | '\'' | '$' | ' ') => value.push(c),
                other => value.extend(['\\', other]),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(text: &str) -> Vec<(usize, &str, String)> {
        let read = |line| match line {
            Line::Variable { line, name, value } => (line, name, value),
            Line::Odd { line } => (line, "", String::new()),
        };
        lines(text).into_iter().map(read).collect()
    }

    #[test]
    fn values_are_read_as_people_write_them() {
        for (text, value) in [
            ("A=b", "b"),
            ("A = b c \r\n", "b c"),
            ("export A=b # comment", "b"),
            ("A=b#c", "b#c"),
            ("A=#c", ""),
            ("A=", ""),
            ("A='b # $C \\n' # comment", "b # $C \\n"),
            ("A=\"b\\n\\\"c\\\" \\$D \\x\"", "b\n\"c\" $D \\x"),
            ("\u{feff}A=b", "b"),
            ("A=a=b==", "a=b=="),
            ("A=$B${C}$(d)`e`", "$B${C}$(d)`e`"),
            ("A=\"b\nc\"", "b\nc"),
        ] {
            assert_eq!(values(text), [(1, "A", value.to_owned())], "{text:?}");
        }
    }

    #[test]
    fn odd_lines_are_told_by_their_number_and_the_next_is_read() {
        let text = "# one\nexport\n\nA='open\n=b\nB c=d\nexport C=1\nD=\"e\nf\"\n1=2\nE=\"x\" y\nF=g";
        let found = values(text);
        let brief: Vec<_> = found.iter().map(|(line, name, _)| (*line, *name)).collect();
        assert_eq!(
            brief,
            [(2, ""), (4, ""), (5, ""), (6, ""), (7, "C"), (8, "D"), (10, ""), (11, ""), (12, "F")]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[A-Z=\"'#\\\\$ \nä]{0,60}") {
            let lines = lines(&text);
            prop_assert!(lines.len() <= text.lines().count());
        }
    }
}
