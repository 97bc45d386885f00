//! OpenBao, which is a Vault: in its own dev mode, or set up as in earnest, with TLS and sealed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::tls::Authority;

/// The environment variable that holds the path of `bao`.
pub const VARIABLE: &str = "KEYROT_TEST_BAO";
/// The root token of a server in dev mode.
pub const ROOT: &str = "root-of-the-tests";

/// A server that could not be started in this many tries, each on another port, never will be.
const TRIES: usize = 5;
/// How often a server is asked whether it is there.
const STEP: Duration = Duration::from_millis(50);
/// How long it may take before it answers, in steps.
const PATIENCE: usize = 1_200;

/// A running server.
#[derive(Debug)]
pub struct Bao {
    program: PathBuf,
    port: u16,
    folder: TempDir,
    /// In earnest: what a client trusts.
    tls: Option<Arc<ClientConfig>>,
    server: Option<Child>,
    guardian: Option<Child>,
}

#[expect(clippy::panic, clippy::expect_used, reason = "a test without its server must fail")]
impl Bao {
    /// One in dev mode: plain HTTP, unsealed, `secret/` is KV version 2, nothing is kept.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn dev() -> Self {
        Self::start(None)
    }

    /// One as in earnest: TLS for `localhost` by `authority`, secrets in memory, neither initialized nor unsealed.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn sealed(authority: &Authority) -> Self {
        Self::start(Some(authority))
    }

    #[expect(clippy::disallowed_methods, reason = "tells a test where the server's program is")]
    fn start(authority: Option<&Authority>) -> Self {
        let Some(program) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
            panic!("`{VARIABLE}` names no server; hint: run the tests with `cargo xtask test --live`")
        };
        let folder = TempDir::new().expect("a temporary folder");
        let tls = authority.map(|authority| {
            let (certificate, key) = authority.certificate("localhost");
            fs::write(folder.path().join("certificate"), certificate).expect("room");
            fs::write(folder.path().join("key"), key).expect("room");
            let mut roots = RootCertStore::empty();
            let pem = fs::read(authority.file()).expect("its file");
            roots.add(CertificateDer::from_pem_slice(&pem).expect("PEM")).expect("a certificate");
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            Arc::new(config.expect("versions ring has").with_root_certificates(roots).with_no_client_auth())
        });
        let mut bao = Self { program, port: 0, folder, tls, server: None, guardian: None };
        for _ in 0..TRIES {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
            bao.port = free.expect("a free port").port();
            if bao.run() {
                return bao;
            }
        }
        panic!("{} does not start: {}", bao.program.display(), bao.log());
    }

    /// Where a client finds it.
    #[must_use]
    pub fn url(&self) -> String {
        match self.tls {
            Some(_) => format!("https://localhost:{}", self.port),
            None => format!("http://127.0.0.1:{}", self.port),
        }
    }

    /// Its port on 127.0.0.1, the same for life.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it as a crash would. Connections break.
    pub fn kill(&mut self) {
        // The guardian first: it must not outlive the process whose number it holds.
        for mut child in self.guardian.take().into_iter().chain(self.server.take()) {
            // Both fail only when it has ended already.
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Initializes and unseals one in earnest: its root token, and the key that unseals it.
    ///
    /// # Panics
    /// When it refuses.
    #[must_use]
    pub fn initialize(&self) -> (String, String) {
        let made = self.asked("PUT", "sys/init", "", &json!({"secret_shares": 1, "secret_threshold": 1}));
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let (root, key) = (text(&made["root_token"]), text(&made["keys_base64"][0]));
        self.unseal(&key);
        (root, key)
    }

    /// Unseals it, and waits until it serves.
    ///
    /// # Panics
    /// When it refuses.
    pub fn unseal(&self, key: &str) {
        self.asked("PUT", "sys/unseal", "", &json!({ "key": key }));
        for _ in 0..PATIENCE {
            if self.request("GET", "sys/health", "", &Value::Null).is_ok_and(|(status, _)| status == 200) {
                return;
            }
            sleep(STEP);
        }
        panic!("it stays sealed: {}", self.log());
    }

    /// What an operator asks with a token, granted: the answer.
    ///
    /// # Panics
    /// When it refuses.
    pub fn asked(&self, method: &str, path: &str, token: &str, body: &Value) -> Value {
        let (status, answer) = self.request(method, path, token, body).expect("an answer");
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    /// The same in a namespace: `token` and, behind a blank, its name.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> std::io::Result<(u16, Value)> {
        let (token, namespace) = token.split_once(' ').unwrap_or((token, ""));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} /v1/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Vault-Request: true\r\n\
             X-Vault-Token: {token}\r\nX-Vault-Namespace: {namespace}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        connection.set_read_timeout(Some(Duration::from_secs(20)))?;
        let answer = match &self.tls {
            None => exchange(connection, &request)?,
            Some(tls) => {
                let name = ServerName::try_from("localhost").expect("a name");
                let client = ClientConnection::new(Arc::clone(tls), name).map_err(std::io::Error::other)?;
                exchange(StreamOwned::new(client, connection), &request)?
            }
        };
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        // A chunked body's first and last lines are lengths.
        let json = body.find('{').and_then(|from| Some(&body[from..=body.rfind('}')?]));
        let value = json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or(Value::Null);
        Ok((status.unwrap_or_default(), value))
    }

    fn run(&mut self) -> bool {
        self.kill();
        let folder = self.folder.path();
        let log = File::create(folder.join("log")).expect("room");
        let mut command = Command::new(&self.program);
        if self.tls.is_some() {
            let at = folder.display();
            let config = format!(
                "disable_mlock = true\nstorage \"inmem\" {{}}\nlistener \"tcp\" {{\n  address = \
                 \"127.0.0.1:{}\"\n  tls_cert_file = \"{at}/certificate\"\n  tls_key_file = \"{at}/key\"\n}}\n",
                self.port
            );
            fs::write(folder.join("config.hcl"), config).expect("room");
            command.args(["server", "-config=config.hcl"]);
        } else {
            let listen = format!("-dev-listen-address=127.0.0.1:{}", self.port);
            command.args(["server", "-dev", "-dev-no-store-token", &listen]);
            command.arg(format!("-dev-root-token-id={ROOT}"));
        }
        let server = command
            .current_dir(folder)
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn();
        let server =
            server.unwrap_or_else(|error| panic!("{} does not run: {error}", self.program.display()));
        // It waits for the end of its input, which is the end of this process.
        let guardian = Command::new("sh")
            .args(["-c", "read -r _; kill -9 \"$0\"", &server.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.server = Some(server);
        self.guardian = Some(guardian.unwrap_or_else(|error| panic!("no `sh`: {error}")));
        for _ in 0..PATIENCE {
            if !self.server.as_mut().is_some_and(|server| matches!(server.try_wait(), Ok(None))) {
                return false;
            }
            if self.answers() {
                return true;
            }
            sleep(STEP);
        }
        false
    }

    /// Whether it is there, and ready as far as it gets by itself: somebody else may have taken the port.
    fn answers(&self) -> bool {
        let ready = if self.tls.is_some() { 501 } else { 200 };
        let health = self.request("GET", "sys/health", "", &Value::Null);
        let mounted = || self.request("GET", "sys/mounts", ROOT, &Value::Null);
        // In dev mode `secret/` comes a moment after the rest.
        health.is_ok_and(|(status, _)| status == ready)
            && (self.tls.is_some()
                || mounted().is_ok_and(|(_, mounts)| mounts["data"]["secret/"].is_object()))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

fn exchange(mut connection: impl Read + Write, request: &str) -> std::io::Result<String> {
    connection.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    match connection.read_to_end(&mut answer) {
        // A server that ends TLS without saying so has said everything else.
        Err(error) if answer.is_empty() => return Err(error),
        _ => {}
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

impl Drop for Bao {
    fn drop(&mut self) {
        self.kill();
    }
}
