//! `cool`, `uncool`, `disable`, `enable`, `reset`: what they say, and what they refuse.

use crate::check::with_secrets;
use crate::rig::{Ended, Place};

fn run(args: &[&'static str]) -> Ended {
    let place = Place::new();
    place.file(
        "keys.json",
        r#"[{"key_id": "flash_01", "project": "team/a", "model_name": "gemini-2.5-flash"},
            {"key_id": "flash_02", "project": "team-b", "model_name": ["gemini-2.5-flash", "gemini-2.5-pro"]}]"#,
    );
    let ended = with_secrets(place.program(args.iter().copied()), &["flash_01", "flash_02"]).run();
    assert_eq!(place.names(), ["keys.json"], "it is no edit of the file");
    ended
}

#[test]
fn what_changed_is_told() {
    run(&["cool", "flash_01", "--for", "10m"]).code(0).fits().shows(&["key flash_01 cools until ", "(in "]);
    run(&["cool", "project:team/a", "--until-lifted"])
        .code(0)
        .shows(&["project team/a cools until it is lifted"]);
    run(&["cool", "model:gemini-2.5-pro", "--for", "1d"]).code(0).shows(&["model gemini-2.5-pro cools"]);
    let domain = "model gemini-2.5-flash of project team/a";
    run(&["uncool", "team/a/gemini-2.5-flash"]).code(0).shows(&[domain, "lifted"]);
    run(&["disable", "flash_02"]).code(0).shows(&["key flash_02: disabled"]);
    run(&["enable", "flash_02"]).code(0).shows(&["key flash_02: was not disabled"]);
    run(&["reset", "flash_01"]).code(0).fits().shows(&["key flash_01", "project team/a", domain]);
    run(&["reset", "--all"]).code(0).shows(&["the whole pool", "model gemini-2.5-pro", "project team-b"]);
    let document = run(&["cool", "flash_01", "--for", "90", "--json"]).json();
    assert_eq!((document["cooled"].as_str(), document["seconds"].as_u64()), (Some("key flash_01"), Some(90)));
}

#[test]
fn an_unknown_name_is_2_with_the_nearest() {
    for (args, near) in [
        (&["cool", "flash_1", "--for", "1m"][..], "did you mean `flash_01`?"),
        (&["uncool", "project:team-c"], "did you mean `team-b`?"),
        (&["uncool", "model:gemini-2.5-prro"], "did you mean `gemini-2.5-pro`?"),
        (&["uncool", "team-b/gemini-2.5-flush"], "did you mean `gemini-2.5-flash`?"),
        (&["disable", "flash_03"], "did you mean `flash_0"),
        (&["enable", "zzz"], "known are `flash_01`, `flash_02`"),
        (&["reset", "flash 01"], "not a legal key id"),
    ] {
        run(args).fails(2, &[near]);
    }
    // How long, and what, must be said.
    run(&["cool", "flash_01"]).code(2);
    run(&["cool", "flash_01", "--for", "soon"]).code(2);
    run(&["reset"]).code(2);
}

#[test]
fn a_change_in_memory_alone_is_told_to_be_none_elsewhere() {
    let ended = run(&["disable", "flash_01", "--json"]);
    if ended.code(0).json()["shared"] == false {
        ended.says(&["this changed nothing elsewhere"]);
    }
}

/// A place whose limits and cooldowns are in a file.
fn kept() -> Place {
    let place = Place::new().with("KEYROT_STATE", "state.db");
    place.file("keys.json", r#"[{"key_id": "flash_01", "project": "team-a"}]"#);
    place
}

#[test]
fn what_keeps_a_lifted_key_out_is_told_with_what_lifts_it() {
    let place = kept();
    let run = |args: &[&'static str]| with_secrets(place.program(args.iter().copied()), &["flash_01"]).run();
    run(&["cool", "team-a/gemini-2.5-flash", "--for", "1h"]).code(0);
    let ended = run(&["uncool", "flash_01"]);
    ended
        .code(0)
        .shows(&["still out for gemini-2.5-flash", "`keyrot uncool team-a/gemini-2.5-flash` lifts that"]);
    run(&["uncool", "team-a/gemini-2.5-flash"]).code(0);
    let ended = run(&["uncool", "flash_01", "--json"]).code(0).json();
    assert_eq!(ended["still_out"], serde_json::json!([]));
}

#[test]
fn a_name_that_nothing_mentions_is_doubted_with_the_nearest() {
    let place = kept();
    let run = |args: &[&'static str]| with_secrets(place.program(args.iter().copied()), &["flash_01"]).run();
    run(&["explain", "gemini-2.5-flahs"])
        .code(0)
        .shows(&["neither keys.json nor", "did you mean `gemini-2.5-flash`?"]);
    let known = run(&["explain", "gemini-2.5-flash", "--json"]).json();
    assert!(known["explanations"][0]["doubt"].is_null(), "{known}");
}
