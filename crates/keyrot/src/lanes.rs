//! All lanes of a pool, made at their first use. Callers may name any number of models and tags: what
//! nobody uses is forgotten before it can outgrow the pool.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use foldhash::fast::RandomState;
use keyrot_core::{Bucket, KeyId, Lifted, ModelId, Project, Scope, Timestamp, Why};
use parking_lot::{Mutex, RwLock};

use crate::lane::{Field, Front, Lane, LaneKey};

/// The fewest lanes worth a look for idle ones.
const FEW: usize = 128;

/// A field, made once by whoever comes first, outside of every lock.
type Making = Arc<OnceLock<Arc<Field>>>;

#[derive(Debug, Default)]
struct Inner {
    lanes: HashMap<LaneKey, Arc<Lane>, RandomState>,
    fields: HashMap<(LaneKey, Bucket), Making, RandomState>,
    fronts: HashMap<Bucket, Front, RandomState>,
    /// How many were left by the last look.
    left: usize,
}

/// See the module's docs.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    inner: RwLock<Inner>,
    /// How often all was forgotten: what is made meanwhile is out of date.
    age: AtomicU64,
    classes: AtomicU32,
    reopenings: AtomicU64,
    /// The fields that know of a refusal: nobody else has anything to reopen.
    with_hints: Mutex<Vec<Weak<Field>>>,
}

impl Lanes {
    pub(crate) fn get(&self, key: &LaneKey) -> Option<Arc<Lane>> {
        self.inner.read().lanes.get(key).cloned()
    }

    /// How often all was forgotten.
    pub(crate) fn age(&self) -> u64 {
        self.age.load(Ordering::Acquire)
    }

    /// The lane of `key` in a field that is there already, made for the asker alone: of names that share a
    /// place there may be any number, and who uses others is not to wait for theirs. `None` where there is no
    /// such field, or all was forgotten since `age`.
    pub(crate) fn passing(
        &self,
        key: &LaneKey,
        alike: &LaneKey,
        bucket: &Bucket,
        age: u64,
    ) -> Option<Arc<Lane>> {
        let inner = self.inner.read();
        let making = inner.fields.get(&(alike.clone(), bucket.clone())).filter(|_| self.age() == age)?;
        let field = Arc::clone(making.get()?);
        Some(Arc::new(Lane { key: key.clone(), field }))
    }

    /// The lane of `key`. `alike` is what its field is made for; `make` makes it, if need be, in front of
    /// the line of its bucket and under a name of its own. `None` when all was forgotten since `age`.
    pub(crate) fn get_or_make(
        &self,
        key: &LaneKey,
        alike: LaneKey,
        bucket: &Bucket,
        age: u64,
        make: impl FnOnce((Front, u32)) -> Field,
    ) -> Option<Arc<Lane>> {
        let (making, front) = {
            let mut inner = self.inner.write();
            if self.age() != age {
                return None;
            }
            if let Some(lane) = inner.lanes.get(key) {
                return Some(Arc::clone(lane));
            }
            inner.forget_idle();
            let making = Arc::clone(inner.fields.entry((alike, bucket.clone())).or_default());
            (making, inner.fronts.entry(bucket.clone()).or_default().clone())
        };
        let class = || self.classes.fetch_add(1, Ordering::Relaxed);
        let field = Arc::clone(making.get_or_init(|| Arc::new(make((front, class())))));
        let mut inner = self.inner.write();
        if self.age() != age {
            return None;
        }
        let lane =
            inner.lanes.entry(key.clone()).or_insert_with(|| Arc::new(Lane { key: key.clone(), field }));
        Some(Arc::clone(lane))
    }

    /// Forgets the lanes of one model: who comes next finds others.
    pub(crate) fn forget_model(&self, model: &ModelId) {
        self.inner.write().lanes.retain(|key, _| key.model != *model);
    }

    /// Forgets every lane, and has everybody who waits look for another one.
    pub(crate) fn forget(&self) {
        let mut inner = self.inner.write();
        self.age.fetch_add(1, Ordering::AcqRel);
        inner.lanes.clear();
        inner.fields.clear();
        inner.fronts.values().for_each(|front| front.line.rouse());
    }

    /// Calls `f` with every field; one that is in use is among them.
    pub(crate) fn each(&self, f: impl FnMut(&Arc<Field>)) {
        self.inner.read().fields.values().filter_map(|making| making.get()).for_each(f);
    }

    /// `field` knows of a refusal from now on. Gives whether that is news.
    pub(crate) fn keeps_hints(&self, field: &Arc<Field>) -> bool {
        let news = !field.has_hints.swap(true, Ordering::AcqRel);
        if news {
            self.with_hints.lock().push(Arc::downgrade(field));
        }
        news
    }

    /// How often anything was reopened.
    pub(crate) fn reopenings(&self) -> u64 {
        self.reopenings.load(Ordering::Acquire)
    }

    /// Drops hints by `reopen`, which says whether there were any, and wakes whoever waited for that.
    pub(crate) fn reopen(&self, now: Timestamp, mut reopen: impl FnMut(&Field) -> bool) {
        self.reopenings.fetch_add(1, Ordering::AcqRel);
        let mut with_hints = self.with_hints.lock();
        with_hints.retain(|field| {
            let Some(field) = field.upgrade() else { return false };
            if !reopen(&field) {
                return true;
            }
            let keep = !field.knows_nothing();
            field.has_hints.store(keep, Ordering::Release);
            field.line.wake(now);
            keep
        });
    }

    /// Drops what is known against a project in a bucket, where `which` says so of the reason.
    pub(crate) fn reopen_domain(
        &self,
        project: &Project,
        bucket: &Bucket,
        which: impl Fn(Why) -> bool,
        now: Timestamp,
    ) {
        self.reopen(now, |field| field.bucket == *bucket && field.reopen_project(project, &which));
    }

    /// Drops what is known against a key and its project.
    pub(crate) fn reopen_key(&self, key: &KeyId, project: &Project, now: Timestamp) {
        self.reopen(now, |field| {
            let (key, project) = (field.reopen_key(key), field.reopen_project(project, |_| true));
            key || project
        });
    }

    /// Drops what is known against what was lifted.
    pub(crate) fn lifted(&self, lifted: &Lifted, now: Timestamp) {
        match lifted {
            Lifted::All => self.reopen(now, Field::reopen_all),
            Lifted::Scopes(scopes) => scopes.iter().for_each(|scope| self.lifted_one(scope, now)),
        }
    }

    fn lifted_one(&self, scope: &Scope, now: Timestamp) {
        match scope {
            Scope::Key(key, _) | Scope::Permission(key, ..) => {
                self.reopen(now, |field| field.reopen_key(key))
            }
            Scope::Project(project) => self.reopen(now, |field| field.reopen_project(project, |_| true)),
            Scope::Domain(domain) => self.reopen_domain(&domain.project, &domain.bucket, |_| true, now),
            Scope::Model(bucket) => {
                self.reopen(now, |field| field.bucket == *bucket && field.reopen_wide());
            }
            Scope::Pool => self.reopen(now, Field::reopen_wide),
        }
    }
}

impl Inner {
    /// A lane keeps hints and nothing else, so that an idle one is made again as good as it was.
    fn forget_idle(&mut self) {
        if self.lanes.len() < FEW.max(2 * self.left) {
            return;
        }
        self.lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        let in_use = |field: &Arc<Field>| Arc::strong_count(field) > 1;
        self.fields.retain(|_, making| Arc::strong_count(making) > 1 || making.get().is_some_and(in_use));
        self.fronts.retain(|_, front| Arc::strong_count(&front.line) > 1);
        self.left = self.lanes.len();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::learn::InForce;
    use crate::roster::Roster;
    use keyrot_core::keys::PoolConfig;
    use keyrot_core::{Limits, Method, ModelId};

    fn key(model: &str) -> LaneKey {
        LaneKey {
            model: ModelId::from(model),
            method: Method::Generate,
            workload: None,
            tags: BTreeMap::new(),
            affinity: None,
            last_resort: false,
        }
    }

    fn lane(lanes: &Lanes, model: &str) -> Arc<Lane> {
        let (key, bucket) = (key(model), Bucket::new(model));
        let make = |line| {
            let roster = Roster::new(Vec::new(), false, PoolConfig::default(), |_| true);
            let rng = fastrand::Rng::with_seed(1);
            Field::new(&key, bucket.clone(), Arc::new(roster), line, rng, |_, _| {
                InForce::new(Limits::default(), &[])
            })
        };
        lanes.get_or_make(&key, key.clone(), &bucket, lanes.age(), make).expect("not forgotten")
    }

    #[test]
    fn models_nobody_uses_are_forgotten_and_a_lane_in_use_is_kept() {
        let lanes = Lanes::default();
        let used = lane(&lanes, "used");
        for i in 0..10_000 {
            lane(&lanes, &format!("model-{i}"));
        }
        assert!(Arc::ptr_eq(&used, &lane(&lanes, "used")));
        let inner = lanes.inner.read();
        let kept = inner.lanes.len().max(inner.fronts.len()).max(inner.fields.len());
        assert!(kept <= FEW, "{kept}");
    }

    #[test]
    fn many_lanes_in_use_are_all_kept() {
        let lanes = Lanes::default();
        let used: Vec<_> = (0..1_000).map(|i| lane(&lanes, &format!("model-{i}"))).collect();
        for (i, used) in used.iter().enumerate() {
            assert!(Arc::ptr_eq(used, &lane(&lanes, &format!("model-{i}"))));
        }
    }
}
