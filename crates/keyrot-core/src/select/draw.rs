//! Drawing keys by weight, and the better of two.

use arrayvec::ArrayVec;

use super::{Pick, Selector};
use crate::clock::Timestamp;
use crate::limit::MAX_CANDIDATES;

impl Selector {
    /// Up to `max` keys of distinct groups to try, best first, for a request of `tokens` input
    /// tokens; fewer or none when hints say that nothing else has capacity at `now`.
    ///
    /// `skip` names keys this request may not use again. `below(n)` gives a random number below
    /// `n`.
    pub fn pick(
        &mut self,
        tokens: u64,
        now: Timestamp,
        max: usize,
        skip: impl Fn(Pick) -> bool,
        mut below: impl FnMut(u64) -> u64,
    ) -> ArrayVec<Pick, MAX_CANDIDATES> {
        self.bring_back(now);
        self.bring_back_smaller_than(Some(tokens));
        let max = max.min(MAX_CANDIDATES);
        // Two are drawn even where one is asked for: the choice between two is the point.
        let drawn_at_least = max.max(2);
        let mut picks: ArrayVec<Pick, MAX_CANDIDATES> = ArrayVec::new();
        for tier in 0..self.tiers.len() {
            let first = picks.len();
            if first == 0 && drawn_at_least == 2 {
                picks = self.draw_two(tier, &skip, &mut below);
                if picks.len() >= max {
                    break;
                }
                picks.clear();
            }
            let mut drawn: ArrayVec<u32, MAX_CANDIDATES> = ArrayVec::new();
            let mut passed_over = Vec::new();
            while picks.len() < drawn_at_least && self.tiers[tier].weights.total() > 0 {
                let at = self.tiers[tier].weights.draw(&mut below);
                let cell = self.tiers[tier].cells[at];
                // Out of the draw until this tier is done.
                self.tiers[tier].weights.set(at, 0);
                match self.draw_member(cell, &skip, &mut below) {
                    Some(pick) => {
                        picks.push(pick);
                        drawn.push(cell);
                    }
                    None => passed_over.push(cell),
                }
            }
            for cell in drawn.into_iter().chain(passed_over) {
                self.weigh(cell);
            }
            self.better_first(&mut picks[first..]);
            if picks.len() >= max {
                break;
            }
        }
        picks.truncate(max);
        picks
    }

    /// The better of two draws from a tier, and the other, as [`pick`](Self::pick) draws them: without taking
    /// them out of the draw meanwhile, which costs more than the draw. Fewer where one of them is not to be
    /// used.
    fn draw_two(
        &mut self,
        tier: usize,
        skip: &impl Fn(Pick) -> bool,
        below: &mut impl FnMut(u64) -> u64,
    ) -> ArrayVec<Pick, MAX_CANDIDATES> {
        let mut picks = ArrayVec::new();
        if self.tiers[tier].weights.total() == 0 {
            return picks;
        }
        let one = self.tiers[tier].weights.draw(below);
        let Some(pick) = self.draw_member(self.tiers[tier].cells[one], skip, below) else { return picks };
        picks.push(pick);
        if let Some(two) = self.tiers[tier].weights.draw_beside(one, below) {
            match self.draw_member(self.tiers[tier].cells[two], skip, below) {
                Some(pick) => picks.push(pick),
                // There may be a third.
                None => picks.clear(),
            }
        }
        self.better_first(&mut picks);
        picks
    }

    fn better_first(&self, picks: &mut [Pick]) {
        if let [one, two, ..] = picks
            && self.headroom(two.group).step() > self.headroom(one.group).step()
        {
            std::mem::swap(one, two);
        }
    }

    fn draw_member(
        &mut self,
        cell: u32,
        skip: &impl Fn(Pick) -> bool,
        below: &mut impl FnMut(u64) -> u64,
    ) -> Option<Pick> {
        let group = self.groups[self.cells[cell as usize].group as usize].id;
        let mut passed_over = Vec::new();
        let mut found = None;
        let cell = &mut self.cells[cell as usize];
        while cell.weights.total() > 0 {
            let at = cell.weights.draw(below);
            let member = &self.members[cell.members[at] as usize];
            let pick = Pick { key: member.key, group };
            if !skip(pick) {
                found = Some(pick);
                break;
            }
            cell.weights.set(at, 0);
            passed_over.push((at, member.weight));
        }
        for (at, weight) in passed_over {
            cell.weights.set(at, weight);
        }
        found
    }
}
