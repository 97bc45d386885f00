//! What one run leaves for the next: through the state file, and through Redis; and what happens when
//! neither can be had.

use std::fs;

use keyrot_testkit::server::{Kind, Server};
use serde_json::Value;

use crate::check::with_secrets;
use crate::rig::{Ended, Place, Program};

pub(crate) fn pool() -> Place {
    let place = Place::new();
    place.file(
        "keys.json",
        r#"[{"key_id": "flash_01", "project": "team-a"}, {"key_id": "flash_02", "project": "team-b"}]"#,
    );
    place
}

/// Where the counts are kept.
#[derive(Clone, Copy)]
pub(crate) struct At<'a>(pub(crate) &'static str, pub(crate) &'a str);

fn program<'a>(place: &Place, at: At<'_>, args: impl IntoIterator<Item = &'a str>) -> Program {
    with_secrets(place.program(args), &["flash_01", "flash_02"]).env(at.0, at.1)
}

pub(crate) fn run<'a>(place: &Place, at: At<'_>, args: impl IntoIterator<Item = &'a str>) -> Ended {
    program(place, at, args).run()
}

/// The state of each key as a further run sees it.
pub(crate) fn states(place: &Place, at: At<'_>) -> Vec<String> {
    let document = run(place, at, ["status", "--json"]).code(0).json();
    let keys = document["health"]["keys"].as_array().expect("keys").iter();
    keys.map(|key| key["state"].as_str().expect("a state").to_owned()).collect()
}

pub(crate) fn truth(place: &Place, at: At<'_>) -> Value {
    run(place, at, ["status", "--json"]).code(0).json()["health"]["truth"].clone()
}

/// What one run does, the next one finds.
pub(crate) fn is_shared(place: &Place, at: At<'_>) {
    assert_eq!(truth(place, at)["shared"], true);
    assert_eq!(states(place, at), ["ready", "ready"]);
    run(place, at, ["disable", "flash_01"]).code(0).shows(&["key flash_01: disabled"]);
    run(place, at, ["cool", "flash_02", "--for", "10m"]).code(0);
    assert_eq!(states(place, at), ["disabled", "cooling"]);
    run(place, at, ["explain", "flash_02"]).shows(&["by an operator"]);
    // A lift does not bring back what an operator took out.
    run(place, at, ["reset", "--all"]).code(0);
    assert_eq!(states(place, at), ["disabled", "ready"]);
    run(place, at, ["enable", "flash_01"]).code(0).shows(&["key flash_01: enabled"]);
    assert_eq!(states(place, at), ["ready", "ready"]);
}

#[test]
fn runs_share_the_state_file() {
    let place = pool();
    let file = place.path().join("state");
    is_shared(&place, At("KEYROT_STATE", file.to_str().expect("UTF-8")));
    // Another file is another world.
    run(&place, At("KEYROT_STATE", file.to_str().expect("UTF-8")), ["disable", "flash_01"]).code(0);
    let other = place.path().join("other");
    assert_eq!(states(&place, At("KEYROT_STATE", other.to_str().expect("UTF-8"))), ["ready", "ready"]);
}

#[test]
fn runs_share_redis_and_valkey() {
    for kind in [Kind::Redis, Kind::Valkey] {
        let (place, server) = (pool(), Server::start(kind, &[]));
        is_shared(&place, At("REDIS_URL", &server.url()));
    }
}

#[test]
fn a_change_that_redis_does_not_hear_of_is_6_and_changes_nothing() {
    let (place, mut server) = (pool(), Server::start(Kind::Redis, &[]));
    let url = server.url();
    let at = At("REDIS_URL", &url);
    server.kill();
    for args in [
        &["disable", "flash_01"][..],
        &["enable", "flash_01"],
        &["cool", "flash_01", "--for", "10m"],
        &["uncool", "flash_01"],
        &["reset", "--all"],
    ] {
        run(&place, at, args.iter().copied())
            .fails(6, &["redis cannot be used", "repeat it when it is back"]);
    }
    // Who only looks is told, and served.
    let ended = run(&place, at, ["status"]);
    ended.code(0).fits().shows(&["flash_01", "ready", "suspended since"]);
    server.restart();
    assert_eq!(states(&place, at), ["ready", "ready"]);
    assert_eq!(truth(&place, at)["suspended"], Value::Null);
}

#[test]
fn a_file_that_is_none_of_ours_is_named_and_left_as_it_is() {
    let place = pool();
    let file = place.file("mine", "my notes, no database");
    let at = At("KEYROT_STATE", file.to_str().expect("UTF-8"));
    let ended = run(&place, at, ["status"]);
    ended.code(0).says(&["is not a state file of keyrot", "this one was not touched"]).shows(&["memory"]);
    run(&place, at, ["disable", "flash_01"]).code(0).says(&["this changed nothing elsewhere"]);
    assert_eq!(place.read("mine"), "my notes, no database");
    assert_eq!(place.names(), ["keys.json", "mine"]);
}

#[test]
fn a_file_of_a_newer_release_is_left_as_it_is() {
    let place = pool();
    let file = place.path().join("state");
    let at = At("KEYROT_STATE", file.to_str().expect("UTF-8"));
    run(&place, at, ["disable", "flash_01"]).code(0);
    // The schema's version: https://www.sqlite.org/fileformat.html#user_version_number
    let mut bytes = fs::read(&file).expect("read");
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    fs::write(&file, &bytes).expect("written");
    run(&place, at, ["status"]).code(0).says(&["version 999", "hint: use the newer release"]);
    assert_eq!(fs::read(&file).expect("read"), bytes);
}

#[test]
fn without_a_home_the_counts_live_in_memory_and_that_is_said() {
    let place = pool();
    let mut command = program(&place, At("NO_COLOR", "1"), ["status"]).command();
    command.env_remove("KEYROT_STATE");
    let ended = Ended::of(command.spawn().expect("started"));
    ended.code(0).says(&["no home directory", "KEYROT_STATE"]).shows(&["memory"]);
}
