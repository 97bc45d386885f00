//! The program: its script, its messages, its log, its end.

use std::path::Path;
use std::process::Stdio;

use gemini_sim::Script;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::wire_client::{parse, prompt, raw_at, request};

const EXAMPLE: &str = include_str!("../../examples/two-projects.json");

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gemini-sim"));
    command.kill_on_drop(true);
    command
}

async fn refusal(arguments: &[&str]) -> (Option<i32>, String) {
    let output = program().args(arguments).output().await.unwrap();
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn it_serves_the_example_and_logs_labels() {
    let folder = tempfile::tempdir().unwrap();
    let (script, log) = (folder.path().join("script.json"), folder.path().join("log.jsonl"));
    std::fs::write(&script, EXAMPLE).unwrap();
    let mut child = program()
        .args([Path::new("--script"), &script, Path::new("--log"), &log])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let base = lines.next_line().await.unwrap().unwrap();
    assert!(base.starts_with("http://127.0.0.1:"), "{base}");

    let target = "/v1beta/models/gemini-2.5-flash:generateContent";
    for (key, text, status) in [
        ("AIza-free-1", "How is the weather?", 200),
        ("AIza-free-old", "x", 400),
        ("AQ.paid-1", "secret plan", 200),
    ] {
        let body = prompt(text).to_string();
        let bytes = request("POST", target, &[("x-goog-api-key", key)], body.as_bytes());
        let response = parse(&raw_at(&base, &bytes).await.ok().unwrap());
        assert_eq!(response.status, status, "{key}");
        if key == "AIza-free-1" {
            assert!(response.text().contains("Sunny, with a light wind from the west."));
        }
    }
    #[cfg(unix)]
    {
        let pid = child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
        assert_eq!(child.wait().await.unwrap().code(), Some(0), "SIGTERM is a regular end");
    }
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(!text.contains("AIza") && !text.contains("AQ."), "{text}");
    let entries: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let keys: Vec<&Value> = entries.iter().map(|it| &it["key"]).collect();
    assert_eq!(keys, ["key#1", "key#2", "key#3"]);
    assert_eq!(entries[0]["verdict"], "admitted");
    assert_eq!(entries[1]["verdict"]["key_refused"], "expired");
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    for (arguments, message) in [
        (&[][..], "gemini-sim: `--script` is missing; hint: see `--help`\n"),
        (&["--script"], "gemini-sim: `--script` wants a value; hint: see `--help`\n"),
        (&["--port", "99999"], "gemini-sim: `--port 99999` is not a port number\n"),
        (&["--spell"], "gemini-sim: unknown argument `--spell`; hint: see `--help`\n"),
    ] {
        assert_eq!(refusal(arguments).await, (Some(2), message.to_owned()));
    }
    let (code, message) = refusal(&["--script", "/nonexistent"]).await;
    assert_eq!(code, Some(2));
    assert!(message.starts_with("gemini-sim: `/nonexistent`: "), "{message}");
}

#[tokio::test]
async fn a_wrong_script_ends_the_program_with_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.json");
    std::fs::write(
        &script,
        "{\n  \"projects\": [],\n  \"keys\": [{\"secret\": \"s\", \"project\": \"p\"}]\n}",
    )
    .unwrap();
    let name = script.to_str().unwrap();
    let expected = format!(
        "gemini-sim: `{name}`: line 3, column 39: project `p` is not declared; hint: declared: none is\n"
    );
    assert_eq!(refusal(&["--script", name]).await, (Some(2), expected));
}

#[test]
fn each_mistake_in_a_script_has_its_place() {
    for (text, line, column, message) in [
        ("", 1, 0, "EOF while parsing a value"),
        ("{\n \"projects\": [],\n \"keys\": [],\n \"quota\": 1}", 4, 8, "unknown field `quota`"),
        ("{\"projects\": [],\n\"keys\": 7}", 2, 9, "invalid type: integer `7`, expected a sequence"),
        (
            "{\"projects\": [{\"id\": 7}],\n\"keys\": []}",
            1,
            22,
            "invalid type: integer `7`, expected a string",
        ),
        (
            "{\"projects\": [{\"id\": \"p\"},\n {\"id\": \"p\"}], \"keys\": []}",
            2,
            9,
            "project `p` is declared twice",
        ),
        (
            "{\"projects\": [{\"id\": \"p\"}], \"keys\": [{\"secret\": \"s\", \"project\": \"p\"},\n{\"secret\": \"s\", \"project\": \"p\"}]}",
            2,
            12,
            "this secret is declared twice",
        ),
        (
            "{\"projects\": [],\n\"keys\": [], \"faults\": [{\"fault\": \"flood\"}]}",
            2,
            40,
            "unknown variant `flood`",
        ),
        (
            "{\"projects\": [], \"keys\": [],\n\"answers\": [{\"match\": \"*\", \"txt\": \"\"}]}",
            2,
            32,
            "unknown field `txt`",
        ),
        (
            "{\"projects\": [], \"keys\": [],\n\"owners\": {\"files/x\": \"q\"}}",
            2,
            23,
            "project `q` is not declared",
        ),
    ] {
        let error = Script::parse(text).unwrap_err();
        assert!(error.message.starts_with(message), "{error}");
        assert_eq!((error.line, error.column), (line, column), "{error}");
    }
}
