//! A lane: all requests of one kind (model, method, tags), the keys that may serve them, and the
//! queue they wait in.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::RandomState;
use keyrot_core::keys::Key;
use keyrot_core::select::{Entry, Selector};
use keyrot_core::{Bucket, Domain, KeyId, Method, ModelId, Project};
use parking_lot::{Mutex, RwLock};

use crate::learn::InForce;
use crate::roster::Roster;

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

/// The line in front of a bucket: first come, first served within this process. The order holds
/// per process only.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Held by the head; tokio's mutex hands it on in order.
    pub(crate) turn: tokio::sync::Mutex<()>,
    waiting: AtomicUsize,
}

/// A place in the line; leaving it, by whatever way, frees it.
#[derive(Debug)]
pub(crate) struct Place<'a>(&'a Queue);

impl Queue {
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    pub(crate) fn join(&self) -> Place<'_> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The mutable part of a lane.
#[derive(Debug)]
pub(crate) struct Draw {
    pub(crate) selector: Selector,
    pub(crate) rng: fastrand::Rng,
    /// How often something was reopened: a refusal from before that is no hint any more.
    pub(crate) reopened: u64,
}

/// See the module's docs.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) key: LaneKey,
    pub(crate) bucket: Bucket,
    pub(crate) roster: Arc<Roster>,
    pub(crate) groups: Vec<Group>,
    group_of: HashMap<Project, u32, RandomState>,
    index_of: HashMap<KeyId, u32, RandomState>,
    pub(crate) draw: Mutex<Draw>,
    pub(crate) queue: Arc<Queue>,
}

impl Lane {
    /// The lane of `key` over the keys of `roster`; `limits` gives a domain's limits.
    pub(crate) fn new(
        key: LaneKey,
        bucket: Bucket,
        roster: Arc<Roster>,
        queue: Arc<Queue>,
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
        let draw = Mutex::new(Draw { selector: Selector::new(&entries), rng, reopened: 0 });
        Self { key, bucket, roster, groups, group_of, index_of, draw, queue }
    }

    pub(crate) fn group(&self, project: &Project) -> Option<u32> {
        self.group_of.get(project).copied()
    }

    /// The index of a key that may serve here.
    pub(crate) fn index(&self, key: &KeyId) -> Option<u32> {
        self.index_of.get(key).copied()
    }

    /// The project may have capacity again.
    pub(crate) fn reopen(&self, project: &Project, key: Option<&KeyId>) {
        let mut draw = self.draw.lock();
        draw.reopened += 1;
        if let Some(group) = self.group(project) {
            draw.selector.reopen_group(group);
        }
        if let Some(key) = key.and_then(|key| self.index(key)) {
            draw.selector.reopen_key(key);
        }
    }

    /// Every project may have capacity again.
    pub(crate) fn reopen_groups(&self) {
        let mut draw = self.draw.lock();
        draw.reopened += 1;
        for group in self.group_of.values() {
            draw.selector.reopen_group(*group);
        }
    }
}
