//! Real Redis and Valkey servers on loopback, each stopped when its [`Server`] is dropped, and when
//! the test process ends in any other way.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

/// A server that could not be started in this many tries, each on another port, never will be.
const TRIES: usize = 10;
/// How often a server is asked whether it is there.
const STEP: Duration = Duration::from_millis(10);
/// How long a server may take before it answers, in steps.
const PATIENCE: usize = 2_000;
/// The file a sentinel keeps what it knows in.
const CONFIG: &str = "config";

/// Which program a [`Server`] runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Redis 6.2 or newer.
    Redis,
    /// Valkey.
    Valkey,
}

impl Kind {
    /// The environment variable that holds the program's path.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Redis => "KEYROT_TEST_REDIS",
            Self::Valkey => "KEYROT_TEST_VALKEY",
        }
    }

    #[expect(clippy::disallowed_methods, reason = "tells a test where the server's program is")]
    #[expect(clippy::panic, reason = "a test without its server must fail")]
    fn program(self) -> PathBuf {
        match std::env::var_os(self.variable()) {
            Some(path) => path.into(),
            None => {
                panic!("`{}` names no server; hint: run the tests with `cargo xtask test`", self.variable())
            }
        }
    }
}

/// A running server with an empty database that it writes nowhere, unless told so.
///
/// Everything here blocks for a moment, and panics when the server cannot do what is asked.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    /// Whether it has a file of its own to be configured by.
    configured: bool,
    args: Vec<String>,
    port: u16,
    folder: TempDir,
    running: Option<Running>,
}

impl Server {
    /// Starts a server with further arguments, such as `["--requirepass", "x"]`, which outrank its
    /// own: no persistence, loopback alone, a port of the harness's choice.
    #[must_use]
    pub fn start(kind: Kind, args: &[&str]) -> Self {
        Self::configured(kind, None, args)
    }

    /// Starts a sentinel that watches a master called `name` at `port`, and takes it for lost after half
    /// a second.
    #[must_use]
    pub fn sentinel(kind: Kind, name: &str, port: u16) -> Self {
        let config = format!(
            "sentinel monitor {name} 127.0.0.1 {port} 1\nsentinel down-after-milliseconds {name} 500\n"
        );
        Self::configured(kind, Some(&config), &["--sentinel"])
    }

    #[expect(clippy::panic, reason = "a test without its server must fail")]
    fn configured(kind: Kind, config: Option<&str>, args: &[&str]) -> Self {
        let program = kind.program();
        let folder = TempDir::new().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        if let Some(text) = config {
            let written = fs::write(folder.path().join(CONFIG), text);
            written.unwrap_or_else(|error| panic!("no file in a fresh folder: {error}"));
        }
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let configured = config.is_some();
        let mut server = Self { program, configured, args, port: 0, folder, running: None };
        for _ in 0..TRIES {
            server.port = free_port();
            if server.run() {
                return server;
            }
        }
        panic!("{} does not start: {}", server.program.display(), server.log());
    }

    /// Its port on 127.0.0.1, the same for life.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The folder it works in, which outlives [`kill`](Self::kill): what it persists is found again.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as a crash would (SIGKILL). Connections break.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Stops it without ending it (SIGSTOP): connections stay, and nothing is answered.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets a frozen one go on (SIGCONT).
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Ends it and starts it again, on the same port and in the same folder.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.run(), "{} does not start again: {}", self.program.display(), self.log());
    }

    /// Sends one command on a connection of its own, and gives the answer as it came.
    #[expect(clippy::panic, reason = "a test without its server must fail")]
    pub fn command(&self, words: &[&str]) -> String {
        ask(self.port, words).unwrap_or_else(|error| panic!("{words:?} got no answer: {error}"))
    }

    /// What it wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Whether it came up.
    #[expect(clippy::panic, reason = "a test without its server must fail")]
    fn run(&mut self) -> bool {
        let log = File::create(self.folder.path().join("log"));
        let log = log.unwrap_or_else(|error| panic!("no file in a fresh folder: {error}"));
        let port = self.port.to_string();
        let own = ["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"];
        let server = Command::new(&self.program)
            // It must come first.
            .args(self.configured.then_some(CONFIG))
            .args(own)
            .args(&self.args)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.display()));
        let mut running = Running::new(server);
        for _ in 0..PATIENCE {
            sleep(STEP);
            if !running.alive() {
                return false;
            }
            // Who asks for a password is there. Who is loading is not.
            if ask(self.port, &["PING"])
                .is_ok_and(|text| text.starts_with("+PONG") || text.starts_with("-NOAUTH"))
            {
                self.running = Some(running);
                return true;
            }
        }
        false
    }

    #[expect(clippy::panic, reason = "a test without its server must fail")]
    fn signal(&self, name: &str) {
        let Some(running) = &self.running else { panic!("the server was killed") };
        let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &running.id()]).status();
        assert!(status.is_ok_and(|status| status.success()), "no signal {name}");
    }
}

/// The server's process, and another that ends it when this process has ended.
#[derive(Debug)]
struct Running {
    server: Child,
    guardian: Child,
}

impl Running {
    #[expect(clippy::panic, reason = "a test without its server must fail")]
    fn new(mut server: Child) -> Self {
        // It waits for the end of its input, which is the end of this process.
        let guardian = Command::new("sh")
            .args(["-c", "read -r _; kill -9 \"$0\"", &server.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match guardian {
            Ok(guardian) => Self { server, guardian },
            Err(error) => {
                end(&mut server);
                panic!("no `sh`: {error}");
            }
        }
    }

    fn id(&self) -> String {
        self.server.id().to_string()
    }

    fn alive(&mut self) -> bool {
        matches!(self.server.try_wait(), Ok(None))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The guardian first: it must not outlive the process whose number it holds.
        end(&mut self.guardian);
        end(&mut self.server);
    }
}

fn end(child: &mut Child) {
    // Both fail only when it has ended already.
    drop(child.kill());
    drop(child.wait());
}

#[expect(clippy::panic, reason = "a test without its server must fail")]
fn free_port() -> u16 {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound.unwrap_or_else(|error| panic!("no free port: {error}")).port()
}

/// One command, one answer: its text as far as it came at once.
fn ask(port: u16, words: &[&str]) -> std::io::Result<String> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    connection.write_all(command.as_bytes())?;
    let mut answer = vec![0; 65_536];
    let read = connection.read(&mut answer)?;
    if read == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
}
