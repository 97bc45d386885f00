//! A Python that can run generated strategies, for the tests that do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::command::{capture, run, say};

/// How a test finds the interpreter.
pub(crate) const VARIABLE: &str = "KEYROT_TEST_PYTHON";

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
    let folder = target.join("python-test-env");
    let python = folder.join("bin/python");
    if works(&python) {
        return Ok(python);
    }
    say(&format!("preparing a Python with {} in {}", PACKAGES.join(" and "), folder.display()));
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("could not remove `{}`", folder.display()))?;
    }
    create(&folder, &python).map_err(|error| anyhow!("{error:#}; {HINT}"))?;
    if !works(&python) {
        bail!(
            "`{}` cannot import `backtesting` and `talib` after its installation; {HINT}",
            python.display()
        );
    }
    Ok(python)
}

fn works(python: &Path) -> bool {
    let probe =
        Command::new(python).args(["-I", "-c", PROBE]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}

fn create(folder: &Path, python: &Path) -> Result<()> {
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    if run(Command::new("python3").args(["-m", "venv"]).arg(folder)).is_ok() {
        return run(Command::new(python).args(pip).args(PACKAGES));
    }
    // Debian ships `venv` with python3 but what it needs to put pip inside apart, in python3-venv: without that
    // an environment can still be made, and filled by a pip from outside.
    say("trying without pip inside the environment");
    run(Command::new("python3").args(["-m", "venv", "--clear", "--without-pip"]).arg(folder))?;
    let site =
        capture(Command::new(python).args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]))?;
    run(Command::new("python3").args(pip).args(["--target", site.trim()]).args(PACKAGES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_python_does_not_work() {
        assert!(!works(Path::new("no-such-folder/bin/python")));
        assert!(!works(Path::new("false")));
    }
}
