//! A server of raw bytes: it records each request and plays a script for an answer.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// One step of an answer. After the last the connection is closed in good order.
#[derive(Clone)]
pub(crate) enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends one byte of white space every few milliseconds for ever.
    Drip,
    /// Does nothing for ever.
    Hang,
    /// Closes with a TCP reset.
    Reset,
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Request {
    /// The request line.
    pub(crate) line: String,
    /// The headers, names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The value of a header that came exactly once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let first = values.next();
        assert_eq!(values.next(), None, "`{name}` came twice");
        first
    }
}

/// A running server; dropping it stops it and everything it does.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: mpsc::UnboundedReceiver<Request>,
    task: JoinHandle<()>,
}

impl Server {
    /// Plays `script` for every request.
    pub(crate) async fn play(script: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (seen, requests) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(converse(stream, script.clone(), seen.clone()));
            }
        });
        Self { url, requests, task }
    }

    /// Answers every request with this status, media type and body.
    pub(crate) async fn answer(status: &str, media: &str, body: &str) -> Self {
        Self::play(vec![Step::Send(answer(status, media, body))]).await
    }

    /// The only request so far.
    pub(crate) fn only_request(&mut self) -> Request {
        let request = self.requests.try_recv().expect("a request");
        assert!(self.requests.try_recv().is_err(), "more than one request");
        request
    }

    /// How many requests have come that were not looked at.
    pub(crate) fn count(&mut self) -> usize {
        std::iter::from_fn(|| self.requests.try_recv().ok()).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A whole answer in bytes.
pub(crate) fn answer(status: &str, media: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
        .into_bytes()
}

/// The head of an answer that ends with the connection.
pub(crate) fn endless(media: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {media}\r\nconnection: close\r\n\r\n").into_bytes()
}

/// Pieces in chunked coding, without the last empty chunk.
pub(crate) fn chunked(media: &str, pieces: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    )
    .into_bytes();
    for piece in pieces {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

async fn converse(mut stream: TcpStream, script: Vec<Step>, seen: mpsc::UnboundedSender<Request>) {
    let Some(request) = read_request(&mut stream).await else { return };
    if seen.send(request).is_err() {
        return;
    }
    for step in script {
        match step {
            Step::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::Drip => {
                while stream.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                return;
            }
            Step::Hang => std::future::pending().await,
            Step::Reset => {
                stream.set_zero_linger().expect("linger");
                return;
            }
        }
    }
    let _ = stream.shutdown().await;
    // Until the other side has closed too, so that nothing it still sends meets a reset.
    let _ = stream.read(&mut [0; 64]).await;
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_ends = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(head_ends + 4);
    let head = String::from_utf8(bytes).ok()?;
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next()?.to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize =
        headers.iter().find(|(n, _)| n == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request { line, headers, body })
}
