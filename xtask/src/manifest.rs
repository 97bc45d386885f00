//! As much of TOML as our own manifests use: sections, keys, and values as they are written.

/// One `key = value`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// The header it stands under, without brackets; empty at the top of the file.
    pub(crate) section: &'a str,
    pub(crate) key: &'a str,
    /// As written, over several lines where a bracket is left open, without comments.
    pub(crate) value: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl Entry<'_> {
    /// The text that an inline table gives to `key`, or the whole value where it is no table.
    pub(crate) fn field(&self, key: &str) -> Option<&str> {
        let table = self.value.strip_prefix('{')?.strip_suffix('}')?;
        split(table).find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            (name.trim() == key).then(|| value.trim())
        })
    }
}

/// All entries, in order.
pub(crate) fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut section = "";
    let mut open = 0;
    for (index, line) in text.lines().enumerate() {
        let line = without_comment(line).trim();
        if open > 0 {
            if let Some(last) = entries.last_mut() {
                last.value.push_str(line);
            }
            open += balance(line);
        } else if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(['[', ']']).trim();
        } else if let Some((key, value)) = line.split_once('=') {
            let value = value.trim();
            open = balance(value);
            entries.push(Entry { section, key: key.trim(), value: value.into(), line: index + 1 });
        }
    }
    entries
}

fn without_comment(line: &str) -> &str {
    outside_quotes(line).find(|(_, c)| *c == '#').map_or(line, |(at, _)| &line[..at])
}

/// How many brackets the line leaves open.
fn balance(line: &str) -> i32 {
    outside_quotes(line)
        .map(|(_, c)| match c {
            '{' | '[' => 1,
            '}' | ']' => -1,
            _ => 0,
        })
        .sum()
}

/// Splits at the commas that stand in no bracket.
fn split(table: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let mut start = 0;
    let mut cuts = Vec::new();
    for (at, c) in outside_quotes(table) {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ',' if depth == 0 => {
                cuts.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
    }
    cuts.push(start..table.len());
    cuts.into_iter().map(move |range| &table[range])
}

fn outside_quotes(line: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut quote = None;
    line.char_indices().filter(move |(_, c)| match quote {
        Some(open) => {
            if *c == open {
                quote = None;
            }
            false
        }
        None => {
            if matches!(c, '"' | '\'') {
                quote = Some(*c);
            }
            quote.is_none()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_comments_and_long_values() {
        let text =
            "top = 1 # one\n[a.b]\n# nothing\nx.workspace = true\ny = { features = [\n  \"p#q\",\n] }\nz = 2";
        let got: Vec<(&str, &str, String, usize)> =
            entries(text).into_iter().map(|e| (e.section, e.key, e.value, e.line)).collect();
        let want = [
            ("", "top", "1", 1),
            ("a.b", "x.workspace", "true", 4),
            ("a.b", "y", "{ features = [\"p#q\",] }", 5),
            ("a.b", "z", "2", 8),
        ];
        assert_eq!(got, want.map(|(s, k, v, l)| (s, k, v.into(), l)));
    }

    #[test]
    fn fields_of_an_inline_table() {
        let all = entries("x = { version = \"1\", features = [\"a\", \"b=c\"], path = \"p\" }\ny = \"1\"");
        assert_eq!(all[0].field("path"), Some("\"p\""));
        assert_eq!(all[0].field("features"), Some("[\"a\", \"b=c\"]"));
        assert_eq!(all[0].field("git"), None);
        assert_eq!(all[1].field("version"), None);
    }
}
