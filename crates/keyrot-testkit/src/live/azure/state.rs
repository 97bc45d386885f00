//! What the vault holds, how it feels, and what it was asked.

use std::collections::{BTreeMap, BTreeSet};

/// The first second of the vault's time; each version is written a second after the one before.
const EPOCH: i64 = 1_760_000_000;

/// One version of a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// Its text.
    pub value: String,
    /// Its content type.
    pub content_type: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it must not be read.
    pub disabled: bool,
    /// The second from which it is valid.
    pub not_before: Option<i64>,
    /// The second from which it is not.
    pub expires: Option<i64>,
    /// Its id, given when it is set.
    pub id: String,
    /// The second in which it was written, given when it is set.
    pub written: i64,
}

/// How somebody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// As he should.
    #[default]
    Well,
    /// 429, with this many seconds to wait.
    Throttling(u32),
    /// 403: no role allows it.
    Forbidding,
    /// 403: no access policy allows it.
    WithoutPolicy,
    /// 403: the firewall does not let the caller in.
    Firewalled,
    /// 401 to every token.
    Foreign,
    /// The login: the client secret is wrong. The machine: there is no such identity.
    Refusing,
    /// The login: the client secret has expired.
    Expired,
    /// 503.
    Down,
    /// Never.
    Silent,
    /// A page of HTML with status 200.
    Babbling,
    /// A page of HTML with status 404.
    Elsewhere,
}

/// What was asked so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reads with a token.
    pub reads: usize,
    /// Writes with a token.
    pub writes: usize,
    /// Requests that were challenged.
    pub challenges: usize,
    /// Tokens asked for at the login.
    pub logins: usize,
    /// Tokens asked for at the machine.
    pub probes: usize,
    /// The most requests in hand at the same time since [`Mood::Silent`] began.
    pub waiting: usize,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) port: u16,
    pub(super) vault: Mood,
    pub(super) login: Mood,
    pub(super) machine: Mood,
    pub(super) resource: String,
    pub(super) tokens: BTreeSet<String>,
    pub(super) counts: Counts,
    given: usize,
    secrets: BTreeMap<String, Vec<Version>>,
    deleted: BTreeMap<String, Vec<Version>>,
    written: i64,
}

impl State {
    pub(super) fn new(port: u16) -> Self {
        Self {
            port,
            vault: Mood::Well,
            login: Mood::Well,
            machine: Mood::Refusing,
            resource: "https://vault.azure.net".to_owned(),
            tokens: BTreeSet::new(),
            counts: Counts::default(),
            given: 0,
            secrets: BTreeMap::new(),
            deleted: BTreeMap::new(),
            written: EPOCH,
        }
    }

    /// A new token, which the vault takes.
    pub(super) fn token(&mut self) -> String {
        self.given += 1;
        let token = format!("{}.{}", super::TOKEN, self.given);
        self.tokens.insert(token.clone());
        token
    }

    pub(super) fn add(&mut self, name: &str, mut version: Version) -> String {
        self.written += 1;
        version.id = format!("{:032x}", self.written);
        version.written = self.written;
        let id = version.id.clone();
        self.secrets.entry(name.to_ascii_lowercase()).or_default().push(version);
        id
    }

    pub(super) fn newest(&self, name: &str) -> Option<&Version> {
        self.secrets.get(&name.to_ascii_lowercase())?.last()
    }

    pub(super) fn version(&self, name: &str, id: &str) -> Option<&Version> {
        self.secrets.get(&name.to_ascii_lowercase())?.iter().find(|version| version.id == id)
    }

    pub(super) fn versions(&self, name: &str) -> usize {
        self.secrets.get(&name.to_ascii_lowercase()).map_or(0, Vec::len)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.secrets.keys()
    }

    pub(super) fn delete(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        if let Some(versions) = self.secrets.remove(&name) {
            self.deleted.insert(name, versions);
        }
    }

    pub(super) fn is_deleted(&self, name: &str) -> bool {
        self.deleted.contains_key(&name.to_ascii_lowercase())
    }
}
