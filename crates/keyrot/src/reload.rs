//! keys.json, read again while the pool works.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use keyrot_core::KeyId;
use keyrot_core::keys::Key;
use tokio::sync::Mutex;

use crate::pool::Pool;
use crate::roster::Roster;
use crate::rotator::Rotator;
use crate::setup::SetupError;
use crate::sources::{self, Loaded};
use crate::trust::Trust;

/// How often it is looked whether the file has changed. It is read once it has looked the same
/// twice: not while somebody is writing it.
const LOOK: Duration = Duration::from_secs(1);

/// Where the keys came from, and will come from again.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    /// The single key of last resort, which no file can change.
    single: Option<Key>,
    /// What the settings allow its keys.
    trust: Trust,
    /// The text that the keys in use were read from. Held while it is read again.
    text: Mutex<String>,
}

/// What reading the keys again came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// Whether the file said anything new.
    pub changed: bool,
    /// Keys that are in it now and were not.
    pub added: Vec<KeyId>,
    /// Keys that were in it and are not any more.
    pub removed: Vec<KeyId>,
    /// What a user should know: one sentence each.
    pub warnings: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: PathBuf, text: String, single: Option<Key>, trust: Trust) -> Self {
        Self { path, single, trust, text: Mutex::new(text) }
    }
}

impl Rotator {
    /// Reads keys.json again, as happens by itself a second or two after it was changed. Counters and
    /// cooldowns stay with keys, projects and models of the same name; requests under way end with the
    /// keys they began with, those that wait for capacity move over. A pool whose keys come from
    /// elsewhere stays as it is.
    ///
    /// # Errors
    /// [`SetupError`] when the file is gone, has errors, or leaves no usable key: then nothing changes.
    pub async fn reload(&self) -> Result<Reloaded, SetupError> {
        reload(&self.pool).await
    }
}

async fn reload(pool: &Pool) -> Result<Reloaded, SetupError> {
    let mut reloaded =
        Reloaded { changed: false, added: Vec::new(), removed: Vec::new(), warnings: Vec::new() };
    let Some(Source { path, single, trust, text: known }) = &pool.source else { return Ok(reloaded) };
    let mut known = known.lock().await;
    let read = sources::read_keys_file(path).await?;
    let text = read.ok_or_else(|| SetupError::Unreadable {
        path: keyrot_core::untrusted::path(&path),
        why: "the file is gone".to_owned(),
    })?;
    if text == *known {
        return Ok(reloaded);
    }
    let _changing = pool.changing.lock().await;
    let before = pool.roster();
    let set = sources::parse(path, &text, &mut reloaded.warnings)?;
    sources::check_label(&set.keys, single.as_ref())?;
    trust.references(&set.keys)?;
    trust.credentials(set.keys.iter().chain(single))?;
    let elsewhere = |key: &Key| before.find(&key.id).is_some_and(|known| known.secret != key.secret);
    let warnings = &mut reloaded.warnings;
    let loaded = sources::load(&pool.secrets, set.keys, single.clone(), elsewhere, warnings).await;
    let Loaded { keys, missing } = loaded?;
    let after =
        Roster::new(keys, single.is_some(), set.config, |id| !missing.contains_key(id)).after(&before);
    let ids = |roster: &Roster| roster.keys.iter().map(|key| key.id.clone()).collect::<BTreeSet<_>>();
    let (old, new) = (ids(&before), ids(&after));
    reloaded.changed = true;
    reloaded.added = new.difference(&old).cloned().collect();
    reloaded.removed = old.difference(&new).cloned().collect();
    let gone: Vec<KeyId> = missing.keys().chain(&reloaded.removed).cloned().collect();
    pool.go_on_with(after);
    pool.secrets.forget(&gone);
    if let Err(error) = pool.keep_disabled().await {
        reloaded.warnings.push(format!("cannot tell which keys are disabled: {error}"));
    }
    *known = text;
    Ok(reloaded)
}

/// Reads the keys again whenever their file has changed, until the pool is gone.
pub(crate) fn watch(pool: &Arc<Pool>) {
    if pool.source.is_some() {
        tokio::spawn(keep_up(Arc::downgrade(pool)));
    }
}

async fn keep_up(pool: Weak<Pool>) {
    let (mut last, mut settled) = (None, None);
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(pool) = pool.upgrade() else { return };
        let Some(source) = &pool.source else { return };
        let now = look(source.path.clone()).await;
        if now == last && now != settled {
            report(&keyrot_core::untrusted::path(&source.path), reload(&pool).await);
            settled = now;
        }
        last = now;
    }
}

/// What tells one state of a file from another without reading it.
type Look = Option<(SystemTime, u64)>;

async fn look(path: PathBuf) -> Option<Look> {
    let look = move || {
        let about = std::fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    tokio::task::spawn_blocking(look).await.ok()
}

fn report(file: &str, result: Result<Reloaded, SetupError>) {
    match result {
        Ok(Reloaded { changed: false, .. }) => {}
        Ok(Reloaded { added, removed, warnings, .. }) => {
            tracing::info!(file, ?added, ?removed, "the keys were read again");
            for warning in warnings {
                tracing::warn!(file, "{warning}");
            }
        }
        Err(error) => tracing::error!(file, "the keys stay as they are: {error}"),
    }
}
