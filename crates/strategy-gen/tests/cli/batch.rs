//! `batch`: many descriptions over one pool, in a folder that remembers what is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

use gemini_sim::{Answer, Fault, FaultRule, KeySpec, ProjectSpec, Verdict};
use serde_json::{Value, json};

use crate::gemini::{Gemini, STRATEGY, block, one_key};
use crate::rig::{Ended, Place, Program, test_python};

/// Three that the engine understands, one with a name.
const IDEAS: &str = "# three ideas\n\nBuy when RSI < 30, sell when RSI > 70\n\
    {\"name\": \"Turtle\", \"description\": \"Buy at a 20 day high, sell at a 10 day low\"}\n\
    Buy when the 10 day SMA crosses above the 30 day SMA, sell when it crosses below\n";

/// The lines of the folder's log, by event.
fn logged(place: &Place, event: &str) -> Vec<Value> {
    let log = place.read("out/batch.jsonl");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    lines.filter(|line| line["event"] == event).collect()
}

fn names(place: &Place) -> BTreeSet<String> {
    let entries = std::fs::read_dir(place.path().join("out")).expect("read");
    entries.map(|entry| entry.expect("read").file_name().into_string().expect("UTF-8")).collect()
}

fn python_files(place: &Place) -> usize {
    names(place).iter().filter(|name| name.ends_with(".py")).count()
}

/// As many different descriptions.
fn ideas(count: usize) -> String {
    (1..=count).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "Buy when RSI({n}) < 30, sell when RSI({n}) > 70");
        text
    })
}

fn batch(place: &Place, more: &[&str]) -> Program {
    place.program(["batch", "ideas.txt", "-d", "out"].into_iter().chain(more.iter().copied()))
}

#[test]
fn every_idea_is_made_run_and_ranked_and_once_is_enough() {
    let place = Place::new();
    place.file("ideas.txt", IDEAS);
    let python = test_python().display().to_string();
    let all = ["--offline", "--data", "synthetic", "--python", &python];
    let ended = batch(&place, &all).run();
    ended.code(0).says(&["3 done, 0 done before, 0 failed; the ranking is in `out/index.html`"]);
    for stem in ["rsi_strategy", "turtle", "sma_strategy"] {
        for ending in ["py", "strategy.json", "html"] {
            assert!(names(&place).contains(&format!("{stem}.{ending}")), "{stem}.{ending}: {ended}");
        }
    }
    assert_eq!(names(&place).len(), 3 * 3 + 2, "{:?}", names(&place));
    // The best first, each with what it gained.
    let gains: Vec<f64> = ended.stdout.lines().skip(1).map(gain).collect();
    assert!(gains.len() == 3 && gains.is_sorted_by(|a, b| a >= b), "{ended}");
    let board = place.read("out/index.html");
    for part in ["3 ideas", "href=\"./turtle.html\"", "Buy at a 20 day high"] {
        assert!(board.contains(part), "{part}");
    }
    let page = place.read("out/turtle.html");
    assert!(page.contains("strategy-gen new --offline --name Turtle --data synthetic:1 -- "), "{page:.2000}");
    // Nothing is done twice.
    let before = place.read("out/batch.jsonl");
    let again = batch(&place, &all).run();
    again.code(0).says(&["0 done, 3 done before, 0 failed"]).is_silent_about("made: ");
    assert_eq!((place.read("out/batch.jsonl"), again.stdout), (before, ended.stdout));
    // Other prices: the strategies stay, and are run again.
    let other = ["--offline", "--data", "synthetic:9", "--python", &python];
    batch(&place, &other).run().code(0).says(&["ran: out/"]).is_silent_about("made: ");
    assert_eq!((logged(&place, "made").len(), logged(&place, "ran").len()), (3, 6));
    // What its user changed is the user's: that idea is made again beside it.
    place.file("out/turtle.py", "# mine\n");
    batch(&place, &other).run().code(0).says(&["made: out/turtle_2.py", "1 done, 2 done before"]);
    assert_eq!(place.read("out/turtle.py"), "# mine\n");
}

/// The return in a line of the ranking.
fn gain(line: &str) -> f64 {
    let percent = line.split_whitespace().find(|word| word.ends_with('%')).expect("a return");
    percent.trim_end_matches('%').parse().expect("a number")
}

#[test]
fn what_fails_stops_nothing_and_is_tried_again() {
    let place = Place::new();
    place.file("ideas.txt", format!("Buy on the first Monday of the month when VIX is calm\n{IDEAS}"));
    let ended = batch(&place, &["--offline", "--no-run", "--json", "--jobs", "2"]).run();
    let told = ended.code(1).json();
    ended.says(&["failed: Buy on the first Monday", "hint: the same command tries again what failed"]);
    assert_eq!((&told["done"], &told["failed"], &told["status"]), (&json!(3), &json!(1), &json!("findings")));
    let failed = &told["items"][0];
    assert_eq!(
        (&failed["state"], &failed["exit_code"], &failed["line"]),
        (&json!("failed"), &json!(2), &json!(1))
    );
    assert!(failed["error"].as_str().is_some_and(|error| error.contains("VIX")), "{failed}");
    let again = batch(&place, &["--offline", "--no-run"]).run();
    again.code(1).says(&["failed: ", "0 done, 3 done before, 1 failed"]);
    assert_eq!((logged(&place, "made").len(), logged(&place, "failed").len()), (3, 2));
}

#[test]
fn a_hundred_share_six_keys_and_no_limit_is_passed() {
    let place = Place::new();
    place.file("ideas.txt", ideas(100));
    let keys: Vec<String> = (1..=6).map(|n| format!("k{n}")).collect();
    // The first takes less than its share.
    let rpm = |key: &str| if key == "k1" { 5 } else { 20 };
    let file: Vec<Value> = keys
        .iter()
        .map(|key| json!({ "key_id": key, "project": format!("of-{key}"), "rpm": rpm(key) }))
        .collect();
    place.file("keys.json", json!({ "keys": file }).to_string());
    let gemini = Gemini::start(vec![Answer::text(block(STRATEGY))], |mut sim| {
        for key in &keys {
            let quota = gemini_sim::Quota { rpm: Some(rpm(key)), ..gemini_sim::Quota::UNLIMITED };
            let project = format!("of-{key}");
            sim = sim
                .project(ProjectSpec::new(&project).default_quota(quota))
                .key(KeySpec::new(format!("AIzaCANARY-{key}"), project));
        }
        sim
    });
    let mut program = batch(&place, &["--no-run", "--jobs", "16"]).env("ENABLE_KEY_ROTATION", "true");
    for key in &keys {
        program = program.env(&format!("GEMINI_KEY_{key}"), &format!("AIzaCANARY-{key}"));
    }
    gemini.reached_by(program).run().code(0).says(&["100 done, 0 done before, 0 failed"]);
    assert_eq!((python_files(&place), logged(&place, "made").len()), (100, 100));
    let log = gemini.server.log();
    assert!(log.iter().all(|entry| entry.verdict == Verdict::Admitted), "{log:?}");
    let mut by_key: BTreeMap<_, usize> = BTreeMap::new();
    for entry in &log {
        *by_key.entry(entry.key_label.clone()).or_default() += 1;
    }
    assert!(by_key.len() == 6 && by_key.values().filter(|used| **used <= 5).count() == 1, "{by_key:?}");
}

#[test]
fn killed_it_goes_on_where_it_was() {
    let place = Place::new();
    place.file("ideas.txt", ideas(5));
    // The fourth call never ends.
    let stalled = |sim| one_key(sim).fault(FaultRule::new(Fault::Stall).after(3).always());
    let gemini = Gemini::start(vec![Answer::text(block(STRATEGY))], stalled);
    let key = ("GEMINI_API_KEY", crate::gemini::SECRET);
    let mut child = gemini.reached_by(batch(&place, &["--no-run", "--jobs", "1"]).envs(&[key])).start();
    while gemini.requests() < 4 {
        assert!(child.try_wait().expect("waited").is_none(), "the program ended too early");
        std::thread::yield_now();
    }
    child.kill().expect("killed");
    child.wait().expect("waited");
    let gemini = Gemini::good();
    let ended = gemini.reached_by(batch(&place, &["--no-run"]).envs(&[key])).run();
    ended.code(0).says(&["2 done, 3 done before, 0 failed"]);
    assert_eq!((gemini.requests(), python_files(&place)), (2, 5));
    // A line whose file never came, as when the end came between the two, is no strategy.
    std::fs::remove_file(place.path().join("out/bounce_3.py")).expect("removed");
    let ended = gemini.reached_by(batch(&place, &["--no-run"]).envs(&[key])).run();
    ended.code(0).says(&["made: out/bounce_3.py", "1 done, 4 done before"]);
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_leaves_no_sandbox_and_keeps_the_best_answer() {
    let place = Place::new();
    place.file("ideas.txt", ideas(1));
    std::fs::create_dir(place.path().join("tmp")).expect("made");
    let sandboxes = || std::fs::read_dir(place.path().join("tmp")).expect("read").count();
    // Fails at once; the repair runs without an end.
    let failing = STRATEGY.replace("self.buy()", "self.buy(size=12.7)");
    let endless =
        STRATEGY.replace("        if self.rsi", "        while True:\n            pass\n        if self.rsi");
    let gemini = Gemini::answering(vec![Answer::text(block(&failing)), Answer::text(block(&endless))]);
    let python = test_python().display().to_string();
    let program = batch(&place, &["--python", &python, "--data", "synthetic"])
        .env("GEMINI_API_KEY", crate::gemini::SECRET)
        .env("TMPDIR", &place.path().join("tmp").display().to_string());
    let mut child = gemini.reached_by(program).start();
    while gemini.requests() < 2 || sandboxes() == 0 {
        assert!(child.try_wait().expect("waited").is_none(), "the program ended too early");
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("`kill` runs").success());
    Ended::of(child).code(130).says(&["repair 1 of 3", "stopped: 0 of 1 are finished"]);
    assert_eq!(sandboxes(), 0);
    assert!(place.read("out/bounce.draft.py").contains("size=12.7"));
}

#[test]
fn a_failed_run_stays_a_failure_where_nothing_can_be_run() {
    let place = Place::new();
    place.file(
        "ideas.txt",
        "{\"name\": \"Index\", \"description\": \"Buy when RSI < 30, sell when RSI > 70\"}\n",
    );
    let python = test_python().display().to_string();
    let all = ["--offline", "--python", &python, "--data", "synthetic", "--timeout", "50", "--cash", "5000"];
    batch(&place, &all).run().code(0);
    let log = place.read("out/batch.jsonl");
    assert!(log.contains("\"exit_code\":0"), "{log}");
    place.file("out/batch.jsonl", log.replace("\"exit_code\":0", "\"exit_code\":7"));
    batch(&place, &["--offline", "--no-run"]).run().code(1).says(&["0 done, 0 done before, 1 failed"]);
    // The ranking's page is not the strategy's.
    assert!(names(&place).is_superset(&["index_2.py".to_owned(), "index.html".to_owned()].into()));
    assert!(place.read("out/index_2.strategy.json").contains("--cash 5000 --timeout 50 -- "));
}

#[test]
fn ctrl_c_keeps_what_is_finished() {
    let place = Place::new();
    place.file("ideas.txt", ideas(3));
    let stalled = |sim| one_key(sim).fault(FaultRule::new(Fault::Stall).after(1).always());
    let gemini = Gemini::start(vec![Answer::text(block(STRATEGY))], stalled);
    let program = batch(&place, &["--no-run", "--jobs", "1"]).env("GEMINI_API_KEY", crate::gemini::SECRET);
    let mut child = gemini.reached_by(program).start();
    while gemini.requests() < 2 {
        assert!(child.try_wait().expect("waited").is_none(), "the program ended too early");
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("`kill` runs").success());
    Ended::of(child).code(130).says(&[
        "made: out/bounce.py",
        "stopped: 1 of 3 are finished, 0 of them without success; the same command goes on with the rest",
        "error: interrupted",
    ]);
    assert_eq!(python_files(&place), 1);
}

#[test]
fn what_runs_badly_is_repaired_and_the_best_answer_of_a_failure_is_kept() {
    let place = Place::new();
    place.file("ideas.txt", "Buy when RSI < 30, sell when RSI > 70\n");
    let failing = || Answer::text(block(&STRATEGY.replace("self.buy()", "self.buy(size=12.7)")));
    let python = test_python().display().to_string();
    let args = ["--data", "synthetic", "--python", &python];
    let key = ("GEMINI_API_KEY", crate::gemini::SECRET);
    let gemini = Gemini::answering(vec![failing()]);
    let ended = gemini.reached_by(batch(&place, &args).envs(&[key])).run();
    ended.code(1).says(&[
        "repair 1 of 3: Buy when RSI",
        "failed: ",
        "the best answer is in `out/bounce.draft.py`",
    ]);
    assert!(place.read("out/bounce.draft.py").contains("# draft: not valid yet"));
    let gemini = Gemini::answering(vec![failing(), Answer::text(block(STRATEGY))]);
    let ended = gemini.reached_by(batch(&place, &args).envs(&[key])).run();
    ended.code(0).says(&["repair 1 of 3: ", "made: out/bounce.py: ", "return ", "1 done"]);
    assert_eq!(logged(&place, "ran").len(), 1);
}

#[test]
fn what_cannot_begin_changes_nothing() {
    let place = Place::new();
    place.file("ideas.txt", "Buy low\nBuy low\n{\"description\": 7}\n");
    batch(&place, &["--offline"]).run().fails(2, &["line 2: the same as line 1", "line 3: "]);
    batch(&place, &["--offline", "--jobs", "0"]).run().code(2);
    place.program(["batch", "none.txt", "--offline"]).run().fails(2, &["cannot read `none.txt`"]);
    place.file("ideas.txt", IDEAS);
    place.file("taken", "");
    place
        .program(["batch", "ideas.txt", "--offline", "--no-run", "-d", "taken"])
        .run()
        .fails(2, &["`taken`"]);
    // No key: told once, and not three times.
    batch(&place, &["--no-run"]).run().fails(3, &["GEMINI_API_KEY"]);
    batch(&place, &["--offline", "--python", "/no/python"]).run().fails(5, &["`/no/python`"]);
    std::fs::create_dir_all(place.path().join("out")).expect("made");
    place.file("out/batch.jsonl", "my own notes\n");
    batch(&place, &["--offline", "--no-run"]).run().fails(2, &["is no log of a batch"]);
    assert_eq!(place.read("out/batch.jsonl"), "my own notes\n");
}

#[test]
fn without_a_python_the_strategies_are_made_all_the_same() {
    let place = Place::new();
    place.file("ideas.txt", IDEAS);
    let ended = place.program(["batch", "-", "-d", "out", "--offline"]).stdin(IDEAS).run();
    ended.code(0).says(&["warning: the strategies are not run: no Python", "doctor --install", "3 done"]);
    assert!(ended.stdout.lines().skip(1).all(|line| line.ends_with("not run")), "{ended}");
}
