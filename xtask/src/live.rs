//! Tests on real servers of the secret stores that bring an SDK, and of reports in a real browser. What these are is
//! told before the tests run, so that a report shows what was tested and what was not.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::command::{cargo, run, say};
use crate::workspace::Workspace;
use crate::{python, servers};

/// What is tested here: none of these is among the default members, or not with all its features.
const PACKAGES: [&str; 6] = [
    "keyrot-secrets",
    "keyrot-secrets-vault",
    "keyrot-secrets-aws",
    "keyrot-secrets-azure",
    "keyrot-cli",
    "keyrot-live",
];

/// How a test finds the browser.
const BROWSER: &str = "KEYROT_TEST_CHROMIUM";

/// The browser on `PATH`: no package index brings one.
fn browser() -> Result<PathBuf> {
    let known = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let found = known.into_iter().find(|program| servers::version(Path::new(program)).is_ok());
    found.map(PathBuf::from).context(
        "no Chromium on PATH; hint: on Debian `apt-get install chromium`, elsewhere put `chromium` or `google-chrome` \
         on PATH",
    )
}

/// `cargo test` of these packages, with everything at hand that they need.
pub(crate) fn test(args: &[&str]) -> Result<()> {
    let target = Workspace::load()?.target;
    let mut at_hand = servers::vaults(&target)?;
    at_hand.push((python::MOTO, python::moto(&target)?));
    at_hand.extend(servers::shared(&target)?);
    at_hand.push((BROWSER, browser()?));
    at_hand.push((python::VARIABLE, python::prepare(&target)?));
    say(&format!("live: the AWS of {}", python::MOTO_PACKAGE));
    for (_, program) in at_hand.iter().filter(|(variable, _)| *variable != python::MOTO) {
        say(&format!("live: {}", servers::version(program)?));
    }
    let mut command = cargo();
    command.arg("test");
    for package in PACKAGES {
        command.args(["-p", package]);
    }
    run(command.arg("--all-features").args(args).envs(at_hand))
}
