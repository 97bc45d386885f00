//! Selection: which keys to try first, at a cost that does not grow with their number.
//!
//! A [`Selector`] serves one kind of request (one model, one set of tags). It keeps hints, not
//! truth: which groups (quota domains) and keys the limiter last refused, and until when. It draws
//! two groups by weight and prefers the one with more headroom; the limiter has the last word.
//!
//! Every operation is O(log n): weights live in Fenwick trees, what is out waits in a heap by the
//! time it comes back.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use arrayvec::ArrayVec;
use foldhash::fast::RandomState;

use crate::clock::Timestamp;
use crate::limit::MAX_CANDIDATES;
use crate::quota::Headroom;

mod fenwick;
#[cfg(test)]
mod tests;

use fenwick::Fenwick;

/// One key that may serve the selector's requests.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The caller's index of the key.
    pub key: u32,
    /// The caller's index of the key's quota domain.
    pub group: u32,
    /// The tier: lower goes first; a higher one is used only when no lower one has capacity.
    pub priority: u32,
    /// The share inside the tier; positive and finite.
    pub weight: f64,
}

/// A key to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// The caller's index of the key.
    pub key: u32,
    /// The caller's index of its quota domain.
    pub group: u32,
}

/// What a refusal was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked {
    /// The whole domain, for requests of any size.
    Group,
    /// The whole domain, for requests of at least so many input tokens.
    GroupFor {
        /// Input tokens of the request that was refused.
        tokens: u64,
    },
    /// One key.
    Key,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Out {
    Group(u32),
    Member(u32),
}

#[derive(Debug)]
struct Member {
    key: u32,
    cell: u32,
    /// Its place in the cell's tree.
    at: u32,
    weight: u64,
    out_until: Timestamp,
}

/// The keys of one group in one tier.
#[derive(Debug)]
struct Cell {
    group: u32,
    tier: u32,
    /// Its place in the tier's tree.
    at: u32,
    members: Vec<u32>,
    weights: Fenwick,
}

#[derive(Debug)]
struct Group {
    id: u32,
    cells: Vec<u32>,
    headroom: Headroom,
    out_until: Timestamp,
    out_tokens: u64,
}

#[derive(Debug)]
struct Tier {
    cells: Vec<u32>,
    weights: Fenwick,
}

/// Weights are kept in millionths.
const UNIT: f64 = 1_000_000.0;
/// How many groups, refused to a larger request, a smaller one may try again.
const SECOND_LOOKS: usize = MAX_CANDIDATES;

/// The keys that may serve one kind of request, with what is known of them.
#[derive(Debug)]
pub struct Selector {
    tiers: Vec<Tier>,
    cells: Vec<Cell>,
    groups: Vec<Group>,
    members: Vec<Member>,
    group_at: HashMap<u32, u32, RandomState>,
    member_at: HashMap<u32, u32, RandomState>,
    /// What is out, by when it comes back. Entries may be out of date; the state decides.
    out: BinaryHeap<Reverse<(Timestamp, Out)>>,
    /// Groups out for large requests only, by the size refused.
    out_by_size: BinaryHeap<(u64, u32)>,
}

impl Selector {
    /// A selector over `entries`, everything available.
    #[must_use]
    pub fn new(entries: &[Entry]) -> Self {
        let mut priorities: Vec<u32> = entries.iter().map(|e| e.priority).collect();
        priorities.sort_unstable();
        priorities.dedup();
        let mut this = Self {
            tiers: Vec::new(),
            cells: Vec::new(),
            groups: Vec::new(),
            members: Vec::new(),
            group_at: HashMap::default(),
            member_at: HashMap::default(),
            out: BinaryHeap::new(),
            out_by_size: BinaryHeap::new(),
        };
        let mut cell_at: HashMap<(u32, u32), u32> = HashMap::new();
        let mut tier_cells: Vec<Vec<u32>> = vec![Vec::new(); priorities.len()];
        for entry in entries {
            let tier = index(priorities.binary_search(&entry.priority).unwrap_or_default());
            let group = *this.group_at.entry(entry.group).or_insert_with(|| {
                let (id, cells) = (entry.group, Vec::new());
                this.groups.push(Group {
                    id,
                    cells,
                    headroom: Headroom::FULL,
                    out_until: Timestamp::default(),
                    out_tokens: 0,
                });
                index(this.groups.len() - 1)
            });
            let cell = *cell_at.entry((tier, group)).or_insert_with(|| {
                let cell = index(this.cells.len());
                let at = index(tier_cells[tier as usize].len());
                tier_cells[tier as usize].push(cell);
                this.groups[group as usize].cells.push(cell);
                this.cells.push(Cell { group, tier, at, members: Vec::new(), weights: Fenwick::default() });
                cell
            });
            let member = index(this.members.len());
            let members = &mut this.cells[cell as usize].members;
            let at = index(members.len());
            members.push(member);
            let weight = fixed(entry.weight);
            this.members.push(Member { key: entry.key, cell, at, weight, out_until: Timestamp::default() });
            this.member_at.insert(entry.key, member);
        }
        for cell in &mut this.cells {
            cell.weights = Fenwick::new(cell.members.iter().map(|m| this.members[*m as usize].weight));
        }
        for cells in tier_cells {
            let weights = Fenwick::new(cells.iter().map(|c| this.cells[*c as usize].weights.total()));
            this.tiers.push(Tier { cells, weights });
        }
        this
    }

    /// Whether no key may ever serve this kind of request.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

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
        self.look_again(tokens);
        let max = max.min(MAX_CANDIDATES);
        // Two are drawn even where one is asked for: the choice between two is the point.
        let drawn_at_least = max.max(2);
        let mut picks: ArrayVec<Pick, MAX_CANDIDATES> = ArrayVec::new();
        for tier in 0..self.tiers.len() {
            let first = picks.len();
            let mut drawn: ArrayVec<u32, MAX_CANDIDATES> = ArrayVec::new();
            let mut passed_over = Vec::new();
            while picks.len() < drawn_at_least && self.tiers[tier].weights.total() > 0 {
                let at = self.tiers[tier].weights.find(below(self.tiers[tier].weights.total()));
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
            if let [one, two, ..] = &mut picks[first..]
                && self.headroom(two.group).step() > self.headroom(one.group).step()
            {
                std::mem::swap(one, two);
            }
            if picks.len() >= max {
                break;
            }
        }
        picks.truncate(max);
        picks
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
            let at = cell.weights.find(below(cell.weights.total()));
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

    fn headroom(&self, group: u32) -> Headroom {
        self.group_at.get(&group).map_or(Headroom::FULL, |g| self.groups[*g as usize].headroom)
    }

    /// The limiter granted `pick`, and its group has this much left.
    pub fn granted(&mut self, pick: Pick, headroom: Headroom) {
        if let Some(&group) = self.group_at.get(&pick.group) {
            self.groups[group as usize].headroom = headroom;
        }
    }

    /// The limiter refused `pick` until `until`.
    pub fn refused(&mut self, pick: Pick, blocked: Blocked, until: Timestamp) {
        let out = match blocked {
            Blocked::Key => {
                let Some(&member) = self.member_at.get(&pick.key) else { return };
                self.members[member as usize].out_until = until;
                self.set_member(member, false);
                Out::Member(member)
            }
            Blocked::Group | Blocked::GroupFor { .. } => {
                let Some(&at) = self.group_at.get(&pick.group) else { return };
                let group = &mut self.groups[at as usize];
                group.out_until = until;
                group.out_tokens = 0;
                if let Blocked::GroupFor { tokens } = blocked {
                    group.out_tokens = tokens;
                    self.out_by_size.push((tokens, at));
                }
                self.weigh_group(at);
                Out::Group(at)
            }
        };
        self.out.push(Reverse((until, out)));
        self.compact();
    }

    /// The group may have capacity again: something was settled, released or lifted.
    pub fn reopen_group(&mut self, group: u32) {
        if let Some(&at) = self.group_at.get(&group)
            && self.groups[at as usize].out_until > Timestamp::default()
        {
            self.groups[at as usize].out_until = Timestamp::default();
            self.weigh_group(at);
        }
    }

    /// The key may go again.
    pub fn reopen_key(&mut self, key: u32) {
        if let Some(&member) = self.member_at.get(&key)
            && self.members[member as usize].out_until > Timestamp::default()
        {
            self.members[member as usize].out_until = Timestamp::default();
            self.set_member(member, true);
        }
    }

    /// When the first thing that is out comes back, if anything is.
    #[must_use]
    pub fn earliest(&mut self) -> Option<Timestamp> {
        while let Some(Reverse((at, out))) = self.out.peek().copied() {
            if self.out_until(out) == at {
                return Some(at);
            }
            self.out.pop();
        }
        None
    }

    fn out_until(&self, out: Out) -> Timestamp {
        match out {
            Out::Group(group) => self.groups[group as usize].out_until,
            Out::Member(member) => self.members[member as usize].out_until,
        }
    }

    fn bring_back(&mut self, now: Timestamp) {
        while let Some(Reverse((at, out))) = self.out.peek().copied()
            && at <= now
        {
            self.out.pop();
            if self.out_until(out) > now || self.out_until(out) == Timestamp::default() {
                continue;
            }
            match out {
                Out::Group(group) => {
                    self.groups[group as usize].out_until = Timestamp::default();
                    self.weigh_group(group);
                }
                Out::Member(member) => {
                    self.members[member as usize].out_until = Timestamp::default();
                    self.set_member(member, true);
                }
            }
        }
    }

    /// A group refused to a larger request may have room for a smaller one.
    fn look_again(&mut self, tokens: u64) {
        for _ in 0..SECOND_LOOKS {
            let Some(&(refused, at)) = self.out_by_size.peek() else { return };
            let group = &mut self.groups[at as usize];
            let current = group.out_until > Timestamp::default() && group.out_tokens == refused;
            if current && refused <= tokens {
                return;
            }
            self.out_by_size.pop();
            if current {
                group.out_until = Timestamp::default();
                self.weigh_group(at);
            }
        }
    }

    fn set_member(&mut self, member: u32, on: bool) {
        let Member { cell, at, weight, .. } = self.members[member as usize];
        self.cells[cell as usize].weights.set(at as usize, if on { weight } else { 0 });
        self.weigh(cell);
    }

    fn weigh_group(&mut self, group: u32) {
        for i in 0..self.groups[group as usize].cells.len() {
            let cell = self.groups[group as usize].cells[i];
            self.weigh(cell);
        }
    }

    /// Puts a cell's weight into its tier: nothing while its group is out.
    fn weigh(&mut self, cell: u32) {
        let Cell { group, tier, at, weights, .. } = &self.cells[cell as usize];
        let out = self.groups[*group as usize].out_until > Timestamp::default();
        let weight = if out { 0 } else { weights.total() };
        self.tiers[*tier as usize].weights.set(*at as usize, weight);
    }

    /// Throws out-of-date entries away before they outgrow what they describe.
    fn compact(&mut self) {
        let most = 4 * (self.groups.len() + self.members.len()) + 64;
        if self.out.len() > most {
            let mut entries = std::mem::take(&mut self.out).into_vec();
            entries.retain(|Reverse((at, out))| self.out_until(*out) == *at);
            entries.sort_unstable();
            entries.dedup();
            self.out = entries.into();
        }
        if self.out_by_size.len() > most {
            let mut entries = std::mem::take(&mut self.out_by_size).into_vec();
            entries.retain(|(tokens, at)| self.groups[*at as usize].out_tokens == *tokens);
            entries.sort_unstable();
            entries.dedup();
            self.out_by_size = entries.into();
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of u64 first"
)]
fn fixed(weight: f64) -> u64 {
    (weight * UNIT).clamp(1.0, 1e15) as u64
}

fn index(i: usize) -> u32 {
    u32::try_from(i).unwrap_or(u32::MAX)
}
