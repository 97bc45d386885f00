//! Files that a user names and that are no files, or too long; and rows that cannot be read.

use std::fmt::Write as _;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

#[cfg(feature = "sqlite")]
use rusqlite::Connection;

use crate::gemini::STRATEGY;
use crate::rig::{Ended, Place, RSI, test_python};

#[test]
fn a_file_that_is_too_long_is_refused_and_never_cut() {
    let place = Place::new();
    // What is behind the first 128 KiB would fail.
    let long = format!("{STRATEGY}\n{}raise SystemExit(3)\n", "# a long comment\n".repeat(10_000));
    place.file("long.py", &long);
    let python = test_python().display().to_string();
    for check in [&["--no-check"][..], &[]] {
        let on = ["run", "long.py", "--data", "synthetic", "--python", &python];
        let ended = place.run(on.into_iter().chain(check.iter().copied()));
        ended.fails(2, &["`long.py` is larger than 128 KiB", "hint: "]);
    }
    place.run(["fix", "long.py", "--yes", "--no-run"]).fails(2, &["`long.py` is larger than 128 KiB"]);
    assert_eq!(place.read("long.py"), long);
}

#[test]
fn what_is_no_file_is_named_and_keeps_nobody_waiting() {
    let place = Place::new();
    place.file("good.py", STRATEGY);
    let python = test_python().display().to_string();
    assert!(Command::new("mkfifo").arg(place.path().join("pipe")).status().expect("`mkfifo` runs").success());
    let _socket = UnixListener::bind(place.path().join("socket")).expect("bound");
    std::os::unix::fs::symlink("pipe", place.path().join("link")).expect("linked");
    for (path, what) in [
        ("pipe", "a named pipe"),
        ("link", "a named pipe"),
        ("socket", "a socket"),
        ("/dev/zero", "a device"),
        ("/dev/tty", "a device"),
        (".", "a directory"),
    ] {
        for args in [
            &["check", path][..],
            &["run", path, "--no-check", "--data", "synthetic", "--python", &python],
            &["fix", path, "--no-run"],
            &["improve", path, "Sell sooner", "--no-run"],
            &["batch", path, "--offline", "--no-run"],
            &["run", "good.py", "--data", path, "--python", &python],
        ] {
            place.run(args.iter().copied()).fails(2, &["cannot read `", what]);
        }
        let keys = [("ENABLE_KEY_ROTATION", "true"), ("KEYS_FILE", path)];
        place.program([RSI, "--no-run"]).envs(&keys).run().fails(2, &["cannot read `", what]);
    }
}

/// Daily prices that rise and fall.
fn prices() -> String {
    (0..600).fold("Date,Open,High,Low,Close,Volume\n".to_owned(), |mut text, day| {
        let date = jiff::civil::date(2020, 1, 1).saturating_add(jiff::Span::new().days(day));
        let close = 100.0 + 10.0 * (day as f64 / 9.0).sin();
        let _ = writeln!(text, "{date},{close},{},{},{close},1000", close + 1.0, close - 1.0);
        text
    })
}

#[test]
fn pipes_that_a_shell_makes_are_read_like_files() {
    let place = Place::new();
    place.file("good.py", STRATEGY);
    place.file("own.csv", prices());
    let shell = |line: &str| {
        let mut command = Command::new("bash");
        command.args(["-c", line]).current_dir(place.path()).env_clear().env("KEYROT_STATE", ":memory:");
        command
            .env("PATH", "/usr/bin:/bin")
            .env("BIN", env!("CARGO_BIN_EXE_strategy-gen"))
            .env("PYTHON", test_python());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ended::of(command.spawn().expect("started"))
    };
    shell("exec \"$BIN\" check <(cat good.py)").code(0);
    shell("cat good.py | \"$BIN\" check /dev/stdin").code(0);
    shell("exec \"$BIN\" run <(sleep 0.2; cat good.py) --data <(cat own.csv) --python \"$PYTHON\"").code(0);
    shell("exec \"$BIN\" batch <(echo 'Buy when RSI < 30, sell when RSI > 70') --offline --no-run").code(0);
}

#[test]
#[cfg(feature = "sqlite")]
fn an_odd_row_of_the_history_hides_no_other() {
    let place = Place::new();
    let state = place.path().join("state/keys.db").display().to_string();
    let run = |args: &[&str]| place.program(args.iter().copied()).env("KEYROT_STATE", &state).run();
    run(&[RSI, "--offline", "--no-run"]).code(0);
    let file = Connection::open(place.path().join("state/history.db")).expect("open");
    let odd = [
        "kind = 'dream'",
        "kind = CAST(X'ff' AS TEXT)",
        "exit_code = 9999",
        "exit_code = 'none'",
        "at = 'yesterday'",
        "description = X'00ff'",
        "description = CAST(X'ff' AS TEXT)",
        "rounds = -1",
        "rounds = 1e300",
        "prompt_tokens = 'many'",
        "run = X'ff'",
    ];
    for change in odd {
        let columns = "at, kind, exit_code, description, name, path, rounds";
        let copy = format!("INSERT INTO entry ({columns}) SELECT {columns} FROM entry WHERE id = 1");
        file.execute_batch(&format!("{copy}; UPDATE entry SET {change} WHERE id = last_insert_rowid()"))
            .expect(change);
    }
    // What is merely far off is shown.
    file.execute_batch("INSERT INTO entry (at, kind, exit_code, description, rounds) VALUES (9223372036854775807, 'run', 0, 'far', 0)")
        .expect("kept");
    drop(file);
    let told = format!("warning: {} entries of the history cannot be read", odd.len());
    for args in [&["history", "--limit", "2"][..], &["history"]] {
        let ended = run(args);
        ended.code(0).says(&[&told]);
        assert_eq!(ended.stdout.lines().count(), 3, "{ended}");
    }
    let json = run(&["history", "--json"]);
    assert_eq!(json.code(0).says(&[&told]).json()["entries"].as_array().map(Vec::len), Some(2));
    run(&["show", "rsi_strategy.py"]).code(0).says(&[&told]);
    run(&["show", "#2"]).fails(5, &["entry #2 of the history", "cannot be read"]);
}
