//! Where keys come from: the file, the variables that name keys by themselves, and their secrets.

use std::collections::BTreeMap;
use std::path::Path;

use keyrot_core::keys::{Key, KeySet};
#[cfg(feature = "env")]
use keyrot_core::keys::{SecretRef, StoreKind};
use keyrot_core::{EnvMap, KeyId, Project, SecretError};
use keyrot_secrets::SecretCache;

use crate::file::{self, LARGEST_KEYS_FILE, Links};
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

/// The text of the file; `None` when there is no such file.
pub(crate) async fn read_keys_file(path: &Path) -> Result<Option<String>, SetupError> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || file::read(&owned, Links::Follow, LARGEST_KEYS_FILE));
    let unreadable =
        |why: String| Err(SetupError::Unreadable { path: keyrot_core::untrusted::path(&path), why });
    match read.await {
        Ok(Ok(bytes)) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => unreadable("it is not UTF-8 text".to_owned()),
        },
        Ok(Err(error)) if error.is_not_found() => Ok(None),
        Ok(Err(error)) => unreadable(error.to_string()),
        Err(error) => unreadable(error.to_string()),
    }
}

/// The keys in the text of the file at `path`.
pub(crate) fn parse(path: &Path, text: &str, warnings: &mut Vec<String>) -> Result<KeySet, SetupError> {
    let parsed = KeySet::parse(&keyrot_core::untrusted::path(&path), text).map_err(SetupError::KeysFile)?;
    warnings.extend(parsed.warnings.iter().map(ToString::to_string));
    Ok(parsed.set)
}

/// Refuses a key that has the label of the single one.
pub(crate) fn check_label(keys: &[Key], single: Option<&Key>) -> Result<(), SetupError> {
    let taken = single.map(|single| &single.id).filter(|id| keys.iter().any(|key| key.id == **id));
    taken.map_or(Ok(()), |id| {
        Err(SetupError::Invalid(format!(
            "key id `{id}` is taken by the variable of that name\nhint: give the key another `key_id`"
        )))
    })
}

/// Keys whose secrets have been read.
pub(crate) struct Loaded {
    /// The single key of last resort, if there is one, is the last.
    pub(crate) keys: Vec<Key>,
    /// Why the secret of a key could not be read.
    pub(crate) missing: BTreeMap<KeyId, SecretError>,
}

/// Reads every secret that is not known yet, or is `elsewhere` now, so that a missing one is known before
/// it is needed.
///
/// # Errors
/// [`SetupError::NoKeys`] when no secret at all can be read, [`SetupError::Invalid`] when two keys would share
/// one without meaning to.
pub(crate) async fn load(
    secrets: &SecretCache,
    mut keys: Vec<Key>,
    single: Option<Key>,
    elsewhere: impl Fn(&Key) -> bool,
    warnings: &mut Vec<String>,
) -> Result<Loaded, SetupError> {
    secrets.resolver().check(&keys).map_err(|error| SetupError::Invalid(error.to_string()))?;
    let active: Vec<&Key> = keys.iter().chain(&single).filter(|key| key.active).collect();
    let missing = secrets.load(&active, elsewhere).await;
    for Key { id, .. } in active {
        if let Some(error) = missing.get(id) {
            warnings.push(format!("key `{id}` is out: {error}"));
        } else if let Some(mended) = secrets.get(id).and_then(|resolved| resolved.mended) {
            warnings.push(format!("secret of key `{id}`: {mended}"));
        }
    }
    merge_equal_secrets(secrets, &mut keys, warnings);
    if missing.len() == keys.len() && single.is_none() {
        return Err(nothing_resolves(&keys, &missing));
    }
    keys.extend(single);
    Ok(Loaded { keys, missing })
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

fn nothing_resolves(keys: &[Key], missing: &BTreeMap<KeyId, SecretError>) -> SetupError {
    if let Some(error) = missing.values().find(|error| matches!(error, SecretError::Misconfigured { .. })) {
        return SetupError::Invalid(error.to_string());
    }
    let missing: BTreeMap<&KeyId, String> = missing.iter().map(|(id, why)| (id, why.to_string())).collect();
    let missed = keys.iter().filter_map(|key| missing.get_key_value(&key.id));
    let why: Vec<String> = missed.map(|(id, why)| format!("\n  {id}: {}", first_line(why))).collect();
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
