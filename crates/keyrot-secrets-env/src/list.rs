//! `GEMINI_API_KEYS`: keys without a keys.json.

use std::fmt;

use keyrot_core::secret::mend;
use keyrot_core::{EnvMap, IllegalKeyId, KeyId, Project, leak, untrusted};
use secrecy::{ExposeSecret, SecretString};

/// The variable.
pub(crate) const NAME: &str = "GEMINI_API_KEYS";

/// One key of the list.
#[derive(Clone)]
pub struct Listed {
    /// `key_01`, `key_02` … by its place in the list.
    pub id: KeyId,
    /// The project named before its `=`, if one was.
    pub project: Option<Project>,
    pub(crate) secret: SecretString,
}

impl fmt::Debug for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, project, secret: _ } = self;
        f.debug_struct("Listed").field("id", id).field("project", project).finish_non_exhaustive()
    }
}

/// Why the list cannot be read. Never repeats a part of it: all of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// An entry that cannot be a key.
    #[error(
        "entry {place} of `GEMINI_API_KEYS` cannot be a key: {why}\nhint: write `KEY1,KEY2` or `project=KEY1`"
    )]
    Entry {
        /// Its place, from 1.
        place: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// More entries than labels.
    #[error("`GEMINI_API_KEYS` is too long")]
    TooLong(#[from] IllegalKeyId),
}

/// The keys of `GEMINI_API_KEYS`: `KEY1,KEY2` or `team-a=KEY1,team-b=KEY2`. Empty when it is unset.
///
/// Empty entries and repeated keys are left out, with a warning. A project's name has no part that
/// looks like a key: what stands before `=` is shown.
///
/// # Errors
/// [`ListError`] for an entry that cannot be a key.
pub fn list(env: &EnvMap, warnings: &mut Vec<String>) -> Result<Vec<Listed>, ListError> {
    let mut keys: Vec<Listed> = Vec::new();
    let text = env.filled(NAME).unwrap_or_default();
    for (place, entry) in (1_usize..).zip(text.split(',').take_while(|_| !text.is_empty())) {
        if entry.trim().is_empty() {
            warnings.push(format!("entry {place} of `{NAME}` is empty"));
            continue;
        }
        let (project, secret) = match entry.split_once('=') {
            Some((project, secret)) => (Some(project.trim()), secret),
            None => (None, entry),
        };
        let legal = |p: &str| {
            !p.is_empty() && p.len() <= 64 && p.chars().all(|c| c.is_alphanumeric() || "._-".contains(c))
        };
        if project.is_some_and(|project| !legal(project)) {
            return Err(ListError::Entry { place, why: "what stands before `=` is no project name" });
        }
        if project.is_some_and(leak::looks_like_a_key) {
            return Err(ListError::Entry { place, why: "what stands before `=` looks like a key" });
        }
        let (secret, mended) = mend(secret.trim()).map_err(|why| ListError::Entry { place, why })?;
        untrusted::remember(&secret);
        if let Some(mended) = mended {
            warnings.push(format!("entry {place} of `{NAME}`: {mended}"));
        }
        let same = |key: &Listed| key.secret.expose_secret() == secret.expose_secret();
        if let Some(first) = keys.iter().find(|key| same(key)) {
            warnings.push(format!("entry {place} of `{NAME}` repeats `{}` and is left out", first.id));
            continue;
        }
        let id = KeyId::new(&format!("key_{place:02}"))?;
        keys.push(Listed { id, project: project.map(Project::new), secret });
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Result<Vec<Listed>, ListError>, Vec<String>) {
        let mut warnings = Vec::new();
        (list(&EnvMap::from_iter([(NAME, text)]), &mut warnings), warnings)
    }

    #[test]
    fn plain_and_named_entries_become_keys() {
        let (keys, warnings) = read("team-a=AIza1, AIza2 ,team-b=\"AQ.3\"");
        let keys = keys.expect("legal");
        let ids: Vec<_> =
            keys.iter().map(|k| (k.id.as_str(), k.project.as_ref().map(Project::as_str))).collect();
        assert_eq!(ids, [("key_01", Some("team-a")), ("key_02", None), ("key_03", Some("team-b"))]);
        assert_eq!(keys[2].secret.expose_secret(), "AQ.3");
        assert_eq!(warnings, ["entry 3 of `GEMINI_API_KEYS`: quotes around it were removed"]);
    }

    #[test]
    fn empty_and_repeated_entries_are_left_out_with_a_warning() {
        let (keys, warnings) = read("A,,A,B");
        assert_eq!(keys.expect("legal").len(), 2);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(read("").0.expect("legal").is_empty());
    }

    #[test]
    fn a_key_in_the_place_of_the_project_is_not_taken_for_its_name() {
        let key = format!("AIza{}", "CANARY-".repeat(5));
        for text in [format!("{key}=team-a"), format!("x,{key}="), format!("team-{key}=x")] {
            let error = read(&text).0.expect_err("refused");
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{error}");
        }
    }

    #[test]
    fn an_entry_that_is_no_key_is_named_by_its_place_alone() {
        let (error, _) = read("AIza1,AI za2");
        let error = error.expect_err("illegal").to_string();
        assert!(error.contains("entry 2") && !error.contains("za2"), "{error}");
    }
}
