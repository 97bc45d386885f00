//! The stage of the sandbox, for tests that run strategies: a test program has a `main` that is not ours.

use std::process::ExitCode;

fn main() -> ExitCode {
    strategy_gen::sandbox::stage::enter_if_asked().unwrap_or(ExitCode::FAILURE)
}
