//! No key in any output: errors, debug texts, logs at the highest level.

use std::io::Write;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use gemini_client::wire::GenerateRequest;
use gemini_client::{Client, Config, Probing};
use keyrot_core::ModelId;
use keyrot_core::call::Prober;
use secrecy::SecretString;

use crate::server::{Server, Step, answer, endless};
use crate::{MODEL, client};

const CANARY: &str = "KEYROT_CANARY_0123456789";

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Every kind of failure, with a server that quotes the key wherever it can.
fn scripts() -> Vec<Vec<Step>> {
    let quoting = format!(
        "{{\"error\":{{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"Permission denied: Consumer 'api_key:{CANARY}' has been suspended.\",\"details\":[{{\"reason\":\"{CANARY}\"}}]}}}}"
    );
    let event = |text: &str| [endless("text/event-stream"), text.as_bytes().to_vec()].concat();
    let sends: Vec<Vec<u8>> = vec![
        answer("403 Forbidden", "application/json", &quoting),
        answer("403 Forbidden", "application/json", &format!("[{quoting}]")),
        answer("200 OK", "application/json", &quoting),
        answer("200 OK", "application/json", &format!("{{\"candidates\": \"{CANARY}\"}}")),
        answer("200 OK", "application/json", CANARY),
        answer("200 OK", "text/html", CANARY),
        answer("502 Bad Gateway", "text/html", &format!("<html>{CANARY}</html>")),
        format!(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/?key={CANARY}\r\ncontent-length: 0\r\n\r\n"
        )
        .into_bytes(),
        format!("HTTP/1.1 200 {CANARY}\r\nx-echo: {CANARY}\r\ncontent-length: 900\r\n\r\n{CANARY}")
            .into_bytes(),
        format!("{CANARY} no HTTP\r\n\r\n").into_bytes(),
        event(&quoting),
        event(&format!("data: {quoting}\r\n\r\n")),
        event(&format!("data: {CANARY}\r\n\r\n")),
        event(&format!("data: {{\"candidates\": \"{CANARY}\"}}\r\n\r\n")),
        event(&format!("data: {CANARY}")),
        event(""),
    ];
    let mut scripts: Vec<Vec<Step>> = sends.into_iter().map(|bytes| vec![Step::Send(bytes)]).collect();
    scripts.extend([vec![], vec![Step::Reset], vec![Step::Hang]]);
    scripts
}

#[tokio::test]
async fn the_canary_is_in_no_output() {
    let sink = Sink::default();
    let writer = sink.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .try_init()
        .expect("no other test sets a subscriber");

    let key = SecretString::from(CANARY);
    let request = GenerateRequest::text("hi");
    let mut said = Vec::new();
    for script in scripts() {
        let server = Server::play(script).await;
        let mut config = Config::at(&server.url);
        config.timeouts.first_byte = Some(std::time::Duration::from_millis(60));
        let client = Client::new(&config).unwrap();
        said.push(format!("{client:?} {config:?}"));
        if let Err(error) = client.generate(&key, MODEL, &request).await {
            said.push(format!("{error} {error:?} {}", error.message()));
        }
        match client.stream(&key, MODEL, &request).await {
            Ok(mut stream) => {
                while let Some(item) = stream.next().await {
                    said.extend(item.err().map(|error| format!("{error} {error:?} {stream:?}")));
                }
            }
            Err(error) => said.push(format!("{error} {error:?}")),
        }
        let probing = Probing::new(client);
        let proof = probing.probe(&key, &ModelId::from(MODEL)).await;
        said.push(format!("{probing:?} {proof:?} {:?}", probing.models(&key).await));
    }
    let server = Server::answer("200 OK", "application/json", "{}").await;
    let get = http::Method::GET;
    let raw = client(&server.url).raw(&key, get.clone(), "/x", http::HeaderMap::new(), "".into()).await;
    said.push(format!("{raw:?}"));
    let path = format!("/x?key={CANARY}");
    said.push(format!(
        "{:?}",
        client(&server.url).raw(&key, get, &path, http::HeaderMap::new(), "".into()).await
    ));
    let broken = SecretString::from(format!("{CANARY}\n"));
    said.push(format!("{:?}", client(&server.url).generate(&broken, MODEL, &request).await));

    assert!(said.len() > 40, "{}", said.len());
    for text in &said {
        assert!(!text.contains(CANARY), "{text}");
    }
    let logged = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("answer begins"), "the log was not heard");
    assert!(logged.contains("TRACE"), "the log was not heard at TRACE");
    if let Some(line) = logged.lines().find(|line| line.contains(CANARY)) {
        panic!("in the log: {line}");
    }
}

#[test]
fn a_proxy_password_is_in_no_debug_text() {
    let mut config = Config::at("http://gemini.invalid");
    config.proxy = Some(format!("http://user:{CANARY}@127.0.0.1:1"));
    let client = Client::new(&config).unwrap();
    let text = format!("{config:?} {client:?}");
    assert!(!text.contains(CANARY), "{text}");
    config.proxy = Some(format!("http://user:{CANARY}@"));
    let error = Client::new(&config).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(CANARY));
}
