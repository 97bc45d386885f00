//! A Fenwick tree of weights: change one, draw one by weight, both in O(log n).

/// Weights by position, with their prefix sums.
#[derive(Debug, Default)]
pub(super) struct Fenwick {
    /// `sums[i]` holds the sum of the `lowbit(i + 1)` weights that end at `i`.
    sums: Vec<u64>,
    weights: Vec<u64>,
    total: u64,
}

impl Fenwick {
    pub(super) fn new(weights: impl Iterator<Item = u64>) -> Self {
        let weights: Vec<u64> = weights.collect();
        let mut sums = weights.clone();
        for i in 1..=sums.len() {
            let parent = i + lowbit(i);
            if parent <= sums.len() {
                sums[parent - 1] += sums[i - 1];
            }
        }
        let total = weights.iter().sum();
        Self { sums, weights, total }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn set(&mut self, at: usize, weight: u64) {
        let old = std::mem::replace(&mut self.weights[at], weight);
        if old == weight {
            return;
        }
        self.total = self.total - old + weight;
        let mut i = at + 1;
        while i <= self.sums.len() {
            self.sums[i - 1] = self.sums[i - 1] - old + weight;
            i += lowbit(i);
        }
    }

    /// A position by weight: `below(n)` gives a random number below `n`. `None` where nothing has any.
    pub(super) fn draw(&self, below: &mut impl FnMut(u64) -> u64) -> Option<usize> {
        (self.total > 0).then(|| self.find(below(self.total)))
    }

    /// Another position than `other`, drawn as if that had no weight; `None` where nothing else has any.
    pub(super) fn draw_beside(&self, other: usize, below: &mut impl FnMut(u64) -> u64) -> Option<usize> {
        let left = self.total - self.weights[other];
        if left == 0 {
            return None;
        }
        let target = below(left);
        let before = self.before(other);
        Some(self.find(if target < before { target } else { target + self.weights[other] }))
    }

    /// The sum of the weights before `at`.
    fn before(&self, at: usize) -> u64 {
        let (mut sum, mut i) = (0, at);
        while i > 0 {
            sum += self.sums[i - 1];
            i -= lowbit(i);
        }
        sum
    }

    /// The position whose weight covers `target`, which must be below [`total`](Self::total).
    fn find(&self, mut target: u64) -> usize {
        let mut at = 0;
        let mut step = self.sums.len().next_power_of_two();
        while step > 0 {
            if at + step <= self.sums.len() && self.sums[at + step - 1] <= target {
                target -= self.sums[at + step - 1];
                at += step;
            }
            step /= 2;
        }
        at
    }
}

fn lowbit(i: usize) -> usize {
    i & i.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_what_a_walk_finds(
            weights in prop::collection::vec(0_u64..50, 1..40),
            sets in prop::collection::vec((any::<prop::sample::Index>(), 0_u64..50), 0..40),
        ) {
            let mut naive = weights.clone();
            let mut tree = Fenwick::new(weights.into_iter());
            for (at, weight) in sets {
                let at = at.index(naive.len());
                naive[at] = weight;
                tree.set(at, weight);
            }
            prop_assert_eq!(tree.total(), naive.iter().sum::<u64>());
            let owners = naive.iter().enumerate().flat_map(|(i, w)| std::iter::repeat_n(i, *w as usize));
            for (target, owner) in owners.enumerate() {
                prop_assert_eq!(tree.find(target as u64), owner);
            }
        }

        #[test]
        fn another_is_drawn_as_if_the_first_were_taken_out(
            weights in prop::collection::vec(0_u64..9, 1..20),
            first in any::<prop::sample::Index>(),
        ) {
            let first = first.index(weights.len());
            let tree = Fenwick::new(weights.iter().copied());
            let mut without = Fenwick::new(weights.into_iter());
            without.set(first, 0);
            for n in 0..without.total().max(1) {
                prop_assert_eq!(tree.draw_beside(first, &mut |_| n), without.draw(&mut |_| n));
            }
        }
    }
}
