//! The rig: an empty directory, a simulated Gemini, and the program started between them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

/// Every secret of these tests holds this word; no output may.
pub(crate) const CANARY: &str = "CANARY";
/// Longer than any run takes; a run that hangs fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A directory to run in, gone at the end, and the environment there.
pub(crate) struct Place(TempDir, BTreeMap<String, String>);

impl Place {
    pub(crate) fn new() -> Self {
        let memory = BTreeMap::from([("KEYROT_STATE".to_owned(), ":memory:".to_owned())]);
        Self(tempfile::tempdir().expect("a directory"), memory)
    }

    /// Where every program finds this in its environment.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.1.insert(name.to_owned(), value.to_owned());
        self
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

    /// The program in this directory, with an environment that holds nothing else.
    pub(crate) fn program<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Program {
        let args = args.into_iter().map(str::to_owned).collect();
        Program { directory: self.path().to_owned(), args, env: self.1.clone() }
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

    /// The command, to be started by the test itself.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyrot"));
        command.args(&self.args).env_clear().envs(&self.env).current_dir(&self.directory);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn start(&self) -> Child {
        self.command().spawn().expect("started")
    }

    pub(crate) fn run(self) -> Ended {
        Ended::of(self.start())
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

    /// On stdout, every part.
    #[track_caller]
    pub(crate) fn shows(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.stdout.contains(part), "`{part}` is not shown:\n{self}");
        }
        self
    }

    /// No line of the result is wider than a terminal, and none holds what a terminal would obey.
    #[track_caller]
    pub(crate) fn fits(&self) -> &Self {
        for line in self.stdout.lines() {
            assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
            assert!(!line.contains(char::is_control), "{line:?}");
        }
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
