//! Every crate builds with every feature it offers, and the default build brings no cloud SDK.

use anyhow::{Result, bail};

use crate::arrows::named_in;
use crate::command::{capture, cargo, run, say};
use crate::workspace::{Member, Workspace};

/// What a plain `cargo test` at the root must never build, tests included.
const NOT_IN_DEFAULT: &[&str] = &["aws-*", "azure_*", "vaultrs"];

/// Each crate alone: without its features, with each, with all. Clippy rather than `cargo check`, because an
/// import that a feature leaves unused is a warning, and because it reuses what the clippy step of CI built.
pub(crate) fn matrix(workspace: &Workspace) -> Result<()> {
    for member in &workspace.members {
        for set in sets(member) {
            let mut command = cargo();
            command.args(["clippy", "--quiet", "-p", &member.name]).args(set);
            run(command.args(["--", "-D", "warnings"]))?;
        }
    }
    Ok(())
}

/// The sets of features to try. With fewer than two features some of them are the same set.
fn sets(member: &Member) -> Vec<Vec<&str>> {
    let own: Vec<&str> =
        member.features.iter().map(String::as_str).filter(|feature| *feature != "default").collect();
    let mut sets = vec![vec!["--no-default-features"]];
    sets.extend(own.iter().map(|feature| vec!["--no-default-features", "--features", feature]));
    if own.len() > 1 {
        sets.push(vec!["--all-features"]);
    }
    sets
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

    fn member(features: &[&str]) -> Member {
        let features = features.iter().map(|feature| (*feature).into()).collect();
        Member { name: "a".into(), features, dependencies: Vec::new() }
    }

    #[test]
    fn none_each_and_all() {
        assert_eq!(
            sets(&member(&["aws", "default", "env"])),
            [
                vec!["--no-default-features"],
                vec!["--no-default-features", "--features", "aws"],
                vec!["--no-default-features", "--features", "env"],
                vec!["--all-features"],
            ]
        );
    }

    #[test]
    fn the_same_set_is_not_tried_twice() {
        assert_eq!(sets(&member(&[])), [vec!["--no-default-features"]]);
        assert_eq!(sets(&member(&["default", "env"])).len(), 2);
    }

    #[test]
    fn a_cloud_sdk_in_the_default_build_is_seen() {
        assert_eq!(
            named_in("keyrot v0.1.0\naws-config v1.8.0\nazure_core v0.30.0\n", NOT_IN_DEFAULT).len(),
            2
        );
    }
}
