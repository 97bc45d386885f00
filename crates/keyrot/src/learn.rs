//! Limits that Google named in its refusals.

use std::collections::HashMap;
use std::time::Duration;

use arrayvec::ArrayVec;
use keyrot_core::{Bucket, Domain, FactStore, Learned, Limits, Quantity, Timestamp};

use crate::pool::Pool;

/// How long a learned limit counts: tiers change.
const TTL: Duration = Duration::from_secs(24 * 3600);
pub(crate) const PREFIX: &str = "limit/";
const QUANTITIES: [Quantity; 3] = [Quantity::Rpm, Quantity::Tpm, Quantity::Rpd];

/// A limit Google named, and how long it counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lesson {
    quantity: Quantity,
    limit: u64,
    until: Timestamp,
}

/// A domain's limits: the tighter of what is configured and what Google named last.
#[derive(Debug)]
pub(crate) struct InForce {
    configured: Limits,
    lessons: ArrayVec<Lesson, { QUANTITIES.len() }>,
}

impl InForce {
    pub(crate) fn new(configured: Limits, lessons: &[Lesson]) -> Self {
        let mut this = Self { configured, lessons: ArrayVec::new() };
        lessons.iter().for_each(|lesson| this.learn(*lesson));
        this
    }

    /// A newer lesson takes the place of the older one, though it may be less tight.
    fn learn(&mut self, lesson: Lesson) {
        self.lessons.retain(|old| old.quantity != lesson.quantity);
        self.lessons.push(lesson);
    }

    pub(crate) fn at(&self, now: Timestamp) -> Limits {
        let valid = self.lessons.iter().filter(|lesson| lesson.until > now);
        valid.fold(self.configured, |limits, lesson| limits.tighter(lesson.limits()))
    }

    /// When a limit that is in force at `now` may be gone, however little was used.
    pub(crate) fn changes(&self, now: Timestamp) -> Timestamp {
        let ends = self.lessons.iter().map(|lesson| lesson.until).filter(|until| *until > now);
        ends.min().unwrap_or(Timestamp::NEVER)
    }
}

impl Lesson {
    fn limits(self) -> Limits {
        let limit = Some(self.limit);
        match self.quantity {
            Quantity::Rpm => Limits { rpm: limit, ..Limits::default() },
            Quantity::Tpm => Limits { tpm: limit, ..Limits::default() },
            Quantity::Rpd => Limits { rpd: limit, ..Limits::default() },
        }
    }
}

/// Remembers limits named by a refusal in `domain`, and puts them into force.
pub(crate) async fn learn(pool: &Pool, domain: &Domain, learned: &[Learned], now: Timestamp) {
    for Learned { bucket, quantity, limit } in tightest(learned) {
        let bucket = bucket.as_deref().map_or_else(|| domain.bucket.clone(), Bucket::new);
        let name = format!("{PREFIX}{}/{bucket}/{}", domain.project, word(*quantity));
        if let Err(error) = pool.limiter.put(&name, &limit.to_string(), Some(TTL)).await {
            tracing::warn!(%error, "cannot remember a learned limit");
        }
        let lesson = Lesson { quantity: *quantity, limit: *limit, until: now + TTL };
        pool.lanes.each(|lane| {
            if let Some(group) = lane.group(&domain.project).filter(|_| lane.bucket == bucket) {
                lane.groups[group as usize].limits.write().learn(lesson);
                // Who was refused by an older and tighter limit may fit now.
                lane.reopen(&domain.project, None);
            }
        });
    }
}

/// One refusal may name a limit twice, for the project and for its user: the tighter one holds.
fn tightest(learned: &[Learned]) -> impl Iterator<Item = &Learned> {
    let named = learned.iter().filter(|l| l.limit > 0);
    named.filter(|l| {
        let same = |other: &&Learned| other.bucket == l.bucket && other.quantity == l.quantity;
        !learned.iter().filter(same).any(|other| (1..l.limit).contains(&other.limit))
    })
}

/// Every learned limit, by domain.
pub(crate) async fn all(facts: &impl FactStore) -> HashMap<Domain, Vec<Lesson>> {
    let mut all: HashMap<Domain, Vec<Lesson>> = HashMap::new();
    for (name, fact) in facts.scan(PREFIX).await.unwrap_or_default() {
        if let (Some((domain, quantity)), Ok(limit)) = (about(&name), fact.value.parse()) {
            all.entry(domain).or_default().push(Lesson { quantity, limit, until: fact.at + TTL });
        }
    }
    all
}

/// What the fact called `name` is a limit of.
pub(crate) fn about(name: &str) -> Option<(Domain, Quantity)> {
    let mut parts = name.strip_prefix(PREFIX)?.rsplitn(3, '/');
    let (quantity, bucket, project) = (quantity_of(parts.next()?)?, parts.next()?, parts.next()?);
    Some((Domain::new(project, bucket), quantity))
}

fn word(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Rpm => "rpm",
        Quantity::Tpm => "tpm",
        Quantity::Rpd => "rpd",
    }
}

fn quantity_of(word: &str) -> Option<Quantity> {
    QUANTITIES.into_iter().find(|q| self::word(*q) == word)
}
