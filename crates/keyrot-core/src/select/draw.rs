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
            if max == 1
                && let Some(pick) = self.better_of_two(tier, &skip, &mut below)
            {
                picks.push(pick);
                break;
            }
            let mut drawn: ArrayVec<u32, MAX_CANDIDATES> = ArrayVec::new();
            let mut passed_over = Vec::new();
            while picks.len() < drawn_at_least
                && let Some(at) = self.tiers[tier].weights.draw(&mut below)
            {
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

    /// The better of two draws from a tier, which are not taken out of the draw meanwhile: that costs more than
    /// the draw. `None` where there is nothing to draw, or one of them may not be used: who is drawn in its
    /// place is for [`pick`](Self::pick) to find out.
    fn better_of_two(
        &mut self,
        tier: usize,
        skip: &impl Fn(Pick) -> bool,
        below: &mut impl FnMut(u64) -> u64,
    ) -> Option<Pick> {
        let weights = &self.tiers[tier].weights;
        let one = weights.draw(below)?;
        let other = weights.draw_beside(one, below);
        let [one, other] = [Some(one), other].map(|at| at.map(|at| self.tiers[tier].cells[at]));
        let one = self.draw_member(one?, skip, below)?;
        let Some(other) = other else { return Some(one) };
        let mut two = [one, self.draw_member(other, skip, below)?];
        self.better_first(&mut two);
        Some(two[0])
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
        while let Some(at) = cell.weights.draw(below) {
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
