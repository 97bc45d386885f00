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
fn every_setting_is_shown_with_where_it_came_from() {
    let place = Place::new();
    place.file(".env", "\nGEMINI_API_KEY=AIzaCANARY\nGEMINI_MODEL=gemini-2.5-pro\n");
    place.file("keys.json", r#"[{"key_id": "a"}]"#);
    let env = [
        ("https_proxy", "http://user:CANARY@127.0.0.1:9"),
        ("ALL_PROXY", "user:CANARY@127.0.0.1:9"),
        ("GEMINI_KEY_a", "AIzaCANARY"),
        ("DATABASE_PASSWORD", "CANARY"),
    ];
    let doctor = |args: &[&'static str]| place.program(args.iter().copied()).envs(&env).run();
    let ended = doctor(&["doctor", "--trust-env"]);
    for line in [
        "  ALL_PROXY from environment: [REDACTED]@127.0.0.1:9\n",
        "  GEMINI_API_KEY from .env line 2\n",
        "  GEMINI_KEY_a from environment\n",
        "  GEMINI_MODEL from .env line 3: gemini-2.5-pro\n",
        "  KEYROT_TRUST_ENV from flag: true\n",
        "  https_proxy from environment: http://[REDACTED]@127.0.0.1:9\n",
    ] {
        assert!(ended.code(0).stdout.contains(line), "`{line}`\n{ended}");
    }
    assert!(!ended.stdout.contains("DATABASE") && !ended.stdout.contains("keys from"), "{ended}");
    std::fs::rename(place.path().join(".env"), place.path().join("other")).expect("renamed");
    let many = place
        .program(["doctor", "--json", "--env-file", "other"])
        .envs(&env)
        .env("ENABLE_KEY_ROTATION", "true");
    let document = many.run().code(0).json();
    assert_eq!(document["keys_file"], "keys.json");
    let settings = document["settings"].as_array().expect("a list");
    let named = |name: &str| settings.iter().find(|setting| setting["name"] == name).expect("shown").clone();
    assert_eq!(named("--env-file")["from"], "flag");
    assert_eq!(
        named("GEMINI_MODEL"),
        serde_json::json!({"name": "GEMINI_MODEL", "from": "file", "file": "other", "line": 3, "value": "gemini-2.5-pro"})
    );
    assert!(named("GEMINI_KEY_a")["value"].is_null());
}

#[cfg(unix)]
#[test]
fn installers_get_their_own_settings_and_no_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let dump = place.path().join("dump");
    for program in ["uv", "python3"] {
        let script = format!("#!/bin/sh\n/usr/bin/env >> '{}'\nexit 1\n", dump.display());
        let path = place.file(program, script);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("set");
    }
    let folder = place.path().display().to_string();
    let secrets = [
        "GEMINI_API_KEY",
        "GEMINI_KEY_a",
        "OPENAI_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "VAULT_TOKEN",
        "GITHUB_TOKEN",
    ];
    let mut program = place.program(["doctor", "--install"]).env("PATH", &folder).env("HOME", &folder);
    for name in secrets.into_iter().chain([
        "REDIS_URL",
        "DATABASE_URL",
        "UV_PUBLISH_TOKEN",
        "SSH_AUTH_SOCK",
        "lower_token",
    ]) {
        program = program.env(name, "AIzaCANARY");
    }
    let pasted = format!("AIza{}", "CANARY-".repeat(5));
    let wanted = [
        ("PIP_INDEX_URL", "http://127.0.0.1:9/simple"),
        ("UV_CACHE_DIR", "/cache"),
        ("HTTPS_PROXY", "http://127.0.0.1:9"),
        ("http_proxy", "http://127.0.0.1:9"),
        ("SSL_CERT_FILE", "/ca.pem"),
        ("LC_ALL", "C"),
        ("TMPDIR", "/tmp"),
    ];
    program.env("PIP_KEY", &pasted).envs(&wanted).run().code(5);
    let dump = std::fs::read_to_string(dump).expect("both were started");
    assert!(!dump.contains("CANARY"), "{dump}");
    for (name, value) in wanted {
        let told = dump.lines().filter(|line| *line == format!("{name}={value}")).count();
        assert_eq!(told, 2, "{name}\n{dump}");
    }
}

/// A folder whose owner would like to choose what an installer runs, and where from. What runs leaves `ran` in it.
#[cfg(unix)]
fn hostile() -> Place {
    let place = Place::new();
    let ran = place.path().join("ran").display().to_string();
    for module in ["venv", "pip", "ensurepip", "logging", "json", "site", "sitecustomize", "backtesting"] {
        place.file(
            &format!("{module}.py"),
            format!("open({ran:?}, 'a').write('{module} ')\nraise SystemExit(0)\n"),
        );
    }
    let index = "http://127.0.0.1:9/hostile";
    place.file("uv.toml", format!("index-url = \"{index}\"\n"));
    place.file("pyproject.toml", format!("[tool.uv]\nindex-url = \"{index}\"\n"));
    place.file("pip.conf", format!("[global]\nindex-url = {index}\n"));
    place.file(".python-version", "hostile\n");
    place
}

/// Puts a script on `PATH` of the test.
#[cfg(unix)]
fn script(bin: &Place, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = bin.file(name, format!("#!/bin/sh\n{text}\n"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("set");
}

#[cfg(unix)]
#[test]
fn no_program_is_started_in_the_folder_of_the_user() {
    let (place, bin) = (hostile(), Place::new());
    let dump = bin.path().join("dump");
    for program in ["uv", "python3"] {
        let text = format!("echo \"{program} in $(pwd -P): $*\" >> '{}'\nexit 1", dump.display());
        script(&bin, program, &text);
    }
    // Relative parts of `PATH` lead into the folder.
    script(&place, "uv", ": > ran");
    script(&place, "python3", ": > ran");
    let path = format!(".::{}", bin.path().display());
    let program = place.program(["doctor", "--install"]).env("PATH", &path);
    program.env("HOME", &bin.path().display().to_string()).run().code(5);
    place.program(["doctor"]).envs(&[("PATH", &path), ("GEMINI_API_KEY", "AIzaCANARY")]).run().code(0);
    let dump = std::fs::read_to_string(dump).expect("they were started");
    assert!(dump.contains("uv in /: venv ") && dump.contains("python3 in /: -I -m venv "), "{dump}");
    assert!(dump.contains("python3 in /: -I -B "), "{dump}");
    let started = |line: &&str| line.starts_with("uv in ") || line.starts_with("python3 in ");
    assert!(dump.lines().filter(started).all(|line| line.contains(" in /: ")), "{dump}");
    assert!(!place.path().join("ran").exists());
}

#[cfg(unix)]
#[test]
fn a_real_python_imports_nothing_from_the_folder() {
    let (place, bin) = (hostile(), Place::new());
    script(&bin, "python3", &format!("exec '{}' \"$@\"", test_python().display()));
    let folder = bin.path().display().to_string();
    let env =
        [("PATH", folder.as_str()), ("HOME", &folder), ("XDG_CACHE_HOME", &folder), ("PIP_NO_INDEX", "1")];
    let ended = place.program(["doctor", "--install"]).envs(&env).run();
    ended.code(5);
    let ran = std::fs::read_to_string(place.path().join("ran")).unwrap_or_default();
    assert_eq!(ran, "", "{ended}");
    let made = bin.path().join(if cfg!(target_os = "macos") { "Library/Caches" } else { "." });
    assert!(made.join("keyrot/python/pyvenv.cfg").exists(), "{ended}");
}

#[cfg(unix)]
#[test]
fn a_relative_path_to_a_python_is_meant_from_the_folder_of_the_user() {
    let place = hostile();
    let python = test_python();
    let environment = python.parent().and_then(std::path::Path::parent).expect("an environment");
    std::os::unix::fs::symlink(environment, place.path().join("own")).expect("linked");
    let env = [("GEMINI_API_KEY", "AIzaCANARY"), ("VIRTUAL_ENV", "own")];
    let ended = place.program(["doctor"]).envs(&env).run();
    assert!(ended.code(0).stdout.contains("/own/bin/python"), "{ended}");
    place.file("strategy.py", crate::gemini::STRATEGY);
    for python in ["own/bin/python", "./own/bin/python"] {
        place.program(["run", "strategy.py", "--data", "GOOG", "--python", python]).run().code(0);
    }
    assert!(!place.path().join("ran").exists());
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
