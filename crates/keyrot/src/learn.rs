//! Limits that Google named in its refusals.

use std::collections::HashMap;
use std::time::Duration;

use keyrot_core::{Bucket, Domain, FactStore, Learned, Limits, Quantity};
use keyrot_limiter::MemoryFacts;

use crate::pool::Pool;

/// How long a learned limit counts: tiers change.
const TTL: Duration = Duration::from_secs(24 * 3600);
const PREFIX: &str = "limit/";

/// Remembers limits named by a refusal in `domain`, and puts them into force.
pub(crate) async fn learn(pool: &Pool, domain: &Domain, learned: &[Learned]) {
    for Learned { bucket, quantity, limit } in learned.iter().filter(|l| l.limit > 0) {
        let bucket = bucket.as_deref().map_or_else(|| domain.bucket.clone(), Bucket::new);
        let name = format!("{PREFIX}{}/{bucket}/{}", domain.project, word(*quantity));
        if let Err(error) = pool.facts.put(&name, &limit.to_string(), Some(TTL)).await {
            tracing::warn!(%error, "cannot remember a learned limit");
        }
        let mut limits = Limits::default();
        set(&mut limits, *quantity, *limit);
        pool.lanes.each(|lane| {
            if let Some(group) = lane.group(&domain.project).filter(|_| lane.bucket == bucket) {
                let mut in_force = lane.groups[group as usize].limits.write();
                *in_force = in_force.tighter(limits);
            }
        });
    }
}

/// Every learned limit, by domain.
pub(crate) async fn all(facts: &MemoryFacts) -> HashMap<Domain, Limits> {
    let mut all: HashMap<Domain, Limits> = HashMap::new();
    for (name, fact) in facts.scan(PREFIX).await.unwrap_or_default() {
        let mut parts = name[PREFIX.len()..].rsplitn(3, '/');
        let (Some(quantity), Some(bucket), Some(project)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        if let (Some(quantity), Ok(limit)) = (quantity_of(quantity), fact.value.parse()) {
            set(all.entry(Domain::new(project, bucket)).or_default(), quantity, limit);
        }
    }
    all
}

fn set(limits: &mut Limits, quantity: Quantity, limit: u64) {
    match quantity {
        Quantity::Rpm => limits.rpm = Some(limit),
        Quantity::Tpm => limits.tpm = Some(limit),
        Quantity::Rpd => limits.rpd = Some(limit),
    }
}

fn word(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Rpm => "rpm",
        Quantity::Tpm => "tpm",
        Quantity::Rpd => "rpd",
    }
}

fn quantity_of(word: &str) -> Option<Quantity> {
    [Quantity::Rpm, Quantity::Tpm, Quantity::Rpd].into_iter().find(|q| self::word(*q) == word)
}
