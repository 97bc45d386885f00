//! Pythons with packages of their own: one that can run generated strategies, for the tests that do, and one
//! with the simulated AWS.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::command::{capture, run, say};

/// How a test finds the interpreter.
pub(crate) const VARIABLE: &str = "KEYROT_TEST_PYTHON";

/// How a test finds the program of the simulated AWS.
pub(crate) const MOTO: &str = "KEYROT_TEST_MOTO";

pub(crate) const MOTO_PACKAGE: &str = "moto[server]==5.2.5";

/// The library that runs strategies, and the one that the shipped indicators are compared with.
const PACKAGES: [&str; 2] = ["backtesting>=0.6.5,<0.7", "ta-lib==0.8.2"];

/// Ends with 0 where the packages work and have the version that [`PACKAGES`] ask for.
const PROBE: &str = "\
import sys, importlib.metadata, backtesting, talib
version = tuple(int(part) for part in importlib.metadata.version('backtesting').split('.')[:3])
sys.exit(not ((0, 6, 5) <= version < (0, 7) and talib.__version__ == '0.8.2'))";

const HINT: &str = "hint: the tests need Python 3.9 or newer with `venv` and `pip`, and a package index they reach; \
    on Debian: `apt-get install python3 python3-venv python3-pip`";

/// The interpreter of an environment below `target`: the one of last time if it still works, else a new one.
pub(crate) fn prepare(target: &Path) -> Result<PathBuf> {
    environment(&target.join("python-test-env"), &PACKAGES, PROBE)
}

/// The server program of the simulated AWS, in an environment of its own.
pub(crate) fn moto(target: &Path) -> Result<PathBuf> {
    let probe = "import moto.server, sys; sys.exit(moto.__version__ != '5.2.5')";
    let python = environment(&target.join("moto-test-env"), &[MOTO_PACKAGE], probe)?;
    Ok(python.with_file_name("moto_server"))
}

/// The interpreter of an environment with `packages`: the one of last time if it still passes `probe`.
fn environment(folder: &Path, packages: &[&str], probe: &str) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    if works(&python, probe) {
        return Ok(python);
    }
    let named = packages.join(" and ");
    say(&format!("preparing a Python with {named} in {}", folder.display()));
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("could not remove `{}`", folder.display()))?;
    }
    create(folder, &python, packages).map_err(|error| anyhow!("{error:#}; {HINT}"))?;
    if !works(&python, probe) {
        bail!("`{}` cannot use {named} after its installation; {HINT}", python.display());
    }
    Ok(python)
}

fn works(python: &Path, probe: &str) -> bool {
    let probe =
        Command::new(python).args(["-I", "-c", probe]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}

fn create(folder: &Path, python: &Path, packages: &[&str]) -> Result<()> {
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    if run(Command::new("python3").args(["-m", "venv"]).arg(folder)).is_ok() {
        return run(Command::new(python).args(pip).args(packages));
    }
    // Debian ships `venv` with python3 but what it needs to put pip inside apart, in python3-venv: without that
    // an environment can still be made, and filled by a pip from outside.
    say("trying without pip inside the environment");
    run(Command::new("python3").args(["-m", "venv", "--clear", "--without-pip"]).arg(folder))?;
    let site =
        capture(Command::new(python).args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]))?;
    run(Command::new("python3").args(pip).args(["--target", site.trim()]).args(packages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_python_does_not_work() {
        assert!(!works(Path::new("no-such-folder/bin/python"), PROBE));
        assert!(!works(Path::new("false"), PROBE));
    }
}
