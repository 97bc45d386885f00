//! `--provider openai`: a server that speaks another protocol, without pool and rotation.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::gemini::{STRATEGY, block};
use crate::rig::{Ended, Place, RSI};

/// Answers one request after another, the last answer again and again, and keeps what it was sent.
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// A request: its head as it came, and its body.
#[derive(Clone)]
struct Heard {
    head: String,
    body: Value,
}

impl Server {
    fn answering(answers: &[(u16, Value)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let heard: Arc<Mutex<Vec<Heard>>> = Arc::default();
        let (notes, answers) = (Arc::clone(&heard), answers.to_vec());
        // Ends with the process: it waits for whoever comes.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Some(request) = read(&client) else { continue };
                let mut notes = notes.lock().expect("unpoisoned");
                let (status, body) = answers.get(notes.len()).or(answers.last()).expect("an answer");
                notes.push(request);
                let body = body.to_string();
                let head = format!(
                    "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                let _ = (&client).write_all(format!("{head}{body}").as_bytes());
            }
        });
        Self { port, heard }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("unpoisoned").clone()
    }
}

fn read(client: &TcpStream) -> Option<Heard> {
    let mut reader = BufReader::new(client);
    let mut head = String::new();
    loop {
        let before = head.len();
        reader.read_line(&mut head).ok()?;
        if head[before..].trim().is_empty() {
            break;
        }
    }
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Heard { head, body: serde_json::from_slice(&body).ok()? })
}

fn chat(text: &str, finish: &str) -> (u16, Value) {
    let message = json!({ "role": "assistant", "content": text });
    let body = json!({
        "id": "x", "object": "chat.completion", "model": "qwen-32b-q4",
        "choices": [{ "index": 0, "message": message, "finish_reason": finish }],
        "usage": { "prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020 },
    });
    (200, body)
}

fn generate(server: &Server, more: &[&'static str]) -> Ended {
    let url = server.url();
    let place = Place::new();
    let args = ["--provider", "openai", "--model", "qwen", "--json", "--base-url", &url, RSI];
    place.program(args.into_iter().chain(more.iter().copied())).env("OPENAI_API_KEY", "sk-CANARY").run()
}

#[test]
fn an_answer_becomes_a_strategy_and_the_key_is_a_bearer() {
    let server = Server::answering(&[chat(&block(STRATEGY), "stop")]);
    let ended = generate(&server, &[]);
    let result = ended.code(0).json();
    assert_eq!(result["strategy"]["rounds"][0]["model"], "qwen-32b-q4");
    assert_eq!(result["strategy"]["rounds"][0]["tokens"]["input"], 900);
    let heard = server.heard();
    assert_eq!(heard.len(), 1);
    assert!(heard[0].head.starts_with("POST /v1/chat/completions "), "{}", heard[0].head);
    assert!(heard[0].head.to_lowercase().contains("authorization: bearer sk-canary"));
    assert_eq!(heard[0].body["model"], "qwen");
    assert_eq!(heard[0].body["messages"][0]["role"], "system");
    assert!(heard[0].body["messages"][1]["content"].as_str().expect("text").contains(RSI));
}

#[test]
fn what_is_wrong_goes_back_to_it() {
    let cut = chat("```python\nfrom backtesting import Str", "length");
    let server = Server::answering(&[cut, chat("no code at all", "stop"), chat(&block(STRATEGY), "stop")]);
    let result = generate(&server, &[]).code(0).json();
    assert_eq!(result["strategy"]["rounds"].as_array().expect("rounds").len(), 3);
    assert!(
        server.heard()[2].body["messages"][1]["content"].as_str().expect("text").contains("```python block")
    );
}

#[test]
fn each_refusal_has_its_code_and_none_shows_the_key() {
    for (status, body, code, says) in [
        (
            401,
            json!({ "error": { "message": "Incorrect API key provided: sk-CANARY." } }),
            3,
            "OPENAI_API_KEY",
        ),
        (
            404,
            json!({ "error": "model \"qwen\" not found, try pulling it first" }),
            2,
            "try pulling it first",
        ),
        (429, json!({ "error": { "message": "slow down" } }), 4, "slow down"),
        (503, json!("busy"), 6, "answered 503"),
        (200, json!({ "choices": [] }), 6, "no choice"),
        (200, json!(["what"]), 6, "not OpenAI's protocol"),
    ] {
        let server = Server::answering(&[(status, body)]);
        generate(&server, &[]).code(code).says(&[says]).says(&["hint: "]);
        assert_eq!(server.heard().len(), 1, "asked once: {status}");
    }
    let filtered = json!({ "choices": [{ "message": { "content": null, "refusal": "I cannot" }, "finish_reason": "stop" }] });
    generate(&Server::answering(&[(200, filtered)]), &[]).code(6).says(&["I cannot"]);
}

#[test]
fn settings_that_cannot_work_call_nobody() {
    let place = Place::new();
    let run = |args: &[&str]| {
        place.program(args.iter().copied().chain([RSI])).env("OPENAI_API_KEY", "sk-CANARY").run()
    };
    for (args, says) in [
        (&["--provider", "openai", "--base-url", "http://127.0.0.1:1/v1"][..], "needs a model"),
        (&["--provider", "openai", "--model", "m", "--base-url", "http://192.0.2.1/v1"], "in the clear"),
        (&["--provider", "openai", "--model", "m", "--base-url", "ftp://x"], "neither http nor https"),
        (
            &["--provider", "openai", "--model", "m", "--base-url", "http://u:CANARY@127.0.0.1/v1"],
            "host and path",
        ),
        (&["--model", "m", "--base-url", "http://127.0.0.1:1/v1"], "belongs to `--provider openai`"),
    ] {
        run(args).code(2).says(&[says]).says(&["hint: "]);
    }
    let keyless = place.program(["--provider", "openai", "--model", "m", RSI]).run();
    keyless.code(2).says(&["`OPENAI_API_KEY` is not set"]);
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let nobody = format!("http://{closed}/v1");
    run(&["--provider", "openai", "--model", "m", "--base-url", &nobody])
        .code(6)
        .says(&["cannot be reached", "hint: "]);
}
