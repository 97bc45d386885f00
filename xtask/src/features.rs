//! Every crate that is for others builds with little, and the default build brings no cloud SDK.

use anyhow::{Context as _, Result, bail};

use crate::arrows::named_in;
use crate::command::{capture, cargo, run, say};
use crate::tidy::{File, files};
use crate::workspace::{Member, Workspace};

/// What a plain `cargo test` at the root must never build, tests included.
const NOT_IN_DEFAULT: &[&str] = &["aws-*", "azure_*", "vaultrs"];

/// Each crate alone: without its features, and with each that its own code asks about. What it merely hands on
/// changes nothing in it, and all together is what the clippy step of CI builds. Clippy rather than `cargo
/// check`, because an import that a feature leaves unused is a warning, and because it reuses what that step built.
pub(crate) fn matrix(workspace: &Workspace) -> Result<()> {
    for member in workspace.members.iter().filter(|member| member.published) {
        let folder = member.manifest.parent().context("a manifest lies in a folder")?;
        let sources = files(&folder.join("src"))?;
        for set in sets(member, &sources) {
            let mut command = cargo();
            command.args([
                "clippy",
                "--quiet",
                "-p",
                &member.name,
                "--no-default-features",
                "--features",
                set,
            ]);
            run(command.args(["--", "-D", "warnings"]))?;
        }
    }
    Ok(())
}

/// The features to try: none, then one at a time.
fn sets<'m>(member: &'m Member, sources: &[File]) -> Vec<&'m str> {
    let asked = |feature: &&str| {
        let asks = format!("feature = \"{feature}\"");
        sources.iter().any(|file| file.text.contains(&asks))
    };
    [""].into_iter().chain(member.features.iter().map(String::as_str).filter(asked)).collect()
}

/// No cloud SDK among the packages of the default members.
pub(crate) fn absence() -> Result<()> {
    let tree = capture(cargo().args(["tree", "-e", "normal,build,dev", "--prefix", "none"]))?;
    let found = named_in(&tree, NOT_IN_DEFAULT);
    if !found.is_empty() {
        bail!("the default build brings `{}`; hint: `cargo tree -i {}`", found.join("`, `"), found[0]);
    }
    say(&format!("absence: the default build has none of {}", NOT_IN_DEFAULT.join(", ")));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_and_each_that_the_code_asks_about() {
        let features = ["aws", "default", "env"].map(String::from).into();
        let member = Member { features, ..Member::default() };
        let source = File { path: "lib.rs".into(), text: "#[cfg(all(test, feature = \"env\"))]".into() };
        assert_eq!(sets(&member, &[source]), ["", "env"]);
    }

    #[test]
    fn a_cloud_sdk_in_the_default_build_is_seen() {
        assert_eq!(
            named_in("keyrot v0.1.0\naws-config v1.8.0\nazure_core v0.30.0\n", NOT_IN_DEFAULT).len(),
            2
        );
    }
}
