//! The whole of CI, in the order in which a mistake shows soonest.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::command::{cargo, run as run_command, say};
use crate::workspace::Workspace;
use crate::{arrows, features, live, schema, test, tidy};

/// A name and what it does.
type Step = (&'static str, fn() -> Result<()>);

const STEPS: &[Step] = &[
    ("fmt", || run_command(cargo().args(["fmt", "--all", "--check"]))),
    ("tidy", tidy::run),
    ("arrows", || arrows::run(&Workspace::load()?)),
    ("clippy", clippy),
    ("features", || features::matrix(&Workspace::load()?)),
    ("absence", features::absence),
    ("schema", schema::check),
    ("test", || test(&[])),
    ("live", || live::test(&[])),
    ("doc", doc),
];

/// Runs every step up to the first that fails, and says how long each took.
pub(crate) fn run() -> Result<()> {
    let mut table = Vec::new();
    for (name, step) in STEPS {
        say(&format!("==> {name}"));
        let started = now();
        let result = step();
        let seconds = started.elapsed().as_secs_f64();
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        table.push(format!("{name:<10}{seconds:>8.1} s  {word}"));
        if result.is_err() {
            say(&table.join("\n"));
        }
        result.with_context(|| format!("ci stopped at step `{name}`"))?;
    }
    say(&table.join("\n"));
    Ok(())
}

fn clippy() -> Result<()> {
    let args = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    run_command(cargo().args(args))
}

fn doc() -> Result<()> {
    let args = ["doc", "--workspace", "--no-deps", "--all-features"];
    run_command(cargo().args(args).env("RUSTDOCFLAGS", "-D warnings"))
}

#[expect(clippy::disallowed_methods, reason = "how long a step took is all that time means here")]
fn now() -> Instant {
    Instant::now()
}
