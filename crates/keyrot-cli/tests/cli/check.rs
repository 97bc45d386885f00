//! `keyrot check`: the file, the secrets, and with `--probe` what Google says.

use gemini_sim::{Fault, FaultRule, KeySpec, ProjectSpec, Sim, SimServer};
use tokio::runtime::Runtime;

use crate::rig::{Place, Program};

const ON: (&str, &str) = ("ENABLE_KEY_ROTATION", "true");

/// The secrets of these keys; each holds the canary.
pub(crate) fn with_secrets(mut program: Program, keys: &[&str]) -> Program {
    for key in keys {
        program = program.env(&format!("GEMINI_KEY_{key}"), &secret(key));
    }
    program.envs(&[ON])
}

/// A secret that spells no name which the program shows.
pub(crate) fn secret(key: &str) -> String {
    format!("AIzaCANARY-{}", key.chars().rev().collect::<String>())
}

#[test]
fn every_mistake_of_the_file_is_told_at_once() {
    let place = Place::new();
    place.file("keys.json", "[{\"key_id\": \"a\", \"rpm\": 0},\n {\"key_id\": \"a\", \"prioritty\": 1}]");
    let ended = place.program(["check"]).run();
    ended.fails(2, &["keys.json:1:", "`rpm`", "keys.json:2:", "`key_id`", "did you mean `priority`?"]);
    let document = place.run(["check", "--json"]);
    assert_eq!(document.code(2).json()["exit_code"], 2);
}

#[test]
fn what_is_old_missing_or_about_to_end_is_a_finding() {
    let place = Place::new();
    let long = "a-key-with-a-name-as-long-as-a-name-may-be-0123456789-0123456789";
    let keys = format!(
        r#"[{{"key_id": "old", "project": "p", "updated_at": "2020-01-01"}}, {{"key_id": "{long}", "project": "{long}{long}"}},
            {{"key_id": "unset", "project": "q"}}, {{"key_id": "over", "project": "r", "expires_at": "2021-01-01"}}]"#
    );
    place.file("keys.json", keys);
    let ended = with_secrets(place.program(["check"]), &["old", long, "over"]).run();
    ended.code(1).fits().shows(&["MISSING", "found", "…"]);
    ended.says(&["GEMINI_KEY_unset", "key `old` is", "days old: rotate it", "key `over` expired"]);
    let json = with_secrets(place.program(["check", "--json"]), &["old", long, "over"]).run();
    let document = json.code(1).json();
    assert_eq!(document["status"], "findings");
    assert_eq!(document["keys"][0]["rotate"], true);
    assert_eq!(document["keys"][2]["secret"], false);
}

#[test]
fn a_pool_in_order_is_0_and_no_secret_at_all_is_3() {
    let place = Place::new();
    place.file("keys.json", r#"[{"key_id": "a", "project": "p"}]"#);
    let ended = with_secrets(place.program(["check"]), &["a"]).run();
    ended.code(0).says(&["1 keys, nothing to mend"]).fits();
    place.program(["check"]).envs(&[ON]).run().fails(3, &["No API keys available", "hint: "]);
    // Not used by anybody yet.
    let off = place.program(["check"]).env("GEMINI_KEY_a", "AIzaCANARY").run();
    off.code(1).says(&["rotation is off"]);
}

/// A simulator that knows `good`, and refuses the others in different ways.
pub(crate) fn google() -> (Runtime, SimServer) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let sim = Sim::builder()
        .project(ProjectSpec::new("p"))
        .key(KeySpec::new(secret("good"), "p"))
        .key(KeySpec::new(secret("denied"), "p"))
        .fault(FaultRule::new(Fault::CallerNoPermission).on_key(secret("denied")).always());
    let server = runtime.block_on(sim.start()).expect("started");
    (runtime, server)
}

#[test]
fn a_probe_asks_once_for_each_key_and_tells_refusals_apart() {
    let place = Place::new();
    place.file(
        "keys.json",
        r#"{"keys": [{"key_id": "good", "project": "p"}, {"key_id": "bad", "project": "p"},
                     {"key_id": "denied", "project": "p"}]}"#,
    );
    let (_runtime, server) = google();
    let probe = |args: &[&'static str]| {
        with_secrets(place.program(args.iter().copied()), &["good", "bad", "denied"])
            .env("GEMINI_BASE_URL", &server.base_url())
            .run()
    };
    let ended = probe(&["check", "--probe"]);
    ended.code(1).fits().shows(&["accepted", "rejected", "restricted"]);
    ended.says(&["key `bad` is rejected", "key `denied` is restricted"]);
    assert_eq!(server.log().len(), 3);
    let document = probe(&["check", "--probe", "--json"]).json();
    let verdicts: Vec<_> =
        document["keys"].as_array().unwrap().iter().map(|k| &k["probe"]["verdict"]).collect();
    assert_eq!(verdicts, ["accepted", "rejected", "restricted"]);
    // Without the flag nobody is called.
    probe(&["check"]).code(0);
    assert_eq!(server.log().len(), 6);
    // Nobody there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let none = with_secrets(place.program(["check", "--probe"]), &["good", "bad", "denied"])
        .env("GEMINI_BASE_URL", &format!("http://{closed}"))
        .run();
    none.code(1).shows(&["no network"]);
}

#[test]
fn a_probe_brings_back_the_key_that_works() {
    use keyrot::{Assembly, EnvMap, Profile};
    use keyrot_core::{Evidence, KeyFault, Outcome};
    let place = Place::new();
    let keys = place.file("keys.json", r#"{"keys": [{"key_id": "good"}, {"key_id": "bad"}]}"#);
    let (runtime, server) = google();
    let state = place.path().join("state");
    let (state, keys) = (state.to_str().expect("UTF-8"), keys.to_str().expect("UTF-8"));
    let program = |args: &[&'static str]| {
        let program = with_secrets(place.program(args.iter().copied()), &["good", "bad"]);
        program.env("KEYROT_STATE", state).env("GEMINI_BASE_URL", &server.base_url()).run()
    };
    // Both were refused once, by whatever stood in the way.
    runtime.block_on(async {
        let env = EnvMap::from_iter([
            (ON.0.to_owned(), ON.1.to_owned()),
            ("KEYS_FILE".to_owned(), keys.to_owned()),
            ("KEYROT_STATE".to_owned(), state.to_owned()),
            // What an endpoint refuses is refused there alone.
            ("GEMINI_BASE_URL".to_owned(), server.base_url()),
            ("GEMINI_KEY_good".to_owned(), secret("good")),
            ("GEMINI_KEY_bad".to_owned(), secret("bad")),
        ]);
        let rotator = Assembly::new(env).make().await.expect("a pool").rotator;
        let model = keyrot::settings::DEFAULT_MODEL;
        for key in ["good", "bad"] {
            let lease = rotator.lease(&Profile::new(model).project(key)).await.expect("a lease");
            let dead = Outcome::KeyRejected { fault: KeyFault::Invalid, evidence: Evidence::Named };
            lease.end(&dead).await;
        }
        assert!(rotator.shutdown(std::time::Duration::from_secs(10)).await);
    });
    let states = || {
        let document = program(&["status", "--json"]).code(0).json();
        let keys = document["health"]["keys"].as_array().expect("keys").iter();
        keys.map(|key| key["state"].as_str().expect("a state").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(), ["out", "out"]);
    program(&["status"]).code(0).fits().shows(&["`keyrot check --probe` asks again"]);
    let ended = program(&["check", "--probe"]);
    ended
        .code(1)
        .fits()
        .says(&["key `good` works: the cooldown of key good is lifted", "key `bad` is rejected"]);
    assert_eq!(states(), ["ready", "out"]);
}
