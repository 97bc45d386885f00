//! Rules about `*.rs` files.

use super::layers::Layers;
use super::{File, Finding};

const MOST_LINES: usize = 500;
const MANY_LINES: usize = 300;

/// Names that say nothing about what a module holds.
const EMPTY_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "misc"];

/// The only files in which a secret is taken out of its wrapper, each with why. Tests that look at one count too.
pub(super) const EXPOSING: Exposing = &[
    ("crates/gemini-client/src/transport.rs", "puts the key on the wire"),
    ("crates/gemini-client/tests/it/child.rs", "its test looks for the key in what a process wrote"),
    ("crates/keyrot-core/src/untrusted/known.rs", "knows what to take out of every text"),
    ("crates/keyrot-core/src/secret.rs", "its test looks at what cleaning left of a secret"),
    (
        "crates/keyrot-limiter/src/redis/address.rs",
        "the URL of Redis holds a password, which the driver needs",
    ),
    ("crates/keyrot/src/fresh/tests.rs", "its tests look at which secret serves"),
    ("crates/keyrot/src/limiter/shared.rs", "tells where Redis is, without user and password"),
    ("tests/goodput/bench/world.rs", "is the server that is asked about a key"),
    ("crates/keyrot-secrets-aws/src/store.rs", "a new secret goes to the service"),
    ("crates/keyrot-secrets-aws/tests/canary/main.rs", "its test looks at what was read and written"),
    ("crates/keyrot-secrets-aws/tests/moto/main.rs", "its tests look at what was found"),
    ("crates/keyrot-secrets-aws/tests/scripted/main.rs", "its tests look at what was found"),
    ("crates/keyrot-secrets-azure/src/login.rs", "hands the client secret to the SDK"),
    ("crates/keyrot-secrets-azure/src/store.rs", "sends a new version"),
    ("crates/keyrot-secrets-env/src/list.rs", "compares the keys of a list"),
    ("crates/keyrot-secrets-env/src/store.rs", "its test looks at what was found"),
    ("crates/keyrot-secrets/src/cache.rs", "fingerprints secrets"),
    ("crates/keyrot-secrets/src/slot.rs", "tells whether two keys hold the same secret"),
    ("crates/strategy-gen/src/model/openai.rs", "puts the key of another provider on the wire"),
    ("crates/keyrot-secrets-vault/src/connection.rs", "puts the vault's token on the wire"),
    ("crates/keyrot-secrets-vault/src/session.rs", "logs in, and compares one token with the next"),
    ("crates/keyrot-secrets-vault/src/store.rs", "sends a new version"),
    ("crates/keyrot-secrets-vault/tests/bao/reading.rs", "its tests look at what was read"),
    ("crates/keyrot-secrets-vault/tests/bao/sealed.rs", "its tests look at what was read"),
    ("crates/keyrot-secrets-vault/tests/canary/main.rs", "its test looks at what was written"),
    ("crates/keyrot-secrets-vault/tests/scripted/main.rs", "its tests look at what was read"),
    ("crates/keyrot-testkit/src/secrets/suite.rs", "compares what a store gave with what was put there"),
];

/// Paths and reasons.
pub(super) type Exposing = &'static [(&'static str, &'static str)];

/// Attributes and macros that make a compiler or a test runner look away.
const LOOKING_AWAY: &[(&str, &str)] = &[
    ("#[allow(", "use `#[expect(lint, reason = \"...\")]`"),
    ("#![allow(", "use `#![expect(lint, reason = \"...\")]`"),
    ("#[ignore", "a test runs or does not exist"),
    ("should_panic", "express the precondition in a type, or return an error"),
    ("todo!", "unfinished code stays out"),
];

/// The same, behind `cfg_attr`.
const LOOKING_AWAY_SOMETIMES: &[(&str, &str)] =
    &[("allow", "use `expect(lint, reason = \"...\")`"), ("ignore", "a test runs or does not exist")];

pub(super) fn check(files: &[File], exposing: Exposing) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        let layers = Layers::of(&file.text);
        length(file, &mut findings);
        head(file, &mut findings);
        names(file, &layers, &mut findings);
        lines(file, &layers, exposing, &mut findings);
        if file.path.ends_with("/lib.rs") {
            facade(file, &layers, &mut findings);
        }
    }
    for (path, _) in exposing {
        let exposes =
            |file: &File| file.path == *path && Layers::of(&file.text).code.lines().any(exposes_secret);
        if !files.iter().any(exposes) {
            let message = format!("exposes no secret; hint: take `{path}` off the list");
            findings.push(Finding::new("xtask/src/tidy/sources.rs", 0, message));
        }
    }
    findings
}

fn length(file: &File, findings: &mut Vec<Finding>) {
    let lines = file.text.lines().count();
    if lines > MOST_LINES {
        findings.push(Finding::new(&file.path, lines, format!("{lines} lines; the limit is {MOST_LINES}")));
    } else if lines > MANY_LINES {
        findings.push(Finding::warning(&file.path, lines, format!("{lines} lines; aim at {MANY_LINES}")));
    }
}

fn head(file: &File, findings: &mut Vec<Finding>) {
    if !file.text.starts_with("//!") {
        findings.push(Finding::new(&file.path, 1, "does not start with `//!` and what the file is for"));
    }
}

fn names(file: &File, layers: &Layers, findings: &mut Vec<Finding>) {
    let path = file.path.trim_end_matches(".rs");
    if let Some(name) = path.split('/').find(|part| EMPTY_NAMES.contains(part)) {
        findings.push(Finding::new(&file.path, 0, format!("`{name}` names nothing of the domain")));
    }
    for (line, text) in numbered(&layers.code) {
        let words: Vec<&str> = text.split(|c: char| !is_word(c)).collect();
        let module = words.windows(2).find(|pair| pair[0] == "mod" && EMPTY_NAMES.contains(&pair[1]));
        if let Some(pair) = module {
            findings.push(Finding::new(
                &file.path,
                line,
                format!("`{}` names nothing of the domain", pair[1]),
            ));
        }
    }
}

fn lines(file: &File, layers: &Layers, exposing: Exposing, findings: &mut Vec<Finding>) {
    let mut find = |line, message: String| findings.push(Finding::new(&file.path, line, message));
    for (line, text) in numbered(&layers.code) {
        for (what, instead) in LOOKING_AWAY {
            if text.contains(what) {
                find(line, format!("`{what}`; hint: {instead}"));
            }
        }
        if has_word(text, "cfg_attr") {
            for (what, instead) in LOOKING_AWAY_SOMETIMES.iter().filter(|(what, _)| has_word(text, what)) {
                find(line, format!("`{what}` in `cfg_attr`; hint: {instead}"));
            }
        }
        if exposes_secret(text) && !exposing.iter().any(|(path, _)| *path == file.path) {
            find(line, "exposes a secret; hint: EXPOSING in xtask/src/tidy/sources.rs lists who may".into());
        }
    }
    for (line, text) in numbered(&layers.comments) {
        for word in ["TODO", "FIXME"].iter().filter(|word| has_word(text, word)) {
            find(line, format!("`{word}`; hint: do it, or file an issue"));
        }
    }
}

/// A crate's `lib.rs` holds docs, attributes, `mod` and `use`, and nothing else.
fn facade(file: &File, layers: &Layers, findings: &mut Vec<Finding>) {
    let mut item = String::new();
    let mut first_line = 1;
    let mut brackets = 0;
    let mut in_attribute = false;
    let mut braces = 0;
    for (line, text) in numbered(&layers.code) {
        for c in text.chars().chain(['\n']) {
            if in_attribute {
                brackets += i32::from(c == '[') - i32::from(c == ']');
                // The first bracket of `#![` comes behind the `!`.
                in_attribute = brackets > 0 || matches!(c, '#' | '!');
                continue;
            }
            if braces == 0 && c == '#' {
                in_attribute = true;
                continue;
            }
            if item.is_empty() {
                if c.is_whitespace() {
                    continue;
                }
                first_line = line;
            }
            braces += i32::from(c == '{') - i32::from(c == '}');
            item.push(c);
            let is_use = words_behind_pub(&item).starts_with("use ");
            if braces == 0 && (c == ';' || (c == '}' && !is_use)) {
                let is_mod = words_behind_pub(&item).starts_with("mod ") && c == ';';
                if !is_use && !is_mod {
                    let message =
                        "`lib.rs` holds docs, attributes, `mod` and `use` alone; hint: move this to a module";
                    findings.push(Finding::new(&file.path, first_line, message));
                }
                item.clear();
            }
        }
    }
}

/// The item without its visibility.
fn words_behind_pub(item: &str) -> &str {
    let Some(rest) = item.strip_prefix("pub") else { return item };
    match rest.strip_prefix('(') {
        Some(scope) => scope.split_once(')').map_or("", |(_, rest)| rest.trim_start()),
        None if rest.starts_with(char::is_whitespace) => rest.trim_start(),
        None => item,
    }
}

fn exposes_secret(line: &str) -> bool {
    ["expose_secret", "expose_secret_mut", "ExposeSecret", "ExposeSecretMut"]
        .iter()
        .any(|word| has_word(line, word))
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !is_word(c)).any(|part| part == word)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}
