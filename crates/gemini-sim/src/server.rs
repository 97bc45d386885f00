//! The running server: accepts connections on loopback, reads requests, and writes replies.

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::body::{Reset, Script};
use crate::engine::{Engine, Reply};
use crate::exhausted::mix;
use crate::local::Sim;
use crate::request::{BODY_LIMIT, Call, Payload};
use crate::route::query_value;

/// A listening server; what a [`Sim`] can be told, it can be told too. Dropping it stops it, cutting open
/// connections.
pub struct SimServer {
    address: SocketAddr,
    sim: Sim,
    accepting: JoinHandle<()>,
}

impl SimServer {
    pub(crate) fn listen(listener: TcpListener, sim: Sim) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, Arc::clone(&sim.engine)));
        Ok(Self { address, sim, accepting })
    }

    /// `http://127.0.0.1:PORT`, without a version.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops the server and returns once its port is free.
    pub async fn shutdown(mut self) {
        self.accepting.abort();
        // An aborted task ends in an error; there is nothing else to learn from it.
        let _ended = (&mut self.accepting).await;
    }
}

impl Deref for SimServer {
    type Target = Sim;

    fn deref(&self) -> &Sim {
        &self.sim
    }
}

impl Drop for SimServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl std::fmt::Debug for SimServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Accepts until aborted; the connections live in its set and end with it.
async fn accept(listener: TcpListener, engine: Arc<Engine>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&engine)));
                }
                // Out of descriptors, or the peer is gone already: let connections finish first.
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, engine: Arc<Engine>) {
    // Every step of a body is its own packet as far as the kernel allows; a socket that refuses works too.
    let _refused = stream.set_nodelay(true);
    let reset = AtomicBool::new(false);
    let service = service_fn(|request| answer(&engine, &reset, request));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = Pin::new(&mut connection).await;
    let failed_in_body = ended.as_ref().is_err_and(|error| error.is_user());
    if reset.load(Ordering::Relaxed) || failed_in_body {
        // Without lingering, closing sends RST instead of FIN.
        let _refused = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn answer(
    engine: &Engine,
    reset: &AtomicBool,
    request: Request<Incoming>,
) -> Result<Response<Script>, Reset> {
    let call = read(request).await.map_err(|_gone| Reset)?;
    match engine.reply(&call) {
        Reply::Stall => std::future::pending().await,
        Reply::Reset => {
            reset.store(true, Ordering::Relaxed);
            Err(Reset)
        }
        Reply::Send { status, content_type, from_model, delay, retry_after, body, seq } => {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let mut response = dress(status, &content_type, from_model, body, seq);
            let retry_after = retry_after.and_then(|value| HeaderValue::try_from(value).ok());
            response.headers_mut().extend(retry_after.map(|value| (RETRY_AFTER, value)));
            Ok(response)
        }
    }
}

/// Reads a request to its end, keeping no more of the body than the server takes.
async fn read(request: Request<Incoming>) -> Result<Call, hyper::Error> {
    let (parts, mut incoming) = request.into_parts();
    let mut bytes = Vec::new();
    let mut too_large = false;
    while let Some(frame) = incoming.frame().await {
        if let Ok(data) = frame?.into_data() {
            too_large |= bytes.len() + data.len() > BODY_LIMIT;
            if !too_large {
                bytes.extend_from_slice(&data);
            }
        }
    }
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let header = parts
        .headers
        .get("x-goog-api-key")
        .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
    let in_query = if header.is_some() { None } else { query_value(&query, "key") };
    Ok(Call {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query,
        key_in_query: in_query.is_some(),
        api_key: header.or(in_query).filter(|key| !key.is_empty()),
        has_bearer: parts.headers.contains_key(AUTHORIZATION),
        server_timeout: parts
            .headers
            .get("x-server-timeout")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        payload: if too_large { Payload::TooLarge } else { Payload::Bytes(bytes) },
    })
}

/// Headers every answer of Google's carries; none of them says when to come back (a fault may).
const HEADERS: &[(&str, &str)] = &[
    ("vary", "Origin, X-Origin, Referer"),
    ("server", "scaffolding on HTTPServer2"),
    ("x-xss-protection", "0"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-content-type-options", "nosniff"),
    ("alt-svc", "h3=\":443\"; ma=2592000"),
];

fn dress(status: u16, content_type: &str, from_model: bool, body: Script, seq: u64) -> Response<Script> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain");
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap_or(plain));
    for (name, value) in HEADERS {
        headers.insert(*name, HeaderValue::from_static(value));
    }
    let duration = format!("gfet4t7; dur={}", 20 + mix(seq) % 2000);
    if let Ok(duration) = HeaderValue::try_from(duration) {
        headers.insert("server-timing", duration);
    }
    if from_model {
        headers.insert("x-gemini-service-tier", HeaderValue::from_static("standard"));
    }
    response
}
