//! Which layers there are here, and which a run insists on.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::environment::EnvironmentFault;

/// How much of a sandbox a run insists on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Level {
    /// Landlock and seccomp, as new as the kernel has them.
    #[default]
    Auto,
    /// Landlock with its rules for network, signals and abstract sockets (Linux 6.12 or newer), and seccomp.
    Strict,
    /// Limits, a clean environment and the deadline alone: for code that you would run yourself.
    None,
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "auto" => Self::Auto,
            "strict" => Self::Strict,
            "none" => Self::None,
            _ => return Err("expected `auto`, `strict` or `none`".to_owned()),
        })
    }
}

/// Layers of a sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Layers {
    /// The version of Landlock's interface; `None` without Landlock.
    pub landlock: Option<u8>,
    /// System calls are filtered.
    pub seccomp: bool,
    /// What a strategy writes goes to a disk in memory that it alone sees. Not insisted on: where a system keeps user
    /// namespaces from users, files are counted from outside, and none can be deleted.
    pub own_disk: bool,
    /// macOS's own sandbox.
    pub sandbox_exec: bool,
}

/// The first version of Landlock that covers signals and abstract sockets.
const SCOPED: u8 = 6;
/// The first version of Landlock that keeps files from being emptied; before it, seccomp alone does.
const TRUNCATING: u8 = 3;

impl Layers {
    /// What this machine has.
    #[must_use]
    pub fn here() -> Self {
        #[cfg(target_os = "linux")]
        return Self {
            landlock: landlock_version(),
            seccomp: has_seccomp(),
            own_disk: has_user_namespaces(),
            sandbox_exec: false,
        };
        #[cfg(not(target_os = "linux"))]
        Self { sandbox_exec: cfg!(target_os = "macos"), ..Self::default() }
    }

    /// These layers as a kernel has them whose Landlock is no newer than `version`: to see on a new kernel what holds
    /// on an old one.
    #[must_use]
    pub fn no_newer_than(self, version: u8) -> Self {
        Self { landlock: self.landlock.map(|here| here.min(version)), ..self }
    }

    /// Of these layers the ones that a run of `level` uses.
    ///
    /// # Errors
    /// [`EnvironmentFault::Sandbox`] where there are too few.
    pub fn for_level(&self, level: Level) -> Result<Self, EnvironmentFault> {
        let lacking = |what: &str| Err(EnvironmentFault::Sandbox { what: what.to_owned() });
        if !cfg!(unix) {
            return Err(EnvironmentFault::Platform);
        }
        match level {
            Level::None => Ok(Self::default()),
            Level::Auto if self.sandbox_exec => Ok(self.clone()),
            Level::Auto if !self.seccomp => lacking("seccomp is not available"),
            Level::Auto if self.landlock.is_none() => lacking("Landlock is not available"),
            Level::Auto => Ok(self.clone()),
            Level::Strict if self.seccomp && self.landlock.is_some_and(|version| version >= SCOPED) => {
                Ok(self.clone())
            }
            Level::Strict => lacking("Landlock is too old to cover signals and abstract sockets"),
        }
    }

    /// The layers by name, the weakest first.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = vec!["limits".to_owned(), "clean environment".to_owned()];
        names.extend(self.landlock.map(|version| match version {
            ..TRUNCATING => format!("landlock {version} (old: seccomp keeps files from being emptied)"),
            _ => format!("landlock {version}"),
        }));
        names.extend(self.seccomp.then(|| "seccomp".to_owned()));
        names.extend(self.own_disk.then(|| "own disk".to_owned()));
        names.extend(self.sandbox_exec.then(|| "sandbox-exec".to_owned()));
        names
    }
}

#[cfg(target_os = "linux")]
const VERSIONS: [landlock::ABI; 6] = {
    use landlock::ABI;
    [ABI::V1, ABI::V2, ABI::V3, ABI::V4, ABI::V5, ABI::V6]
};

/// The rules of a version of Landlock.
#[cfg(target_os = "linux")]
pub(super) fn abi(version: u8) -> Option<landlock::ABI> {
    VERSIONS.get(usize::from(version).checked_sub(1)?).copied()
}

/// Whether this user may have namespaces, by what the system says of itself; a run tries, and tells what came of it.
#[cfg(target_os = "linux")]
fn has_user_namespaces() -> bool {
    let says = |file: &str, word: &str| {
        std::fs::read_to_string(format!("/proc/sys/{file}")).is_ok_and(|text| text.trim() == word)
    };
    let may = rustix::process::geteuid().is_root()
        || !(says("kernel/unprivileged_userns_clone", "0")
            || says("kernel/apparmor_restrict_unprivileged_userns", "1"));
    may && std::path::Path::new("/proc/self/ns/user").exists() && !says("user/max_user_namespaces", "0")
}

/// The kernel is asked for a set of rules, which is not put to use.
#[cfg(target_os = "linux")]
fn landlock_version() -> Option<u8> {
    use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, Scope};

    let strict = || Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let has = |abi: ABI| -> Result<(), landlock::RulesetError> {
        let mut rules = strict().handle_access(AccessFs::from_all(abi))?;
        if abi >= ABI::V4 {
            rules = rules.handle_access(AccessNet::from_all(abi))?;
        }
        if abi >= ABI::V6 {
            rules = rules.scope(Scope::from_all(abi))?;
        }
        rules.create().map(drop)
    };
    (1..).zip(VERSIONS).take_while(|(_, abi)| has(*abi).is_ok()).last().map(|(version, _)| version)
}

#[cfg(target_os = "linux")]
fn has_seccomp() -> bool {
    // The filter knows these processors alone.
    cfg!(any(target_arch = "x86_64", target_arch = "aarch64"))
        && std::fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail")
            .is_ok_and(|actions| actions.split_whitespace().any(|action| action == "errno"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_layers_are_refused_unless_told_otherwise() {
        let full = Layers { landlock: Some(6), seccomp: true, own_disk: true, sandbox_exec: false };
        let old = full.clone().no_newer_than(3);
        let bare = Layers { landlock: None, ..full.clone() };
        let nothing = Layers::default();
        for (layers, level, fine) in [
            (&full, Level::Auto, true),
            (&full, Level::Strict, true),
            (&old, Level::Auto, true),
            (&old, Level::Strict, false),
            (&bare, Level::Auto, false),
            (&bare, Level::Strict, false),
            (&nothing, Level::Auto, false),
            (&nothing, Level::None, true),
        ] {
            assert_eq!(layers.for_level(level).is_ok(), fine, "{layers:?} {level:?}");
        }
        let said = bare.for_level(Level::Auto).expect_err("no Landlock").to_string();
        assert!(said.contains("Landlock") && said.contains("hint: "), "{said}");
        assert!(!said.contains("none"), "no way on without any protection is recommended: {said}");
        assert!(full.no_newer_than(2).names().concat().contains("landlock 2 (old"));
    }

    #[test]
    fn levels_have_names() {
        assert_eq!("strict".parse(), Ok(Level::Strict));
        assert!("seccomp-only".parse::<Level>().is_err());
    }
}
