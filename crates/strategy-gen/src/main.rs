//! `strategy-gen`: a plain sentence becomes a checked backtesting.py strategy.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The same program in another part: what runs a strategy starts it again.
    #[cfg(unix)]
    if let Some(code) = strategy_gen::sandbox::stage::enter_if_asked() {
        return code;
    }
    keyrot::keep_memory_private();
    cli::main()
}
