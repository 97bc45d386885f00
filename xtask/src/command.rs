//! Runs other programs: says what it runs, and hands their exit code on.

use std::fmt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

/// What `cargo run` sets for xtask and must not leak into the cargo that xtask starts: build scripts that watch
/// one of these (ring's does) would run again at every change between `cargo test` and `cargo xtask test`.
const OWN_CARGO_VARIABLES: &[&str] = &[
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_LICENSE_FILE",
    "CARGO_PKG_NAME",
    "CARGO_PKG_README",
    "CARGO_PKG_REPOSITORY",
    "CARGO_PKG_RUST_VERSION",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// A program that ended with something other than 0.
#[derive(Debug)]
pub(crate) struct Failed {
    what: String,
    /// The code that xtask ends with too.
    pub(crate) code: u8,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ended with exit code {}", self.what, self.code)
    }
}

impl std::error::Error for Failed {}

/// The command line makes no sense: exit code 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// One line for the person at the terminal.
#[expect(clippy::print_stderr, reason = "the one place where xtask speaks")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// The root of the workspace: xtask is only ever run from the checkout it was built in.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// `cargo`, at the root of the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root());
    for variable in OWN_CARGO_VARIABLES {
        command.env_remove(variable);
    }
    command
}

/// Shows the command and runs it, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let what = line(command);
    say(&format!("$ {what}"));
    let status = command.status().with_context(|| format!("could not start `{what}`"))?;
    check(what, status)
}

/// Runs the command quietly and gives back its standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let what = line(command);
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("could not start `{what}`"))?;
    check(what, output.status)?;
    Ok(String::from_utf8(output.stdout)?)
}

fn check(what: String, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    // No code: a signal ended it.
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    bail!(Failed { what, code })
}

fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_handed_on() {
        let error = run(Command::new("sh").args(["-c", "exit 7"])).unwrap_err();
        assert_eq!(error.downcast_ref::<Failed>().unwrap().code, 7);
    }

    #[test]
    fn a_signal_is_a_failure() {
        let error = capture(Command::new("sh").args(["-c", "kill -9 $$"])).unwrap_err();
        assert_eq!(error.downcast_ref::<Failed>().unwrap().code, 1);
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-program-of-keyrot")).unwrap_err();
        assert!(error.to_string().contains("no-such-program-of-keyrot"));
    }
}
