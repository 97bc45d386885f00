//! Which crate may depend on which. A new arrow is a new line here, and a line here is a decision.

use anyhow::{Result, bail};

use crate::command::{capture, cargo, say};
use crate::workspace::{Kind, Workspace};

/// Each crate of ours, with those of ours it may depend on. Optional dependencies count.
const ARROWS: &[(&str, &[&str])] = &[
    ("keyrot-core", &[]),
    ("keyrot-limiter", &["keyrot-core"]),
    ("keyrot-secrets-env", &["keyrot-core"]),
    ("keyrot-secrets-vault", &["keyrot-core"]),
    ("keyrot-secrets-aws", &["keyrot-core"]),
    ("keyrot-secrets-azure", &["keyrot-core"]),
    (
        "keyrot-secrets",
        &[
            "keyrot-core",
            "keyrot-secrets-env",
            "keyrot-secrets-vault",
            "keyrot-secrets-aws",
            "keyrot-secrets-azure",
        ],
    ),
    ("gemini-client", &["keyrot-core"]),
    ("keyrot", &["keyrot-core", "keyrot-limiter", "keyrot-secrets", "gemini-client"]),
    // For `--demo`.
    ("strategy-gen", &["keyrot", "gemini-client", "gemini-sim"]),
    ("keyrot-gateway", &["keyrot", "gemini-client"]),
    // The core for scopes and for editing keys.json, the client for `check --probe`, the simulator for its tests.
    ("keyrot-cli", &["keyrot", "keyrot-core", "gemini-client", "gemini-sim"]),
    // A simulator that shares code with the client shares its mistakes.
    ("gemini-sim", &[]),
    (TESTKIT, &["keyrot-core", "keyrot-limiter", "keyrot-secrets", "keyrot", "gemini-client", "gemini-sim"]),
    ("keyrot-tests", &[]),
    // For the stage of the sandbox, which a test program cannot be.
    ("keyrot-live", &["strategy-gen"]),
    ("xtask", &[]),
];

/// Serves the tests of every crate but the core: with a dev-dependency on something that depends on the core,
/// the core's unit tests would see two of each of its traits.
const TESTKIT: &str = "keyrot-testkit";
const CORE: &str = "keyrot-core";

/// May use anything of ours, in their tests.
const TESTS: [&str; 2] = ["keyrot-tests", "keyrot-live"];

/// What the core must not bring, by name or, with `*`, by the start of the name: runtimes and I/O.
const NOT_IN_CORE: &[&str] = &["tokio", "reqwest", "hyper", "redis", "aws-*", "azure_*"];

/// Compares the workspace with the list.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut findings = check(workspace);
    let tree =
        capture(cargo().args(["tree", "-p", CORE, "-e", "normal", "--all-features", "--prefix", "none"]))?;
    findings.extend(named_in(&tree, NOT_IN_CORE).into_iter().map(|name| format!("{CORE} brings `{name}`")));
    for finding in &findings {
        say(finding);
    }
    if !findings.is_empty() {
        bail!(
            "arrows: {} not allowed; hint: an arrow is allowed by a line in xtask/src/arrows.rs",
            findings.len()
        );
    }
    say(&format!("arrows: {} crates as drawn", workspace.members.len()));
    Ok(())
}

fn check(workspace: &Workspace) -> Vec<String> {
    let ours = |name: &str| workspace.members.iter().any(|member| member.name == name);
    let mut findings = Vec::new();
    for member in &workspace.members {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == member.name) else {
            findings.push(format!("{} is not in the list of crates", member.name));
            continue;
        };
        for dependency in member.dependencies.iter().filter(|dependency| ours(&dependency.name)) {
            let target = dependency.name.as_str();
            let fine = match dependency.kind {
                Kind::Normal => allowed.contains(&target),
                Kind::Dev if TESTS.contains(&member.name.as_str()) => true,
                // What may be used may be used in tests too.
                Kind::Dev => allowed.contains(&target) || (target == TESTKIT && member.name != CORE),
                Kind::Build => false,
            };
            if !fine {
                findings.push(format!("{} -> {target} ({:?} dependency)", member.name, dependency.kind));
            }
        }
    }
    findings
}

/// The packages of a `cargo tree --prefix none` that a pattern names, each once. A pattern is a name, or the
/// start of one and a `*`.
pub(crate) fn named_in(tree: &str, patterns: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| {
            patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == pattern,
            })
        })
        .map(Into::into)
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Dependency, Member};

    fn workspace(members: &[(&str, &[(&str, Kind)])]) -> Workspace {
        let members = members
            .iter()
            .map(|(name, dependencies)| Member {
                name: (*name).into(),
                dependencies: dependencies
                    .iter()
                    .map(|(name, kind)| Dependency { name: (*name).into(), kind: *kind })
                    .collect(),
                ..Member::default()
            })
            .collect();
        Workspace { members, target: "target".into() }
    }

    /// The finding for one dependency between two crates of ours, if any.
    fn finding(from: &str, to: &str, kind: Kind) -> Option<String> {
        check(&workspace(&[(from, &[(to, kind)]), (to, &[])])).into_iter().next()
    }

    #[test]
    fn the_workspace_is_as_drawn() {
        run(&Workspace::load().unwrap()).unwrap_or_else(|error| panic!("{error:#}"));
    }

    #[test]
    fn a_drawn_arrow_passes_and_its_reverse_does_not() {
        assert_eq!(finding("keyrot-limiter", "keyrot-core", Kind::Normal), None);
        let found = finding("keyrot-core", "keyrot-limiter", Kind::Normal).unwrap();
        assert_eq!(found, "keyrot-core -> keyrot-limiter (Normal dependency)");
    }

    #[test]
    fn the_simulator_stands_alone() {
        for to in ["keyrot-core", "gemini-client", "keyrot"] {
            for kind in [Kind::Normal, Kind::Dev, Kind::Build] {
                assert!(finding("gemini-sim", to, kind).is_some(), "{to} {kind:?}");
            }
        }
    }

    #[test]
    fn only_dev_dependencies_point_at_the_testkit() {
        assert_eq!(finding("keyrot", TESTKIT, Kind::Dev), None);
        assert!(finding("keyrot", TESTKIT, Kind::Normal).is_some());
        assert!(finding("keyrot", TESTKIT, Kind::Build).is_some());
        assert!(finding(CORE, TESTKIT, Kind::Dev).is_some());
    }

    #[test]
    fn tests_draw_no_arrows_of_their_own() {
        assert!(finding("gemini-client", "gemini-sim", Kind::Dev).is_some());
        assert_eq!(finding("keyrot", "keyrot-core", Kind::Dev), None);
        assert_eq!(finding(TESTS[0], "gemini-sim", Kind::Dev), None);
        assert!(finding(TESTS[0], "gemini-sim", Kind::Normal).is_some());
    }

    #[test]
    fn every_crate_has_its_line() {
        assert_eq!(check(&workspace(&[("newcomer", &[])])), ["newcomer is not in the list of crates"]);
    }

    #[test]
    fn foreign_packages_draw_no_arrow() {
        assert!(check(&workspace(&[("gemini-sim", &[("serde", Kind::Normal)])])).is_empty());
    }

    #[test]
    fn packages_are_matched_whole_or_by_their_start() {
        let tree = "keyrot-core v0.1.0\ntokio-util v1\nhyper v1\naws-config v1\naws-config v1 (*)\n\n";
        assert_eq!(named_in(tree, NOT_IN_CORE), ["aws-config", "hyper"]);
    }
}
