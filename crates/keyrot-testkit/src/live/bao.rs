//! OpenBao, which is what HashiCorp Vault was, and speaks as Vault does.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use crate::tls::Authority;

/// The environment variable that holds the path of `bao`.
pub const VARIABLE: &str = "KEYROT_TEST_BAO";
/// The token that may do everything on a [`Bao::dev`].
pub const ROOT: &str = "root";

/// A server that could not be started in this many tries, each on another port, never will be.
const TRIES: usize = 5;
/// How often a server is asked whether it is there.
const STEP: Duration = Duration::from_millis(20);
/// How long it may take before it answers, in steps.
const PATIENCE: usize = 3_000;

/// A running server.
#[derive(Debug)]
pub struct Bao {
    program: PathBuf,
    args: Vec<String>,
    scheme: &'static str,
    port: u16,
    folder: TempDir,
    server: Option<Child>,
    guardian: Option<Child>,
}

#[expect(clippy::panic, reason = "a test without its server must fail")]
impl Bao {
    /// One that keeps everything in memory, is unsealed, and has a mount with versions at `secret`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn dev() -> Self {
        let args = [
            "-dev",
            "-dev-no-store-token",
            "-dev-root-token-id",
            ROOT,
            "-dev-listen-address",
            "127.0.0.1:PORT",
        ];
        Self::start(&args.map(str::to_owned), "http", None)
    }

    /// One that keeps everything in files, speaks TLS with a certificate of `authority` for `localhost`, and is
    /// sealed and empty.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn sealed(authority: &Authority) -> Self {
        Self::start(&["-config".to_owned(), "FOLDER/config.hcl".to_owned()], "https", Some(authority))
    }

    #[expect(clippy::disallowed_methods, reason = "tells a test where the server's program is")]
    fn start(args: &[String], scheme: &'static str, authority: Option<&Authority>) -> Self {
        let Some(program) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
            panic!("`{VARIABLE}` names no server; hint: run the tests with `cargo xtask test --live`")
        };
        let folder = TempDir::new().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let mut bao =
            Self { program, args: Vec::new(), scheme, port: 0, folder, server: None, guardian: None };
        for _ in 0..TRIES {
            bao.port = free_port();
            let folder = bao.folder.path().display().to_string();
            let place = |arg: &String| arg.replace("PORT", &bao.port.to_string()).replace("FOLDER", &folder);
            bao.args = args.iter().map(place).collect();
            if let Some(authority) = authority {
                bao.configure(authority);
            }
            if bao.run() {
                return bao;
            }
        }
        panic!("{} does not start: {}", bao.program.display(), bao.log());
    }

    fn configure(&self, authority: &Authority) {
        let folder = self.folder.path();
        let (certificate, key) = authority.pem();
        let data = folder.join("data");
        fs::create_dir_all(&data).unwrap_or_else(|error| panic!("no folder in a fresh folder: {error}"));
        // It is alone, and nobody ever calls the second port.
        let text = format!(
            "storage \"raft\" {{ path = \"{data}\"\n node_id = \"a\" }}\n\
             listener \"tcp\" {{ address = \"127.0.0.1:{port}\"\n cluster_address = \"127.0.0.1:{second}\"\n \
             tls_cert_file = \"{folder}/cert.pem\"\n tls_key_file = \"{folder}/key.pem\" }}\n\
             api_addr = \"https://localhost:{port}\"\ncluster_addr = \"https://127.0.0.1:{second}\"\nui = false\n",
            data = data.display(),
            folder = folder.display(),
            port = self.port,
            second = free_port(),
        );
        for (name, text) in [("cert.pem", certificate), ("key.pem", key), ("config.hcl", text)] {
            fs::write(folder.join(name), text)
                .unwrap_or_else(|error| panic!("no file in a fresh folder: {error}"));
        }
    }

    /// Where it answers: `http://127.0.0.1:PORT`, or `https://localhost:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        let host = if self.scheme == "https" { "localhost" } else { "127.0.0.1" };
        format!("{}://{host}:{}", self.scheme, self.port)
    }

    /// Its port on 127.0.0.1, the same for life.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A folder of its own, for files of a test.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
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

    /// Starts it again after [`kill`](Self::kill): sealed and with what it held, or as a new one in memory.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        assert!(self.run(), "{} does not start again: {}", self.program.display(), self.log());
    }

    fn run(&mut self) -> bool {
        self.kill();
        let log = File::create(self.folder.path().join("log"));
        let log = log.unwrap_or_else(|error| panic!("no file in a fresh folder: {error}"));
        let server = Command::new(&self.program)
            .arg("server")
            .args(&self.args)
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
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
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() && self.is_ready() {
                return true;
            }
            sleep(STEP);
        }
        false
    }

    /// Whether it can be asked: unsealed in memory, sealed or without anything in files.
    fn is_ready(&self) -> bool {
        let url = format!("{}/v1/sys/health", self.url());
        let args = ["--silent", "--insecure", "--output", "/dev/null", "--write-out", "%{http_code}", &url];
        let output = Command::new("curl").args(args).stdin(Stdio::null()).output();
        let status = output.unwrap_or_else(|error| panic!("no `curl`: {error}")).stdout;
        if self.scheme == "https" { matches!(&*status, b"501" | b"503") } else { &*status == b"200" }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Asks its interface as an operator: the status, and the body as text. `token` may be empty.
    ///
    /// # Panics
    /// When it cannot be asked: by `curl`'s means on TLS, which trusts `ca`.
    #[must_use]
    pub fn ask(&self, method: &str, path: &str, token: &str, body: &str, ca: Option<&Path>) -> (u16, String) {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--request", method, "--write-out", "\n%{http_code}"]);
        if let Some(ca) = ca {
            command.arg("--cacert").arg(ca);
        }
        if !token.is_empty() {
            command.args(["--header", &format!("X-Vault-Token: {token}")]);
        }
        if !body.is_empty() {
            command.args(["--data", body]);
        }
        let output = command.arg(format!("{}/v1/{path}", self.url())).stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("no `curl`: {error}"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').unwrap_or(("", "0"));
        let status = status.parse().unwrap_or(0);
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        (status, body.to_owned())
    }
}

#[expect(clippy::panic, reason = "a test without its server must fail")]
fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    free.unwrap_or_else(|error| panic!("no free port: {error}")).port()
}

impl Drop for Bao {
    fn drop(&mut self) {
        self.kill();
    }
}
