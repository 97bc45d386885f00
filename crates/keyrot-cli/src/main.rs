//! `keyrot`: see and steer a pool of Gemini API keys.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    keyrot::keep_memory_private();
    // Before any thread: SDKs that read the process's environment must see it too.
    let dot_env = cli::load_dot_env();
    cli::main(dot_env)
}
