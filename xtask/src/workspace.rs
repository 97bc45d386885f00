//! The workspace as `cargo metadata` tells it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{capture, cargo};

/// What the checks need to know about the workspace.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) members: Vec<Member>,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
}

/// One crate of ours.
#[derive(Debug, Default)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    /// Whether it is for others, and not for this workspace alone.
    pub(crate) published: bool,
    /// Names, sorted.
    pub(crate) features: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]` table.
#[derive(Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Which of the three tables a dependency stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Dev,
    Build,
}

impl Workspace {
    /// Asks cargo; needs no network.
    pub(crate) fn load() -> Result<Self> {
        let json = capture(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        Self::from_json(&json).context("`cargo metadata` answered something unexpected")
    }

    fn from_json(json: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(json)?;
        let members = list(&value, "packages")?.iter().map(Member::from_json).collect::<Result<_>>()?;
        Ok(Self { members, target: text(&value, "target_directory")?.into() })
    }
}

impl Member {
    fn from_json(value: &Value) -> Result<Self> {
        let features = value.get("features").and_then(Value::as_object).context("no `features`")?;
        let mut features: Vec<String> = features.keys().cloned().collect();
        features.sort();
        let dependencies =
            list(value, "dependencies")?.iter().map(Dependency::from_json).collect::<Result<_>>()?;
        // A list of the registries it may go to, of which `publish = false` leaves none.
        let published = value.get("publish").and_then(Value::as_array).is_none_or(|to| !to.is_empty());
        let manifest = text(value, "manifest_path")?.into();
        Ok(Self { name: text(value, "name")?, manifest, published, features, dependencies })
    }
}

impl Dependency {
    fn from_json(value: &Value) -> Result<Self> {
        let kind = match value.get("kind").and_then(Value::as_str) {
            None => Kind::Normal,
            Some("dev") => Kind::Dev,
            Some("build") => Kind::Build,
            Some(other) => anyhow::bail!("unknown kind of dependency `{other}`"),
        };
        Ok(Self { name: text(value, "name")?, kind })
    }
}

fn list<'a>(value: &'a Value, field: &str) -> Result<&'a Vec<Value>> {
    value.get(field).and_then(Value::as_array).with_context(|| format!("no list `{field}`"))
}

fn text(value: &Value, field: &str) -> Result<String> {
    Ok(value.get(field).and_then(Value::as_str).with_context(|| format!("no text `{field}`"))?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_prints() {
        let workspace = Workspace::load().unwrap();
        let limiter = workspace.members.iter().find(|member| member.name == "keyrot-limiter").unwrap();
        let core = limiter.dependencies.iter().find(|dependency| dependency.name == "keyrot-core").unwrap();
        assert_eq!(core.kind, Kind::Normal);
        assert!(workspace.members.iter().any(|member| member.name == "xtask"));
    }

    #[test]
    fn tells_the_kinds_apart() {
        let json = r#"{"target_directory": "t", "packages": [{"name": "a",
            "manifest_path": "a/Cargo.toml", "publish": [], "features": {"z": [], "b": []},
            "dependencies": [{"name": "n", "kind": null}, {"name": "d", "kind": "dev"},
                {"name": "b", "kind": "build"}]}]}"#;
        let member = &Workspace::from_json(json).unwrap().members[0];
        let kinds: Vec<Kind> = member.dependencies.iter().map(|dependency| dependency.kind).collect();
        assert_eq!(kinds, [Kind::Normal, Kind::Dev, Kind::Build]);
        assert_eq!(member.features, ["b", "z"]);
        assert!(!member.published);
    }

    #[test]
    fn says_which_field_is_missing() {
        let error = Workspace::from_json(r#"{"packages": [{"name": "a", "features": {}}]}"#).unwrap_err();
        assert!(error.to_string().contains("`dependencies`"), "{error}");
    }
}
