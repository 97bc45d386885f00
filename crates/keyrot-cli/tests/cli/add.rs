//! `keyrot add`: keys.json grows by a key and keeps the rest.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::rig::Place;

const FILE: &str =
    "# ours\n{\n  \"keys\": [\n    { \"key_id\": \"a\", \"project\": \"p\" }, // first\n  ],\n}\n";

#[test]
fn a_key_is_added_and_comments_stay() {
    let place = Place::new();
    let path = place.file("keys.json", FILE);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let args =
        ["add", "b", "--model", "m1", "--model", "m2", "--project", "q", "--rpm", "5", "--tag", "team=x"];
    let ended = place.run(args);
    ended.code(0).shows(&["key b added to keys.json"]).says(&["GEMINI_KEY_b", "keyrot check --probe"]).fits();
    let text = place.read("keys.json");
    let (head, tail) = FILE.split_at(FILE.find("  ],").unwrap());
    assert!(text.starts_with(head) && text.ends_with(tail), "{text}");
    let new = r#"    { "key_id": "b", "model_name": ["m1", "m2"], "project": "q", "rpm": 5, "tags": { "team": "x" }, "created_at": "#;
    assert!(text[head.len()..].starts_with(new), "{text}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(place.names(), ["keys.json"]);
    place.run(["check"]).code(3).says(&["GEMINI_KEY_"]);
}

#[test]
fn a_missing_file_is_made_for_its_owner_alone_and_a_link_stays_one() {
    let place = Place::new();
    let ended = place.run(["add", "a", "--json", "--secret", "vault:team/a"]);
    let document = ended.code(0).json();
    assert_eq!((document["created"].as_bool(), document["keys"].as_u64()), (Some(true), Some(1)));
    assert!(document["secret"].as_str().unwrap().contains("`team/a`"), "{ended}");
    let path = place.path().join("keys.json");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::rename(&path, place.path().join("real.json")).unwrap();
    symlink("real.json", &path).unwrap();
    place.run(["add", "b"]).code(0);
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    assert!(place.read("real.json").contains("\"b\""));
}

#[test]
fn what_would_be_wrong_changes_nothing() {
    let place = Place::new();
    place.file("keys.json", FILE.replace("\"p\" }", "\"p\", \"rpm\": 6 }"));
    let before = place.read("keys.json");
    for (args, told) in [
        (vec!["add", "a"], "`a` already"),
        (vec!["add", "b", "--project", "p", "--rpm", "5"], "nothing was changed"),
        (vec!["add", "b c"], "not a legal key id"),
        (vec!["add", "b", "--secret", "nowhere"], "`--secret` must be"),
        (vec!["add", "b", "--secret", "AIzaSyCANARYCANARYCANARYCANARYCANARYCANARY"], "an API key"),
        (vec!["add", "AIzaSyCANARYCANARYCANARYCANARYCANARYCANARY"], "an API key"),
    ] {
        place.run(args).fails(2, &[told]);
    }
    // Clap's own refusals repeat the argument.
    place.run(["add", "b", "AIzaSyCANARYCANARYCANARYCANARYCANARYCANARY"]).code(2);
    place.run(["add", "b", "--rpm", "0"]).code(2);
    assert_eq!(place.read("keys.json"), before);
    place.file("keys.json", "[{\"key_id\": \"a\", \"rpm\": -1},\n{}]");
    place.run(["add", "b"]).fails(2, &["has to be mended", "keys.json:1:", "keys.json:2:1"]);
    assert_eq!(place.names(), ["keys.json"]);
}

#[test]
fn a_pipe_in_its_place_is_named_at_once() {
    let place = Place::new();
    let pipe = std::process::Command::new("mkfifo").arg(place.path().join("keys.json")).status();
    assert!(pipe.expect("`mkfifo` runs").success());
    place.run(["add", "a"]).fails(2, &["cannot read `keys.json`: it is a named pipe, not a regular file"]);
}
