//! The evaluation set: what users write, what it must become, and the trades that plain signal logic gives.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use strategy_gen::english::translate;
use strategy_gen::python::{ClassName, Linkage, Origin, Provenance, render};

use crate::python::{interpreter, made_up_prices};

/// One block of `tests/eval/descriptions.txt`.
struct Case<'a> {
    fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Case<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
    }

    fn text(&self) -> &'a str {
        self.get("text").expect("a text")
    }
}

fn cases() -> Vec<Case<'static>> {
    let set = include_str!("../eval/descriptions.txt");
    set.split("\n\n")
        .map(|block| {
            let lines = block.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
            let fields =
                lines.map(|line| line.split_once(':').map(|(k, v)| (k, v.trim())).expect("`key: value`"));
            Case { fields: fields.collect() }
        })
        .filter(|case| !case.fields.is_empty())
        .collect()
}

/// Python runs them all in one process.
fn trades(jobs: &[Value]) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let prices = made_up_prices();
    let mut child = Command::new(interpreter())
        .args(["-I", "-B"])
        .arg(root.join("tests/eval/reference.py"))
        .arg(root.join("src/python"))
        .arg(prices.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python starts");
    let text: String = jobs.iter().map(|job| format!("{job}\n")).collect();
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("python listens");
    let output = child.wait_with_output().expect("python ends");
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn descriptions_become_what_their_users_meant() {
    let cases = cases();
    let (mut right, mut refused, mut wrong, mut jobs) = (0, Vec::new(), Vec::new(), Vec::new());
    let wanted = cases.iter().filter(|case| case.get("rules").is_some()).count();
    for case in cases.iter().filter(|case| case.get("rules").is_some()) {
        let text = case.text();
        let spec = match translate(text) {
            Ok(spec) => spec,
            Err(refusal) => {
                refused.push(format!("{text}: {refusal}"));
                continue;
            }
        };
        let rules = spec.rules().join("; ");
        let provenance = Provenance {
            description: text,
            origin: Origin::Offline,
            date: "2026-01-31",
            name: None,
            linkage: Linkage::Imported,
        };
        let code = render(&spec, &ClassName::for_spec(&spec), &provenance);
        let parameters = case.get("params").unwrap_or_default();
        let lacking = parameters.split_whitespace().find(|one| {
            let line = format!("\n    {}\n", one.replace('=', " = "));
            !code.contains(&line)
        });
        if rules != case.get("rules").unwrap_or_default() || lacking.is_some() {
            wrong.push(format!("{text}\n  gave {rules}\n  without {lacking:?}"));
            continue;
        }
        let signals: serde_json::Map<String, Value> =
            case.fields.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
        jobs.push(json!({ "text": text, "code": code, "signals": signals }));
    }
    let mut idle = 0;
    for answer in trades(&jobs) {
        let (reference, file) = (&answer["reference"], &answer["file"]);
        if reference.is_array() && reference == file {
            right += 1;
            idle += usize::from(file.as_array().is_some_and(Vec::is_empty));
        } else {
            wrong.push(format!("{}\n  trades differ: {answer:.600}", answer["text"]));
        }
    }
    println!(
        "{right} of {wanted} accepted and right, {} refused, {} wrong, {idle} without a trade",
        refused.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "wrong but accepted:\n{}", wrong.join("\n"));
    assert!(right * 10 >= wanted * 9, "only {right} of {wanted}; refused:\n{}", refused.join("\n"));
    assert!(wanted >= 60 && idle * 5 < wanted, "{idle} of {wanted} never trade");
}

#[test]
fn what_cannot_be_done_is_refused_and_named() {
    let cases = cases();
    let refused: Vec<&Case<'_>> = cases.iter().filter(|case| case.get("refuse").is_some()).collect();
    assert!(refused.len() >= 12);
    for case in refused {
        let Err(refusal) = translate(case.text()) else { panic!("accepted: {}", case.text()) };
        for word in case.get("refuse").unwrap_or_default().split("; ").filter(|word| !word.is_empty()) {
            assert!(
                refusal.unplaced.iter().any(|named| named.contains(word)),
                "{}: {word}: {refusal}",
                case.text()
            );
        }
        assert!(!refusal.hint.is_empty());
    }
}
