//! How calls of each model ended in this process, second by second: what a report of an overloaded
//! model is judged by, and whether other requests are being served. A success costs no write to the store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use keyrot_core::{Bucket, Sample, Samples, Timestamp};
use parking_lot::{Mutex, RwLock};

/// How many seconds are kept.
const SECONDS: u64 = 10;
/// For how long a success shows that a model is served.
const RECENT: Duration = Duration::from_secs(60);
/// The most models kept.
const MOST_MODELS: usize = 1_024;

/// See the module's docs.
#[derive(Debug, Default)]
pub(crate) struct RecentCalls {
    models: RwLock<HashMap<Bucket, Arc<Mutex<ModelCalls>>, RandomState>>,
}

#[derive(Debug, Default)]
struct ModelCalls {
    /// One slot per second, at its number modulo their count.
    slots: [Slot; SECONDS as usize],
    last_success: Option<Timestamp>,
    /// When a request last failed for good, of those that blamed the server, since `last_success`.
    gave_up: Option<Timestamp>,
    /// How a request last failed whose refusals were taken back before every key had been asked,
    /// since `last_success`.
    retracted: Option<(Timestamp, &'static str)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    second: u64,
    succeeded: u32,
    failed: u32,
}

impl ModelCalls {
    fn slot(&mut self, now: Timestamp) -> &mut Slot {
        let second = now.as_millis() / 1_000;
        let slot = &mut self.slots[usize::try_from(second % SECONDS).unwrap_or(0)];
        if slot.second != second {
            *slot = Slot { second, ..Slot::default() };
        }
        slot
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        !is_recent(self.last_success.max(self.gave_up).max(self.retracted.map(|(at, _)| at)), now)
    }
}

fn is_recent(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| now.since(at) < RECENT)
}

impl RecentCalls {
    /// The model answered.
    pub(crate) fn succeeded(&self, bucket: &Bucket, now: Timestamp) {
        self.with(bucket, now, |calls| {
            calls.slot(now).succeeded += 1;
            (calls.last_success, calls.gave_up, calls.retracted) = (Some(now), None, None);
        });
    }

    /// The model had no capacity. Gives what was gathered since the last time, this failure included.
    pub(crate) fn overloaded(&self, bucket: &Bucket, now: Timestamp) -> Samples {
        let taken = self.with(bucket, now, |calls| {
            calls.slot(now).failed += 1;
            std::mem::take(&mut calls.slots)
        });
        let newest = now.as_millis() / 1_000;
        let used = |slot: &Slot| slot.succeeded > 0 || slot.failed > 0;
        let recent =
            taken.into_iter().filter(|slot| used(slot) && newest.saturating_sub(slot.second) < SECONDS);
        let sample = |slot: Slot| Sample {
            age: u8::try_from(newest.saturating_sub(slot.second)).unwrap_or(u8::MAX),
            succeeded: slot.succeeded,
            failed: slot.failed,
        };
        let mut samples: Samples = recent.map(sample).collect();
        samples.sort_unstable_by_key(|sample| sample.age);
        samples
    }

    /// Whether the model answered anybody in this process within the last minute.
    pub(crate) fn is_served(&self, bucket: &Bucket, now: Timestamp) -> bool {
        self.with(bucket, now, |calls| is_recent(calls.last_success, now))
    }

    /// A request of this model failed for good, and blamed the server.
    pub(crate) fn gave_up(&self, bucket: &Bucket, now: Timestamp) {
        self.with(bucket, now, |calls| calls.gave_up = Some(now));
    }

    /// Whether another request failed for good within the last minute, and none was served since.
    pub(crate) fn is_failing(&self, bucket: &Bucket, now: Timestamp) -> bool {
        self.with(bucket, now, |calls| is_recent(calls.gave_up, now))
    }

    /// A request ended with `answer` of the keys it asked, which were not all. Gives whether another one
    /// did within the last minute, with none served since.
    pub(crate) fn refused_again(&self, bucket: &Bucket, answer: &'static str, now: Timestamp) -> bool {
        self.with(bucket, now, |calls| {
            let before = calls.retracted.replace((now, answer));
            before.is_some_and(|(at, before)| before == answer && is_recent(Some(at), now))
        })
    }

    fn with<T>(&self, bucket: &Bucket, now: Timestamp, f: impl FnOnce(&mut ModelCalls) -> T) -> T {
        if let Some(calls) = self.models.read().get(bucket) {
            return f(&mut calls.lock());
        }
        let mut models = self.models.write();
        if models.len() >= MOST_MODELS {
            models.retain(|_, calls| !calls.lock().is_idle(now));
        }
        if models.len() >= MOST_MODELS {
            models.clear();
        }
        let calls = Arc::clone(models.entry(bucket.clone()).or_default());
        f(&mut calls.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::from_millis(1_795_464_000_000);

    fn after(seconds: u64) -> Timestamp {
        T0 + Duration::from_secs(seconds)
    }

    #[test]
    fn a_report_holds_ten_seconds_once() {
        let (calls, model) = (RecentCalls::default(), Bucket::new("model-1"));
        for second in 0..15 {
            (0..=second).for_each(|_| calls.succeeded(&model, after(second)));
        }
        let samples = calls.overloaded(&model, after(15));
        let seen: Vec<_> = samples.iter().map(|s| (s.age, s.succeeded, s.failed)).collect();
        let mut expected = vec![(0, 0, 1)];
        expected.extend((1..10_u8).map(|age| (age, 16 - u32::from(age), 0)));
        assert_eq!(seen, expected);
        let again = calls.overloaded(&model, after(15));
        assert_eq!(again.len(), 1, "what was reported is not reported again");
        assert_eq!((again[0].succeeded, again[0].failed), (0, 1));
    }

    #[test]
    fn any_number_of_models_takes_a_bounded_place() {
        let calls = RecentCalls::default();
        for i in 0..10_000 {
            calls.succeeded(&Bucket::new(&format!("model-{i}")), T0);
        }
        assert!(calls.models.read().len() <= MOST_MODELS);
    }
}
