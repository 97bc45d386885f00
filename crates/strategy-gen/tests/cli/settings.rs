//! Settings: variables that make no sense, that this build does not act on, and those that choose the mode.

use gemini_sim::{Answer, KeySpec, ProjectSpec};

use crate::gemini::{Gemini, STRATEGY, block};
use crate::rig::{Place, RSI};

#[test]
fn a_switch_that_is_neither_on_nor_off_is_named() {
    let place = Place::new();
    let ended = place.program([RSI]).env("ENABLE_KEY_ROTATION", "maybe").run();
    ended.fails(2, &["`ENABLE_KEY_ROTATION`", "`maybe`", "hint: ", "`true`", "`false`"]);
    assert!(place.names().is_empty());
}

#[test]
fn an_unknown_secret_store_is_named() {
    let place = Place::new();
    let gemini = Gemini::good();
    let ended = gemini.program(&place, [RSI]).env("SECRET_STORE_TYPE", "nonsense").run();
    ended.fails(2, &["`SECRET_STORE_TYPE`", "hint: ", "`env`", "`vault`", "`aws`", "`azure`"]);
    assert_eq!(gemini.requests(), 0);
}

#[test]
fn a_secret_store_that_is_not_in_this_build_is_named() {
    let place = Place::new();
    place.file("keys.json", r#"[{"key_id": "a"}]"#);
    let rotating = place.program([RSI]).env("ENABLE_KEY_ROTATION", "true").env("SECRET_STORE_TYPE", "vault");
    rotating
        .run()
        .fails(3, &["No API keys available", "a: ", "`vault` is not in this build", "hint: ", "vault"]);
}

#[test]
fn a_redis_that_is_away_is_told_and_keeps_nobody_from_working() {
    let place = Place::new();
    let gemini = Gemini::good();
    let set =
        gemini.program(&place, [RSI, "-o", "-"]).env("REDIS_URL", "redis://:CANARY@127.0.0.1:1/0").run();
    set.code(0).says(&["the shared limits are away", "going on"]).is_silent_about("CANARY");
    let empty = gemini.program(&place, [RSI, "-o", "-"]).env("REDIS_URL", "").run();
    empty.code(0).is_silent_about("REDIS_URL").is_silent_about("warning");
}

#[test]
fn an_address_that_is_none_is_named_by_its_variable() {
    let place = Place::new();
    for (variable, address) in [
        ("GEMINI_BASE_URL", "ftp://127.0.0.1/"),
        ("GEMINI_BASE_URL", "garbage"),
        ("GEMINI_BASE_URL", "https://user:CANARY@127.0.0.1"),
        ("GOOGLE_GEMINI_BASE_URL", "127.0.0.1:80"),
    ] {
        let program = place.program([RSI]).env("GEMINI_API_KEY", "AIzaCANARY").env(variable, address);
        program.run().fails(2, &[&format!("`{variable}`"), "base URL", "hint: ", "https://"]);
    }
    assert!(place.names().is_empty());
}

#[test]
fn a_log_filter_that_is_none_stops_nothing() {
    let place = Place::new();
    let gemini = Gemini::good();
    let ended = gemini.program(&place, [RSI]).env("KEYROT_LOG", "no=such=filter").run();
    ended.code(0).says(&["warning: `no=such=filter`", "log filter", "hint: ", "`KEYROT_LOG`", "success"]);
    // Everything that is logged, of every library: the rig looks for the secret.
    gemini.program(&place, [RSI]).env("RUST_LOG", "trace").run().code(0);
}

fn three_keys() -> Gemini {
    Gemini::start(vec![Answer::text(block(STRATEGY))], |mut sim| {
        for n in 1..=3 {
            let project = format!("p{n}");
            sim =
                sim.project(ProjectSpec::new(&project)).key(KeySpec::new(format!("AIzaCANARY-{n}"), project));
        }
        sim
    })
}

const LIST: (&str, &str) = ("GEMINI_API_KEYS", "AIzaCANARY-1, AIzaCANARY-2,AIzaCANARY-3");

#[test]
fn two_or_more_listed_keys_are_a_pool() {
    let place = Place::new();
    let gemini = three_keys();
    let ended = gemini.reached_by(place.program(["doctor"])).envs(&[LIST]).run();
    assert!(ended.stdout.contains("mode: many keys") && ended.stdout.contains("3 of 3 ready"), "{ended}");
    let ended = gemini.reached_by(place.program([RSI])).envs(&[LIST]).run();
    ended.code(0).says(&["attempt 1: key key_0", "success"]);
}

#[test]
fn an_explicit_no_beats_the_list_and_a_flag_beats_both() {
    let place = Place::new();
    let gemini = three_keys();
    let single = ("GEMINI_API_KEY", "AIzaCANARY-2");
    let off = [LIST, single, ("ENABLE_KEY_ROTATION", "false")];
    let on = [LIST, single, ("ENABLE_KEY_ROTATION", "true")];
    let run = |flags: &[&str], env: &[(&str, &str)]| {
        let args = [RSI, "-o", "-"].into_iter().chain(flags.iter().copied());
        gemini.reached_by(place.program(args)).envs(env).run()
    };
    run(&[], &off).code(0).says(&["key GEMINI_API_KEY", "success"]);
    run(&["--multi-key"], &off).code(0).says(&["attempt 1: key key_0", "success"]);
    run(&[], &on).code(0).says(&["attempt 1: key key_0", "success"]);
    run(&["--single-key"], &on).code(0).says(&["key GEMINI_API_KEY", "success"]);
    run(&["--single-key", "--multi-key"], &on).code(2);
}

#[test]
fn without_any_key_the_way_to_one_is_told() {
    let place = Place::new();
    place.run([RSI]).fails(3, &["No API keys available", "`GEMINI_API_KEY`", "hint: ", "GEMINI_API_KEY"]);
    let ended = place.run([RSI, "--single-key"]);
    ended.fails(3, &["No API keys available", "`GEMINI_API_KEY`", "hint: "]);
    let ended = place.run([RSI, "--multi-key"]);
    ended.fails(
        3,
        &["No API keys available", "`keys.json`", "`GEMINI_API_KEYS`", "hint: ", "keys_example.json"],
    );
    assert!(place.names().is_empty());
}

#[test]
fn limits_that_nobody_keeps_end_a_run_at_once_where_that_is_asked_for() {
    let place = Place::new();
    let gemini = Gemini::good();
    let program =
        gemini.program(&place, [RSI, "--max-wait", "100"]).env("REDIS_URL", "redis://127.0.0.1:1/0");
    let ended = program.env("KEYROT_FAIL_CLOSED", "true").run();
    ended.fails(6, &["redis", "hint: "]);
    ended.is_silent_about("exhausted").is_silent_about("add a key");
    assert_eq!(gemini.requests(), 0, "nothing is sent that nobody counts");
}

#[test]
fn a_model_that_cannot_be_one_is_the_users_mistake() {
    let place = Place::new();
    let gemini = Gemini::good();
    for model in ["", " ", "../secrets", "a?key=b", "no such model"] {
        let ended = gemini.program(&place, [RSI, "--model", model]).run();
        ended.fails(2, &["model", "hint: "]);
    }
    assert_eq!(gemini.requests(), 0);
    let unknown = gemini.program(&place, [RSI, "--model", "gemini-0"]).run();
    unknown.fails(2, &["error: ", "`gemini-0`", "404", "hint: ", "`--model`"]);
    unknown.is_silent_about("exhausted");
    // The name is to blame and no key: another run is told the same.
    let state = place.path().join("state.db").display().to_string();
    for _ in 0..2 {
        let typo = gemini.program(&place, [RSI, "--model", "gemini-2.5-flahs"]).env("KEYROT_STATE", &state);
        let ended = typo.run();
        ended.fails(
            2,
            &["no key is kept out", "`gemini-2.5-flahs`", "404", "did you mean `gemini-2.5-flash`?"],
        );
        ended.is_silent_about("add a key");
    }
}
