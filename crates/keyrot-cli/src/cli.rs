//! The program: arguments in, results on stdout, everything else on stderr, an exit code.

mod add;
mod args;
mod check;
mod explain;
mod operate;
mod outlet;
mod pool;
mod rotate;
mod scope;
mod status;
mod table;
mod time;

use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{CommandFactory as _, Parser};
use keyrot::untrusted::UntrustedText;
use keyrot::{EnvMap, OperateError, ProgramEnv, SecretError, SetupError, untrusted};
use tracing_subscriber::EnvFilter;

use args::{Args, Command, EnvArgs};
use outlet::Log;
pub(crate) use outlet::{clear_screen, print, print_coloured, print_json, print_json_line, say};

/// Interrupted by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Why the program ends without success.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit_code: u8,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit_code: 2, message: message.into() }
    }
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        let exit_code = if error.is_configuration() { 2 } else { 3 };
        let message = match error {
            // The first finding may be but a warning.
            SetupError::KeysFile(findings) => {
                format!("the keys cannot be used before this is mended:\n{findings}")
            }
            error => error.to_string(),
        };
        Self { exit_code, message }
    }
}

impl From<OperateError> for Failure {
    fn from(error: OperateError) -> Self {
        let exit_code = match &error {
            OperateError::Store(_) => 6,
            OperateError::Secret(SecretError::Unavailable { .. } | SecretError::Denied { .. }) => 6,
            _ => 2,
        };
        Self { exit_code, message: error.to_string() }
    }
}

/// What the program goes by: its environment, and what a file of settings adds.
static ENV: OnceLock<EnvMap> = OnceLock::new();

/// Every setting, with where it came from.
pub(crate) fn env() -> &'static EnvMap {
    ENV.get_or_init(keyrot::process_env)
}

/// Reads the settings, before anything asks for them, and tells what is not taken.
fn read_settings(args: &EnvArgs) -> Result<(), Failure> {
    let ProgramEnv { env, warnings, .. } = keyrot::program_env(args.env_file.as_deref(), args.trust_env)?;
    for warning in warnings {
        say(&format!("warning: {warning}"));
    }
    let _ = ENV.set(env);
    Ok(())
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return misused(&on_one_line(error)),
    };
    let json = args.json;
    if let Err(failure) = read_settings(&args.env) {
        say(&format!("error: {}", failure.message));
        return failed(&failure, json);
    }
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
            _ = tokio::signal::ctrl_c() => {
                Err(Failure { exit_code: INTERRUPTED, message: "interrupted".to_owned() })
            }
        }
    });
    // A call on the wire must not hold the program after Ctrl-C.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            say(&format!("error: {}", failure.message));
            failed(&failure, json)
        }
    }
}

async fn run(Args { command, json, env }: Args) -> Result<u8, Failure> {
    match command {
        Command::Status { model, watch } => status::run(model, watch, &env, json).await,
        Command::Explain { subject, model } => explain::run(&subject, model, json).await,
        Command::Check { probe } => check::run(probe, json).await,
        Command::Cool { scope, time, until_lifted: _ } => operate::cool(&scope, time, json).await,
        Command::Uncool { scope } => operate::uncool(&scope, json).await,
        Command::Disable { key } => operate::disable(&key, json).await,
        Command::Enable { key } => operate::enable(&key, json).await,
        Command::Reset { key, all: _ } => operate::reset(key, json).await,
        Command::Add(add) => add::run(add, json),
        Command::Rotate { key, no_probe } => rotate::run(&key, !no_probe, json).await,
    }
}

/// The same complaint about the arguments on one line each: it repeats them, and a line of one could look like ours.
fn on_one_line(error: clap::Error) -> clap::Error {
    if !error.use_stderr() {
        return error;
    }
    let shown = std::env::args_os().map(|arg| untrusted::path(Path::new(&arg)));
    Args::try_parse_from(shown).err().filter(clap::Error::use_stderr).unwrap_or_else(|| {
        let text = error.to_string();
        let text = untrusted::path(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
        Args::command().error(error.kind(), text)
    })
}

/// What clap has to say: help and version are results, the rest is not.
fn misused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let told = print(error.to_string().trim_end());
        return told.map_or_else(|failure| ExitCode::from(failure.exit_code), |()| ExitCode::SUCCESS);
    }
    // It repeats what it does not understand, and that may be a key.
    let text = untrusted::redact(&error.to_string());
    say(text.trim_end());
    let json = std::env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json");
    failed(&Failure::usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end()), json)
}

/// The failure's exit code, and with `--json` the failure as the result.
fn failed(Failure { exit_code, message }: &Failure, json: bool) -> ExitCode {
    if json {
        let error =
            serde_json::json!({ "schema": 1, "status": "error", "exit_code": exit_code, "error": message });
        // It has been said on stderr, and the exit code tells already.
        let _ = print_json(error);
    }
    ExitCode::from(*exit_code)
}

fn start_log() {
    let filter = keyrot::Settings::read(env()).map_or_else(|_| "warn".to_owned(), |s| s.log);
    let filter = EnvFilter::builder().parse(&filter).unwrap_or_else(|error| {
        say(&format!(
            "warning: `{}` is no log filter: {}\nhint: set `KEYROT_LOG` to a level such as `info`",
            UntrustedText::from(filter.as_str()),
            UntrustedText::from(error.to_string())
        ));
        EnvFilter::new("warn")
    });
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Log);
    // Its complaint about a closed stderr would go to the same stderr, and panic.
    let log = log.log_internal_errors(false);
    let _ = log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init();
}
