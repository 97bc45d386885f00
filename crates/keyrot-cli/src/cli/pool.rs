//! The pool these commands are about: the one that the programs of this directory use.

use keyrot::settings::Settings;
use keyrot::{Assembly, Made, Mode};

use super::{Failure, env, say};

/// Makes the pool. Where there is a keys.json, it is about its keys, rotation on or not.
pub(crate) async fn make() -> Result<Made, Failure> {
    let settings = Settings::read(env()).map_err(|error| Failure::usage(error.to_string()))?;
    let file = settings.keys_file.exists();
    let mode = if file { Mode::Multi } else { Mode::Auto };
    let mut made = Assembly::new(env().clone()).mode(mode).make().await?;
    if file && settings.rotation != Some(true) {
        made.warnings.push(format!(
            "rotation is off: programs use `{}` once `ENABLE_KEY_ROTATION=true`",
            keyrot::untrusted::path(&settings.keys_file)
        ));
    }
    Ok(made)
}

/// Tells what a user should know.
pub(crate) fn warn(made: &Made) {
    for warning in &made.warnings {
        say(&format!("warning: {warning}"));
    }
}
