//! Where keys come from: the file, the variables that name keys by themselves, and their secrets.

use std::collections::BTreeMap;
use std::path::Path;

use keyrot_core::keys::{Key, KeySet};
#[cfg(feature = "env")]
use keyrot_core::keys::{SecretRef, StoreKind};
use keyrot_core::{EnvMap, KeyId, Project};
use keyrot_secrets::SecretCache;

use crate::setup::SetupError;

/// The keys that variables name by themselves: those of `GEMINI_API_KEYS`, and the single one.
#[cfg(feature = "env")]
pub(crate) fn named_by_variables(
    env: &EnvMap,
    warnings: &mut Vec<String>,
) -> Result<(Vec<Key>, Option<Key>), SetupError> {
    let listed = keyrot_secrets::env::list(env, warnings).map_err(|e| SetupError::Invalid(e.to_string()))?;
    let listed = listed.into_iter().map(|entry| {
        let project_given = entry.project.is_some();
        let project = entry.project.unwrap_or_else(|| Project::new(entry.id.as_str()));
        Key { project, project_given, ..in_env(entry.id) }
    });
    let single = keyrot_secrets::env::single(env, warnings).map(KeyId::new).transpose();
    let single = single.map_err(|e| SetupError::Invalid(e.to_string()))?.map(in_env);
    Ok((listed.collect(), single))
}

/// Without the env store, variables hold no keys.
#[cfg(not(feature = "env"))]
pub(crate) fn named_by_variables(
    _env: &EnvMap,
    _warnings: &mut [String],
) -> Result<(Vec<Key>, Option<Key>), SetupError> {
    Ok((Vec::new(), None))
}

/// A key whose secret the environment holds under its own label.
#[cfg(feature = "env")]
fn in_env(id: KeyId) -> Key {
    Key { secret: Some(SecretRef { store: StoreKind::Env, name: id.to_string() }), ..Key::new(id) }
}

/// The keys of the file; `None` when there is no such file.
pub(crate) fn read_keys_file(path: &Path, warnings: &mut Vec<String>) -> Result<Option<KeySet>, SetupError> {
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SetupError::Unreadable { path: name, why: error.to_string() }),
    };
    let parsed = KeySet::parse(&name, &text).map_err(SetupError::KeysFile)?;
    warnings.extend(parsed.warnings.iter().map(ToString::to_string));
    Ok(Some(parsed.set))
}

/// Reads every secret once, so that a missing one is known at the start; gives what is missing.
pub(crate) async fn load<'a>(
    secrets: &SecretCache,
    keys: impl Iterator<Item = &'a Key>,
    warnings: &mut Vec<String>,
) -> BTreeMap<u32, String> {
    let mut missing = BTreeMap::new();
    for (index, key) in (0_u32..).zip(keys) {
        if !key.active {
            continue;
        }
        match secrets.load(key).await {
            Ok(resolved) => {
                if let Some(mended) = resolved.mended {
                    warnings.push(format!("secret of key `{}`: {mended}", key.id));
                }
            }
            Err(error) => {
                warnings.push(format!("key `{}` is out: {error}", key.id));
                missing.insert(index, error.to_string());
            }
        }
    }
    missing
}

/// Two ids with one secret are one key at Google: they share a project, whatever the file says.
pub(crate) fn merge_equal_secrets(secrets: &SecretCache, keys: &mut [Key], warnings: &mut Vec<String>) {
    let mut first: BTreeMap<u64, (KeyId, Project)> = BTreeMap::new();
    for key in keys {
        let Some(resolved) = secrets.get(&key.id) else { continue };
        let (id, project) =
            first.entry(resolved.digest()).or_insert_with(|| (key.id.clone(), key.project.clone()));
        if *id != key.id {
            warnings.push(format!(
                "keys `{id}` and `{}` hold the same secret: they add no quota and count as one project",
                key.id
            ));
            key.project = project.clone();
        }
    }
}

pub(crate) fn nothing_resolves(keys: &[Key], missing: &BTreeMap<u32, String>) -> SetupError {
    let why: Vec<String> = missing
        .iter()
        .filter_map(|(index, why)| {
            Some(format!("\n  {}: {}", keys.get(*index as usize)?.id, first_line(why)))
        })
        .collect();
    // The store that failed knows best; every key's own hint was told as a warning.
    let hint = missing.values().find_map(|why| why.split_once("hint: "));
    SetupError::NoKeys {
        why: format!("no secret of {} keys could be read{}", keys.len(), why.concat()),
        hint: hint.map_or("activate a key, or set `GEMINI_API_KEY`", |(_, hint)| hint).to_owned(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
