//! keys.json: missing, empty, wrong in several places at once; and the secrets that belong to it.

use gemini_sim::{Answer, KeySpec, ProjectSpec};

use crate::gemini::{Gemini, STRATEGY, block};
use crate::rig::{Ended, Place, RSI};

const ON: (&str, &str) = ("ENABLE_KEY_ROTATION", "true");

/// A run with this keys.json and the secrets of the keys `a` and `b`.
fn run(text: &str) -> Ended {
    let place = Place::new();
    place.file("keys.json", text);
    let secrets = [ON, ("GEMINI_KEY_a", "AIzaCANARY-a"), ("GEMINI_KEY_b", "AIzaCANARY-b")];
    let ended = place.program([RSI]).envs(&secrets).run();
    assert_eq!(place.names(), ["keys.json"]);
    ended
}

#[test]
fn a_missing_file_is_named_and_the_single_key_serves_where_there_is_one() {
    let place = Place::new();
    let named = [ON, ("KEYS_FILE", "elsewhere/keys.json")];
    let ended = place.program([RSI]).envs(&named).run();
    ended.fails(3, &["`elsewhere/keys.json` does not exist", "hint: ", "keys_example.json"]);
    let gemini = Gemini::good();
    let ended = gemini.program(&place, [RSI]).envs(&named).run();
    ended.code(0).says(&["warning: ", "`elsewhere/keys.json` does not exist", "single key", "success"]);
}

#[test]
fn an_empty_file_gets_the_way_to_a_full_one() {
    for text in ["", "  \n", "[]", "{}", "{\"keys\": []}", "// nothing\n"] {
        run(text).fails(2, &["keys.json:1:", "hint: "]);
    }
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let ended = run(r#"{
  "keys": [
    {"key_id": "a", "rpm": -1, "tpm": 1e30, "rpd": 0},
    {"key_id": "a b", "weight": 0},
    {"key_id": "b", "prioritty": 1},
    {"key_id": "b", "provider": "openai", "secret": "AIzaCANARY-pasted"},
    {}
  ],
}"#);
    ended.fails(
        2,
        &[
            "keys.json:3:28: key `a`, field `rpm`",
            "keys.json:3:39: key `a`, field `tpm`",
            "keys.json:3:52: key `a`, field `rpd`",
            "keys.json:4:16: field `key_id`: `a b`",
            "keys.json:4:33: key `a b`, field `weight`",
            "keys.json:5:34: warning: key `b`, field `prioritty`",
            "did you mean `priority`?",
            "keys.json:6:",
            "`b`",
            "keys.json:6:",
            "`gemini`",
            "keys.json:6:",
            "secret",
            "keys.json:7:5: ",
            "`key_id`",
        ],
    );
}

#[test]
fn broken_syntax_is_told_with_its_place_and_no_content() {
    for text in
        ["{\"keys\": [{\"key_id\": \"AIzaCANARY", "CANARY", "{\"keys\": [}", "\u{0}", "[1 2]", "{'keys': []}"]
    {
        run(text).fails(2, &["keys.json:1:", "hint: "]);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let place = Place::new();
    let folder = place.path().to_str().expect("UTF-8").to_owned();
    let ended = place.program([RSI]).envs(&[ON, ("KEYS_FILE", &folder)]).run();
    ended.fails(2, &["cannot read", &folder, "hint: ", "KEYS_FILE"]);
    place.file("keys.json", b"[{\"key_id\": \"\xff\"}]");
    place.program([RSI]).envs(&[ON]).run().fails(2, &["`keys.json`", "UTF-8", "hint: "]);
}

fn two_keys() -> (Place, Gemini) {
    let place = Place::new();
    place.file(
        "keys.json",
        r#"[{"key_id": "a", "project": "pa", "priority": 1}, {"key_id": "b", "project": "pb"}]"#,
    );
    let gemini = Gemini::start(vec![Answer::text(block(STRATEGY))], |sim| {
        let sim = sim.project(ProjectSpec::new("pa")).project(ProjectSpec::new("pb"));
        sim.key(KeySpec::new("AIzaCANARY-a", "pa")).key(KeySpec::new("AIzaCANARY-b", "pb"))
    });
    (place, gemini)
}

#[test]
fn one_unset_secret_is_a_warning_and_the_other_key_works() {
    let (place, gemini) = two_keys();
    let program = gemini.reached_by(place.program([RSI])).envs(&[ON, ("GEMINI_KEY_b", "AIzaCANARY-b")]);
    program.run().code(0).says(&["warning: key `a` is out", "`GEMINI_KEY_a`", "key b", "success"]);
}

#[test]
fn all_secrets_unset_is_a_failure_that_names_each() {
    let (place, gemini) = two_keys();
    let ended = gemini.reached_by(place.program([RSI])).envs(&[ON]).run();
    ended.fails(3, &["No API keys available", "2 keys", "\n  a: ", "\n  b: ", "hint: ", "GEMINI_KEY_"]);
    assert_eq!(gemini.requests(), 0);
}

#[test]
fn what_people_paste_around_a_secret_is_removed_with_a_warning() {
    for pasted in [" AIzaCANARY-a", "AIzaCANARY-a\n", "\"AIzaCANARY-a\"", "'AIzaCANARY-a' \r\n"] {
        let (place, gemini) = two_keys();
        let secrets = [ON, ("GEMINI_KEY_a", pasted), ("GEMINI_KEY_b", "AIzaCANARY-b")];
        let ended = gemini.reached_by(place.program([RSI])).envs(&secrets).run();
        ended.code(0).says(&["warning: secret of key `a`", "removed", "key a", "success"]);
    }
}

#[test]
fn a_secret_that_cannot_be_one_is_out_and_not_shown() {
    let (place, gemini) = two_keys();
    let secrets = [ON, ("GEMINI_KEY_a", "AIza CANARY"), ("GEMINI_KEY_b", "AIzaCANARY-b")];
    let ended = gemini.reached_by(place.program([RSI])).envs(&secrets).run();
    ended.code(0).says(&["warning: key `a` is out", "white space", "key b", "success"]);
}
