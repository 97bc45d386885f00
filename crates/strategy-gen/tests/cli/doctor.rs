//! `doctor`: what would happen, in each mode, with its exit codes.

use crate::rig::{Place, test_python};

const ON: (&str, &str) = ("ENABLE_KEY_ROTATION", "true");

#[test]
fn a_single_key_is_ready() {
    let place = Place::new();
    let ended = place.program(["doctor"]).env("GEMINI_API_KEY", "AIzaCANARY").run();
    assert!(
        ended.code(0).stdout.contains("mode: single key") && ended.stdout.contains("1 of 1 ready"),
        "{ended}"
    );
}

#[test]
fn a_pool_shows_every_key_within_80_columns() {
    let place = Place::new();
    let long = "a-key-with-a-name-as-long-as-a-name-may-be-0123456789-0123456789";
    let keys = format!(
        r#"[{{"key_id": "a", "project": "pa", "rpm": 5, "rpd": 100}}, {{"key_id": "{long}", "project": "{long}{long}"}},
            {{"key_id": "off", "active": false}}, {{"key_id": "late", "expires_at": "2020-01-01T00:00:00Z"}},
            {{"key_id": "pro", "model_name": "gemini-2.5-pro"}}, {{"key_id": "ümlaut"}}]"#
    );
    place.file("keys.json", keys.replace("ümlaut", "unset"));
    let reversed = |key: &str| key.chars().rev().collect::<String>();
    // Spells no name that is shown.
    let secret = |key: &str| (format!("GEMINI_KEY_{key}"), format!("AIzaCANARY-{}", reversed(key)));
    let mut program = place.program(["doctor"]).envs(&[ON]);
    for key in ["a", long, "off", "late", "pro"] {
        let (name, value) = secret(key);
        program = program.env(&name, &value);
    }
    let ended = program.run();
    ended.code(1).says(&["warning: ", "`unset`", "GEMINI_KEY_unset"]);
    assert!(ended.stdout.contains("mode: many keys") && ended.stdout.contains("2 of 6 ready"), "{ended}");
    assert!(ended.stdout.contains("limits of project pa: 5 rpm, 100 rpd"), "{ended}");
    let table: Vec<&str> =
        ended.stdout.lines().skip_while(|line| !line.starts_with("key ")).take(7).collect();
    assert_eq!(table.len(), 7);
    for line in &table {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for (key, state) in [
        ("a ", "ready"),
        ("off ", "not active"),
        ("late ", "expired"),
        ("pro ", "model"),
        ("unset ", "no secret"),
    ] {
        let line = table.iter().find(|line| line.starts_with(key)).expect(key);
        assert!(line.contains(state), "{line}");
    }
}

#[test]
fn something_amiss_is_1_and_the_rest_by_its_kind() {
    let place = Place::new();
    let single = ("GEMINI_API_KEY", "AIzaCANARY");
    let doctor = |env: &[(&str, &str)]| place.program(["doctor"]).envs(env).run();
    doctor(&[single, ("REDIS_URL", "redis://:CANARY@127.0.0.1:1")]).code(1).says(&[
        "warning: ",
        "redis://127.0.0.1:1",
        "away",
    ]);
    doctor(&[single, ON]).code(1).says(&["warning: ", "`keys.json` does not exist"]);
    doctor(&[single, ("GEMINI_BASE_URL", "ftp://x")]).fails(2, &["`GEMINI_BASE_URL`", "hint: "]);
    doctor(&[single, ("ENABLE_KEY_ROTATION", "maybe")]).fails(2, &["`ENABLE_KEY_ROTATION`", "hint: "]);
    doctor(&[]).fails(3, &["No API keys available", "hint: "]);
    place.file("keys.json", "[{}]");
    doctor(&[single, ON]).fails(2, &["keys.json:1:2", "key_id", "hint: "]);
    place.file(
        "keys.json",
        r#"[{"key_id": "a", "updated_at": "2020-01-01"}, {"key_id": "b", "active": false}]"#,
    );
    let none = doctor(&[ON]);
    none.code(3).says(&["warning: key `a` is out", "error: No API keys available", "hint: "]);
    assert!(none.stdout.contains("0 of 2 ready"), "{none}");
    let old = doctor(&[ON, ("GEMINI_KEY_a", "AIzaCANARY")]);
    old.code(1).says(&["warning: ", "key `a`", "days old", "rotate"]);
}

#[test]
fn as_json_it_is_one_document() {
    let place = Place::new();
    let ended = place.program(["doctor", "--json"]).env("GEMINI_API_KEY", "AIzaCANARY").run();
    let document = ended.code(0).json();
    assert_eq!(document["status"], "ok");
    assert_eq!(document["health"]["keys"][0]["ready"], true);
    let warned = place.program(["doctor", "--json"]).envs(&[("GEMINI_API_KEY", "AIzaCANARY"), ON]).run();
    assert_eq!(warned.code(1).json()["status"], "findings");
}

#[test]
fn what_strategies_run_in_is_shown() {
    let place = Place::new();
    let python = test_python();
    let environment =
        python.parent().and_then(std::path::Path::parent).expect("an environment").display().to_string();
    let doctor = |active: &str, args: [&str; 2]| {
        let env = [("GEMINI_API_KEY", "AIzaCANARY"), ("VIRTUAL_ENV", active)];
        place.program(args.into_iter().filter(|arg| !arg.is_empty())).envs(&env).run()
    };
    let ended = doctor(&environment, ["doctor", ""]);
    let told = &ended.code(0).stdout;
    assert!(
        told.contains(&format!("python: {}", python.display())) && told.contains("backtesting.py 0.6."),
        "{ended}"
    );
    assert!(told.contains("sandbox: "), "{ended}");
    let runs = doctor(&environment, ["doctor", "--json"]).code(0).json()["runs"].clone();
    assert!(runs["python"]["version"].as_str().is_some_and(|version| version.starts_with("3.")), "{runs}");
    assert!(runs["sandbox"].as_array().is_some_and(|layers| layers.len() >= 2), "{runs}");
    let none = doctor("/no/environment", ["doctor", ""]);
    assert!(none.code(0).stdout.contains("hint: `strategy-gen doctor --install` makes one"), "{none}");
}
