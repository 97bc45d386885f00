//! Records that lie beside strategies: a stranger's are never taken for this installation's own.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use strategy_gen::shelf::digest;

use crate::rig::{Ended, Place, RSI, test_python};

/// The program of the user whose state is in this folder.
fn run(place: &Place, state: &str, args: &[&str]) -> Ended {
    let state = place.path().join(state).join("keys.db");
    place.program(args.iter().copied()).env("KEYROT_STATE", &state.display().to_string()).run()
}

/// A log that says of the description [`RSI`] what it wants.
fn forged(place: &Place, code: &str, file: &str, page: &str) {
    let key = digest(&format!("{RSI}\0\0offline"));
    let run = json!({ "at": "now", "sha256": digest(code), "exit_code": 0, "results": [], "failure": null });
    let lines = [
        json!({ "event": "begun", "schema": 1, "tool": "strategy-gen 0.1.0" }),
        json!({ "event": "made", "key": key, "description": RSI, "name": "Mine", "file": file,
            "sha256": digest(code), "at": "now" }),
        json!({ "event": "ran", "key": key, "with": "", "run": run, "curve": [], "page": page }),
    ];
    place.file("out/batch.jsonl", lines.map(|line| format!("{line}\n")).concat());
}

#[test]
fn a_forged_log_leads_nowhere() {
    let place = Place::new();
    place.file("ideas.txt", RSI);
    for folder in ["out", "out/sub", "elsewhere"] {
        fs::create_dir(place.path().join(folder)).expect("made");
    }
    place.run([RSI, "--offline", "--no-run", "-o", "rsi.py"]).code(0);
    let code = place.read("rsi.py");
    for path in ["elsewhere/mine.py", "out/sub/mine.py", "out/planted.py"] {
        place.file(path, &code);
    }
    symlink("../elsewhere/mine.py", place.path().join("out/link.py")).expect("linked");
    let absolute = place.path().join("elsewhere/mine.py").display().to_string();
    let python = test_python().display().to_string();
    for (file, page, told) in [
        ("../elsewhere/mine.py", "javascript:alert(1)", "line 2, does not count: `../elsewhere/mine.py`"),
        (absolute.as_str(), "../elsewhere/mine.html", "line 2, does not count: `/"),
        ("sub/mine.py", "sub/mine.html", "line 2, does not count: `sub/mine.py`"),
        ("..", "", "line 2, does not count: `..`"),
        ("link.py", "javascript:alert(1)", "line 3, does not count: `javascript:alert(1)`"),
        (
            "planted.py",
            "planted.html",
            "2 of the lines in `out/batch.jsonl` do not count, the first is line 2",
        ),
    ] {
        forged(&place, &code, file, page);
        let ended = run(&place, "state", &["batch", "ideas.txt", "-d", "out", "--offline", "--no-run"]);
        ended.code(0).says(&["warning: ", told, "made: out/rsi_strategy", "1 done, 0 done before"]);
        let board = place.read("out/index.html");
        assert!(
            !board.contains("javascript") && !board.contains("mine") && !board.contains("planted"),
            "{board}"
        );
    }
    forged(&place, &code, "../elsewhere/mine.py", "mine.html");
    let all = ["batch", "ideas.txt", "-d", "out", "--offline", "--data", "synthetic", "--python", &python];
    run(&place, "state", &all).code(0).is_silent_about("ran: ");
    let elsewhere = fs::read_dir(place.path().join("elsewhere")).expect("read").count();
    assert_eq!((elsewhere, place.read("elsewhere/mine.py")), (1, code));
    // What this program wrote counts, and counts nowhere else.
    run(&place, "state", &all).code(0).says(&["0 done, 1 done before"]);
    run(&place, "other", &all).code(0).says(&["do not count", "1 done, 0 done before"]);
    place.program(all).run().code(0).says(&["warning: nothing signs the log", "1 done, 0 done before"]);
}

#[test]
fn nothing_is_written_through_a_link_in_a_batchs_folder() {
    let place = Place::new();
    place.file("ideas.txt", RSI);
    let python = test_python().display().to_string();
    let batch = |folder| {
        let args =
            ["batch", "ideas.txt", "-d", folder, "--offline", "--data", "synthetic", "--python", &python];
        run(&place, "state", &args)
    };
    // Files of this program, which it would replace where they are its own.
    batch("victim").code(0);
    let read = |name: &str| place.read(&format!("victim/{name}"));
    let names = ["index.html", "rsi_strategy.html", "rsi_strategy.strategy.json", "batch.jsonl"];
    let before = names.map(read);
    for name in names {
        fs::create_dir_all(place.path().join("out")).expect("made");
        symlink(format!("../victim/{name}"), place.path().join("out").join(name)).expect("linked");
        let ended = batch("out");
        if name == "batch.jsonl" {
            ended.fails(2, &["`out/batch.jsonl` is no log of a batch"]);
        } else {
            ended.code(0).says(&["warning: ", name]);
        }
        assert_eq!(names.map(read), before, "{name}");
        fs::remove_dir_all(place.path().join("out")).expect("removed");
    }
}

#[test]
fn a_log_that_is_a_pipe_keeps_nobody_waiting() {
    let place = Place::new();
    place.file("ideas.txt", RSI);
    fs::create_dir(place.path().join("out")).expect("made");
    assert!(
        Command::new("mkfifo").arg(place.path().join("out/batch.jsonl")).status().expect("runs").success()
    );
    let ended = run(&place, "state", &["batch", "ideas.txt", "-d", "out", "--offline", "--no-run"]);
    ended.fails(2, &["`out/batch.jsonl` is no log of a batch"]);
}

const OWN: [&str; 3] = ["(as saved)", "\nchecks: syntax passed", "\nrepeat with: strategy-gen "];
const CLAIMED: [&str; 3] =
    ["(unverified)", "\nnote: its record was not written by this installation", "\nclaimed checks: "];

fn shows(ended: &Ended, parts: &[&str], others: &[&str]) {
    let shown = &ended.code(0).stdout;
    assert!(parts.iter().all(|part| shown.contains(part)), "{parts:?}\n{shown}");
    assert!(!others.iter().any(|part| shown.contains(part)), "{others:?}\n{shown}");
}

#[test]
fn only_a_record_of_this_installation_is_shown_as_true() {
    let place = Place::new();
    run(&place, "state", &[RSI, "--offline", "--no-run"]).code(0);
    let key = fs::metadata(place.path().join("state/records.key")).expect("a key");
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    shows(&run(&place, "state", &["show", "rsi_strategy.py"]), &OWN, &CLAIMED);
    // It moves with its strategy.
    fs::create_dir(place.path().join("moved")).expect("made");
    for name in ["rsi_strategy.py", "rsi_strategy.strategy.json"] {
        fs::copy(place.path().join(name), place.path().join("moved").join(name)).expect("copied");
    }
    shows(&run(&place, "state", &["show", "moved/rsi_strategy.py"]), &OWN, &CLAIMED);
    // Another user, or one without a place for a key, has nothing to tell it by.
    shows(&run(&place, "other", &["show", "rsi_strategy.py"]), &CLAIMED, &OWN);
    assert!(!place.path().join("other").exists(), "a look makes no key");
    shows(&place.run(["show", "rsi_strategy.py"]), &CLAIMED, &OWN);
    // Neither is a single letter changed, nor does a record vouch for another file.
    let record = place.read("rsi_strategy.strategy.json");
    place.file(
        "moved/rsi_strategy.strategy.json",
        record.replace("\"command\": \"strategy-gen", "\"command\": \"evil"),
    );
    let shown = run(&place, "state", &["show", "moved/rsi_strategy.py"]);
    shows(&shown, &CLAIMED, &OWN);
    shows(&shown, &[], &["evil"]);
    let list = run(&place, "state", &["list", "moved"]);
    assert!(list.code(0).stdout.contains("unverified"), "{list}");
    let told = run(&place, "state", &["show", "moved/rsi_strategy.py", "--json"]).code(0).json();
    assert_eq!(
        (&told["strategy"]["condition"], &told["strategy"]["sidecar"]["command"]),
        (&json!("unverified"), &json!(""))
    );
    place.file("moved/rsi_strategy.strategy.json", &record);
    place.file("moved/rsi_strategy.py", "# other\n");
    shows(&run(&place, "state", &["show", "moved/rsi_strategy.py"]), &["(changed since)"], &["(as saved)"]);
}

/// A strategy of a stranger's, who says that it is ours and how it is to be repeated.
fn planted(place: &Place) {
    place.run([RSI, "--offline", "--no-run", "-o", "planted.py"]).code(0);
    let code = place.read("planted.py").replace("# repeat with: strategy-gen", "# repeat with: evil");
    let mut record: Value = serde_json::from_str(&place.read("planted.strategy.json")).expect("JSON");
    (record["command"], record["sha256"]) = (json!("evil"), json!(digest(&code)));
    place.file("planted.py", code);
    place.file("planted.strategy.json", record.to_string());
}

#[test]
fn what_is_done_with_a_strangers_strategy_makes_its_record_nobodys_own() {
    let place = Place::new();
    let python = test_python().display().to_string();
    planted(&place);
    shows(&run(&place, "state", &["show", "planted.py"]), &CLAIMED, &["evil", "(as saved)"]);
    let on = ["run", "planted.py", "--data", "synthetic", "--python", &python];
    run(&place, "state", &on).code(0);
    shows(&run(&place, "state", &["show", "planted.py"]), &CLAIMED, &["evil", "(as saved)"]);
    // A mend is this installation's, and still not the stranger's command.
    place.file("planted.py", place.read("planted.py").replace("from backtesting import Strategy\n", ""));
    run(&place, "state", &["fix", "planted.py", "--yes", "--no-run"]).code(0);
    shows(&run(&place, "state", &["show", "planted.py"]), &["(as saved)"], &["evil", "repeat with"]);
}

#[test]
fn a_record_that_is_a_link_or_a_pipe_is_left_alone() {
    let place = Place::new();
    run(&place, "state", &[RSI, "--offline", "--no-run", "-o", "victim.py"]).code(0);
    let before = place.read("victim.strategy.json");
    symlink("victim.strategy.json", place.path().join("link.strategy.json")).expect("linked");
    let pipe = |path: &Path| Command::new("mkfifo").arg(path).status().expect("`mkfifo` runs");
    assert!(pipe(&place.path().join("pipe.strategy.json")).success());
    for name in ["link", "pipe"] {
        let (file, record) =
            (format!("{name}.py"), format!("warning: `{name}.strategy.json` is not of this program"));
        run(&place, "state", &[RSI, "--offline", "--no-run", "-o", &file]).code(0).says(&[&record]);
    }
    assert_eq!(place.read("victim.strategy.json"), before);
    let list = run(&place, "state", &["list"]);
    list.code(0).says(&["warning: the records of 2 strategies cannot be read"]);
    assert_eq!(list.stdout.lines().count(), 4, "{list}");
}
