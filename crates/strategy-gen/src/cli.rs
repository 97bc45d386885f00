//! The program: arguments in, results on stdout, everything else on stderr, an exit code.

mod args;
mod checked;
mod demo;
mod doctor;
mod new;
mod progress;
mod table;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use strategy_gen::GenerateError;

use args::{Args, Command};

/// Interrupted by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Why the program ends without success.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit_code: u8,
    pub(crate) message: String,
}

impl From<GenerateError> for Failure {
    fn from(error: GenerateError) -> Self {
        Self { exit_code: error.exit_code(), message: error.to_string() }
    }
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit_code: 2, message: message.into() }
    }
}

/// Reads `.env` into the process's environment, which wins; gives a warning when it cannot be read.
pub(crate) fn load_dot_env() -> Option<String> {
    match dotenvy::dotenv() {
        Ok(_) => None,
        Err(dotenvy::Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(dotenvy::Error::Io(error)) => Some(format!("cannot read `.env`: {error}")),
        // The error would show the line, and with it a secret.
        Err(_) => Some("`.env` has a line that is not `NAME=value`; what follows it is not read".to_owned()),
    }
}

/// Runs the program.
pub(crate) fn main(dot_env: Option<String>) -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no errors.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    if let Some(warning) = dot_env {
        say(&format!("warning: {warning}"));
    }
    let json = args.json();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("error: cannot start: {error}"));
            return ExitCode::from(5);
        }
    };
    start_log();
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = run(args) => outcome,
            _ = tokio::signal::ctrl_c() => Err(Failure { exit_code: INTERRUPTED, message: "interrupted".to_owned() }),
        }
    });
    // A call on the wire must not hold the program after Ctrl-C.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(Failure { exit_code, message }) => {
            say(&format!("error: {message}"));
            if json {
                let error = serde_json::json!({ "schema": 1, "status": "error", "exit_code": exit_code, "error": message });
                print(&format!("{error:#}"));
            }
            ExitCode::from(exit_code)
        }
    }
}

async fn run(args: Args) -> Result<u8, Failure> {
    match args.command {
        Some(Command::Check { file, json }) => checked::run(&file, json),
        Some(Command::Doctor { json }) => doctor::run(json).await,
        Some(Command::New(new)) => new::run(new).await,
        None => new::run(args.new).await,
    }
}

fn start_log() {
    let filter = keyrot::Settings::read(&keyrot::process_env()).map_or_else(|_| "warn".to_owned(), |s| s.log);
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init();
}

/// A line for people: stderr.
pub(crate) fn say(line: &str) {
    // A closed stderr is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A result: stdout.
pub(crate) fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
