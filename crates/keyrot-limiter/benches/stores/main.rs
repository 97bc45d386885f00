//! The stores against real clocks and real load: `speed` times them, `soak` drives one store from
//! eight processes and looks for a broken promise. Run by `cargo xtask bench limiter` and
//! `cargo xtask soak limiter`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod baseline;
mod clock;
mod load;
mod pool;
mod ratios;
mod soak;
mod speed;
mod worker;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
speed [--seconds N] [--store memory|sqlite|redis]   time reserve, and what Redis must show
speed --check [--seconds N]                         the latter alone: fails if a target is missed
soak [--minutes N] [--store sqlite|redis] [--keep FILE] [--beside PROGRAM]
                                                    eight processes on one store, every second one of another
                                                    build's PROGRAM";

fn main() -> ExitCode {
    let args = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned());
    // cargo adds it to what it runs.
    let args: Vec<String> = args.filter(|arg| arg != "--bench").collect();
    match dispatch(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<ExitCode> {
    let option = |name: &str| {
        args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)).map(String::as_str)
    };
    let number = |name: &str, default: u64| option(name).map_or(Ok(default), str::parse);
    match args.first().map(String::as_str) {
        Some("speed") => {
            let (stores, seconds) = (option("--store").unwrap_or("all"), number("--seconds", 1)?);
            let checked = args.iter().any(|arg| arg == "--check");
            if !checked {
                speed::run(stores, seconds)?;
            }
            let met = !matches!(stores, "all" | "redis") || ratios::run(seconds)?;
            Ok(if met || !checked { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Some("soak") => {
            let kept = soak::run(
                option("--store").unwrap_or("all"),
                number("--minutes", 6)?,
                option("--beside").map(Path::new),
                option("--keep").map(Path::new),
            )?;
            Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        // One of the eight: STORE PLACE SECONDS LOG.
        Some(worker::COMMAND) => {
            let [_, store, place, seconds, log] = args else { bail!("a worker takes four arguments") };
            worker::run(store, place, seconds.parse()?, log.as_ref())?;
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("no such command\n{USAGE}"),
    }
}
