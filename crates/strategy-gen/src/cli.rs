//! The program: arguments in, results on stdout, everything else on stderr, an exit code.

mod amend;
mod args;
mod batch;
mod checked;
mod command;
mod completions;
mod conditions;
mod demo;
mod doctor;
mod draft;
mod history;
mod keep;
mod new;
mod outlet;
mod pages;
mod progress;
mod run;
mod shelf;
mod table;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{CommandFactory as _, Parser};
use keyrot::untrusted::UntrustedText;
use keyrot::{EnvMap, ProgramEnv, SetupError, leak, untrusted};
use strategy_gen::GenerateError;
use tracing_subscriber::EnvFilter;

use args::{Args, Command, EnvArgs, Format};
use outlet::{Log, say_usage};
pub(crate) use outlet::{print, print_code, print_json, print_json_line, say};

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
        let exit_code = error.exit_code();
        let message = match error {
            // The first finding may be but a warning.
            GenerateError::Setup(SetupError::KeysFile(findings)) => {
                format!("the keys cannot be used before this is mended:\n{findings}")
            }
            error => error.to_string(),
        };
        Self { exit_code, message }
    }
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit_code: 2, message: message.into() }
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
    let ProgramEnv { env, warnings, .. } =
        keyrot::program_env(args.env_file.as_deref(), args.trust_env).map_err(GenerateError::from)?;
    for warning in warnings {
        say(&format!("warning: {warning}"));
    }
    let _ = ENV.set(env);
    Ok(())
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    // Before clap, whose complaints repeat what they are about.
    if std::env::args_os().skip(1).any(|arg| leak::looks_like_a_key(&arg.to_string_lossy())) {
        let failure = holds_a_key("an argument", "the shell remembers it");
        say(&format!("error: {}", failure.message));
        return failed(&failure, json_asked_for());
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return misused(&on_one_line(error)),
    };
    let json = args.json();
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
            _ = tokio::signal::ctrl_c() => Err(Failure { exit_code: INTERRUPTED, message: "interrupted".to_owned() }),
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
    let args: Vec<_> = std::env::args_os().skip(1).take_while(|arg| arg != "--").collect();
    say_usage(error);
    let sentence = |arg: &OsString| {
        arg.to_str().is_some_and(|arg| arg.starts_with('-') && arg.contains(char::is_whitespace))
    };
    if args.iter().any(sentence) {
        say("\nhint: a description that begins with `-` comes last, after `--`");
    }
    let json = json_asked_for();
    let text = error.to_string();
    failed(&Failure::usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end()), json)
}

/// Whether the result is to be JSON, as far as that can be told without understanding the arguments.
fn json_asked_for() -> bool {
    std::env::args_os().skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

/// Refuses a text that would be sent or saved with a key in it. It is not repeated.
pub(crate) fn holds_a_key(what: &str, why: &str) -> Failure {
    Failure::usage(format!(
        "{what} holds what looks like an API key\nhint: never give the key itself: {why}; treat it as published"
    ))
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

async fn run(args: Args) -> Result<u8, Failure> {
    match args.command {
        Some(Command::Check { file, description, format, json, strict }) => {
            let format = if json { Format::Json } else { format };
            apart(move || checked::run(&file, description.as_deref(), format, strict)).await
        }
        Some(Command::Prompt { description }) => apart(move || new::prompt(&description)).await,
        Some(Command::Run(args)) => run::run(args).await,
        Some(Command::Batch(args)) => batch::run(args).await,
        Some(Command::History(args)) => apart(move || history::run(&args)).await,
        Some(Command::List { folder, json }) => apart(move || shelf::list(&folder, json)).await,
        Some(Command::Show { what, json }) => apart(move || shelf::show(&what, json)).await,
        Some(Command::Completions { shell }) => completions::run(shell),
        Some(Command::Doctor { json, install }) => doctor::run(json, install, args.env.flags()).await,
        Some(Command::Fix(fix)) => amend::fix(fix).await,
        Some(Command::Improve(improve)) => amend::improve(improve).await,
        Some(Command::New(new)) => new::run(new).await,
        None => {
            not_a_command(args.new.description.as_deref().unwrap_or_default())?;
            new::run(args.new).await
        }
    }
}

/// Refuses a command that comes behind a flag: clap takes it for a description, and a model would be asked.
fn not_a_command(description: &str) -> Result<(), Failure> {
    if Args::command().get_subcommands().any(|command| command.get_name() == description) {
        return Err(Failure::usage(format!(
            "`{description}` is a command, not a description\nhint: write the command first, its flags behind it"
        )));
    }
    Ok(())
}

/// Runs what may wait for ever, such as reading a terminal or a pipe, where Ctrl-C can leave it behind.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure { exit_code: 5, message: format!("cannot go on: {error}") }))
}

/// The exit code where what is merely noted is as bad as an error.
const fn strictly(strict: bool, code: u8, noted: bool) -> u8 {
    if strict && code == 0 && noted { 1 } else { code }
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
