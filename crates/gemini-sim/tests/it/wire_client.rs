//! A minimal HTTP/1.1 client over a plain socket, so that tests see bytes and not another library's opinion.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gemini_sim::{KeySpec, ProjectSpec, Sim, SimBuilder, SimClock, SimServer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A response as it came off the wire, body unchunked.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Sizes of the HTTP chunks.
    pub(crate) chunk_sizes: Vec<usize>,
    /// Whether the body's final chunk arrived.
    pub(crate) complete: bool,
}

impl Response {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The JSON of each SSE frame.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.text()
            .split_terminator("\r\n\r\n")
            .map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap())
            .collect()
    }

    /// `error.message` of an object or one-element array.
    pub(crate) fn message(&self) -> String {
        let body = self.json();
        let object = body.get(0).unwrap_or(&body);
        object["error"]["message"].as_str().unwrap().to_owned()
    }
}

/// What went wrong instead of an answer, or after its beginning.
pub(crate) struct Broken {
    pub(crate) error: io::Error,
    pub(crate) received: Vec<u8>,
}

/// Sends the bytes and reads until the server closes.
pub(crate) async fn raw(server: &SimServer, request: &[u8]) -> Result<Vec<u8>, Broken> {
    raw_at(&server.base_url(), request).await
}

/// The same, to a base URL.
pub(crate) async fn raw_at(base: &str, request: &[u8]) -> Result<Vec<u8>, Broken> {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
    // The server may answer and close before it has read everything.
    let _sent = stream.write_all(request).await;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => return Ok(received),
            Ok(n) => received.extend_from_slice(&buffer[..n]),
            Err(error) => return Err(Broken { error, received }),
        }
    }
}

pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

pub(crate) fn parse(bytes: &[u8]) -> Response {
    let end =
        bytes.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {bytes:?}"));
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned())).unwrap())
        .collect();
    let mut rest = &bytes[end + 4..];
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    if !chunked {
        return Response { status, headers, body: rest.to_vec(), chunk_sizes: Vec::new(), complete: true };
    }
    let (mut body, mut chunk_sizes, mut complete) = (Vec::new(), Vec::new(), false);
    while let Some(line) = rest.windows(2).position(|it| it == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            complete = true;
            break;
        }
        chunk_sizes.push(size);
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 2 + size + 2..];
    }
    Response { status, headers, body, chunk_sizes, complete }
}

pub(crate) async fn send(
    server: &SimServer,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    match raw(server, &request(method, target, headers, body.as_bytes())).await {
        Ok(bytes) => parse(&bytes),
        Err(broken) => panic!("{}", broken.error),
    }
}

pub(crate) fn prompt(text: &str) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}]})
}

pub(crate) const KEY: &str = "AIza-secret-1";
pub(crate) const MODEL: &str = "gemini-2.5-flash";

/// POSTs a prompt to `/v1beta/models/{MODEL}:{operation}` with [`KEY`].
pub(crate) async fn post(server: &SimServer, operation: &str, body: &Value) -> Response {
    let target = format!("/v1beta/models/{MODEL}:{operation}");
    send(server, "POST", &target, &[("x-goog-api-key", KEY)], &body.to_string()).await
}

pub(crate) async fn generate(server: &SimServer) -> Response {
    post(server, "generateContent", &prompt("Hello")).await
}

/// A server with one free project `proj-a` of number 123456 and one key of it.
pub(crate) fn one_key() -> SimBuilder {
    with_project(ProjectSpec::new("proj-a"))
}

pub(crate) fn with_project(project: ProjectSpec) -> SimBuilder {
    Sim::builder().project(project.number("123456")).key(KeySpec::new(KEY, "proj-a"))
}

/// A clock the test moves.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicU64>);

impl Hands {
    pub(crate) fn at(millis: u64) -> Self {
        Self(Arc::new(AtomicU64::new(millis)))
    }

    pub(crate) fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> SimClock {
        let hands = Arc::clone(&self.0);
        Arc::new(move || hands.load(Ordering::SeqCst))
    }
}
