//! Facts in this process's memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{Clock, Fact, FactStore, LimitError, Timestamp};
use parking_lot::Mutex;

use crate::sweep::Sweep;

/// A [`FactStore`] that lasts as long as the process.
#[derive(Debug)]
pub struct MemoryFacts {
    clock: Arc<dyn Clock>,
    facts: Mutex<Facts>,
}

/// Facts by name, each with the instant it is gone.
#[derive(Debug, Default)]
struct Facts {
    by_name: BTreeMap<String, (Fact, Timestamp)>,
    sweep: Sweep,
}

impl Facts {
    fn sweep(&mut self, now: Timestamp) {
        if self.sweep.due(self.by_name.len()) {
            self.by_name.retain(|_, (_, until)| *until > now);
            self.sweep.done(self.by_name.len());
        }
    }
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
        let facts = self.facts.lock();
        Ok(facts.by_name.get(name).filter(|(_, until)| *until > now).map(|(fact, _)| fact.clone()))
    }

    async fn put(&self, name: &str, value: &str, ttl: Option<Duration>) -> Result<(), LimitError> {
        let at = self.clock.now();
        let until = ttl.map_or(Timestamp::NEVER, |ttl| at + ttl);
        let mut facts = self.facts.lock();
        facts.sweep(at);
        facts.by_name.insert(name.to_owned(), (Fact { value: value.to_owned(), at }, until));
        Ok(())
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Fact)>, LimitError> {
        let now = self.clock.now();
        let facts = self.facts.lock();
        let from = facts
            .by_name
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix));
        Ok(from
            .filter(|(_, (_, until))| *until > now)
            .map(|(name, (fact, _))| (name.clone(), fact.clone()))
            .collect())
    }

    async fn increment(&self, name: &str, by: u64) -> Result<u64, LimitError> {
        let at = self.clock.now();
        let mut facts = self.facts.lock();
        if let Some((fact, until)) = facts.by_name.get_mut(name)
            && *until > at
        {
            let new = fact.value.parse().unwrap_or(0_u64).saturating_add(by);
            *fact = Fact { value: new.to_string(), at };
            return Ok(new);
        }
        facts.sweep(at);
        facts.by_name.insert(name.to_owned(), (Fact { value: by.to_string(), at }, Timestamp::NEVER));
        Ok(by)
    }
}
