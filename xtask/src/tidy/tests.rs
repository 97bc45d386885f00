//! Each rule is seen to fail on a made-up tree, and the tree of the checkout is seen to pass.

use super::*;

const NOTHING: foreign::Reviewed =
    foreign::Reviewed { raw_fields: &[], outlets: &[], raw_paths: &[], starters: &[] };

/// A tree in which nothing is wrong.
fn tree() -> Vec<File> {
    [
        ("Cargo.toml", "[workspace.dependencies]\na = { version = \"0.1.0\", path = \"crates/a\" }\nserde = \"1\"\n"),
        ("crates/a/Cargo.toml", MANIFEST),
        ("crates/a/src/lib.rs", "//! A.\n"),
        ("crates/a/src/wire.rs", "//! S.\nuse secrecy::ExposeSecret;\n"),
        (
            "LICENSE-MIT",
            "Permission is hereby granted, free of charge, to any\nTHE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT",
        ),
        ("LICENSE-APACHE", "Version 2.0, January 2004\nEND OF TERMS AND CONDITIONS"),
        ("clippy.toml", "# bans"),
        (".gitignore", ".env\nkeys.json\n"),
    ]
    .map(|(path, text)| File { path: path.into(), text: text.into() })
    .into()
}

const MANIFEST: &str = "[package]
name = \"a\"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true

[dependencies]
serde = { workspace = true, features = [\"derive\"] }
tokio.workspace = true

[lints]
workspace = true
";

/// The findings, as they are told, once `path` has this text.
fn findings(path: &str, text: &str) -> Vec<String> {
    let mut files = tree();
    files.retain(|file| file.path != path);
    files.push(File { path: path.into(), text: text.into() });
    told(&files)
}

fn told(files: &[File]) -> Vec<String> {
    let told = |f: Finding| {
        format!("{}:{} {}{}", f.path, f.line, if f.warning { "warning: " } else { "" }, f.message)
    };
    check(files, &[("crates/a/src/wire.rs", "sends it")], NOTHING).into_iter().map(told).collect()
}

/// The one finding, once `path` has this text.
#[track_caller]
fn finding(path: &str, text: &str) -> String {
    let mut findings = findings(path, text);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

/// The one finding in a module with this code on line 2.
#[track_caller]
fn in_code(code: &str) -> String {
    finding("crates/a/src/x.rs", &format!("//! X.\n{code}\n"))
}

/// The one finding in a `lib.rs` with this code on line 2.
#[track_caller]
fn in_lib(code: &str) -> String {
    finding("crates/a/src/lib.rs", &format!("//! A.\n{code}\n"))
}

/// The one finding once the manifest of crate `a` has `to` instead of `from`.
#[track_caller]
fn in_manifest(from: &str, to: &str) -> String {
    assert!(MANIFEST.contains(from));
    finding("crates/a/Cargo.toml", &MANIFEST.replace(from, to))
}

#[test]
fn the_checkout_is_tidy() {
    run().unwrap_or_else(|error| panic!("{error:#}"));
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(told(&tree()), [""; 0]);
}

#[test]
fn long_files() {
    let lines = |count: usize| "//! X.\n".repeat(count);
    assert_eq!(findings("crates/a/src/x.rs", &lines(300)), [""; 0]);
    assert_eq!(
        finding("crates/a/src/x.rs", &lines(301)),
        "crates/a/src/x.rs:301 warning: 301 lines; aim at 300"
    );
    assert!(finding("crates/a/src/x.rs", &lines(500)).contains("warning"));
    assert_eq!(
        finding("crates/a/src/x.rs", &lines(501)),
        "crates/a/src/x.rs:501 501 lines; the limit is 500"
    );
}

#[test]
fn files_that_do_not_say_what_they_are_for() {
    assert!(finding("crates/a/src/x.rs", "fn x() {}\n").starts_with("crates/a/src/x.rs:1 does not start"));
    assert!(finding("crates/a/src/x.rs", "").contains("`//!`"));
}

#[test]
fn empty_names() {
    for name in ["utils", "util", "common", "helpers", "helper", "manager", "misc"] {
        assert!(finding(&format!("crates/a/src/{name}.rs"), "//! X.\n").contains(name));
        assert!(finding(&format!("crates/a/src/{name}/x.rs"), "//! X.\n").contains(name));
        assert!(in_code(&format!("pub(crate) mod {name} {{}}")).starts_with("crates/a/src/x.rs:2 "));
    }
    assert_eq!(findings("crates/a/src/utility.rs", "//! X.\nmod commons;\n"), [""; 0]);
}

#[test]
fn ways_of_looking_away() {
    for code in [
        "#[allow(dead_code)]",
        "#![allow(dead_code)]",
        "#[cfg_attr(test, allow(dead_code))]",
        "#[ignore]",
        "#[ignore = \"slow\"]",
        "#[cfg_attr(windows, ignore)]",
        "#[should_panic(expected = \"x\")]",
        "fn x() { todo!() }",
        "// TODO: x",
        "/// FIXME",
        "/* x\nFIXME */",
    ] {
        in_code(code);
    }
}

#[test]
fn words_in_texts_and_names_are_no_way_of_looking_away() {
    let code = "//! X.\n// no `#[allow(` here\nconst X: &str = \"#[ignore] TODO todo!\";\n#[cfg_attr(a, doc = \"allow\")]\n";
    assert_eq!(findings("crates/a/src/x.rs", code), [""; 0]);
}

#[test]
fn exposed_secrets() {
    for code in ["use secrecy::ExposeSecret;", "fn x() { key.expose_secret(); }", "x.expose_secret_mut();"] {
        assert!(in_code(code).starts_with("crates/a/src/x.rs:2 exposes a secret"));
    }
    assert_eq!(findings("crates/a/src/x.rs", "//! X.\n// `expose_secret` is not called here\n"), [""; 0]);
}

#[test]
fn a_list_of_exposing_files_that_names_too_many() {
    assert!(finding("crates/a/src/wire.rs", "//! S.\n").contains("crates/a/src/wire.rs"));
}

#[test]
fn what_does_not_belong_in_lib() {
    for code in [
        "pub fn x() {}",
        "const X: u8 = 1;",
        "mod x { fn y() {} }",
        "#[cfg(test)]\nmod tests {\n    use super::*;\n}",
        "macro_rules! x { () => {}; }",
        "struct X;",
        "pub struct X { y: u8 }",
        "extern crate x;",
    ] {
        assert!(in_lib(code).contains("`lib.rs` holds"), "{code}");
    }
    assert!(in_lib("mod x;\n\n#[derive(Debug)]\npub struct X;").starts_with("crates/a/src/lib.rs:5 "));
}

#[test]
fn what_belongs_in_lib() {
    let code = "//! A.\n#![cfg_attr(docsrs, feature(doc_cfg))]\n#![doc = include_str!(\"../x[.md\")]\n\nmod x;\n\
        #[cfg(feature = \"y\")]\npub mod y;\npub(crate) use x::{\n    X,\n    Y::{self, Z},\n};\nuse z as _; // why\n";
    assert_eq!(findings("crates/a/src/lib.rs", code), [""; 0]);
}

#[test]
fn members_out_of_line() {
    assert!(in_manifest("name = \"a\"", "name = \"b\"").contains("crate `b`"));
    assert!(in_manifest("[lints]\nworkspace = true", "[lints]\nworkspace = false").contains("`[lints]"));
    assert!(in_manifest("[lints]\nworkspace = true", "").contains("`[lints]"));
    assert!(
        in_manifest("license.workspace = true", "license = \"MIT\"").contains("`license.workspace = true`")
    );
    assert!(
        in_manifest("version.workspace = true\ned", "version = \"1.0.0\"\ned").contains("`version.workspace")
    );
    assert!(in_manifest("rust-version.workspace = true\n", "").contains("`rust-version.workspace"));
    let nested = findings("crates/a/b/Cargo.toml", &MANIFEST.replace("\"a\"", "\"b\""));
    assert!(nested.iter().any(|finding| finding.contains("lie flat")), "{nested:?}");
}

#[test]
fn versions_outside_the_root_table() {
    let of = |to| in_manifest("tokio.workspace = true", to);
    assert_eq!(
        of("tokio = \"1\""),
        "crates/a/Cargo.toml:10 `tokio` does not say `workspace = true`; hint: it belongs in `[workspace.dependencies]`"
    );
    of("tokio = { version = \"1\", features = [\"rt\"] }");
    of("tokio = { path = \"../b\" }");
    of("[dev-dependencies]\ntokio = \"1\"");
    of("[target.'cfg(unix)'.build-dependencies]\ntokio = \"1\"");
    of("[dependencies.tokio]\nversion = \"1\"");
    let table = MANIFEST.replace("tokio.workspace = true", "[dependencies.tokio]\nworkspace = true");
    assert_eq!(findings("crates/a/Cargo.toml", &table), [""; 0]);
}

#[test]
fn internal_dependencies_without_a_version() {
    let root = "[workspace.dependencies]\na = { path = \"crates/a\" }\n";
    assert_eq!(finding("Cargo.toml", root), "Cargo.toml:2 `a` is published and has no `version` here");
    let gone = "[workspace.dependencies]\nb = { version = \"1\", path = \"crates/b\" }\n";
    assert_eq!(finding("Cargo.toml", gone), "Cargo.toml:2 `b` is not at `crates/b`");

    let mut files = tree();
    for file in &mut files {
        match file.path.as_str() {
            "Cargo.toml" => file.text = root.into(),
            "crates/a/Cargo.toml" => file.text = MANIFEST.replace("\n[dep", "publish = false\n[dep"),
            _ => {}
        }
    }
    assert_eq!(told(&files), [""; 0]);
}

#[test]
fn licences_that_are_gone_or_cut() {
    assert!(finding("LICENSE-MIT", "MIT").starts_with("LICENSE-MIT:0 "));
    assert!(finding("LICENSE-APACHE", "Version 2.0, January 2004").contains("END OF TERMS"));
}

#[test]
fn more_or_fewer_than_one_clippy_file() {
    assert!(finding("crates/a/clippy.toml", "").contains("replaces"));
    assert!(finding("crates/a/.clippy.toml", "").contains("replaces"));
    assert_eq!(finding("clippy.toml", ""), "clippy.toml:0 missing");
}

#[test]
fn personal_files_that_are_not_ignored() {
    assert_eq!(finding(".gitignore", ".env\n"), ".gitignore:0 does not ignore `keys.json`");
    assert_eq!(finding(".gitignore", "keys.json\n.env.local\n"), ".gitignore:0 does not ignore `.env`");
    assert_eq!(finding(".gitignore", ".env\nkeys.json\n!.env\n"), ".gitignore:3 takes `.env` back in");
}

#[test]
fn paths_of_one_machine() {
    for path in
        [["/wo", "rk/main"], ["/tmp/ta", "rget-x"], ["/ro", "ot/.cargo"]].map(|halves| halves.concat())
    {
        assert!(finding("notes.md", &format!("x\nsee `{path}`\n")).starts_with("notes.md:2 names the path"));
        assert!(in_code(&format!("// {path}")).starts_with("crates/a/src/x.rs:2 names the path"));
        assert_eq!(findings("notes.md", &format!("https://x.org{path} $HOME/a{path}")), [""; 0]);
    }
}
