//! Goodput: the real rotator and limiter against the simulator's rules, in one process and in virtual time,
//! beside three plain policies under the same load. Run by `cargo xtask bench goodput`.

#![expect(clippy::print_stderr, reason = "a program for the terminal")]

mod bench;

use std::process::ExitCode;

fn main() -> ExitCode {
    match bench::run_with(std::env::args().skip(1), &mut std::io::stdout()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
