//! The fair share of limits, of what was used, and of what is allowed in flight.

use std::time::Duration;

use keyrot_core::{Cost, LimitKind, Limits, Refusal, Why};

/// When whoever a share has no room for may ask again: the longest pause between two attempts to
/// reach the store.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// The part of everything that is one instance's while the instances do not see each other.
///
/// The parts of all `n` add up to the whole: remainders go to the first instances in the order of
/// their ids. Who is not known by id gets none of the remainder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    n: u64,
    /// The place in the order of ids.
    rank: Option<u64>,
}

impl Share {
    /// The share of `instance` among `peers`, which are sorted and have it among them; among
    /// `assumed` when none were ever seen.
    pub(super) fn new(instance: &str, peers: &[String], assumed: u64) -> Self {
        if peers.is_empty() {
            return Self { n: assumed.max(1), rank: None };
        }
        let rank = peers.iter().position(|peer| peer == instance);
        let n = peers.len() + usize::from(rank.is_none());
        Self { n: n as u64, rank: rank.map(|rank| rank as u64) }
    }

    /// Among how many.
    pub(super) fn n(self) -> u64 {
        self.n
    }

    /// What is allowed of `whole`.
    pub(super) fn of(self, whole: u64) -> u64 {
        whole / self.n + u64::from(self.rank.is_some_and(|rank| rank < whole % self.n))
    }

    /// What is held against this instance of `sum`, which was used by all.
    pub(super) fn of_used(self, sum: u64) -> u64 {
        sum / self.n + u64::from(self.rank.unwrap_or(0) < sum % self.n)
    }

    pub(super) fn limits(self, whole: &Limits) -> Limits {
        let of = |limit: Option<u64>| limit.map(|limit| self.of(limit));
        Limits { rpm: of(whole.rpm), tpm: of(whole.tpm), rpd: of(whole.rpd), burst: of(whole.burst) }
    }

    pub(super) fn concurrency(self, whole: u32) -> u32 {
        u32::try_from(self.of(whole.into())).unwrap_or(u32::MAX)
    }
}

/// What is too large for a share but not for the whole waits for the store to come back.
pub(super) fn soften(refusal: Refusal, whole: &Limits, concurrency: Option<u32>, cost: Cost) -> Refusal {
    let Why::TooLarge(kind) = refusal.why else { return refusal };
    let (limit, asked) = match kind {
        LimitKind::Rpm => (whole.rpm, cost.requests.into()),
        LimitKind::Tpm => (whole.tpm, cost.tokens),
        LimitKind::Rpd => (whole.rpd, cost.requests.into()),
        LimitKind::Burst => (whole.burst, cost.requests.into()),
        LimitKind::Concurrency => (concurrency.map(u64::from), 1),
    };
    if limit.is_some_and(|limit| asked > limit) {
        return refusal;
    }
    Refusal { retry_after: SOON, why: Why::Limit(kind) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever had been used: the room of all shares is the room there was.
        #[test]
        fn the_room_of_all_is_the_room_there_was(n in 1_usize..9, limit in 0_u64..40, used in 0_u64..40) {
            let used = used.min(limit);
            let peers: Vec<String> = (0..n).map(|i| format!("i{i}")).collect();
            let mut room = 0;
            for peer in &peers {
                let share = Share::new(peer, &peers, 1);
                prop_assert!(share.of_used(used) <= share.of(limit));
                room += share.of(limit) - share.of_used(used);
            }
            prop_assert_eq!(room, limit - used);
        }

        #[test]
        fn strangers_never_have_more_than_their_part(n in 1_u64..9, limit in 0_u64..40) {
            let share = Share::new("me", &[], n);
            prop_assert!(share.of(limit) * n <= limit);
        }
    }
}
