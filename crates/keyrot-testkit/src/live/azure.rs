//! An Azure Key Vault, the login before it and a machine's identity endpoint, all on loopback.
//!
//! It keeps to what Azure documents: TLS, the 401 challenge before the first token, names without `_` and blind to
//! letter case, versions, soft deletion, and errors with their codes. It can be told to be in a bad [`Mood`].

mod answer;
mod state;

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

use crate::tls::Authority;
use state::State;
pub use state::{Counts, Mood, Version};

/// The tenant whose tokens the vault takes.
pub const TENANT: &str = "tenant-of-tests";
/// The application that may log in.
pub const CLIENT: &str = "client-of-tests";
/// Its client secret.
pub const CLIENT_SECRET: &str = "cS7~Hq2vRk9LmZx4TnWb";
/// The token that its platform keeps for it in a file.
pub const FEDERATED: &str = "fT8aJd3QwYz6MvKp1RgE";
/// How every token begins that is given out.
pub const TOKEN: &str = "tK5nBx9UeHs2VjLc7PyA";

/// A vault and what belongs to it, until it is dropped.
#[derive(Debug)]
pub struct Azure {
    authority: Authority,
    port: u16,
    machine: u16,
    state: Arc<Mutex<State>>,
    runtime: Option<Runtime>,
}

#[expect(clippy::expect_used, reason = "a test that cannot have its servers fails")]
impl Azure {
    /// An empty one.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let authority = Authority::new();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a thread");
        // Not waited for: a test is often inside a runtime of its own.
        let inside = runtime.enter();
        let bind = || -> std::io::Result<TcpListener> {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        };
        let vault = bind().expect("a free port");
        let machine = bind().expect("a free port");
        drop(inside);
        let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
        let (vault_port, machine_port) = (port(&vault), port(&machine));
        let state = Arc::new(Mutex::new(State::new(vault_port)));
        let names = ["localhost", "keys.vault.azure.net", "login.microsoftonline.com"];
        let acceptor = TlsAcceptor::from(authority.server_called(&names, &[b"http/1.1"]));
        let shared = Arc::clone(&state);
        runtime.spawn(async move {
            while let Ok((stream, _)) = vault.accept().await {
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    // Who does not trust the certificate has his reasons.
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    serve(stream, shared).await;
                });
            }
        });
        let shared = Arc::clone(&state);
        runtime.spawn(async move {
            while let Ok((stream, _)) = machine.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { authority, port: vault_port, machine: machine_port, state, runtime: Some(runtime) }
    }

    /// `https://localhost:PORT`: the vault's address, and that of the login before it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`: where the machine's identity is asked for.
    #[must_use]
    pub fn machine(&self) -> String {
        format!("http://127.0.0.1:{}", self.machine)
    }

    /// Who signed its certificate.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The settings of an application that may log in.
    #[must_use]
    pub fn application(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AZURE_VAULT_URL", self.url()),
            ("AZURE_AUTHORITY_HOST", self.url()),
            ("AZURE_TENANT_ID", TENANT.to_owned()),
            ("AZURE_CLIENT_ID", CLIENT.to_owned()),
            ("AZURE_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ]
    }

    /// Makes `text` the newest version of a secret; gives the version's id.
    pub fn set(&self, name: &str, text: &str) -> String {
        self.state.lock().add(name, Version { value: text.to_owned(), ..Version::default() })
    }

    /// The same with everything else there is to a version.
    pub fn set_version(&self, name: &str, version: Version) -> String {
        self.state.lock().add(name, version)
    }

    /// The newest version of a secret.
    #[must_use]
    pub fn newest(&self, name: &str) -> Option<Version> {
        self.state.lock().newest(name).cloned()
    }

    /// How many versions a secret has.
    #[must_use]
    pub fn versions(&self, name: &str) -> usize {
        self.state.lock().versions(name)
    }

    /// Deletes a secret, so that it can be recovered.
    pub fn delete(&self, name: &str) {
        self.state.lock().delete(name);
    }

    /// How the vault answers from now on.
    pub fn vault_is(&self, mood: Mood) {
        self.state.lock().vault = mood;
    }

    /// How the login answers from now on.
    pub fn login_is(&self, mood: Mood) {
        self.state.lock().login = mood;
    }

    /// How the machine answers from now on: [`Mood::Well`] has an identity.
    pub fn machine_is(&self, mood: Mood) {
        self.state.lock().machine = mood;
    }

    /// The host that the challenge asks for a login to.
    pub fn challenges_for(&self, resource: &str) {
        resource.clone_into(&mut self.state.lock().resource);
    }

    /// Takes no token that was given out until now.
    pub fn revoke(&self) {
        self.state.lock().tokens.clear();
    }

    /// What was asked of it.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state.lock().counts
    }

    /// Ends all of it: connections break, and ports are closed.
    pub fn die(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Azure {
    // Also inside another runtime, where none may be dropped and waited for.
    fn drop(&mut self) {
        self.die();
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: Arc<Mutex<State>>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(respond(request, &state).await) }
    });
    // A client that breaks off is no failure of the server.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn respond(request: Request<Incoming>, state: &Mutex<State>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let answer = answer::to(&mut state.lock(), &parts, &body);
    match answer {
        Some(answer) => answer,
        None => std::future::pending().await,
    }
}
