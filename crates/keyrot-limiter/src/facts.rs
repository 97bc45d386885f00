//! Facts in this process's memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{Clock, Fact, FactStore, LimitError, Timestamp};
use parking_lot::Mutex;

/// A [`FactStore`] that lasts as long as the process.
#[derive(Debug)]
pub struct MemoryFacts {
    clock: Arc<dyn Clock>,
    facts: Mutex<BTreeMap<String, (Fact, Timestamp)>>,
}

impl MemoryFacts {
    /// An empty store that ages its facts by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, facts: Mutex::default() }
    }
}

impl FactStore for MemoryFacts {
    async fn get(&self, name: &str) -> Result<Option<Fact>, LimitError> {
        let now = self.clock.now();
        Ok(self.facts.lock().get(name).filter(|(_, until)| *until > now).map(|(fact, _)| fact.clone()))
    }

    async fn put(&self, name: &str, value: &str, ttl: Option<Duration>) -> Result<(), LimitError> {
        let at = self.clock.now();
        let until = ttl.map_or(Timestamp::NEVER, |ttl| at + ttl);
        let mut facts = self.facts.lock();
        facts.retain(|_, (_, until)| *until > at);
        facts.insert(name.to_owned(), (Fact { value: value.to_owned(), at }, until));
        Ok(())
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Fact)>, LimitError> {
        let now = self.clock.now();
        let facts = self.facts.lock();
        let from = facts.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        Ok(from
            .filter(|(_, (_, until))| *until > now)
            .map(|(name, (fact, _))| (name.clone(), fact.clone()))
            .collect())
    }

    async fn increment(&self, name: &str, by: u64) -> Result<u64, LimitError> {
        let at = self.clock.now();
        let mut facts = self.facts.lock();
        let (fact, until) = facts
            .entry(name.to_owned())
            .or_insert_with(|| (Fact { value: String::new(), at }, Timestamp::NEVER));
        let old = if *until > at { fact.value.parse().unwrap_or(0) } else { 0_u64 };
        let new = old.saturating_add(by);
        (*fact, *until) = (Fact { value: new.to_string(), at }, Timestamp::NEVER);
        Ok(new)
    }
}
