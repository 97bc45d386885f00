//! A server on loopback that speaks the service's protocol and answers what a test tells it to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is answered to one request.
pub(crate) enum Reply {
    Json(u16, Value),
    Text(u16, &'static str),
    /// Nothing, for ever.
    Silence,
}

/// One request, as far as tests look at it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The first line.
    pub(crate) line: String,
    /// The action, without the service; empty for requests of other services.
    pub(crate) action: String,
    pub(crate) body: Value,
}

/// Runs until its test ends.
pub(crate) struct Server {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let log = Arc::<Mutex<Vec<Request>>>::default();
        let (script, heard) = (Arc::new(script), Arc::clone(&log));
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (script, heard) = (Arc::clone(&script), Arc::clone(&heard));
                tokio::spawn(async move { serve(connection, &*script, &heard).await });
            }
        });
        Self { address, log }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked since the last look.
    pub(crate) fn asked(&self) -> Vec<Request> {
        std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same, by the actions' names.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.asked().into_iter().map(|request| request.action).collect()
    }
}

async fn serve(
    mut connection: TcpStream,
    script: &(dyn Fn(&Request) -> Reply + Send + Sync),
    log: &Mutex<Vec<Request>>,
) -> Option<()> {
    let mut bytes = Vec::new();
    loop {
        let head = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            read(&mut connection, &mut bytes).await?;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let field = |wanted: &str| {
            let lines = text.lines().filter_map(|line| line.split_once(": "));
            lines
                .clone()
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value.to_owned())
        };
        let length: usize = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while bytes.len() < head + length {
            read(&mut connection, &mut bytes).await?;
        }
        let target = field("x-amz-target").unwrap_or_default();
        let request = Request {
            line: text.lines().next().unwrap_or_default().to_owned(),
            action: target.rsplit('.').next().unwrap_or_default().to_owned(),
            body: serde_json::from_slice(&bytes[head..head + length]).unwrap_or_default(),
        };
        bytes.drain(..head + length);
        log.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        let (status, body) = match script(&request) {
            Reply::Json(status, body) => (status, body.to_string()),
            Reply::Text(status, body) => (status, body.to_owned()),
            Reply::Silence => std::future::pending().await,
        };
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(answer.as_bytes()).await.ok()?;
    }
}

async fn read(connection: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let read = connection.read_buf(bytes).await.ok()?;
    (read > 0).then_some(())
}

/// A refusal as the service gives it.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Reply {
    Reply::Json(status, json!({ "__type": code, "Message": message }))
}

pub(crate) const ACCOUNT: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";

/// A secret in an answer.
pub(crate) fn entry(name: &str, text: &str, stages: &[&str]) -> Value {
    json!({
        "ARN": format!("{ACCOUNT}{name}-AbCdEf"), "Name": name, "SecretString": text, "VersionStages": stages,
        "VersionId": format!("version-of-{name}"), "CreatedDate": 1_790_000_000.25,
    })
}
