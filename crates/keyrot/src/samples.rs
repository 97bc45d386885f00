//! How calls of a model went in this process, by the second in which they began: what a report of an
//! overloaded model is judged by, and whether other requests are being served. A success costs no write to
//! the store.
//!
//! A model without capacity says so soon, while an answer may take half a minute: what began before an
//! outage and ends well in the middle of it says nothing of it. So calls are judged by when they began, and
//! one that has not failed for a second or two counts for the model.

use std::time::Duration;

use keyrot_core::{Sample, Samples, Timestamp};
use parking_lot::Mutex;

/// How many seconds are kept.
const SECONDS: u64 = 10;
/// For how long a success shows that a model is served.
const RECENT: Duration = Duration::from_secs(60);

/// The calls of one model: see the module's docs.
#[derive(Debug, Default)]
pub(crate) struct RecentCalls(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// One slot per second, at its number modulo their count.
    slots: [Slot; SECONDS as usize],
    last_success: Option<Timestamp>,
    /// How a request last failed whose refusals were taken back before every key had been asked,
    /// since `last_success`.
    retracted: Option<(Timestamp, &'static str)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    second: u64,
    began: u32,
    /// Ended with an answer.
    succeeded: u32,
    failed: u32,
    /// What of it has been reported.
    told_good: u32,
    told_failed: u32,
}

/// Of the calls that began in this second or the one before, one in so many must have failed to be reported
/// so soon: fewer may be the first of many that take longer to go well.
const PLAIN: u32 = 4;

impl Slot {
    /// What is new about calls that began `age` seconds ago.
    fn news(&mut self, age: u64) -> (u32, u32) {
        let (good, failed) = match age {
            0 | 1 if self.failed.saturating_mul(PLAIN) < self.began => return (0, 0),
            0 | 1 => (self.succeeded, self.failed),
            _ => (self.began.saturating_sub(self.failed), self.failed),
        };
        let news = (good.saturating_sub(self.told_good), failed.saturating_sub(self.told_failed));
        (self.told_good, self.told_failed) = (good.max(self.told_good), failed);
        news
    }
}

impl Inner {
    /// The slot of calls that began at `began`; `None` when that is too long ago.
    fn slot(&mut self, began: Timestamp) -> Option<&mut Slot> {
        let second = began.as_millis() / 1_000;
        let slot = &mut self.slots[usize::try_from(second % SECONDS).unwrap_or(0)];
        if slot.second < second {
            *slot = Slot { second, ..Slot::default() };
        }
        (slot.second == second).then_some(slot)
    }
}

fn is_recent(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| now.since(at) < RECENT)
}

impl RecentCalls {
    /// A call begins.
    pub(crate) fn began(&self, now: Timestamp) {
        if let Some(slot) = self.0.lock().slot(now) {
            slot.began += 1;
        }
    }

    /// The model answered a call that began at `began`.
    pub(crate) fn succeeded(&self, began: Timestamp, now: Timestamp) {
        let mut calls = self.0.lock();
        if let Some(slot) = calls.slot(began) {
            slot.succeeded += 1;
        }
        (calls.last_success, calls.retracted) = (Some(now), None);
    }

    /// The model had no capacity for a call that began at `began`. Gives what there is to report: nothing
    /// while that may be one failure among many calls under way.
    pub(crate) fn overloaded(&self, began: Timestamp, now: Timestamp) -> Samples {
        let newest = now.as_millis() / 1_000;
        let mut calls = self.0.lock();
        let late = calls.slot(began).map(|slot| slot.failed += 1).is_none();
        let recent = calls.slots.iter_mut().filter(|slot| newest.saturating_sub(slot.second) < SECONDS);
        let sample = |slot: &mut Slot| {
            let age = newest.saturating_sub(slot.second);
            let (succeeded, failed) = slot.news(age);
            Sample { age: u8::try_from(age).unwrap_or(u8::MAX), succeeded, failed }
        };
        let news = recent.map(sample).filter(|sample| sample.succeeded > 0 || sample.failed > 0);
        let mut samples: Samples = news.collect();
        samples.sort_unstable_by_key(|sample| sample.age);
        // It failed, whenever it began.
        if late && !samples.is_full() && samples.first().is_none_or(|first| first.age > 0) {
            samples.insert(0, Sample { age: 0, succeeded: 0, failed: 1 });
        }
        samples
    }

    /// Whether the model answered anybody in this process within the last minute.
    pub(crate) fn is_served(&self, now: Timestamp) -> bool {
        is_recent(self.0.lock().last_success, now)
    }

    /// A request ended with `answer` of the keys it asked, which were not all. Gives whether another one
    /// did within the last minute, with none served since.
    pub(crate) fn refused_again(&self, answer: &'static str, now: Timestamp) -> bool {
        let before = self.0.lock().retracted.replace((now, answer));
        before.is_some_and(|(at, before)| before == answer && is_recent(Some(at), now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::from_millis(1_795_464_000_000);

    fn after(seconds: u64) -> Timestamp {
        T0 + Duration::from_secs(seconds)
    }

    fn seen(samples: &Samples) -> Vec<(u8, u32, u32)> {
        samples.iter().map(|s| (s.age, s.succeeded, s.failed)).collect()
    }

    #[test]
    fn a_report_holds_ten_seconds_once() {
        let calls = RecentCalls::default();
        for second in 0..15 {
            (0..=second).for_each(|_| calls.began(after(second)));
        }
        calls.began(after(15));
        let mut expected = vec![(0, 0, 1)];
        expected.extend((2..10_u8).map(|age| (age, 16 - u32::from(age), 0)));
        assert_eq!(seen(&calls.overloaded(after(15), after(15))), expected);
        calls.began(after(15));
        let again = calls.overloaded(after(15), after(15));
        assert_eq!(seen(&again), [(0, 0, 1)], "what was reported is not reported again");
    }

    #[test]
    fn answers_of_calls_from_before_an_outage_do_not_hide_it() {
        let calls = RecentCalls::default();
        (0..1_000).for_each(|_| calls.began(after(0)));
        // Half a minute later they end, while every new call fails.
        (0..1_000).for_each(|_| calls.succeeded(after(0), after(30)));
        (0..20).for_each(|_| calls.began(after(30)));
        let reported = (0..20).flat_map(|_| calls.overloaded(after(30), after(30)));
        let (good, failed) = reported.fold((0, 0), |(g, f), s| (g + s.succeeded, f + s.failed));
        assert_eq!((good, failed), (0, 20));
    }

    #[test]
    fn a_failure_among_many_calls_under_way_waits_for_the_second_to_be_over() {
        let calls = RecentCalls::default();
        (0..100).for_each(|_| calls.began(after(0)));
        for _ in 0..5 {
            assert!(calls.overloaded(after(0), after(0)).is_empty());
        }
        calls.began(after(1));
        let samples = calls.overloaded(after(1), after(1));
        assert_eq!(seen(&samples), [(0, 0, 1)]);
        calls.began(after(2));
        let samples = calls.overloaded(after(2), after(2));
        assert_eq!(seen(&samples), [(0, 0, 1), (2, 95, 5)]);
    }
}
