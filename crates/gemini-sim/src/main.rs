//! The program `gemini-sim`: runs a scripted server until it is told to stop.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use gemini_sim::{LogEntry, Script, SimBuilder};

const USAGE: &str = "\
A wire-faithful Gemini API on 127.0.0.1.

Usage: gemini-sim --script FILE [--port N] [--log FILE]

  --script FILE  JSON: projects, keys, quotas, faults, answers
  --port N       port to listen on (default: any free one)
  --log FILE     append one JSON line per request; keys appear as labels
  --help         this text
  --version      the version

Prints the base URL once it listens; stops on Ctrl-C or SIGTERM.
Exit code 2: the arguments or the script are wrong, or the port is taken.
";

struct Options {
    script: PathBuf,
    port: u16,
    log: Option<PathBuf>,
}

fn main() -> ExitCode {
    let text = match std::env::args().nth(1).as_deref() {
        Some("--help" | "-h") => Some(USAGE.to_owned()),
        Some("--version" | "-V") => Some(format!("gemini-sim {}\n", env!("CARGO_PKG_VERSION"))),
        _ => None,
    };
    let done = match text {
        Some(text) => io::stdout().write_all(text.as_bytes()).map_err(|error| error.to_string()),
        None => options(std::env::args().skip(1)).and_then(|options| run(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // Nothing is left to be said when even this cannot be written.
            let _unwritten = writeln!(io::stderr(), "gemini-sim: {message}");
            ExitCode::from(2)
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut script, mut port, mut log) = (None, 0, None);
    while let Some(name) = arguments.next() {
        let mut value =
            || arguments.next().ok_or_else(|| format!("`{name}` wants a value; hint: see `--help`"));
        match name.as_str() {
            "--script" => script = Some(PathBuf::from(value()?)),
            "--log" => log = Some(PathBuf::from(value()?)),
            "--port" => {
                let value = value()?;
                port = value.parse().map_err(|_| format!("`--port {value}` is not a port number"))?;
            }
            _ => return Err(format!("unknown argument `{name}`; hint: see `--help`")),
        }
    }
    let script = script.ok_or("`--script` is missing; hint: see `--help`")?;
    Ok(Options { script, port, log })
}

fn run(options: &Options) -> Result<(), String> {
    let name = options.script.display();
    let text = std::fs::read_to_string(&options.script).map_err(|error| format!("`{name}`: {error}"))?;
    let script = Script::parse(&text).map_err(|error| format!("`{name}`: {error}"))?;
    let mut builder = script.into_builder().port(options.port);
    if let Some(log) = &options.log {
        let file = File::options().create(true).append(true).open(log);
        let file = file.map_err(|error| format!("`{}`: {error}", log.display()))?;
        builder = builder.on_request(Arc::new(move |entry| append(&file, entry)));
    }
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(serve(builder, options.port))
}

async fn serve(builder: SimBuilder, port: u16) -> Result<(), String> {
    let stopped = stop_signal().map_err(|error| error.to_string())?;
    let server = builder.start().await.map_err(|error| format!("port {port}: {error}"))?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", server.base_url())
        .and_then(|()| stdout.flush())
        .map_err(|error| format!("standard output: {error}"))?;
    stopped.await;
    server.shutdown().await;
    Ok(())
}

/// One whole line in one write, so that lines of concurrent requests do not mix.
fn append(mut file: &File, entry: &LogEntry) {
    let written = serde_json::to_string(entry)
        .map_err(io::Error::from)
        .and_then(|line| file.write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = written {
        let _unwritten =
            writeln!(io::stderr(), "gemini-sim: request {} is not in the log: {error}", entry.seq);
    }
}

/// Registers the signals at once and waits for the first of them later.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a handler the system's own ends the program.
        let _unregistered = tokio::signal::ctrl_c().await;
    })
}
