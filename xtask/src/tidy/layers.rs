//! Takes Rust source apart into what the compiler runs and what people read.

/// The source twice, with the same lines: once without comments and the insides of literals, once with the
/// comments alone. What belongs to neither is blank.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) code: String,
    pub(super) comments: String,
}

impl Layers {
    /// Source that does not compile may come apart wrongly; it never panics.
    pub(super) fn of(source: &str) -> Self {
        let mut reader = Reader { chars: source.chars().collect(), at: 0, layers: Self::default() };
        while reader.at < reader.chars.len() {
            reader.step();
        }
        reader.layers
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    layers: Layers,
}

impl Reader {
    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => {
                while self.at < self.chars.len() && self.peek(0) != '\n' {
                    self.take(Kind::Comment);
                }
            }
            ('/', '*') => self.block_comment(),
            ('"', _) => self.string(),
            ('r', '"' | '#') if self.starts_literal() => self.raw_string(),
            // A character, and not the name of a lifetime.
            ('\'', next) if next == '\\' || self.peek(2) == '\'' => self.character(),
            _ => self.take(Kind::Code),
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {
                    self.take(Kind::Comment);
                    continue;
                }
            }
            self.take(Kind::Comment);
            self.take(Kind::Comment);
            if depth == 0 {
                break;
            }
        }
    }

    fn string(&mut self) {
        self.take(Kind::Code);
        while self.at < self.chars.len() && self.peek(0) != '"' {
            if self.peek(0) == '\\' {
                self.take(Kind::Literal);
            }
            self.take(Kind::Literal);
        }
        self.take(Kind::Code);
    }

    fn raw_string(&mut self) {
        let mut fence = 0;
        while self.peek(1 + fence) == '#' {
            fence += 1;
        }
        if self.peek(1 + fence) != '"' {
            // A raw name: `r#type`.
            return self.take(Kind::Code);
        }
        for _ in 0..fence + 2 {
            self.take(Kind::Code);
        }
        while self.at < self.chars.len() {
            if self.peek(0) == '"' && (1..=fence).all(|ahead| self.peek(ahead) == '#') {
                break;
            }
            self.take(Kind::Literal);
        }
        for _ in 0..=fence {
            self.take(Kind::Code);
        }
    }

    fn character(&mut self) {
        self.take(Kind::Code);
        if self.peek(0) == '\\' {
            self.take(Kind::Literal);
        }
        self.take(Kind::Literal);
        // `'\u{1F511}'` is longer than the rest.
        while self.at < self.chars.len() && self.peek(0) != '\'' {
            self.take(Kind::Literal);
        }
        self.take(Kind::Code);
    }

    /// Whether an `r` here can begin a literal: it stands at the start of a word, or behind a `b` or `c` that does.
    fn starts_literal(&self) -> bool {
        let word = |back: usize| {
            self.at
                .checked_sub(back)
                .is_some_and(|at| self.chars[at].is_alphanumeric() || self.chars[at] == '_')
        };
        !word(1) || (matches!(self.chars[self.at - 1], 'b' | 'c') && !word(2))
    }

    /// The character so far ahead; NUL past the end.
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    /// Moves on by one character, which goes to its layer.
    fn take(&mut self, kind: Kind) {
        let Some(&c) = self.chars.get(self.at) else { return };
        let blank = if c == '\n' { '\n' } else { ' ' };
        self.layers.code.push(if kind == Kind::Code { c } else { blank });
        self.layers.comments.push(if kind == Kind::Comment { c } else { blank });
        self.at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words that are left of each layer.
    fn words(source: &str) -> (String, String) {
        let Layers { code, comments } = Layers::of(source);
        assert_eq!(code.lines().count(), source.lines().count());
        assert_eq!(comments.lines().count(), source.lines().count());
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        (words(&code), words(&comments))
    }

    #[test]
    fn comments_and_code() {
        assert_eq!(
            words("a; // b \"c\n/* d /* e */ \" f */ g"),
            ("a; g".into(), "// b \"c /* d /* e */ \" f */".into())
        );
    }

    #[test]
    fn literals_are_in_neither() {
        assert_eq!(words(r#"f("a // \" b", 'c', '"', '\'', '\u{41}')"#).0, "f(\" \", ' ', ' ', ' ', ' ')");
        assert_eq!(words("r#\"a \" // b\"# br\"c\\\" c r#type").0, "r#\" \"# br\" \" c r#type");
        assert_eq!(words("\"a\nb\" c").0, "\" \" c");
    }

    #[test]
    fn lifetimes_open_no_literal() {
        assert_eq!(words("fn f<'a>(x: &'a str) { 'b: loop {} } // c").1, "// c");
        assert_eq!(words("fn f<'a>(x: &'a str) {}").0, "fn f<'a>(x: &'a str) {}");
    }

    #[test]
    fn an_open_end_does_no_harm() {
        for source in ["\"a", "r#\"a", "/* a", "'", "'\\", "r#", "\"\\", "br"] {
            words(source);
        }
    }
}
