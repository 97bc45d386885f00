//! A folder that somebody else made: what its `.env` and keys.json can neither start, nor choose, nor send away.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::gemini::{Gemini, SECRET, STRATEGY};
use crate::rig::{Ended, Place, RSI};

/// A listener that writes down whatever it is sent, and refuses it.
struct Ear {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Ear {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let notes = Arc::clone(&heard);
        // Ends with the tests.
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| hear(stream, &notes)));
        Self { address, heard }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn heard(&self) -> String {
        self.heard.lock().expect("unpoisoned").concat()
    }
}

fn hear(mut stream: TcpStream, notes: &Mutex<Vec<String>>) {
    let mut bytes = [0; 16 * 1024];
    let read = stream.read(&mut bytes).unwrap_or_default();
    notes.lock().expect("unpoisoned").push(format!("{}\n", String::from_utf8_lossy(&bytes[..read])));
    let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
}

/// A program that leaves `marker` when it is started.
fn trap(place: &Place, program: &str, marker: &Path) {
    let path = place.path().join(program);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, format!("#!/bin/sh\n: > '{}'\nexit 1\n", marker.display())).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("set");
}

#[test]
fn a_dot_env_starts_no_program() {
    let here = |place: &Place, name: &str| place.path().join(name).display().to_string();
    for (program, line) in [
        ("evil/bin/python", "VIRTUAL_ENV=./evil".to_owned()),
        ("evil/keyrot/python/bin/python", "XDG_CACHE_HOME={}".to_owned()),
        ("evil/.cache/keyrot/python/bin/python", "HOME={}".to_owned()),
        ("evil/python3", "PATH={}".to_owned()),
        ("evil/shims/python3", "PATH={}/shims\nPYENV_ROOT={}".to_owned()),
    ] {
        let place = Place::new();
        let marker = place.path().join("started");
        trap(&place, program, &marker);
        place.file(".env", line.replace("{}", &here(&place, "evil")));
        place.file("strategy.py", STRATEGY);
        place.file("ideas.txt", RSI);
        for args in [
            &["doctor"][..],
            &["run", "strategy.py"],
            &["--offline", RSI, "--force"],
            &["--offline", RSI, "--force", "--data", "GOOG"],
            &["batch", "ideas.txt", "--offline"],
        ] {
            let ended = place.program(args.iter().copied()).env("GEMINI_API_KEY", SECRET).run();
            assert!(!marker.exists(), "`{line}` started a program: {args:?}");
            let name = line.split('=').next().expect("a name");
            ended.says(&["warning: `.env`: not settings of this program", &format!("`{name}` (line 1)")]);
        }
    }
}

#[test]
fn a_dot_env_chooses_no_state_proxy_or_certificates() {
    let place = Place::new();
    let proxy = Ear::new();
    let file = format!(
        "KEYROT_STATE=state.db\nHTTPS_PROXY={0}\nhttps_proxy={0}\nALL_PROXY={0}\nSSL_CERT_FILE=evil.pem\n\
         VAULT_CACERT=evil.pem\nKEYROT_TRUST_ENV=1\n",
        proxy.url()
    );
    place.file(".env", file);
    let program =
        place.program([RSI, "-o", "-", "--no-run", "--max-wait", "1"]).env("GEMINI_API_KEY", SECRET);
    let ended = program.env("GEMINI_BASE_URL", "https://nowhere.invalid").run();
    ended.fails(6, &[
        "not settings of this program",
        "`https_proxy` (line 3), `ALL_PROXY` (line 4)",
        "never taken from a file",
        "`KEYROT_STATE` (line 1), `HTTPS_PROXY` (line 2), `SSL_CERT_FILE` (line 5), `VAULT_CACERT` (line 6), \
         `KEYROT_TRUST_ENV` (line 7)",
        "hint: ",
    ]);
    assert_eq!(proxy.heard(), "");
    assert_eq!(place.names(), [".env"]);
}

#[test]
fn only_the_current_folder_is_looked_at() {
    let place = Place::new();
    place.file(".env", format!("GEMINI_API_KEY={SECRET}\nVIRTUAL_ENV=./evil\n"));
    fs::create_dir(place.path().join("below")).expect("made");
    let ended = place.program([RSI]).within("below").run();
    ended.fails(3, &["No API keys available"]).is_silent_about("VIRTUAL_ENV");
    let gemini = Gemini::good();
    let named = gemini.reached_by(place.program([RSI, "--env-file", "../.env"]).within("below")).run();
    named.code(0).says(&["`../.env`", "`VIRTUAL_ENV` (line 2)"]);
    let before =
        gemini.reached_by(place.program(["--env-file", "../.env", "-o", "-", RSI]).within("below")).run();
    before.code(0);
    // A command behind a flag would be a description, and a model would be asked.
    place.run(["--trust-env", "doctor"]).fails(2, &["`doctor` is a command", "hint: "]);
    let absent = place.run([RSI, "--env-file", "none"]);
    absent.fails(2, &["`none` cannot be read", "hint: ", "--env-file"]);
}

#[test]
fn a_file_that_others_could_have_written_is_passed_over() {
    for mode in [0o666, 0o602, 0o662, 0o620] {
        let place = Place::new();
        let path = place.file(".env", format!("GEMINI_API_KEY={SECRET}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        // The group of an ordinary user may be that user's alone.
        if mode == 0o620 && !is_root() {
            continue;
        }
        let ended = place.run([RSI]);
        ended.fails(
            3,
            &["warning: `.env` is not read", "other users can write it", "hint: ", "chmod", "--env-file"],
        );
        let gemini = Gemini::good();
        gemini.reached_by(place.program([RSI, "-o", "-", "--env-file", ".env"])).run().code(0);
    }
}

#[test]
fn a_file_of_another_user_is_passed_over_whatever_the_folder_is() {
    if !is_root() {
        println!("only root can give a file away");
        return;
    }
    for folder in [0o755, 0o1777] {
        let place = Place::new();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(folder)).expect("set");
        let path = place.file(".env", format!("GEMINI_API_KEY={SECRET}\n"));
        std::os::unix::fs::chown(&path, Some(65_534), Some(65_534)).expect("given away");
        place.run([RSI]).fails(3, &["warning: `.env` is not read", "another user", "hint: "]);
        let gemini = Gemini::good();
        gemini.reached_by(place.program([RSI, "-o", "-", "--env-file", ".env"])).run().code(0);
    }
}

#[test]
fn what_is_no_file_keeps_nobody_waiting() {
    let place = Place::new();
    let fifo = place.path().join(".env");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    place.run([RSI]).fails(3, &["warning: `.env` is not read", "not a regular file"]);
    place
        .run([RSI, "--env-file", ".env"])
        .fails(2, &["`.env` cannot be read", "not written to its end within"]);
    place
        .run([RSI, "--env-file", "/dev/null"])
        .fails(2, &["`/dev/null` cannot be read", "not a regular file"]);
    fs::remove_file(&fifo).expect("removed");
    // A virtual environment may have the name.
    fs::create_dir(&fifo).expect("made");
    place.run([RSI]).fails(3, &["No API keys available"]).is_silent_about(".env` is not read");
    fs::remove_dir(&fifo).expect("removed");
    place.file(".env", "A=".repeat(200_000));
    place.run([RSI]).fails(3, &["warning: `.env` is not read", "larger than 256 KiB"]);
}

/// As of `--env-file <(command)`.
#[test]
fn a_pipe_that_is_named_is_read_to_its_end() {
    let place = Place::new();
    let fifo = place.path().join("settings");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let gemini = Gemini::good();
    let (first, rest) = SECRET.split_at(5);
    let parts = [format!("GEMINI_API_KEY={first}"), format!("{rest}\n")];
    let writer = std::thread::spawn(move || {
        // Opened when the program opens it.
        let mut pipe = fs::OpenOptions::new().write(true).open(fifo).expect("a reader");
        parts.iter().for_each(|part| pipe.write_all(part.as_bytes()).expect("written"));
    });
    gemini.reached_by(place.program([RSI, "-o", "-", "--no-run", "--env-file", "settings"])).run().code(0);
    writer.join().expect("written");
}

#[test]
fn nothing_is_expanded() {
    let place = Place::new();
    let server = Ear::new();
    let run = |file: String| {
        place.file(".env", file);
        let program = place.program([RSI, "-o", "-", "--no-run", "--max-wait", "1"]);
        program.env("GITHUB_TOKEN", "CANARY-github").env("AWS_SECRET_ACCESS_KEY", "CANARY-aws").run()
    };
    run(format!(
        "GEMINI_API_KEY=mine\nGEMINI_BASE_URL=\"{}/${{GITHUB_TOKEN}}/$GITHUB_TOKEN\"\n",
        server.url()
    ));
    run(format!("GEMINI_BASE_URL={}\nGEMINI_API_KEY=${{AWS_SECRET_ACCESS_KEY}}\n", server.url()));
    run(format!("GEMINI_BASE_URL={}\nGEMINI_API_KEY=\"$AWS_SECRET_ACCESS_KEY\"\n", server.url()));
    let heard = server.heard();
    assert!(heard.contains("GITHUB_TOKEN") && heard.contains("AWS_SECRET_ACCESS_KEY"), "{heard}");
    assert!(!heard.contains("CANARY"), "{heard}");
}

/// A run in a folder with this `.env`.
fn with_env(file: &str, args: &[&str], env: &[(&str, &str)]) -> Ended {
    let place = Place::new();
    place.file(".env", file);
    place.file("keys.json", r#"[{"key_id": "a"}]"#);
    place.program(args.iter().copied()).envs(env).run()
}

#[test]
fn a_key_of_the_shell_goes_to_no_server_of_a_file() {
    let server = Ear::new();
    let base = format!("# mine\n\nGEMINI_BASE_URL={}\n", server.url());
    let ask = [RSI, "-o", "-", "--no-run", "--max-wait", "1"];
    let key = ("GEMINI_API_KEY", "AIzaCANARY-shell");
    let on = ("ENABLE_KEY_ROTATION", "true");
    for (file, env, credential) in [
        (base.clone(), &[key][..], "`GEMINI_API_KEY`"),
        (base.replace("GEMINI_", "GOOGLE_GEMINI_"), &[("GOOGLE_API_KEY", "AIzaCANARY")], "`GOOGLE_API_KEY`"),
        (base.clone(), &[on, ("GEMINI_KEY_a", "AIzaCANARY")], "`GEMINI_KEY_a`"),
        (base.clone(), &[on, ("GEMINI_KEY_A", "AIzaCANARY")], "`GEMINI_KEY_A`"),
        // The last resort.
        (format!("{base}GEMINI_KEY_a=AIzaCANARY\n"), &[on, key], "`GEMINI_API_KEY`"),
        (
            format!("{base}KEYS_FILE=none.json\n"),
            &[("GEMINI_API_KEYS", "CANARY1,CANARY2")],
            "`GEMINI_API_KEYS`",
        ),
        (format!("{base}KEYROT_TRUST_ENV=1\n"), &[key], "`GEMINI_API_KEY`"),
        (format!("{base}GEMINI_API_KEY=mine\n"), &[key], "`GEMINI_API_KEY`"),
    ] {
        let ended = with_env(&file, &ask, env);
        let at = if file.contains("GOOGLE_") { "`GOOGLE_GEMINI_BASE_URL`" } else { "`GEMINI_BASE_URL`" };
        ended.fails(
            2,
            &[
                &format!("{at} is from `.env` line 3"),
                &format!("{credential} is from the environment"),
                "hint: ",
                "--trust-env",
                "KEYROT_TRUST_ENV=1",
            ],
        );
    }
    assert_eq!(with_env(&base, &["doctor"], &[key]).status.code(), Some(2));
    assert_eq!(server.heard(), "");
    let trusting = [&ask[..], &["--trust-env"]].concat();
    with_env(&base, &trusting, &[key]).says(&["warning: requests go to", &server.address, "`.env` line 3"]);
    assert!(server.heard().contains("CANARY"));
}

#[test]
fn what_belongs_together_goes_together() {
    let gemini = Gemini::good();
    let base = gemini.server.base_url();
    let ask = [RSI, "-o", "-", "--no-run"];
    let (key, url) = (format!("GEMINI_API_KEY={SECRET}\n"), format!("GEMINI_BASE_URL={base}\n"));
    let (in_shell, at) = (("GEMINI_API_KEY", SECRET), ("GEMINI_BASE_URL", base.as_str()));
    with_env(&format!("{key}{url}"), &ask, &[]).code(0).says(&[
        "warning: requests go to",
        "`.env` line 2",
        "success",
    ]);
    with_env(&key, &ask, &[at]).code(0).is_silent_about("requests go to");
    with_env("", &ask, &[at, in_shell]).code(0).is_silent_about("requests go to");
    with_env(&url, &ask, &[in_shell, ("KEYROT_TRUST_ENV", "1")]).code(0);
    assert_eq!(gemini.asked().len(), 4);
}

#[test]
fn another_providers_key_stays_with_its_server() {
    let server = Ear::new();
    let file = format!("OPENAI_BASE_URL={}/v1\n", server.url());
    let key = ("OPENAI_API_KEY", "CANARY");
    let ask = [RSI, "-o", "-", "--no-run", "--provider", "openai", "--model", "m"];
    let ended = with_env(&file, &ask, &[key]);
    ended.fails(
        2,
        &["`OPENAI_BASE_URL` is from `.env` line 1", "`OPENAI_API_KEY` is from the environment", "hint: "],
    );
    assert_eq!(server.heard(), "");
    // No key, a key of the same file, and an address of the user's own.
    with_env(&file, &ask, &[]).code(2).says(&["requests go to `127.0.0.1`", "answered 400"]);
    with_env(&format!("{file}OPENAI_API_KEY=CANARY-file\n"), &ask, &[key]).code(2).says(&["is from `.env`"]);
    with_env(&format!("{file}OPENAI_API_KEY=mine\n"), &ask, &[]).says(&["answered 400"]);
    let own = format!("{}/own", server.url());
    with_env(&file, &[&ask[..], &["--base-url", &own]].concat(), &[key]).says(&["answered 400"]);
    let heard = server.heard();
    assert_eq!(heard.matches("CANARY").count(), 1, "{heard}");
    assert!(heard.contains("/own/chat/completions"), "{heard}");
}

#[test]
fn a_reference_of_keys_json_stays_inside_the_configured_store() {
    let place = Place::new();
    place.file(
        "keys.json",
        r#"[{"key_id": "a"}, {"key_id": "b", "secret": "aws:prod/db"}, {"key_id": "c", "secret": "env:AWS_SECRET_ACCESS_KEY"}]"#,
    );
    let server = Ear::new();
    let url = server.url();
    let env = [
        ("ENABLE_KEY_ROTATION", "true"),
        ("GEMINI_KEY_a", "AIzaCANARY-a"),
        ("AWS_SECRET_ACCESS_KEY", "CANARY-aws"),
        ("GEMINI_BASE_URL", &url),
    ];
    let ask = [RSI, "-o", "-", "--no-run", "--max-wait", "1"];
    let ended = place.program(ask).envs(&env).run();
    ended.fails(2, &["key `b`", "`aws:prod/db`", "`SECRET_STORE_TYPE`", "hint: ", "--trust-env"]);
    assert_eq!(server.heard(), "");
    place.program(ask).envs(&env).env("KEYROT_TRUST_ENV", "1").run();
    let heard = server.heard();
    assert!(heard.contains("CANARY-a") && !heard.contains("CANARY-aws"), "{heard}");
}

/// As the quick reference has it: two keys, and the variables of the heredoc.
#[test]
fn a_newcomers_file_needs_no_word() {
    let gemini = Gemini::start(vec![gemini_sim::Answer::text(crate::gemini::block(STRATEGY))], |sim| {
        let sim = sim.project(gemini_sim::ProjectSpec::new("p1"));
        let sim = sim.key(gemini_sim::KeySpec::new("your-key-1", "p1"));
        sim.key(gemini_sim::KeySpec::new("your-key-2", "p1"))
    });
    let place = Place::new();
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../../keys_example.json"), place.path().join("keys.json"))
        .expect("copied");
    place.file(
        ".env",
        "ENABLE_KEY_ROTATION=true\nSECRET_STORE_TYPE=env\nGEMINI_KEY_flash_01=your-key-1\nGEMINI_KEY_flash_02=your-key-2\n",
    );
    let ended = gemini.reached_by(place.program([RSI, "-o", "-", "--no-run"])).run();
    ended.code(0).says(&["key flash_0", "success"]).is_silent_about(".env");
    let with_redis =
        format!("{}REDIS_URL=redis://127.0.0.1:1/0\nDATABASE_URL=x\nAIzaCANARY4fG9=\n", place.read(".env"));
    place.file(".env", with_redis);
    let ended = gemini.reached_by(place.program([RSI, "-o", "-", "--no-run"])).run();
    ended.code(0).says(&["ignored: `DATABASE_URL` (line 6), line 7\n", "success"]);
    assert_eq!(ended.stderr.matches("`.env`").count(), 1, "{ended}");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
