//! Soaks: minutes of real load, and a verdict.

use std::path::Path;

use anyhow::Result;

use crate::bench;
use crate::command::{root, run};

/// Where the last soak's report is kept.
const KEPT: &str = "docs/soak-limiter.md";

/// Eight processes on one store. Without arguments it is the whole soak, whose report is kept.
pub(crate) fn limiter(target: &Path, args: &[&str]) -> Result<()> {
    let mut command = bench::stores(target)?;
    command.arg("soak").args(args);
    if args.is_empty() {
        command.arg("--keep").arg(root().join(KEPT));
    }
    run(&mut command)
}
