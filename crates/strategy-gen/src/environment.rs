//! What is missing or broken here: never the strategy's fault, and never sent to a model.

use std::path::PathBuf;

/// The range of backtesting.py that strategies are written for.
pub const PACKAGE: &str = "backtesting>=0.6.5,<0.7";

/// Something that a run needs and this machine lacks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentFault {
    /// There is no Python with the library.
    #[error(
        "no Python with `{PACKAGE}` was found{}\nhint: `strategy-gen doctor --install` makes one, or name one with `--python PATH`",
        looked_at(looked)
    )]
    NoPython {
        /// Where it was looked for, and why not there.
        looked: Vec<String>,
    },
    /// The Python that was named does not serve.
    #[error("`{}` cannot run strategies: {why}\nhint: name a Python 3.9 or newer with `{PACKAGE}`, or let `strategy-gen doctor --install` make one", keyrot::untrusted::path(&python))]
    Python {
        /// The interpreter.
        python: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The environment could not be made.
    #[error(
        "cannot make a Python environment: {why}\nhint: it needs `uv`, or Python 3.9 or newer with `venv` and `pip`, and a package index; on Debian: `apt-get install python3-venv python3-pip`"
    )]
    Install {
        /// What went wrong.
        why: String,
    },
    /// Too few layers for the sandbox that was asked for.
    #[error(
        "{what} here, so a strategy could reach what it must not\nhint: run it on Linux 5.13 or newer with Landlock, or in a virtual machine with one"
    )]
    Sandbox {
        /// What is lacking.
        what: String,
    },
    /// No sandbox is known for this system.
    #[error("strategies cannot be run on this system\nhint: run them under Linux, in WSL 2 or a container")]
    Platform,
    /// The sandbox or the library failed before the strategy was loaded.
    #[error(
        "the strategy was not started: {why}\nhint: `strategy-gen doctor` shows Python, library and sandbox"
    )]
    Start {
        /// What went wrong.
        why: String,
    },
    /// The system refused what a run needs.
    #[error("cannot run a strategy: {source}\nhint: see that the folder for temporary files can be written")]
    System {
        /// What it said.
        #[from]
        source: std::io::Error,
    },
}

fn looked_at(looked: &[String]) -> String {
    if looked.is_empty() { String::new() } else { format!(": {}", looked.join("; ")) }
}
