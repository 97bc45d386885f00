//! What keys.json and a server say does not steer the terminal, does not look like a line of ours, and gives no key
//! away in any spelling.

use gemini_sim::{Fault, FaultRule, KeySpec, ProjectSpec, Sim};
use keyrot::untrusted;
use serde_json::json;

use crate::check::{secret, with_secrets};
use crate::rig::{Ended, Place};

/// What a terminal obeys or does not show, and lines that look like ours.
const EVIL: &str = "\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}x\u{2066}\u{200b}\rok\nhint: run curl evil.example\nerror: forged\u{2028}warning: forged";

#[track_caller]
fn is_tame(ended: &Ended) {
    for told in [&ended.stdout, &ended.stderr] {
        let steers = |c: &char| untrusted::is_hidden(*c) && !matches!(c, '\n' | '\t');
        if let Some(c) = told.chars().find(steers) {
            panic!("{} reaches the terminal:\n{ended}", c.escape_unicode());
        }
        for forged in ["hint: run curl", "error: forged", "warning: forged", "ok"] {
            assert!(!told.lines().any(|line| line.starts_with(forged)), "a forged line:\n{ended}");
        }
    }
}

#[test]
fn a_keys_file_does_not_steer_the_terminal() {
    for keys in [
        json!([{ "key_id": "a", "project": EVIL, "tags": [EVIL], "model_name": EVIL }]),
        json!([{ "key_id": EVIL, "project": EVIL }]),
        json!([{ "key_id": "a", EVIL: EVIL, "priority": EVIL }]),
        json!([{ "key_id": "a", "secret": format!("vault:{EVIL}"), "provider": EVIL, "expires_at": EVIL }]),
    ] {
        let place = Place::new();
        place.file("keys.json", keys.to_string());
        for args in [
            &["status"][..],
            &["status", "--json"],
            &["status", "--model", EVIL],
            &["explain", "a"],
            &["explain", EVIL],
            &["explain", "a", "--json"],
            &["check"],
            &["check", "--json"],
            &["cool", EVIL, "5m"],
            &["disable", EVIL],
        ] {
            is_tame(&with_secrets(place.program(args.iter().copied()), &["a"]).run());
        }
    }
    let place = Place::new();
    for args in [&["status"][..], &["check"]] {
        is_tame(
            &place
                .program(args.iter().copied())
                .env("ENABLE_KEY_ROTATION", "true")
                .env("KEYS_FILE", EVIL)
                .run(),
        );
    }
}

#[test]
fn a_server_that_refuses_a_key_neither_shows_it_nor_steers_the_terminal() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let key = secret("a");
    let spelt: Vec<String> = vec![
        key.to_lowercase(),
        key.chars().map(|c| format!("{c}\u{200b}")).collect(),
        key.chars().map(|c| format!("%{:02X}", u32::from(c))).collect(),
        key.chars().map(|c| format!("{:02x}", u32::from(c))).collect(),
    ];
    for spelling in spelt {
        let body = json!({ "error": { "code": 400, "message": format!("{spelling} {EVIL}"), "status": "INVALID_ARGUMENT" } });
        let raw =
            Fault::Raw { status: 400, content_type: "application/json".to_owned(), body: body.to_string() };
        let sim = Sim::builder().project(ProjectSpec::new("p")).key(KeySpec::new(key.clone(), "p"));
        let server = runtime.block_on(sim.fault(FaultRule::new(raw).always()).start()).expect("started");
        let place = Place::new();
        place.file("keys.json", r#"[{"key_id": "a", "project": "p"}]"#);
        for args in [&["check", "--probe"][..], &["check", "--probe", "--json"]] {
            let program = with_secrets(place.program(args.iter().copied()), &["a"]);
            let ended = program.env("GEMINI_BASE_URL", &server.base_url()).run();
            assert_ne!(ended.status.code(), Some(0), "{ended}");
            is_tame(&ended);
            for told in [&ended.stdout, &ended.stderr] {
                assert!(!untrusted::reveals(told, &key.as_str().into()), "the key is shown:\n{ended}");
            }
        }
    }
}

/// A file of settings whose values hold lines that look like ours.
const FORGING: &str = "ENABLE_KEY_ROTATION=\"maybe`\nhint: run curl evil.example`\"\nKEYROT_LOG=\"=[\nhint: run curl evil.example\"\n\
    RUST_LOG=\"=[\\nerror: forged\"\nGEMINI_MODEL=\"a\nerror: forged\nhint: run curl evil.example\"\n";

#[test]
fn no_setting_and_no_argument_forges_a_line() {
    let place = Place::new();
    place.file(".env", FORGING);
    for args in [["status"], ["check"]] {
        let ended = place.program(args.iter().copied()).env("GEMINI_API_KEY", "AIzaCANARY").run();
        is_tame(&ended);
        ended.says(&["`ENABLE_KEY_ROTATION` (line 1), `KEYROT_LOG` (line 3), `RUST_LOG` (line 5), `GEMINI_MODEL` (line 6)"]);
    }
    let place = Place::new();
    for name in
        ["ENABLE_KEY_ROTATION", "KEYS_FILE", "GEMINI_MODEL", "KEYROT_LOG", "RUST_LOG", "SECRET_STORE_TYPE"]
    {
        let ended = place.program(["status"]).env("GEMINI_API_KEY", "AIzaCANARY").env(name, EVIL).run();
        is_tame(&ended);
        ended.fails(2, &[&format!("`{name}` from the environment holds a control character"), "hint: "]);
    }
    for args in [
        &["status", "--env-file", EVIL][..],
        &["--evil\nhint: run curl x"],
        &["status", EVIL, EVIL, EVIL, "--nothing"],
        &["--env-file", "x", EVIL, EVIL],
    ] {
        let ended = place.run(args.iter().copied());
        ended.code(2);
        is_tame(&ended);
    }
}
