//! Soaks: minutes of real load, and a verdict.

use std::path::Path;

use anyhow::Result;

use crate::command::{cargo, root, run};
use crate::{bench, python};

/// Where the last soaks' reports are kept.
const LIMITER: &str = "docs/soak-limiter.md";
const BATCH: &str = "docs/soak-batch.md";

/// Eight processes on one store. Without arguments it is the whole soak, whose report is kept.
pub(crate) fn limiter(target: &Path, args: &[&str]) -> Result<()> {
    let mut command = bench::stores(target)?;
    command.arg("soak").args(args);
    if args.is_empty() {
        command.arg("--keep").arg(root().join(LIMITER));
    }
    run(&mut command)
}

/// A hundred descriptions over six keys, each made and run; the report is kept.
pub(crate) fn batch(target: &Path) -> Result<()> {
    let python = python::prepare(target)?;
    let mut command = cargo();
    command.args(["bench", "-p", "strategy-gen", "--bench", "batch", "--", "--python"]).arg(python);
    run(command.arg("--keep").arg(root().join(BATCH)))
}
