//! The facts: through to the store, or from what was last seen of them.

use std::time::Duration;

use keyrot_core::{Fact, FactStore, LimitError};

use super::shared::Shared;
use super::{Degrading, Inner};

/// How long a fact that was read is remembered here: nothing tells when it ages out.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

impl<S: Shared> Inner<S> {
    /// What the store answers, unless it is away.
    async fn ask_facts<T>(&self, call: impl Future<Output = Result<T, LimitError>>) -> Option<T> {
        let returns = {
            let state = self.state.lock();
            if state.away.is_some() {
                return None;
            }
            state.returns
        };
        match self.timed(call).await {
            Ok(answer) => Some(answer),
            Err(why) => {
                self.lost_sight(&why, returns);
                None
            }
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Shared> FactStore for Degrading<S> {
    async fn get(&self, name: &str) -> Result<Option<Fact>, LimitError> {
        let inner = &*self.inner;
        let Some(fact) = inner.ask_facts(inner.store.get(name)).await else {
            return inner.facts.get(name).await;
        };
        match &fact {
            Some(fact) => inner.facts.put(name, &fact.value, Some(REMEMBERED)).await?,
            None => inner.facts.put(name, "", Some(Duration::ZERO)).await?,
        }
        Ok(fact)
    }

    async fn put(&self, name: &str, value: &str, ttl: Option<Duration>) -> Result<(), LimitError> {
        let inner = &*self.inner;
        inner.facts.put(name, value, ttl).await?;
        if inner.ask_facts(inner.store.put(name, value, ttl)).await.is_none() {
            inner.state.lock().late.put(name, value, ttl, inner.clock.now());
        }
        Ok(())
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Fact)>, LimitError> {
        let inner = &*self.inner;
        let Some(found) = inner.ask_facts(inner.store.scan(prefix)).await else {
            return inner.facts.scan(prefix).await;
        };
        for (name, fact) in &found {
            inner.facts.put(name, &fact.value, Some(REMEMBERED)).await?;
        }
        Ok(found)
    }

    async fn increment(&self, name: &str, by: u64) -> Result<u64, LimitError> {
        let inner = &*self.inner;
        if let Some(sum) = inner.ask_facts(inner.store.increment(name, by)).await {
            inner.facts.put(name, &sum.to_string(), Some(REMEMBERED)).await?;
            return Ok(sum);
        }
        inner.state.lock().late.add(name, by);
        inner.facts.increment(name, by).await
    }
}
