//! `keys.schema.json`, written from the types that read `keys.json`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::command::{capture, cargo, root, say};

const FILE: &str = "keys.schema.json";

/// Writes the file.
pub(crate) fn write() -> Result<()> {
    fs::write(path(), generate()?).with_context(|| format!("could not write `{FILE}`"))?;
    say(&format!("schema: wrote {FILE}"));
    Ok(())
}

/// Compares the file with what would be written.
pub(crate) fn check() -> Result<()> {
    let generated = generate()?;
    let hint = "hint: run `cargo xtask schema` and commit the file";
    match fs::read_to_string(path()) {
        Ok(committed) if committed == generated => {
            say(&format!("schema: {FILE} is what the types say"));
            Ok(())
        }
        Ok(_) => bail!("`{FILE}` is not what the types say; {hint}"),
        Err(error) => Err(error).with_context(|| format!("could not read `{FILE}`; {hint}")),
    }
}

fn generate() -> Result<String> {
    capture(cargo().args(["run", "--quiet", "-p", "keyrot-core", "--example", "keys_schema"]))
}

fn path() -> PathBuf {
    root().join(FILE)
}
