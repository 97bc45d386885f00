//! Shares follow weights, tiers hold, what is out stays out until its time and comes back at it.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::limit::LimitKind;

fn entry(key: u32, group: u32, priority: u32, weight: f64) -> Entry {
    Entry { key, group, priority, weight }
}

/// A small linear congruential generator: tests must not depend on luck.
fn draws(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(state >> 1) * u128::from(below)) >> 63) as u64
    }
}

const SHUT: Why = Why::Limit(LimitKind::Rpm);

fn every(_: Why) -> bool {
    true
}

const T0: Timestamp = Timestamp::from_millis(1_000_000);

fn shares(selector: &mut Selector, n: u32) -> HashMap<u32, u32> {
    let mut rng = draws(7);
    let mut counts = HashMap::new();
    for _ in 0..n {
        let picks = selector.pick(1, T0, 2, |_| false, &mut rng);
        *counts.entry(picks[0].key).or_default() += 1;
    }
    counts
}

#[test]
fn with_equal_headroom_shares_match_weights_within_five_per_cent() {
    let mut selector = Selector::new(&[
        entry(0, 0, 100, 1.0),
        entry(1, 0, 100, 2.0),
        entry(2, 1, 100, 3.0),
        entry(3, 2, 100, 4.0),
    ]);
    let counts = shares(&mut selector, 40_000);
    for (key, weight) in [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0)] {
        let share = f64::from(counts[&key]) / 40_000.0;
        assert!((share - weight / 10.0).abs() < 0.05 * weight / 10.0, "key {key}: {share}");
    }
}

#[test]
fn the_group_with_more_headroom_goes_first() {
    let mut selector = Selector::new(&[entry(0, 0, 1, 1.0), entry(1, 1, 1, 1.0)]);
    selector.granted(Pick { key: 0, group: 0 }, Headroom::of(95, 100));
    assert_eq!(shares(&mut selector, 100), HashMap::from([(1, 100)]));
}

#[test]
fn a_lower_tier_is_used_only_when_the_higher_has_nothing() {
    let mut selector = Selector::new(&[entry(0, 0, 2, 1.0), entry(1, 1, 1, 1.0)]);
    assert_eq!(shares(&mut selector, 50), HashMap::from([(1, 50)]));
    selector.refused(Pick { key: 1, group: 1 }, Blocked::Group, Hint::of(Timestamp::NEVER, Some(SHUT)), 0);
    assert_eq!(shares(&mut selector, 50), HashMap::from([(0, 50)]));
    selector.reopen_group(1, every);
    assert_eq!(shares(&mut selector, 50), HashMap::from([(1, 50)]));
}

#[test]
fn a_group_refused_to_a_large_request_is_tried_for_a_smaller_one() {
    let mut selector = Selector::new(&[entry(0, 0, 1, 1.0)]);
    let pick = Pick { key: 0, group: 0 };
    let until = T0 + std::time::Duration::from_secs(9);
    selector.refused(pick, Blocked::GroupFor { tokens: 100 }, Hint::of(until, Some(SHUT)), 0);
    assert!(selector.pick(100, T0, 2, |_| false, draws(1)).is_empty());
    assert_eq!(selector.pick(99, T0, 2, |_| false, draws(1)).as_slice(), &[pick]);
}

#[test]
fn a_refusal_of_what_was_reopened_since_is_no_hint_and_any_other_is() {
    let mut selector = Selector::new(&[entry(0, 0, 1, 1.0), entry(1, 1, 1, 1.0)]);
    let seen = selector.reopenings();
    selector.reopen_group(0, every);
    for key in [0, 1] {
        selector.refused(
            Pick { key, group: key },
            Blocked::Group,
            Hint::of(Timestamp::NEVER, Some(SHUT)),
            seen,
        );
    }
    assert_eq!(shares(&mut selector, 50), HashMap::from([(0, 50)]));
    assert_eq!(selector.known_of(Pick { key: 1, group: 1 }).and_then(|hint| hint.why), Some(SHUT));
}

#[test]
fn tokens_given_back_open_what_wanted_tokens_and_nothing_else() {
    let mut selector = Selector::new(&[entry(0, 0, 1, 1.0), entry(1, 1, 1, 1.0)]);
    let tpm = Why::Limit(LimitKind::Tpm);
    selector.refused(Pick { key: 0, group: 0 }, Blocked::Group, Hint::of(Timestamp::NEVER, Some(SHUT)), 0);
    selector.refused(
        Pick { key: 1, group: 1 },
        Blocked::GroupFor { tokens: 5 },
        Hint::of(Timestamp::NEVER, Some(tpm)),
        0,
    );
    assert!(!selector.reopen_group(0, |why| why == tpm) && selector.reopen_group(1, |why| why == tpm));
    assert_eq!(shares(&mut selector, 50), HashMap::from([(1, 50)]));
}

#[test]
fn a_skipped_key_leaves_room_for_another_of_its_group() {
    let mut selector = Selector::new(&[entry(0, 0, 1, 1.0), entry(1, 0, 1, 1.0)]);
    for seed in 0..20 {
        let picks = selector.pick(1, T0, 2, |p| p.key == 0, draws(seed));
        assert_eq!(picks.as_slice(), &[Pick { key: 1, group: 0 }]);
    }
    assert!(selector.pick(1, T0, 2, |p| p.group == 0, draws(3)).is_empty());
    assert_eq!(shares(&mut selector, 100).len(), 2, "skipping must not outlast the pick");
}

#[derive(Debug, Clone)]
enum Event {
    Refuse(u32, u8, u64),
    Reopen(u32, bool),
    Step(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_u32..12, 0_u8..2, 1_u64..5_000).prop_map(|(k, b, t)| Event::Refuse(k, b, t)),
        (0_u32..12, any::<bool>()).prop_map(|(k, group)| Event::Reopen(k, group)),
        (0_u64..3_000).prop_map(Event::Step),
    ]
}

proptest! {
    /// What is picked is exactly what a plain model says is available, tier by tier.
    #[test]
    fn picks_agree_with_a_plain_model(events in prop::collection::vec(event(), 0..120), seed in any::<u64>()) {
        // 12 keys, 4 groups, tiers by key parity of the group.
        let entries: Vec<Entry> = (0..12).map(|k| entry(k, k % 4, k % 2, 1.0 + f64::from(k))).collect();
        let mut selector = Selector::new(&entries);
        let (mut key_out, mut group_out) = (HashMap::new(), HashMap::new());
        let mut now = T0;
        let mut rng = draws(seed);
        for event in events {
            match event {
                Event::Refuse(key, what, ms) => {
                    let until = now + std::time::Duration::from_millis(ms);
                    let pick = Pick { key, group: key % 4 };
                    if what == 0 {
                        let (why, seen) = (Why::Limit(LimitKind::Concurrency), selector.reopenings());
                        selector.refused(pick, Blocked::Key, Hint::of(until, Some(why)), seen);
                        key_out.insert(key, until);
                    } else {
                        let seen = selector.reopenings();
                        selector.refused(pick, Blocked::Group, Hint::of(until, Some(SHUT)), seen);
                        group_out.insert(key % 4, until);
                    }
                }
                Event::Reopen(key, false) => {
                    selector.reopen_key(key);
                    key_out.remove(&key);
                }
                Event::Reopen(key, true) => {
                    selector.reopen_group(key % 4, every);
                    group_out.remove(&(key % 4));
                }
                Event::Step(ms) => now = now + std::time::Duration::from_millis(ms),
            }
            let out = |map: &HashMap<u32, Timestamp>, i: u32| map.get(&i).is_some_and(|t| *t > now);
            let free = |k: u32| !out(&key_out, k) && !out(&group_out, k % 4);
            let available = (0..12).filter(|k| free(*k)).map(|k| k % 4).collect::<std::collections::BTreeSet<_>>();
            let picks = selector.pick(1, now, MAX_CANDIDATES, |_| false, &mut rng);
            prop_assert!(picks.iter().all(|p| free(p.key)));
            let groups = picks.iter().map(|p| p.group).collect::<std::collections::BTreeSet<_>>();
            prop_assert_eq!(groups.len(), picks.len(), "groups are distinct");
            prop_assert_eq!(groups, available, "every group that has a key is offered");
            prop_assert!(picks.windows(2).all(|w| w[0].group % 2 <= w[1].group % 2), "tiers in order");
            let next = key_out.values().chain(group_out.values()).filter(|t| **t > now).min().copied();
            prop_assert_eq!(selector.earliest(), next);
            let out = |map: &HashMap<u32, Timestamp>| map.values().filter(|t| **t > now).count();
            let counted = selector.reasons().fold((0, 0), |(k, g), c| (k + c.keys, g + c.groups));
            prop_assert_eq!((counted.0 as usize, counted.1 as usize), (out(&key_out), out(&group_out)));
        }
    }
}
