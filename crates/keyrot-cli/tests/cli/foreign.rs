//! A folder that somebody else made: its `.env` and keys.json send nothing of the user's away; and where settings came from.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::check::google;
use crate::rig::Place;
use crate::rotate::give;

const KEY: &str = "AIzaCANARY-doog";
const ON: (&str, &str) = ("ENABLE_KEY_ROTATION", "true");

fn place(dot_env: &str) -> Place {
    let place = Place::new();
    place.file("keys.json", r#"[{"key_id": "good", "project": "p"}]"#);
    place.file(".env", dot_env);
    place
}

#[test]
fn a_probe_and_a_new_key_go_to_no_server_of_a_file() {
    let (_runtime, server) = google();
    let url = format!("GEMINI_BASE_URL={}\n", server.base_url());
    let probe = ["check", "--probe"];
    let elsewhere = place(&url);
    for args in [&probe[..], &["status"], &["rotate", "good"]] {
        let program = elsewhere.program(args.iter().copied()).envs(&[ON, ("GEMINI_KEY_good", KEY)]);
        give(&program, "AIzaCANARY-new").fails(
            2,
            &[
                "`GEMINI_BASE_URL` is from `.env` line 1",
                "`GEMINI_KEY_good` is from the environment",
                "hint: ",
                "--trust-env",
            ],
        );
    }
    // All that is in the file belongs together; what is typed does not.
    let whole = place(&format!("ENABLE_KEY_ROTATION=true\n{url}GEMINI_KEY_good={KEY}\n"));
    let rotate = whole.program(["rotate", "good"]);
    give(&rotate, "AIzaCANARY-new")
        .fails(2, &["`GEMINI_BASE_URL` is from `.env` line 2", "the new key is yours"]);
    assert!(server.log().is_empty());
    let checked = whole.run(probe);
    checked.code(0).shows(&["accepted"]).says(&["requests go to", "`.env` line 2"]);
    let trusted =
        elsewhere.program([&probe[..], &["--trust-env"]].concat()).envs(&[ON, ("GEMINI_KEY_good", KEY)]);
    trusted.run().code(0);
    assert_eq!(server.log().len(), 2);
}

#[test]
fn a_reference_outside_the_configured_store_needs_a_word() {
    let place = place("KEYROT_TRUST_ENV=1\n");
    place.file("keys.json", r#"[{"key_id": "good", "secret": "vault:secret/prod/db"}]"#);
    let ended = place.program(["check"]).envs(&[ON]).run();
    ended.fails(
        2,
        &["key `good`", "`vault:secret/prod/db`", "`SECRET_STORE_TYPE`", "hint: ", "KEYROT_TRUST_ENV=1"],
    );
    let trusted = place.program(["check", "--trust-env"]).envs(&[ON]).run();
    // The store itself is asked.
    if cfg!(feature = "vault") {
        trusted.fails(2, &["`VAULT_ADDR` is not set"]);
    } else {
        trusted.fails(3, &["`vault` is not in this build"]);
    }
}

#[test]
fn status_shows_where_each_setting_came_from() {
    let place =
        place(&format!("GEMINI_KEY_good={KEY}\nGEMINI_MODEL=gemini-2.5-pro\nKEYROT_STATE=x.db\nHOME=/x\n"));
    let env = [ON, ("HTTPS_PROXY", "http://user:CANARY@127.0.0.1:9"), ("SSL_CERT_FILE", "ca.pem")];
    let run = |args: &[&'static str]| place.program(args.iter().copied()).envs(&env).run();
    let ended = run(&["status"]);
    ended.code(0).fits().says(&["`HOME` (line 4)", "`KEYROT_STATE` (line 3)"]);
    ended.shows(&[
        "  GEMINI_KEY_good from .env line 1\n",
        "  GEMINI_MODEL from .env line 2: gemini-2.5-pro\n",
        "  HTTPS_PROXY from environment: http://[REDACTED]@127.0.0.1:9\n",
        "  SSL_CERT_FILE from environment: ca.pem\n",
        "keys from: keys.json\n",
    ]);
    let document = run(&["status", "--json", "--env-file", ".env", "--model", "m"]).code(0).json();
    let settings = document["settings"].as_array().expect("a list");
    let named = |name: &str| settings.iter().find(|setting| setting["name"] == name).expect("shown").clone();
    assert_eq!(
        (named("--model")["from"].as_str(), named("--model")["value"].as_str()),
        (Some("flag"), Some("m"))
    );
    assert_eq!(
        (named("GEMINI_MODEL")["from"].as_str(), named("GEMINI_MODEL")["line"].as_u64()),
        (Some("file"), Some(2))
    );
    assert_eq!(document["keys_file"], "keys.json");
    assert!(!place.names().contains(&"x.db".to_owned()));
}

#[test]
fn a_file_that_others_can_write_is_passed_over() {
    let place = place(&format!("GEMINI_KEY_good={KEY}\n"));
    let mode =
        |mode| fs::set_permissions(place.path().join(".env"), fs::Permissions::from_mode(mode)).expect("set");
    mode(0o606);
    let run = |args: &[&'static str]| place.program(args.iter().copied()).envs(&[ON]).run();
    run(&["check"]).fails(3, &["warning: `.env` is not read: other users can write it", "hint: "]);
    run(&["check", "--env-file", ".env"]).code(0);
    mode(0o600);
    run(&["check"]).code(0);
}

#[test]
fn a_keys_file_of_a_file_stays_in_the_folder() {
    let outside = Place::new();
    let place = Place::new();
    std::os::unix::fs::symlink(outside.path(), place.path().join("out")).expect("made");
    std::os::unix::fs::symlink(outside.path().join("new.json"), place.path().join("link.json"))
        .expect("made");
    let absolute = outside.path().join("keys.json").display().to_string();
    for file in [absolute.as_str(), "../keys.json", "out/keys.json", "link.json"] {
        place.file(".env", format!("KEYS_FILE={file}\n"));
        place
            .run(["add", "new"])
            .fails(2, &["`KEYS_FILE` is from `.env` line 1", file, "hint: ", "--trust-env"]);
    }
    assert_eq!(outside.names(), Vec::<String>::new());
    place.file(".env", "KEYS_FILE=mine.json\n");
    place.run(["add", "new"]).code(0);
    assert!(place.names().contains(&"mine.json".to_owned()));
    place.file(".env", "KEYS_FILE=out/keys.json\n");
    place.run(["add", "new", "--trust-env"]).code(0);
    assert_eq!(outside.names(), ["keys.json"]);
}
