//! The whole of keys.json: a [`KeySet`] and its [`PoolConfig`].

use std::collections::BTreeMap;
use std::time::Duration;

use super::finding::{Finding, Findings};
use super::key::Key;
use super::report::Report;
use super::{check, read, text, write};
use crate::id::{KeyId, ModelId};

/// The `config` part: how the pool retries, waits and falls back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    /// Models to try, in order, when one has no capacity within the wait.
    pub model_fallback: BTreeMap<ModelId, Vec<ModelId>>,
    /// Retries in the same scope (server errors, network). Failing over is not counted.
    pub max_retries: u32,
    /// The first backoff.
    pub base_backoff: Duration,
    /// The longest backoff.
    pub max_backoff: Duration,
    /// The longest a request waits for capacity.
    pub max_wait: Duration,
    /// Whether the single key of the environment may serve when no key is usable.
    pub enable_fallback: bool,
    /// The age in days at which a key's secret should be changed.
    pub rotate_after_days: u32,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            model_fallback: BTreeMap::new(),
            max_retries: 3,
            base_backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(60),
            max_wait: Duration::from_secs(120),
            enable_fallback: true,
            rotate_after_days: 90,
        }
    }
}

/// All keys, and how to use them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeySet {
    /// The keys, in the order of the file. Their ids differ.
    pub keys: Vec<Key>,
    /// How the pool behaves.
    pub config: PoolConfig,
}

impl KeySet {
    /// Reads the text of a keys.json: JSON with `//`, `/* */` and `#` comments and trailing commas.
    /// `file_name` is what findings call it.
    ///
    /// ```
    /// use keyrot_core::KeySet;
    /// let parsed = KeySet::parse("keys.json", r#"[{"key_id": "flash_01", "rpm": 60,}] // mine"#)?;
    /// assert_eq!(parsed.set.keys[0].limits.rpm, Some(60));
    ///
    /// let findings = KeySet::parse("keys.json", r#"[{"key_id": "flash_01", "rpm": -1}]"#).unwrap_err();
    /// assert!(findings.to_string().starts_with("keys.json:1:32: key `flash_01`, field `rpm`: must be"));
    /// # Ok::<(), keyrot_core::Findings>(())
    /// ```
    ///
    /// # Errors
    /// [`Findings`]: every error and every warning of the file, when there is at least one error.
    pub fn parse(file_name: &str, text: &str) -> Result<Parsed, Findings> {
        let mut report = Report::new(file_name, text);
        let json = text::blank_hash_comments(text);
        let root = text::parse(&json, &mut report);
        let mut draft = root.as_ref().map(|root| read::read(&mut report, root)).unwrap_or_default();
        check::check(&mut report, &mut draft);
        report.leaks(root.as_ref());
        let (findings, failed) = report.finish();
        if failed {
            return Err(Findings::new(findings));
        }
        let keys = draft.entries.into_iter().map(|entry| entry.key).collect();
        Ok(Parsed { set: Self { keys, config: draft.config }, warnings: findings })
    }

    /// The set as a keys.json that [`parse`](Self::parse) reads back as the same set.
    #[must_use]
    pub fn to_json(&self) -> String {
        write::file(self)
    }

    /// The key called `id`.
    #[must_use]
    pub fn get(&self, id: &KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == *id)
    }

    /// The keys, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Key> {
        self.keys.iter()
    }
}

impl<'a> IntoIterator for &'a KeySet {
    type Item = &'a Key;
    type IntoIter = std::slice::Iter<'a, Key>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A file without errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What it says.
    pub set: KeySet,
    /// What is odd about it.
    pub warnings: Vec<Finding>,
}
