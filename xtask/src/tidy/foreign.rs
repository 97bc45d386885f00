//! Rules about text from outside: what is read has the type `UntrustedText`, and what is written goes through an
//! outlet.

use super::layers::Layers;
use super::{File, Finding};

/// Fields that are read from outside as a plain text or a JSON value, each with why that is safe: the file, the field
/// as `Type.field` or `Type::Variant.field` (or the type, for all of its fields), the reason.
pub(super) type RawFields = &'static [(&'static str, &'static str, &'static str)];

/// The only files that write to stdout or stderr, each with why.
pub(super) type Outlets = &'static [(&'static str, &'static str)];

/// Files that make a text of a path as it is, each with why that is safe.
pub(super) type RawPaths = &'static [(&'static str, &'static str)];

/// The only files that start programs, each with why that is safe: a program may read modules and settings in the folder
/// it is started in.
pub(super) type Starters = &'static [(&'static str, &'static str)];

/// What is reviewed; a made-up tree in the tests brings its own.
#[derive(Clone, Copy)]
pub(super) struct Reviewed {
    pub(super) raw_fields: RawFields,
    pub(super) outlets: Outlets,
    pub(super) raw_paths: RawPaths,
    pub(super) starters: Starters,
}

/// Crates whose programs and types serve tests alone.
const EXEMPT: &[&str] = &["crates/gemini-sim/", "crates/keyrot-testkit/", "crates/keyrot-live/"];

/// Types that show whatever they were given.
const RAW_TYPES: &[&str] = &["String", "str", "Value", "Extra", "PathBuf", "OsString"];

/// Macros and calls that write past the outlets.
const WRITERS: &[&str] = &["println!", "print!", "eprintln!", "eprint!", "dbg!", ".print()", "indicatif::"];

const TABLE: &str = "xtask/src/tidy/reviewed.rs";

pub(super) fn check(files: &[File], reviewed: Reviewed) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = vec![false; reviewed.raw_fields.len()];
    let mut writing = vec![false; reviewed.outlets.len()];
    let mut showing = vec![false; reviewed.raw_paths.len()];
    let mut starting = vec![false; reviewed.starters.len()];
    let ours = |file: &&File| {
        let path = &file.path;
        let tests = path.ends_with("/tests.rs") || path.contains("/tests/");
        path.starts_with("crates/")
            && path.contains("/src/")
            && path.ends_with(".rs")
            && !tests
            && !EXEMPT.iter().any(|exempt| path.starts_with(exempt))
    };
    for file in files.iter().filter(ours) {
        let code = without_tests(&Layers::of(&file.text).code);
        for Field { line, owner, name } in fields(&code) {
            let full = format!("{owner}.{name}");
            let listed = |(path, field, _): &(&str, &str, &str)| {
                *path == file.path
                    && (*field == full || *field == owner || owner.split("::").next() == Some(*field))
            };
            match reviewed.raw_fields.iter().position(listed) {
                Some(entry) => used[entry] = true,
                None => findings.push(Finding::new(
                    &file.path,
                    line,
                    format!("`{full}` is read from outside as it comes; hint: make it an `UntrustedText`, or list it with the reason in {TABLE}"),
                )),
            }
        }
        for (index, _) in code.lines().enumerate().filter(|(_, text)| text.contains(".display()")) {
            match reviewed.raw_paths.iter().position(|(path, _)| *path == file.path) {
                Some(entry) => showing[entry] = true,
                None => findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    format!("a path as it is may steer a terminal; hint: `untrusted::path`, or list the file with the reason in {TABLE}"),
                )),
            }
        }
        for (index, _) in code.lines().enumerate().filter(|(_, text)| starts(text)) {
            match reviewed.starters.iter().position(|(path, _)| *path == file.path) {
                Some(entry) => starting[entry] = true,
                None => findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    format!("a program may read what is in the current folder; hint: `outside::command`, or list the file with the reason in {TABLE}"),
                )),
            }
        }
        for (index, text) in code.lines().enumerate().filter(|(_, text)| writes(text)) {
            match reviewed.outlets.iter().position(|(path, _)| *path == file.path) {
                Some(entry) => writing[entry] = true,
                None => findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    format!("`{}` writes past the outlets; hint: {TABLE} lists them", text.trim()),
                )),
            }
        }
    }
    let unused_paths = reviewed.raw_paths.iter().zip(showing).filter(|(_, used)| !used);
    let unused_paths = unused_paths.map(|((path, _), _)| format!("{path} makes no text of a path"));
    let unused_fields = reviewed.raw_fields.iter().zip(used).filter(|(_, used)| !used);
    let unused_fields = unused_fields.map(|((path, field, _), _)| format!("{path} reads no raw `{field}`"));
    let unused_outlets = reviewed.outlets.iter().zip(writing).filter(|(_, used)| !used);
    let unused_outlets = unused_outlets.map(|((path, _), _)| format!("{path} writes nothing"));
    let unused_starters = reviewed.starters.iter().zip(starting).filter(|(_, used)| !used);
    let unused_starters = unused_starters.map(|((path, _), _)| format!("{path} starts no program"));
    for message in unused_fields.chain(unused_outlets).chain(unused_paths).chain(unused_starters) {
        findings.push(Finding::new(TABLE, 0, format!("{message}; hint: take it off the list")));
    }
    findings
}

/// The code up to the tests at the end of a file.
fn without_tests(code: &str) -> String {
    code.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

/// Whether a line of code makes the command for a program, or renames the type so that this would not be seen.
fn starts(line: &str) -> bool {
    line.contains("Command::new(")
        || line.contains("Command::from(")
        || line.contains("process::Command as ")
        || (line.contains("process::{") && line.contains("Command as "))
}

/// Whether a line of code writes to stdout or stderr. Asking whether they are terminals is not writing.
fn writes(line: &str) -> bool {
    let handed_out = ["stdout", "stderr"].iter().any(|stream| {
        line.match_indices(stream).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + stream.len()..]);
            let imported = before.ends_with("io::");
            let called = after.starts_with("()") && !before.ends_with(['.', '_']);
            (imported || called)
                && !after.starts_with("().is_terminal()")
                && !before.contains("is_terminal(&")
        })
    });
    handed_out || WRITERS.iter().any(|writer| line.contains(writer))
}

/// A field with a raw type, of a type that is deserialized.
#[derive(Debug, PartialEq, Eq)]
struct Field {
    line: usize,
    /// The type, or `Enum::Variant`.
    owner: String,
    /// Its name, or its number.
    name: String,
}

/// A word or a sign of the code, with its line.
#[derive(Debug, Clone, Copy)]
struct Token<'c> {
    text: &'c str,
    line: usize,
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (text, after) = rest.split_at(if word == 0 { first.len_utf8() } else { word });
            if !first.is_whitespace() {
                tokens.push(Token { text, line: index + 1 });
            }
            rest = after;
        }
    }
    tokens
}

fn fields(code: &str) -> Vec<Field> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        if tokens[at].text != "derive" || tokens.get(at + 1).is_none_or(|token| token.text != "(") {
            continue;
        }
        let end = closing(&tokens, at + 1);
        if !tokens[at..end].iter().any(|token| token.text == "Deserialize") {
            continue;
        }
        let Some(kind) = (end..tokens.len()).find(|at| matches!(tokens[*at].text, "struct" | "enum")) else {
            continue;
        };
        let name = tokens.get(kind + 1).map_or("", |token| token.text);
        let Some(open) = (kind..tokens.len()).find(|at| matches!(tokens[*at].text, "{" | "(" | ";")) else {
            continue;
        };
        let body = &tokens[open..closing(&tokens, open)];
        if tokens[kind].text == "struct" {
            raw_fields(name, body, &mut found);
        } else {
            for variant in parts(body) {
                let Some(called) = variant.first() else { continue };
                if variant.len() > 1 {
                    raw_fields(&format!("{name}::{}", called.text), &variant[1..], &mut found);
                }
            }
        }
    }
    found
}

/// The raw ones of the fields in `body`, which begins with its bracket.
fn raw_fields(owner: &str, body: &[Token<'_>], found: &mut Vec<Field>) {
    for (number, field) in parts(body).into_iter().enumerate() {
        let named = field.get(1).is_some_and(|token| token.text == ":")
            && field.get(2).is_some_and(|token| token.text != ":");
        let (name, kind) =
            if named { (field[0].text.to_owned(), &field[2..]) } else { (number.to_string(), &field[..]) };
        if let Some(raw) = kind.iter().find(|token| RAW_TYPES.contains(&token.text)) {
            found.push(Field { line: raw.line, owner: owner.to_owned(), name });
        }
    }
}

/// What stands between the commas of a bracketed list, without attributes and visibility.
fn parts<'t, 'c>(body: &'t [Token<'c>]) -> Vec<Vec<Token<'c>>> {
    let mut parts = vec![Vec::new()];
    let mut depth = 0_i32;
    let mut at = 1;
    while at + 1 < body.len() {
        let token: &'t Token<'c> = &body[at];
        if depth == 0 && token.text == "#" {
            at = closing(body, at + 1);
            continue;
        }
        if depth == 0 && token.text == "pub" {
            at = if body[at + 1].text == "(" { closing(body, at + 1) } else { at + 1 };
            continue;
        }
        match token.text {
            "(" | "[" | "{" | "<" => depth += 1,
            ")" | "]" | "}" | ">" => depth -= 1,
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if depth > 0 || token.text != "," => part.push(*token),
            _ => parts.push(Vec::new()),
        }
        at += 1;
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// One behind the bracket that closes the one at `open`; `open` itself where there is none.
fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_i32;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            return at + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "crates/a/src/x.rs";
    const NOTHING: Reviewed = Reviewed { raw_fields: &[], outlets: &[], raw_paths: &[], starters: &[] };

    fn told(path: &str, code: &str, reviewed: Reviewed) -> Vec<String> {
        let files = [File { path: path.into(), text: format!("//! X.\n{code}\n") }];
        check(&files, reviewed).into_iter().map(|found| format!("{} {}", found.line, found.message)).collect()
    }

    fn in_code(code: &str) -> Vec<String> {
        told("crates/a/src/x.rs", code, NOTHING)
    }

    #[test]
    fn raw_text_that_is_read_is_found() {
        for (code, field) in [
            ("#[derive(Debug, Deserialize)]\nstruct A { x: String }", "A.x"),
            (
                "#[derive(serde::Deserialize)]\npub struct A {\n  #[serde(default)]\n  pub(crate) x: Option<String>,\n}",
                "A.x",
            ),
            (
                "#[derive(Deserialize)]\n#[serde(rename_all = \"x\")]\nstruct A<'a> { n: u8, x: Vec<Cow<'a, str>> }",
                "A.x",
            ),
            ("#[derive(Deserialize)]\nstruct A(u8, serde_json::Value);", "A.1"),
            ("#[derive(Deserialize)]\nenum A { B, C { x: Map<u8, Value>, y: u8 }, D(u8) }", "A::C.x"),
            ("#[derive(Deserialize)]\nenum A { D(u8), B(Box<str>) }", "A::B.0"),
            ("#[derive(Deserialize)]\nstruct A { f: (u8, u8), x: std::path::PathBuf }", "A.x"),
        ] {
            let found = in_code(code);
            assert_eq!(found.len(), 1, "{code}: {found:?}");
            assert!(found[0].contains(&format!("`{field}` is read")), "{code}: {found:?}");
        }
    }

    #[test]
    fn other_types_and_other_fields_are_not() {
        for code in [
            "#[derive(Debug, Serialize)]\nstruct A { x: String }",
            "#[derive(Deserialize)]\nstruct A { x: UntrustedText, y: Option<f64>, z: Vec<Inner> }",
            "#[derive(Deserialize)]\nstruct A;\nstruct B { x: String }",
            "// #[derive(Deserialize)] struct A { x: String }",
            "#[cfg(test)]\nmod tests {\n#[derive(Deserialize)]\nstruct A { x: String }\n}",
        ] {
            assert_eq!(in_code(code), [""; 0], "{code}");
        }
        let code = "#[derive(Deserialize)]\nstruct A { x: String }";
        assert_eq!(told("crates/gemini-sim/src/x.rs", code, NOTHING), [""; 0]);
        assert_eq!(told("crates/a/tests/x.rs", code, NOTHING), [""; 0]);
    }

    #[test]
    fn what_is_reviewed_passes_and_what_is_gone_is_told() {
        let fields: RawFields = &[(FILE, "A.x", "compared only"), (FILE, "B", "compared only")];
        let reviewed = Reviewed {
            raw_fields: fields,
            outlets: &[(FILE, "the outlet")],
            raw_paths: &[(FILE, "JSON")],
            starters: &[(FILE, "in a folder of its own")],
        };
        let code = "#[derive(Deserialize)]\nstruct A { x: String }\n#[derive(Deserialize)]\nenum B { C(String) }\nfn f() { io::stderr(); }\nfn g() { path.display(); }\nfn h() { Command::new(x); }";
        assert_eq!(told(FILE, code, reviewed), [""; 0]);
        let gone = told(FILE, "", reviewed);
        assert_eq!(gone.len(), 5, "{gone:?}");
        assert!(gone.iter().all(|found| found.contains("take it off the list")), "{gone:?}");
    }

    #[test]
    fn writing_past_the_outlets_is_found() {
        for code in [
            "fn f() { writeln!(std::io::stderr(), \"x\"); }",
            "use std::io::stdout;",
            "fn f() { stdout().flush(); }",
            "fn f() { log.with_writer(std::io::stderr); }",
            "fn f() { println!(\"x\"); }",
            "fn f() { error.print(); }",
            "use indicatif::ProgressBar;",
            "fn f(path: &Path) -> String { path.display().to_string() }",
        ] {
            assert_eq!(in_code(code).len(), 1, "{code}");
        }
        for code in [
            "fn f() { std::io::stdout().is_terminal(); }",
            "fn f() { std::io::IsTerminal::is_terminal(&std::io::stderr()); }",
            "fn f() { command.stdout(Stdio::null()); output.stderr; }",
            "// println! is not for libraries",
        ] {
            assert_eq!(in_code(code), [""; 0], "{code}");
        }
    }

    #[test]
    fn starting_a_program_is_found() {
        for code in [
            "fn f() { std::process::Command::new(\"uv\"); }",
            "fn f() { let x = tokio::process::Command::new(y); }",
            "use std::process::Command as Started;",
            "use std::process::{Child, Command as Started};",
        ] {
            assert_eq!(in_code(code).len(), 1, "{code}");
            assert_eq!(told("crates/keyrot-testkit/src/x.rs", code, NOTHING), [""; 0]);
        }
        for code in ["fn f(command: Command) {}", "// Command::new(x)", "use std::process::Command;"] {
            assert_eq!(in_code(code), [""; 0], "{code}");
        }
    }
}
