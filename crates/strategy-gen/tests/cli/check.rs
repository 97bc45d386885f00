//! `check`: good files, bad files, and what is no file at all.

use crate::gemini::STRATEGY;
use crate::rig::Place;

#[test]
fn a_good_file_is_0() {
    let place = Place::new();
    place.file("good.py", STRATEGY);
    let ended = place.run(["check", "good.py"]);
    assert_eq!(ended.code(0).says(&["no errors"]).stdout, "");
    let document = place.run(["check", "good.py", "--json"]).code(0).json();
    assert_eq!((&document["status"], &document["strategies"][0]), (&"ok".into(), &"Bounce".into()));
}

#[test]
fn a_bad_file_is_1_with_the_findings_on_stdout() {
    let place = Place::new();
    place.file(
        "bad.py",
        STRATEGY.replace("import numpy as np", "import os").replace("self.buy()", "self.buy("),
    );
    let ended = place.run(["check", "bad.py"]);
    ended.code(1).says(&["must be repaired"]);
    assert!(ended.stdout.contains("bad.py:") && ended.stdout.contains("hint: "), "{ended}");
    let document = place.run(["check", "bad.py", "--json"]).code(1).json();
    assert_eq!(document["status"], "findings");
    assert!(document["diagnostics"][0]["line"].is_u64());
    place.file("empty.py", "");
    place.run(["check", "empty.py"]).code(1);
}

#[test]
fn what_cannot_be_read_is_2() {
    let place = Place::new();
    place.run(["check", "none.py"]).fails(2, &["cannot read `none.py`", "hint: "]);
    place.run(["check", "."]).fails(2, &["cannot read `.`", "hint: "]);
    place.file("binary.py", b"\x7fELF\x00\xff\xfe");
    place.run(["check", "binary.py"]).fails(2, &["`binary.py` is not UTF-8", "hint: "]);
    place.run(["check"]).code(2).says(&["<FILE>"]);
}

#[test]
fn what_is_far_too_large_is_a_finding_and_read_no_further() {
    let place = Place::new();
    place.file("huge.py", "x = 1\n".repeat(1_000_000));
    let ended = place.run(["check", "huge.py"]);
    assert!(ended.code(1).stdout.contains("larger than 128 KiB"), "{ended}");
    place.file("deep.py", format!("x = {}1\n", "-".repeat(120_000)));
    place.run(["check", "deep.py"]).code(1);
}

#[test]
fn a_file_is_held_against_its_description() {
    let place = Place::new();
    place.file("good.py", STRATEGY);
    let ended = place.run(["check", "good.py", "--description", "buy when ADX is above 37"]);
    let text = &ended.code(0).stdout;
    assert!(text.contains(" lost-number `37`") && text.contains(" lost-indicator `adx`"), "{ended}");
    // Without one, that of the file's own header counts.
    place.run(["--offline", "Buy when RSI < 30, sell when RSI > 70", "-o", "own.py"]).code(0);
    assert_eq!(place.run(["check", "own.py"]).code(0).stdout, "");
    place.file("changed.py", place.read("own.py").replace("= 30", "= 33"));
    assert!(place.run(["check", "changed.py"]).code(0).stdout.contains("lost-number `30`"));
}

#[test]
fn findings_come_one_document_a_line_when_asked() {
    let place = Place::new();
    place.file("bad.py", "import os\n");
    let ended = place.run(["check", "bad.py", "--format", "jsonl"]);
    let lines: Vec<serde_json::Value> =
        ended.code(1).stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&lines[0]["event"], &lines[0]["file"]), (&"diagnostic".into(), &"bad.py".into()));
    assert_eq!(lines.last().map(|line| &line["status"]), Some(&"findings".into()));
    assert_eq!(place.run(["check", "bad.py", "--format", "json"]).code(1).json()["status"], "findings");
}

#[test]
fn the_prompt_is_shown_and_nothing_is_sent() {
    let place = Place::new();
    let ended = place.run(["prompt", "Buy when RSI < 30, sell when RSI > 70"]);
    let text = &ended.code(0).stdout;
    for part in ["[system]\n", "- rsi(values, period): ", "[user]\n", "<description-0>\nBuy when RSI < 30"] {
        assert!(text.contains(part), "{part}: {ended}");
    }
    assert!(text.len() < 6 * 1024);
    place.run(["prompt", " "]).fails(2, &["the description is empty"]);
}
