//! `keyrot`: see and steer a pool of Gemini API keys.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    keyrot::keep_memory_private();
    cli::main()
}
