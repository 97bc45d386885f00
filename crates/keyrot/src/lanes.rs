//! All lanes of a pool, made at their first use. Callers may name any number of models and tags: what
//! nobody uses is forgotten before it can outgrow the pool.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use keyrot_core::Bucket;
use parking_lot::RwLock;

use crate::lane::{Lane, LaneKey, Queue};

/// The fewest lanes worth a look for idle ones.
const FEW: usize = 128;

#[derive(Debug, Default)]
struct Inner {
    lanes: HashMap<LaneKey, Arc<Lane>, RandomState>,
    queues: HashMap<LaneKey, Arc<Queue>>,
    /// How many were left by the last look.
    left: usize,
}

/// See the module's docs.
#[derive(Debug, Default)]
pub(crate) struct Lanes(RwLock<Inner>);

impl Lanes {
    pub(crate) fn get(&self, key: &LaneKey) -> Option<Arc<Lane>> {
        self.0.read().lanes.get(key).cloned()
    }

    /// The lane of `key`; `make` makes it, in front of the queue of its bucket.
    pub(crate) fn get_or_make(
        &self,
        key: &LaneKey,
        bucket: &Bucket,
        make: impl FnOnce(Arc<Queue>) -> Lane,
    ) -> Arc<Lane> {
        let mut inner = self.0.write();
        if let Some(lane) = inner.lanes.get(key) {
            return Arc::clone(lane);
        }
        inner.forget_idle();
        let queue = LaneKey { model: bucket.as_str().into(), ..key.clone() };
        let queue = Arc::clone(inner.queues.entry(queue).or_default());
        let lane = Arc::new(make(queue));
        inner.lanes.insert(key.clone(), Arc::clone(&lane));
        lane
    }

    /// Forgets every lane; who waits in front of one keeps his place in the line.
    pub(crate) fn forget(&self) {
        self.0.write().lanes.clear();
    }

    /// Calls `f` with every lane; a lane that is in use is among them.
    pub(crate) fn each(&self, f: impl FnMut(&Arc<Lane>)) {
        self.0.read().lanes.values().for_each(f);
    }
}

impl Inner {
    /// A lane keeps hints and nothing else, so that an idle one is made again as good as it was.
    fn forget_idle(&mut self) {
        if self.lanes.len() < FEW.max(2 * self.left) {
            return;
        }
        self.lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        self.queues.retain(|_, queue| Arc::strong_count(queue) > 1);
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
        let make = |queue| {
            let roster = Roster::new(Vec::new(), false, PoolConfig::default(), |_| true);
            let rng = fastrand::Rng::with_seed(1);
            Lane::new(key.clone(), bucket.clone(), Arc::new(roster), queue, rng, |_, _| {
                InForce::new(Limits::default(), &[])
            })
        };
        lanes.get_or_make(&key, &bucket, make)
    }

    #[test]
    fn models_nobody_uses_are_forgotten_and_a_lane_in_use_is_kept() {
        let lanes = Lanes::default();
        let used = lane(&lanes, "used");
        for i in 0..10_000 {
            lane(&lanes, &format!("model-{i}"));
        }
        assert!(Arc::ptr_eq(&used, &lane(&lanes, "used")));
        let inner = lanes.0.read();
        assert!(inner.lanes.len() <= FEW && inner.queues.len() <= FEW, "{}", inner.lanes.len());
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
