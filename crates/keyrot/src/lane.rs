//! A lane: all requests of one kind (model, method, tags), and its field: the keys that may serve them,
//! what is known of these, and the line in front.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use foldhash::fast::RandomState;
use keyrot_core::keys::Key;
use keyrot_core::select::{Entry, Hint, Pick, Selector};
use keyrot_core::{Bucket, Domain, KeyId, Method, ModelId, Project, Timestamp, Why};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::learn::InForce;
use crate::line::Line;
use crate::roster::Roster;
use crate::samples::RecentCalls;

/// What tells one kind of request from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LaneKey {
    pub(crate) model: ModelId,
    pub(crate) method: Method,
    pub(crate) workload: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Only this project may serve: what the request names lives there.
    pub(crate) affinity: Option<Project>,
    /// The single key of last resort, instead of the pool.
    pub(crate) last_resort: bool,
}

impl LaneKey {
    /// Whether `key` may ever serve such a request; `Err` says why not.
    pub(crate) fn admits(&self, key: &Key) -> Result<(), &'static str> {
        if !key.active {
            return Err("not active");
        }
        if !key.models.serves(&self.model) {
            return Err("does not serve this model");
        }
        if self.workload.is_some() && key.workload != self.workload {
            return Err("is for another workload");
        }
        if self.tags.iter().any(|(name, value)| key.tags.get(name) != Some(value)) {
            return Err("lacks a tag asked for");
        }
        if self.affinity.as_ref().is_some_and(|project| *project != key.project) {
            return Err("belongs to another project than the resources named");
        }
        Ok(())
    }
}

/// One project's part in a lane.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) domain: Domain,
    pub(crate) limits: RwLock<InForce>,
}

/// The mutable part of a field.
#[derive(Debug)]
pub(crate) struct Draw {
    pub(crate) selector: Selector,
    pub(crate) rng: fastrand::Rng,
    /// What stands in the way of every key: the model or the whole pool is out.
    pub(crate) wide: Option<Hint>,
    /// How often that was lifted: a refusal from before is no hint any more.
    pub(crate) lifted: u64,
    /// Where those wait who are too large for now: nobody behind them goes there.
    pub(crate) claims: Vec<Claim>,
    /// When groups that were refused for their size were last tried again.
    second_look: Timestamp,
    /// The most input tokens that fit anywhere, and until when that is so; `None` for not known.
    most_tokens: Option<(u64, Timestamp)>,
}

/// A group that somebody waits for: nobody draws it who came after.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) ticket: u64,
    pub(crate) group: u32,
    /// When it may go there.
    pub(crate) until: Timestamp,
}

/// How often groups that were refused for their size are tried again, where others give back tokens that
/// nobody tells of.
const SECOND_LOOK: Duration = Duration::from_secs(1);

impl Draw {
    /// Of the groups that have no room for `tokens` but may have for less, the one that has it first and
    /// that nobody claims who came before `ticket`.
    pub(crate) fn first_for_size(&self, tokens: u64, ticket: u64) -> Option<(u32, Timestamp)> {
        let earlier = |claim: &Claim, group| claim.group == group && claim.ticket < ticket;
        let free = |group| !self.claims.iter().any(|claim| earlier(claim, group));
        self.selector.first_for_size(tokens, free)
    }

    /// Tries a few groups again that were refused for their size. Gives whether there were any.
    pub(crate) fn look_again(&mut self, now: Timestamp) -> bool {
        let due = now.since(self.second_look) >= SECOND_LOOK;
        if due {
            self.second_look = now;
        }
        due && self.selector.look_again()
    }

    /// The most input tokens that a request may have, at `now`: more can never fit.
    pub(crate) fn most_tokens(&mut self, groups: &[Group], now: Timestamp) -> u64 {
        match self.most_tokens {
            Some((most, until)) if now < until => most,
            _ => {
                let limits = groups.iter().map(|group| group.limits.read());
                let of = |limits: RwLockReadGuard<'_, InForce>| {
                    (limits.at(now).tpm.unwrap_or(u64::MAX), limits.changes(now))
                };
                let most = limits.map(of).reduce(|a, b| (a.0.max(b.0), a.1.min(b.1)));
                let (most, until) = most.unwrap_or((u64::MAX, Timestamp::NEVER));
                self.most_tokens = Some((most, until));
                most
            }
        }
    }
}

/// What all fields of a bucket share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Front {
    pub(crate) line: Arc<Line>,
    pub(crate) recent: Arc<RecentCalls>,
}

/// The keys that may serve requests of a kind, in their projects, and what the limiter last said of
/// them. Models of one bucket share it where keys.json makes no difference between them.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) bucket: Bucket,
    pub(crate) roster: Arc<Roster>,
    pub(crate) groups: Vec<Group>,
    group_of: HashMap<Project, u32, RandomState>,
    index_of: HashMap<KeyId, u32, RandomState>,
    pub(crate) draw: Mutex<Draw>,
    pub(crate) line: Arc<Line>,
    /// How calls of its model went of late: of all fields of the bucket.
    pub(crate) recent: Arc<RecentCalls>,
    /// Its name in the line and before the limiter.
    pub(crate) class: u32,
    /// Whether it is among the fields that know of a refusal.
    pub(crate) has_hints: AtomicBool,
}

/// See the module's docs.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) key: LaneKey,
    pub(crate) field: Arc<Field>,
}

/// A lane is its field, as one model sees it.
impl Deref for Lane {
    type Target = Field;

    fn deref(&self) -> &Field {
        &self.field
    }
}

impl Field {
    /// The field of requests like `key` over the keys of `roster`; `limits` gives a domain's limits.
    pub(crate) fn new(
        key: &LaneKey,
        bucket: Bucket,
        roster: Arc<Roster>,
        (front, class): (Front, u32),
        rng: fastrand::Rng,
        limits: impl Fn(&Key, &Domain) -> InForce,
    ) -> Self {
        let (mut groups, mut entries) = (Vec::new(), Vec::new());
        let (mut group_of, mut index_of): (HashMap<_, _, _>, HashMap<_, _, _>) = Default::default();
        let members = roster.indexed().filter(|(i, _)| (Some(*i) == roster.last_resort) == key.last_resort);
        for (index, k) in members.filter(|(_, k)| key.admits(k).is_ok()) {
            index_of.insert(k.id.clone(), index);
            let group = *group_of.entry(k.project.clone()).or_insert_with(|| {
                let domain = Domain { project: k.project.clone(), bucket: bucket.clone() };
                groups.push(Group { limits: RwLock::new(limits(k, &domain)), domain });
                u32::try_from(groups.len() - 1).unwrap_or(u32::MAX)
            });
            entries.push(Entry { key: index, group, priority: k.priority, weight: k.weight });
        }
        let draw = Mutex::new(Draw {
            selector: Selector::new(&entries),
            rng,
            wide: None,
            lifted: 0,
            claims: Vec::new(),
            second_look: Timestamp::default(),
            most_tokens: None,
        });
        let has_hints = AtomicBool::new(false);
        let Front { line, recent } = front;
        Self { bucket, roster, groups, group_of, index_of, draw, line, recent, class, has_hints }
    }

    pub(crate) fn group(&self, project: &Project) -> Option<u32> {
        self.group_of.get(project).copied()
    }

    /// Every key that may serve here.
    pub(crate) fn picks(&self) -> impl Iterator<Item = Pick> {
        let pick = |key: &u32| Some(Pick { key: *key, group: self.group(&self.roster.key(*key).project)? });
        self.index_of.values().filter_map(pick)
    }

    /// The index of a key that may serve here.
    pub(crate) fn index(&self, key: &KeyId) -> Option<u32> {
        self.index_of.get(key).copied()
    }

    /// Drops what is known against a project, where `which` says so of the reason. Gives whether
    /// anything was.
    pub(crate) fn reopen_project(&self, project: &Project, which: impl Fn(Why) -> bool) -> bool {
        let Some(group) = self.group(project) else { return false };
        self.draw.lock().selector.reopen_group(group, which)
    }

    /// Drops what is known against a key. Gives whether anything was.
    pub(crate) fn reopen_key(&self, key: &KeyId) -> bool {
        let Some(key) = self.index(key) else { return false };
        self.draw.lock().selector.reopen_key(key)
    }

    /// Drops what is known against the model or the pool.
    pub(crate) fn reopen_wide(&self) -> bool {
        let mut draw = self.draw.lock();
        draw.lifted += 1;
        draw.wide.take().is_some()
    }

    /// Drops all that is known.
    pub(crate) fn reopen_all(&self) -> bool {
        let mut draw = self.draw.lock();
        draw.lifted += 1;
        draw.wide = None;
        draw.selector.reopen_all();
        true
    }

    /// Whether anything is out for a reason that `which` means.
    pub(crate) fn knows_of(&self, which: impl Fn(Why) -> bool) -> bool {
        self.draw.lock().selector.reasons().any(|count| count.why.is_some_and(&which))
    }

    /// Whether nothing is known against anything.
    pub(crate) fn knows_nothing(&self) -> bool {
        let draw = self.draw.lock();
        draw.wide.is_none() && draw.selector.reasons().next().is_none()
    }

    /// Limits have changed.
    pub(crate) fn limits_changed(&self) {
        self.draw.lock().most_tokens = None;
    }
}
