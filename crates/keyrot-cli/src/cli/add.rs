//! `keyrot add`: a key more in keys.json, and where its secret belongs.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use keyrot::file::{self, LARGEST_KEYS_FILE, Links};
use keyrot::settings::Settings;
use keyrot::{Clock as _, Key, StoreKind, SystemClock, Timestamp};
use keyrot_core::bucket::model_id;
use keyrot_core::keys::{AddError, add};
use keyrot_core::{Limits, ModelFilter, Project, leak};
use serde_json::json;

use super::args::{self, Add, key_id};
use super::{Failure, env, print, print_json, say};

/// Adds the key.
pub(crate) fn run(args: Add, json: bool) -> Result<u8, Failure> {
    let settings = Settings::read(env()).map_err(|error| Failure::usage(error.to_string()))?;
    let key = key(args)?;
    let path = target(&settings.keys_file)?;
    let shown = keyrot::untrusted::path(&settings.keys_file);
    let (text, is_new) = match file::read(&path, Links::Follow, LARGEST_KEYS_FILE) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(_) => return Err(cannot("read", &shown, &"it is not UTF-8 text")),
        },
        Err(error) if error.is_not_found() => (String::new(), true),
        Err(error) => return Err(cannot("read", &shown, &error)),
    };
    let added = add(&shown, &text, &key).map_err(|error| match error {
        AddError::Before(findings) => {
            Failure::usage(format!("`{shown}` has to be mended before a key can be added:\n{findings}"))
        }
        AddError::Taken(_) => Failure::usage(format!("`{shown}`: {error}")),
        AddError::After(findings) => Failure::usage(format!(
            "nothing was changed: with this key `{shown}` would be wrong:\n{findings}"
        )),
    })?;
    replace(&path, &added.text).map_err(|error| cannot("write", &shown, &error))?;
    for warning in &added.parsed.warnings {
        say(&format!("warning: {warning}"));
    }
    let secret = place(&key, settings.secret_store);
    if json {
        let result = json!({
            "schema": 1, "status": "ok", "added": key.id, "file": shown, "created": is_new,
            "keys": added.parsed.set.keys.len(), "secret": secret,
        });
        return print_json(result).map(|()| 0);
    }
    print(&format!("key {} added to {shown}", key.id))?;
    say(&format!("now put its secret {secret}; then `keyrot check --probe`"));
    Ok(0)
}

fn key(args: Add) -> Result<Key, Failure> {
    let given = [&args.key].into_iter().chain(&args.model).chain(&args.project).chain(&args.secret);
    let tags = args.tag.iter().flat_map(|(name, value)| [name, value]);
    if given.chain(tags).any(|text| leak::looks_like_a_key(text)) {
        return Err(Failure::usage(
            "an argument holds what looks like an API key\nhint: never give the key itself: the shell remembers it; \
             treat it as published",
        ));
    }
    let secret = match &args.secret {
        None => None,
        Some(text) => Some(args::secret(text).ok_or_else(|| {
            Failure::usage(
                "`--secret` must be `store:name` with store env, vault, aws or azure\nhint: for example \
                 `--secret env:flash_01`; never the secret itself",
            )
        })?),
    };
    let mut key = Key::new(key_id(&args.key)?);
    if !args.model.is_empty() && !args.model.iter().any(|model| model == "*") {
        key.models = ModelFilter::Listed(args.model.iter().map(|model| model_id(model)).collect());
    }
    if let Some(project) = &args.project {
        key.project = Project::new(project);
        key.project_given = true;
    }
    key.limits = Limits { rpm: args.rpm, tpm: args.tpm, rpd: args.rpd, burst: None };
    key.priority = args.priority.unwrap_or(Key::DEFAULT_PRIORITY);
    key.weight = args.weight.unwrap_or(Key::DEFAULT_WEIGHT);
    key.tags = args.tag.into_iter().collect();
    key.secret = secret;
    // For the reminder to rotate.
    let now = SystemClock::start().now().as_millis();
    key.created_at = Some(Timestamp::from_millis(now - now % 1000));
    Ok(key)
}

/// Where the secret belongs, in words.
fn place(key: &Key, default: StoreKind) -> String {
    let (store, name) =
        key.secret.as_ref().map_or((default, key.id.as_str()), |place| (place.store, place.name.as_str()));
    match store {
        StoreKind::Env if name.starts_with("GEMINI_KEY_") => {
            format!("into the variable {name}, or into .env")
        }
        StoreKind::Env => format!("into the variable GEMINI_KEY_{name}, or into .env"),
        StoreKind::Vault => format!("into Vault as `{name}`, under VAULT_SECRET_PATH"),
        StoreKind::Aws => format!("into AWS Secrets Manager as `{name}`, behind AWS_SECRET_PREFIX"),
        StoreKind::Azure => format!("into Azure Key Vault as `{name}`"),
    }
}

/// The file itself, where the path is a link to it.
fn target(path: &Path) -> Result<PathBuf, Failure> {
    match fs::canonicalize(path) {
        Ok(path) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(path) {
            // A link to a file that is not there yet.
            Ok(to) => Ok(path.parent().map_or_else(|| to.clone(), |parent| parent.join(&to))),
            Err(_) => Ok(path.to_path_buf()),
        },
        Err(error) => Err(cannot("read", &keyrot::untrusted::path(&path), &error)),
    }
}

/// Writes the whole file or nothing of it, with the permissions it had.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".keys").tempfile_in(parent)?;
    file.write_all(text.as_bytes())?;
    // A new file stays what a temporary one is: for its owner alone.
    if let Ok(old) = fs::metadata(path) {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn cannot(what: &str, path: &str, error: &dyn Display) -> Failure {
    Failure::usage(format!(
        "cannot {what} `{path}`: {error}\nhint: see to the permissions of the file and its folder, or set `KEYS_FILE`"
    ))
}
