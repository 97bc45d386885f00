//! `strategy-gen completions SHELL`.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use super::args::Args;
use super::{Failure, print};

/// Prints the script.
pub(crate) fn run(shell: Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    generate(shell, &mut Args::command(), "strategy-gen", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(0)
}
