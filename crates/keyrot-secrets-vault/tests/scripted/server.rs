//! A server on loopback that answers what a test tells it to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is answered to one request.
pub(crate) enum Reply {
    Text(u16, String),
    /// To the same path elsewhere.
    Redirect(u16, String),
    /// The same as `Text`, and a moment later.
    Late(Duration, u16, String),
    /// Nothing, for ever.
    Silence,
}

/// One request, as far as tests look at it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) head: String,
}

/// Runs until its test ends.
pub(crate) struct Server {
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    requests: Vec<Request>,
    open: usize,
    most: usize,
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let log = Arc::<Mutex<Log>>::default();
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
        std::mem::take(&mut lock(&self.log).requests)
    }

    /// How many requests were open at once, at most.
    pub(crate) fn most(&self) -> usize {
        lock(&self.log).most
    }
}

fn lock(log: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(
    mut connection: TcpStream,
    script: &(dyn Fn(&Request) -> Reply + Send + Sync),
    log: &Mutex<Log>,
) -> Option<()> {
    let mut bytes = Vec::new();
    loop {
        let head = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            read(&mut connection, &mut bytes).await?;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let length: usize = length.unwrap_or(0);
        while bytes.len() < head + length {
            read(&mut connection, &mut bytes).await?;
        }
        let head_text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let request = Request {
            path: head_text.split(' ').nth(1).unwrap_or_default().trim_end_matches('?').to_owned(),
            head: head_text,
        };
        bytes.drain(..head + length);
        {
            let mut log = lock(log);
            log.requests.push(request.clone());
            log.open += 1;
            log.most = log.most.max(log.open);
        }
        let (status, field, body) = match script(&request) {
            Reply::Text(status, body) => (status, String::new(), body),
            Reply::Redirect(status, to) => (status, format!("Location: {to}\r\n"), String::new()),
            Reply::Late(time, status, body) => {
                tokio::time::sleep(time).await;
                (status, String::new(), body)
            }
            Reply::Silence => std::future::pending().await,
        };
        lock(log).open -= 1;
        let answer = format!("HTTP/1.1 {status} X\r\n{field}Content-Length: {}\r\n\r\n{body}", body.len());
        connection.write_all(answer.as_bytes()).await.ok()?;
    }
}

async fn read(connection: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let read = connection.read_buf(bytes).await.ok()?;
    (read > 0).then_some(())
}

/// Errors as Vault gives them.
pub(crate) fn refusal(status: u16, said: &str) -> Reply {
    Reply::Text(status, serde_json::json!({ "errors": [said] }).to_string())
}

/// An answer with all that a Vault's has.
pub(crate) fn whole(part: &str, held: &serde_json::Value) -> String {
    let mut answer = serde_json::json!({
        "request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0, "data": null, "wrap_info": null,
        "warnings": null, "auth": null
    });
    answer[part] = held.clone();
    answer.to_string()
}

/// What a mount is told to be.
pub(crate) fn mount(version: &str) -> Reply {
    let options = serde_json::json!({ "version": version });
    let data = serde_json::json!({ "path": "secret/", "type": "kv", "options": options });
    Reply::Text(200, whole("data", &data))
}

/// A secret of KV version 2.
pub(crate) fn secret(value: &str) -> String {
    let metadata = serde_json::json!({
        "version": 1, "created_time": "2026-01-02T03:04:05.678Z", "deletion_time": "", "destroyed": false,
        "custom_metadata": null
    });
    whole("data", &serde_json::json!({ "data": { "value": value }, "metadata": metadata }))
}

/// What a login gives.
pub(crate) fn login(token: &str, lease: u64) -> Reply {
    let auth = serde_json::json!({
        "client_token": token, "accessor": "a", "policies": [], "token_policies": [], "metadata": null,
        "lease_duration": lease, "renewable": true, "entity_id": "", "token_type": "service", "orphan": true
    });
    Reply::Text(200, whole("auth", &auth))
}
