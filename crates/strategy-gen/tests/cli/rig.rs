//! The rig: an empty directory, a simulated Gemini, and the program started between them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// Every secret of these tests holds this word; no output may.
pub(crate) const CANARY: &str = "CANARY";
/// A description that both the engine and the scripted models understand.
pub(crate) const RSI: &str = "Buy when RSI < 30, sell when RSI > 70";
/// Longer than any run takes; a run that hangs fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// The interpreter that `cargo xtask test` prepares.
#[expect(clippy::disallowed_methods, reason = "an option of the test, not of the program")]
pub(crate) fn test_python() -> PathBuf {
    match std::env::var_os("KEYROT_TEST_PYTHON") {
        Some(python) => PathBuf::from(python),
        None => panic!("`KEYROT_TEST_PYTHON` names no Python: run the tests with `cargo xtask test`"),
    }
}

/// A directory to run in; gone at the end.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("written");
        #[cfg(unix)]
        if name == ".env" {
            // Whatever the tests' umask is: one that others can write is passed over.
            let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
            fs::set_permissions(&path, mode).expect("set");
        }
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect(name)
    }

    /// Everything in the directory, hidden files too.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("read");
        let mut names: Vec<_> =
            entries.map(|e| e.expect("read").file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The program in this directory, with an environment that holds nothing.
    pub(crate) fn program<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Program {
        let args = args.into_iter().map(str::to_owned).collect();
        Program {
            directory: self.path().to_owned(),
            args,
            env: BTreeMap::from([("KEYROT_STATE".to_owned(), ":memory:".to_owned())]),
            stdin: Vec::new(),
        }
    }

    /// [`program`](Self::program), run to its end.
    pub(crate) fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Ended {
        self.program(args).run()
    }
}

/// The program about to be started.
pub(crate) struct Program {
    directory: PathBuf,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    stdin: Vec<u8>,
}

impl Program {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn envs(mut self, values: &[(&str, &str)]) -> Self {
        self.env.extend(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// In a folder below.
    pub(crate) fn within(mut self, folder: &str) -> Self {
        self.directory.push(folder);
        self
    }

    pub(crate) fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    /// The command, to be started by the test itself.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strategy-gen"));
        command.args(&self.args).env_clear().envs(&self.env).current_dir(&self.directory);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(&self) -> Child {
        self.command().spawn().expect("started")
    }

    pub(crate) fn run(self) -> Ended {
        let mut child = self.start();
        let mut stdin = child.stdin.take().expect("piped");
        let text = self.stdin;
        // The program may end without reading all of it.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&text)));
        let ended = Ended::of(child);
        writer.join().expect("written");
        ended
    }
}

/// What came of a run.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Waits for the end, and checks what holds of every run: no panic, no secret, nothing printed by `Debug`.
    pub(crate) fn of(child: Child) -> Self {
        let id = child.id().to_string();
        let (done, end) = mpsc::channel();
        let waiter = std::thread::spawn(move || done.send(child.wait_with_output()));
        let Ok(output) = end.recv_timeout(PATIENCE) else {
            let _ = Command::new("kill").args(["-KILL", &id]).status();
            panic!("the program did not end in {PATIENCE:?}");
        };
        waiter.join().expect("joined").expect("received");
        let output = output.expect("waited");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let ended = Self { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) };
        println!("{ended}");
        for told in [&ended.stdout, &ended.stderr] {
            assert!(!told.contains(CANARY), "a secret was shown:\n{ended}");
            assert!(!told.contains("panicked at"), "a panic:\n{ended}");
            // At this level every library writes as it likes.
            if told.contains(" TRACE ") {
                continue;
            }
            for sign in ["Some(", "Err(", "Os {", "Error {", "Error(", "kind:"] {
                assert!(!told.contains(sign), "`{sign}`:\n{ended}");
            }
        }
        ended
    }

    #[track_caller]
    pub(crate) fn code(&self, code: i32) -> &Self {
        assert_eq!(self.status.code(), Some(code), "exit code\n{self}");
        self
    }

    /// On stderr, in this order.
    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) -> &Self {
        let mut rest = self.stderr.as_str();
        for part in parts {
            let at = rest.find(part).unwrap_or_else(|| panic!("`{part}` is not told, or too early:\n{self}"));
            rest = &rest[at + part.len()..];
        }
        self
    }

    /// A failure: this code, one error, its remedy, and nothing on stdout.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, parts: &[&str]) -> &Self {
        self.code(code).says(parts);
        let errors = self.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "one error\n{self}");
        assert!(self.stderr.contains("hint: "), "no remedy\n{self}");
        assert_eq!(self.stdout, "", "no result\n{self}");
        self
    }

    #[track_caller]
    pub(crate) fn is_silent_about(&self, part: &str) -> &Self {
        assert!(!self.stderr.contains(part), "`{part}` is told:\n{self}");
        self
    }

    /// Stdout as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        let document: serde_json::Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is no JSON document: {error}\n{self}"));
        assert_eq!(document["schema"], 1, "{self}");
        document
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, stdout, stderr } = self;
        write!(f, "--- {status}\n--- stdout\n{stdout}--- stderr\n{stderr}---")
    }
}
