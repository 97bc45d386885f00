//! `keyrot status` and `keyrot explain`.

use std::io::{BufRead as _, BufReader};
use std::process::Command;

use crate::check::with_secrets;
use crate::rig::Place;

const LONG: &str = "a-key-with-a-name-as-long-as-a-name-may-be-0123456789-0123456789";

fn pool() -> Place {
    let place = Place::new();
    let keys = format!(
        r#"[{{"key_id": "a", "project": "pa", "rpm": 60, "tpm": 1000000, "rpd": 500, "updated_at": "2020-01-01"}},
            {{"key_id": "{LONG}", "project": "{LONG}", "rpm": 1000000000000, "tpm": 1000000000000,
              "rpd": 1000000000000}},
            {{"key_id": "off", "project": "pc", "active": false}}, {{"key_id": "unset", "project": "pd"}},
            {{"key_id": "pro", "project": "pa", "model_name": "gemini-2.5-pro"}}]"#
    );
    place.file("keys.json", keys);
    place
}

#[test]
fn every_key_is_shown_within_80_columns() {
    let place = pool();
    let ended = with_secrets(place.program(["status"]), &["a", LONG, "pro"]).run();
    ended.code(0).fits().shows(&["0/60", "0/1M", "0/500", "ready", "disabled", "out", "…"]);
    ended.shows(&["rotate", "not active", "does not serve this model", "counts and cooldowns: "]);
    let pro = with_secrets(place.program(["status", "--model", "gemini-2.5-pro"]), &["a", LONG, "pro"]).run();
    pro.code(0).fits().shows(&["model gemini-2.5-pro"]);
}

#[test]
fn as_json_it_says_the_same() {
    let place = pool();
    let ended = with_secrets(place.program(["status", "--json"]), &["a", LONG, "pro"]).run();
    let document = ended.code(0).json();
    let keys = document["health"]["keys"].as_array().unwrap();
    let states: Vec<_> = keys.iter().map(|key| key["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["ready", "ready", "disabled", "out", "out"]);
    assert_eq!(keys[0]["limits"]["rpm"], 60);
    assert!(document["health"]["truth"]["store"].is_string());
}

#[test]
fn watching_shows_a_block_after_the_other_until_ctrl_c() {
    let place = pool();
    let program = with_secrets(place.program(["status", "--watch=1", "--json"]), &["a", LONG, "pro"]);
    let mut child = program.start();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line = lines.next().expect("a line").expect("read");
        let document: serde_json::Value = serde_json::from_str(&line).expect("a document a line");
        assert_eq!(document["schema"], 1);
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    crate::rig::Ended::of(child).code(130).says(&["error: interrupted"]);
}

#[test]
fn a_key_and_a_model_are_explained() {
    let place = pool();
    let explain =
        |args: &[&'static str]| with_secrets(place.program(args.iter().copied()), &["a", LONG, "pro"]).run();
    explain(&["explain", "a"]).code(0).fits().shows(&["a for gemini-2.5-flash: ready", "60 rpm"]);
    // Its own model, where it does not serve the default one.
    explain(&["explain", "pro"]).code(0).fits().shows(&["pro for gemini-2.5-pro: ready"]);
    let all = explain(&["explain", "gemini-2.5-flash"]);
    all.code(0).fits().shows(&["off for gemini-2.5-flash: disabled", "\"active\": true", "unset for"]);
    let document = explain(&["explain", "off", "--json"]).json();
    assert_eq!(document["explanations"][0]["key"]["state"], "disabled");
    explain(&["explain", "pr"]).fails(2, &["no key or model `pr`", "did you mean `pro`?"]);
    explain(&["explain", "no such model"]).fails(2, &["no key or model", "hint: "]);
}
