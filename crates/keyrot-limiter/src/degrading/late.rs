//! What could not be told while the store was away, to be told on return.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use keyrot_core::{CoolReport, Ended, Permit, Scope, Timestamp};

/// The most ends kept, and the most facts: the store's leases pass by themselves, and an estimate
/// that is not settled stays charged.
const MOST: usize = 4_096;

/// A cooldown, or the end of one.
#[derive(Debug, Clone)]
pub(super) enum Word {
    Cool(CoolReport),
    Lift(Scope),
}

/// The end of a permit that the store granted.
#[derive(Debug, Clone)]
pub(super) enum End {
    Settle(Permit, u64),
    Release(Permit, Ended),
}

/// What became of a fact.
#[derive(Debug, Clone)]
pub(super) enum News {
    Put { value: String, until: Option<Timestamp> },
    Add(u64),
}

#[derive(Debug, Default)]
pub(super) struct Late {
    /// With the instant each was said.
    pub(super) words: VecDeque<(Word, Timestamp)>,
    pub(super) ends: VecDeque<End>,
    pub(super) facts: BTreeMap<String, News>,
}

impl Late {
    pub(super) fn word(&mut self, word: Word, now: Timestamp) {
        if self.words.len() < MOST {
            self.words.push_back((word, now));
        }
    }

    pub(super) fn end(&mut self, end: End) {
        if self.ends.len() < MOST {
            self.ends.push_back(end);
        }
    }

    pub(super) fn put(&mut self, name: &str, value: &str, ttl: Option<Duration>, now: Timestamp) {
        let news = News::Put { value: value.to_owned(), until: ttl.map(|ttl| now + ttl) };
        if self.facts.len() < MOST || self.facts.contains_key(name) {
            self.facts.insert(name.to_owned(), news);
        }
    }

    pub(super) fn add(&mut self, name: &str, by: u64) {
        match self.facts.get_mut(name) {
            Some(News::Add(sum)) => *sum = sum.saturating_add(by),
            Some(News::Put { value, .. }) => {
                *value = value.parse().unwrap_or(0_u64).saturating_add(by).to_string();
            }
            None => {
                if self.facts.len() < MOST {
                    self.facts.insert(name.to_owned(), News::Add(by));
                }
            }
        }
    }

    /// Was taken out and not told: what was said since is newer.
    pub(super) fn put_back(&mut self, name: String, news: News) {
        match (self.facts.remove(&name), news) {
            (None, news) => {
                self.facts.insert(name, news);
            }
            (Some(put @ News::Put { .. }), _) => {
                self.facts.insert(name, put);
            }
            (Some(News::Add(by)), news) => {
                self.facts.insert(name.clone(), news);
                self.add(&name, by);
            }
        }
    }
}
