//! What Google's refusals teach: limits, what a model is counted under, and the numbers of projects. Each is
//! a fact in the store, with the time it was learned at and the refusal it was learned from, for every
//! process that shares the store.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use arrayvec::ArrayVec;
use keyrot_core::{
    Bucket, Domain, FactStore, Learned, LimitError, Limits, Outcome, Project, Quantity, Timestamp,
};

use crate::lane::Group;
use crate::lease::Attempt;
use crate::pool::Pool;

pub(crate) mod alias;

/// How long a learned limit counts: tiers change.
const TTL: Duration = Duration::from_secs(24 * 3600);
pub(crate) const PREFIX: &str = "limit/";
/// Numbers of projects, by the names the keys give them.
const NUMBERS: &str = "number/";
const QUANTITIES: [Quantity; 3] = [Quantity::Rpm, Quantity::Tpm, Quantity::Rpd];

/// A limit Google named, and how long it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

    /// Counts what is configured alone.
    pub(crate) fn forget(&mut self) {
        self.lessons.clear();
    }

    /// Takes `lessons` for all there are. Gives whether that changed anything.
    fn learn_again(&mut self, lessons: &[Lesson]) -> bool {
        let mut new = Self::new(self.configured, lessons);
        self.lessons.sort_unstable();
        new.lessons.sort_unstable();
        let changed = new.lessons != self.lessons;
        self.lessons = new.lessons;
        changed
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

/// Remembers what a refusal says, and puts it into force.
pub(crate) async fn learn(pool: &Pool, attempt: &Attempt, outcome: &Outcome, now: Timestamp) {
    let source = || format!("{} {}", outcome.label(), attempt.permit.key);
    let learned = outcome.learned();
    // What is not counted with generations has limits of its own.
    if !learned.is_empty() && attempt.permit.cost.requests > 0 {
        alias::learn(pool, attempt, learned, &source()).await;
        learn_limits(pool, attempt, learned, &source(), now).await;
        // Where one was refused, others may have been.
        pool.upkeep.look_soon();
    }
    if let Some(number) = outcome.project_number() {
        learn_number(pool, &attempt.permit.domain.project, number, &source()).await;
    }
}

async fn learn_limits(pool: &Pool, attempt: &Attempt, learned: &[Learned], source: &str, now: Timestamp) {
    let project = &attempt.permit.domain.project;
    for Learned { bucket, quantity, limit } in tightest(learned) {
        let bucket = bucket.as_deref().map_or_else(|| attempt.permit.domain.bucket.clone(), Bucket::new);
        let name = format!("{PREFIX}{project}/{bucket}/{}", word(*quantity));
        remember(pool, &name, &format!("{limit} {source}"), Some(TTL)).await;
        if *limit == 0 {
            // The refusal closes the bucket; there is nothing to count against.
            continue;
        }
        let lesson = Lesson { quantity: *quantity, limit: *limit, until: now + TTL };
        let domain = Domain { project: project.clone(), bucket: bucket.clone() };
        let mut limits = pool.recalled.limits.write();
        let lessons = limits.entry(domain).or_default();
        lessons.retain(|old| old.quantity != lesson.quantity);
        lessons.push(lesson);
        drop(limits);
        pool.lanes.each(|field| {
            if let Some(group) = field.group(project).filter(|_| field.bucket == bucket) {
                field.groups[group as usize].limits.write().learn(lesson);
                field.limits_changed();
            }
        });
        // Who was refused by an older and tighter limit may fit now.
        pool.lanes.reopen_domain(project, &bucket, |_| true, now);
    }
}

pub(super) async fn remember(pool: &Pool, name: &str, value: &str, ttl: Option<Duration>) {
    if let Err(error) = pool.patiently(pool.limiter.put(name, value, ttl)).await {
        tracing::warn!(%error, name, "cannot remember what was learned");
    }
}

/// One refusal may name a limit twice, for the project and for its user: the tighter one holds.
fn tightest(learned: &[Learned]) -> impl Iterator<Item = &Learned> {
    learned.iter().filter(|l| {
        let same = |other: &&Learned| other.bucket == l.bucket && other.quantity == l.quantity;
        !learned.iter().filter(same).any(|other| other.limit < l.limit)
    })
}

/// Two projects of one number share every limit, whatever the keys say: that is the user's to know.
async fn learn_number(pool: &Pool, project: &Project, number: &str, source: &str) {
    for (name, fact) in pool.patiently(pool.limiter.scan(NUMBERS)).await.unwrap_or_default() {
        let other = &name[NUMBERS.len()..];
        if fact.value.split(' ').next() == Some(number) && other != project.as_str() {
            tracing::warn!(
                %project,
                other,
                number,
                "two projects are one at Google and share its limits: give their keys the same `project`"
            );
        }
    }
    remember(pool, &format!("{NUMBERS}{project}"), &format!("{number} {source}"), None).await;
}

/// Every learned limit, by domain.
async fn all(pool: &Pool) -> Result<HashMap<Domain, Vec<Lesson>>, LimitError> {
    let mut all: HashMap<Domain, Vec<Lesson>> = HashMap::new();
    for (name, fact) in pool.patiently(pool.limiter.scan(PREFIX)).await? {
        if let (Some((domain, quantity)), Some((limit @ 1.., _))) = (about(&name), value(&fact.value)) {
            all.entry(domain).or_default().push(Lesson { quantity, limit, until: fact.at + TTL });
        }
    }
    Ok(all)
}

/// Puts into force what other processes learned or forgot.
pub(crate) async fn hear(pool: &Pool) -> Result<(), LimitError> {
    alias::hear(pool).await?;
    let all = all(pool).await?;
    let mut changed = HashSet::new();
    pool.lanes.each(|field| {
        for Group { domain, limits } in &field.groups {
            let lessons = all.get(domain).map_or(&[][..], Vec::as_slice);
            if limits.write().learn_again(lessons) {
                changed.insert(domain.clone());
            }
        }
        field.limits_changed();
    });
    *pool.recalled.limits.write() = all;
    let now = pool.clock.now();
    changed.iter().for_each(|d| pool.lanes.reopen_domain(&d.project, &d.bucket, |_| true, now));
    Ok(())
}

/// A fact's number, and what it was learned from.
pub(crate) fn value(text: &str) -> Option<(u64, &str)> {
    let (limit, source) = text.split_once(' ').unwrap_or((text, ""));
    Some((limit.parse().ok()?, source))
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
