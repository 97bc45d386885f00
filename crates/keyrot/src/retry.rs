//! How often and how soon a request may be tried again.

use std::collections::VecDeque;
use std::time::Duration;

use keyrot_core::select::Pick;
use keyrot_core::{Fingerprint, KeyId, Project, Timestamp};

use crate::lane::Lane;

/// The stretch over which successes and retries are counted.
const STRETCH: Duration = Duration::from_secs(10);
/// Retries allowed in a stretch whatever the successes.
const FLOOR: usize = 10;
/// One retry for so many successes.
const SUCCESSES_PER_RETRY: usize = 5;
/// The memory of successes is bounded; beyond it the budget is generous anyway.
const REMEMBERED: usize = 4096;

/// The retry budget of a pool: 20 % of recent successes, at least 10 in 10 s. Failing over after
/// a condemnation does not draw on it.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    successes: VecDeque<Timestamp>,
    retries: VecDeque<Timestamp>,
}

impl Budget {
    pub(crate) fn succeeded(&mut self, now: Timestamp) {
        if self.successes.len() == REMEMBERED {
            self.successes.pop_front();
        }
        self.successes.push_back(now);
    }

    /// Takes one retry out of the budget, if there is one.
    pub(crate) fn take(&mut self, now: Timestamp) -> bool {
        for queue in [&mut self.successes, &mut self.retries] {
            while queue.front().is_some_and(|t| now.since(*t) >= STRETCH) {
                queue.pop_front();
            }
        }
        let allowed = FLOOR.max(self.successes.len() / SUCCESSES_PER_RETRY);
        let granted = self.retries.len() < allowed;
        if granted {
            self.retries.push_back(now);
        }
        granted
    }
}

/// Exponential backoff with full jitter: a random share of `base · 2^(n−1)`, at most `most`.
/// `share` is a random number of 0..=1000.
pub(crate) fn backoff(base: Duration, most: Duration, n: u32, share: u32) -> Duration {
    let full = base.saturating_mul(1 << n.saturating_sub(1).min(16)).min(most);
    full.saturating_mul(share.min(1000)) / 1000
}

/// What one request may not use again, and until when.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    keys: Vec<(u32, Fingerprint)>,
    groups: Vec<(u32, Timestamp)>,
    /// Keys on which a call failed without anybody being to blame: used again only when no other may go.
    avoided: Vec<u32>,
    /// Keys that the caller does not want, whatever their secrets.
    excluded: Vec<u32>,
    /// After an overload: no other key, for it would only burn that one's daily quota.
    stay: Option<Pick>,
}

impl Tried {
    /// That it may use nothing of these keys and projects.
    pub(crate) fn without(lane: &Lane, keys: &[KeyId], projects: &[Project]) -> Self {
        Self {
            excluded: keys.iter().filter_map(|key| lane.index(key)).collect(),
            groups: projects.iter().filter_map(|p| Some((lane.group(p)?, Timestamp::NEVER))).collect(),
            ..Self::default()
        }
    }

    /// The same in another lane for the same requests. What is not there any more is forgotten.
    pub(crate) fn moved(&self, from: &Lane, to: &Lane) -> Self {
        let key = |key: u32| to.index(&from.roster.key(key).id);
        let group = |group: u32| to.group(&from.groups[group as usize].domain.project);
        let pick = |pick: Pick| Some(Pick { key: key(pick.key)?, group: group(pick.group)? });
        Self {
            keys: self.keys.iter().filter_map(|(k, fingerprint)| Some((key(*k)?, *fingerprint))).collect(),
            groups: self.groups.iter().filter_map(|(g, until)| Some((group(*g)?, *until))).collect(),
            avoided: self.avoided.iter().filter_map(|avoided| key(*avoided)).collect(),
            excluded: self.excluded.iter().filter_map(|excluded| key(*excluded)).collect(),
            stay: self.stay.and_then(pick),
        }
    }

    /// Whether it may use everything.
    pub(crate) fn is_empty(&self) -> bool {
        let keys = [&self.avoided, &self.excluded];
        self.keys.is_empty() && self.groups.is_empty() && keys.iter().all(|keys| keys.is_empty())
    }

    /// The request uses another key than this one, if another may go.
    pub(crate) fn avoid(&mut self, key: u32) {
        self.avoided.push(key);
        self.stay = None;
    }

    /// Whether it avoids anything.
    pub(crate) fn avoids(&self) -> bool {
        !self.avoided.is_empty()
    }

    /// Uses what it avoided, for want of anything else.
    pub(crate) fn avoid_nothing(&mut self) {
        self.avoided.clear();
    }

    /// The request does not return to this key with this secret.
    pub(crate) fn key(&mut self, key: u32, fingerprint: Fingerprint) {
        self.keys.push((key, fingerprint));
    }

    /// The request does not return to this project before `until`.
    pub(crate) fn group(&mut self, group: u32, until: Timestamp) {
        self.groups.push((group, until));
    }

    /// Whether the request has been sent away from this project before.
    pub(crate) fn has_been_to(&self, group: u32) -> bool {
        self.groups.iter().any(|(tried, _)| *tried == group)
    }

    /// The request stays with this key, as long as that may go.
    pub(crate) fn stay_with(&mut self, pick: Pick) {
        self.stay = Some(pick);
    }

    /// The key the request stays with.
    pub(crate) fn stays_with(&self) -> Option<Pick> {
        self.stay
    }

    pub(crate) fn bars(
        &self,
        pick: Pick,
        fingerprint: impl Fn(u32) -> Option<Fingerprint>,
        now: Timestamp,
    ) -> bool {
        self.groups.iter().any(|(group, until)| *group == pick.group && *until > now)
            || self.keys.iter().any(|(key, tried)| *key == pick.key && fingerprint(*key) == Some(*tried))
            || self.avoided.contains(&pick.key)
            || self.excluded.contains(&pick.key)
    }

    /// Until when this project is barred.
    pub(crate) fn group_until(&self, group: u32) -> Timestamp {
        let until = self.groups.iter().filter(|(tried, _)| *tried == group).map(|(_, until)| *until);
        until.max().unwrap_or_default()
    }

    /// When the first thing barred for a time is free again.
    pub(crate) fn earliest(&self, now: Timestamp) -> Option<Timestamp> {
        self.groups
            .iter()
            .map(|(_, until)| *until)
            .filter(|until| *until > now && *until < Timestamp::NEVER)
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::from_millis(1_000_000);

    #[test]
    fn the_budget_is_ten_in_ten_seconds_or_a_fifth_of_successes() {
        let mut budget = Budget::default();
        assert_eq!((0..20).filter(|_| budget.take(T0)).count(), 10);
        assert!(budget.take(T0 + STRETCH), "old retries are forgotten");
        let mut budget = Budget::default();
        (0..100).for_each(|_| budget.succeeded(T0));
        assert_eq!((0..50).filter(|_| budget.take(T0)).count(), 20);
    }

    #[test]
    fn backoff_doubles_to_its_limit_and_jitters_fully() {
        let (base, most) = (Duration::from_millis(500), Duration::from_secs(60));
        assert_eq!(backoff(base, most, 1, 1000), base);
        assert_eq!(backoff(base, most, 3, 1000), base * 4);
        assert_eq!(backoff(base, most, 40, 1000), most);
        assert_eq!(backoff(base, most, 3, 0), Duration::ZERO);
    }

    #[test]
    fn a_new_secret_is_a_new_key() {
        let old = Fingerprint::of(&keyrot_core::KeyId::new("k").expect("legal"), "old");
        let new = Fingerprint::of(&keyrot_core::KeyId::new("k").expect("legal"), "new");
        let mut tried = Tried::default();
        tried.key(3, old);
        let pick = Pick { key: 3, group: 0 };
        assert!(tried.bars(pick, |_| Some(old), T0));
        assert!(!tried.bars(pick, |_| Some(new), T0));
        tried.group(0, T0 + STRETCH);
        assert!(tried.bars(pick, |_| Some(new), T0));
        assert_eq!(tried.earliest(T0), Some(T0 + STRETCH));
        assert!(!tried.bars(pick, |_| Some(new), T0 + STRETCH));
        tried.avoid(3);
        assert!(tried.bars(pick, |_| Some(new), T0 + STRETCH));
        tried.avoid_nothing();
        assert!(!tried.bars(pick, |_| Some(new), T0 + STRETCH));
    }
}
