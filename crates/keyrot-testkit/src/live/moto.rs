//! moto, which stands in for AWS Secrets Manager.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

/// The environment variable that holds the path of `moto_server`.
pub const VARIABLE: &str = "KEYROT_TEST_MOTO";

/// A server that could not be started in this many tries, each on another port, never will be.
const TRIES: usize = 5;
/// How often a server is asked whether it is there.
const STEP: Duration = Duration::from_millis(50);
/// How long it may take before it answers, in steps: it is Python, and the machine may be busy.
const PATIENCE: usize = 1_200;

/// A running server without any secrets.
#[derive(Debug)]
pub struct Moto {
    program: PathBuf,
    port: u16,
    folder: TempDir,
    server: Option<Child>,
    guardian: Option<Child>,
}

#[expect(clippy::panic, reason = "a test without its server must fail")]
impl Moto {
    /// Starts one, and waits until it answers.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "tells a test where the server's program is")]
    pub fn start() -> Self {
        let Some(program) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
            panic!("`{VARIABLE}` names no server; hint: run the tests with `cargo xtask test --live`")
        };
        let folder = TempDir::new().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let mut moto = Self { program, port: 0, folder, server: None, guardian: None };
        for _ in 0..TRIES {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
            moto.port = free.unwrap_or_else(|error| panic!("no free port: {error}")).port();
            if moto.run() {
                return moto;
            }
        }
        panic!("{} does not start: {}", moto.program.display(), moto.log());
    }

    /// Its port on 127.0.0.1, the same for life.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again after [`kill`](Self::kill). It has forgotten everything.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        assert!(self.run(), "{} does not start again: {}", self.program.display(), self.log());
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
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

    fn run(&mut self) -> bool {
        self.kill();
        let log = File::create(self.folder.path().join("log"));
        let log = log.unwrap_or_else(|error| panic!("no file in a fresh folder: {error}"));
        let server = Command::new(&self.program)
            .args(["-H", "127.0.0.1", "-p", &self.port.to_string()])
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
            if self.answers() {
                return true;
            }
            sleep(STEP);
        }
        false
    }

    /// Whether it is there, and is moto: somebody else may have taken the port.
    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            connection.set_read_timeout(Some(Duration::from_secs(5)))?;
            connection.write_all(b"GET /moto-api/data.json HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
            let mut answer = vec![0; 64];
            let read = connection.read(&mut answer)?;
            Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
        };
        ask().is_ok_and(|answer| answer.split(' ').nth(1) == Some("200"))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.kill();
    }
}
