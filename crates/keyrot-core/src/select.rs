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

use foldhash::fast::RandomState;

use crate::clock::Timestamp;
use crate::limit::{MAX_CANDIDATES, Why};
use crate::quota::Headroom;

mod draw;
mod fenwick;
mod reasons;
#[cfg(test)]
mod tests;

use fenwick::Fenwick;
use reasons::Reasons;
pub use reasons::{Count, Hint};

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
    out: Option<Hint>,
    /// When it was last reopened, by the selector's count.
    reopened: u64,
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
    out: Option<Hint>,
    /// When it was last reopened, by the selector's count.
    reopened: u64,
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
    /// What is out, counted by reason.
    reasons: Reasons,
    /// How often anything was reopened.
    reopenings: u64,
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
            reasons: Reasons::default(),
            reopenings: 0,
        };
        let mut cell_at: HashMap<(u32, u32), u32> = HashMap::new();
        let mut tier_cells: Vec<Vec<u32>> = vec![Vec::new(); priorities.len()];
        for entry in entries {
            let tier = index(priorities.binary_search(&entry.priority).unwrap_or_default());
            let group = *this.group_at.entry(entry.group).or_insert_with(|| {
                let (id, cells) = (entry.group, Vec::new());
                this.groups.push(Group { id, cells, headroom: Headroom::FULL, out: None, reopened: 0 });
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
            this.members.push(Member { key: entry.key, cell, at, weight, out: None, reopened: 0 });
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

    fn headroom(&self, group: u32) -> Headroom {
        self.group_at.get(&group).map_or(Headroom::FULL, |g| self.groups[*g as usize].headroom)
    }

    /// The limiter granted `pick`, and its group has this much left.
    pub fn granted(&mut self, pick: Pick, headroom: Headroom) {
        if let Some(&group) = self.group_at.get(&pick.group) {
            self.groups[group as usize].headroom = headroom;
        }
    }

    /// How often anything was reopened so far: an ask that is sent now knows nothing of what is
    /// reopened after.
    #[must_use]
    pub fn reopenings(&self) -> u64 {
        self.reopenings
    }

    /// The limiter refused `pick` as `hint` says, being asked when [`reopenings`](Self::reopenings) was
    /// `seen`. A refusal of what was reopened since is no hint any more.
    pub fn refused(&mut self, pick: Pick, blocked: Blocked, hint: Hint, seen: u64) {
        let tokens = if let Blocked::GroupFor { tokens } = blocked { tokens } else { 0 };
        let until = hint.until;
        let hint = Some(Hint { tokens, ..hint });
        let out = match blocked {
            Blocked::Key => {
                let Some(&member) = self.member_at.get(&pick.key) else { return };
                if self.members[member as usize].reopened > seen {
                    return;
                }
                self.set_member(member, hint);
                Out::Member(member)
            }
            Blocked::Group | Blocked::GroupFor { .. } => {
                let Some(&at) = self.group_at.get(&pick.group) else { return };
                if self.groups[at as usize].reopened > seen {
                    return;
                }
                if tokens > 0 {
                    self.out_by_size.push((tokens, at));
                }
                self.set_group(at, hint);
                Out::Group(at)
            }
        };
        self.out.push(Reverse((until, out)));
        self.compact();
    }

    /// The group may have capacity again, where `which` says so of the reason it is out for. Gives
    /// whether anything changed.
    pub fn reopen_group(&mut self, group: u32, which: impl Fn(Why) -> bool) -> bool {
        self.reopenings += 1;
        let Some(&at) = self.group_at.get(&group) else { return false };
        let Group { out, reopened, .. } = &mut self.groups[at as usize];
        *reopened = self.reopenings;
        let opens = out.is_some_and(|hint| hint.why.is_none_or(which));
        if opens {
            self.set_group(at, None);
        }
        opens
    }

    /// The key may go again. Gives whether anything changed.
    pub fn reopen_key(&mut self, key: u32) -> bool {
        self.reopenings += 1;
        let Some(&at) = self.member_at.get(&key) else { return false };
        let Member { out, reopened, .. } = &mut self.members[at as usize];
        *reopened = self.reopenings;
        let opens = out.is_some();
        if opens {
            self.set_member(at, None);
        }
        opens
    }

    /// Nothing that was refused so far counts any more.
    pub fn reopen_all(&mut self) {
        self.reopenings += 1;
        for at in 0..index(self.groups.len()) {
            self.groups[at as usize].reopened = self.reopenings;
            self.set_group(at, None);
        }
        for at in 0..index(self.members.len()) {
            self.members[at as usize].reopened = self.reopenings;
            self.set_member(at, None);
        }
    }

    /// When the first thing that is out comes back, if anything is.
    #[must_use]
    pub fn earliest(&mut self) -> Option<Timestamp> {
        while let Some(Reverse((at, out))) = self.out.peek().copied() {
            if self.hint(out).is_some_and(|hint| hint.until == at) {
                return Some(at);
            }
            self.out.pop();
        }
        None
    }

    /// Whether anything is not out.
    #[must_use]
    pub fn has_any(&self) -> bool {
        self.tiers.iter().any(|tier| tier.weights.total() > 0)
    }

    fn hint(&self, out: Out) -> Option<Hint> {
        match out {
            Out::Group(group) => self.groups[group as usize].out,
            Out::Member(member) => self.members[member as usize].out,
        }
    }

    fn bring_back(&mut self, now: Timestamp) {
        while let Some(Reverse((at, out))) = self.out.peek().copied()
            && at <= now
        {
            self.out.pop();
            if self.hint(out).is_none_or(|hint| hint.until > now) {
                continue;
            }
            match out {
                Out::Group(group) => self.set_group(group, None),
                Out::Member(member) => self.set_member(member, None),
            }
        }
    }

    /// Brings back a few of the groups that were refused to requests of a size, whatever the size of the
    /// next one: tokens may have been given back by somebody who does not tell. Gives whether there were
    /// any.
    pub fn look_again(&mut self) -> bool {
        self.bring_back_smaller_than(None)
    }

    /// A group refused to a larger request may have room for a smaller one. Gives whether any came back.
    fn bring_back_smaller_than(&mut self, tokens: Option<u64>) -> bool {
        let mut any = false;
        for _ in 0..SECOND_LOOKS {
            let Some(&(refused, at)) = self.out_by_size.peek() else { return any };
            let current = self.groups[at as usize].out.is_some_and(|hint| hint.tokens == refused);
            if current && tokens.is_some_and(|tokens| refused <= tokens) {
                return any;
            }
            self.out_by_size.pop();
            if current {
                self.set_group(at, None);
                any = true;
            }
        }
        any
    }

    fn set_member(&mut self, at: u32, hint: Option<Hint>) {
        let member = &mut self.members[at as usize];
        let before = std::mem::replace(&mut member.out, hint);
        let Member { cell, at, weight, .. } = *member;
        self.reasons.change(before, hint, |count| &mut count.keys);
        self.cells[cell as usize].weights.set(at as usize, if hint.is_some() { 0 } else { weight });
        self.weigh(cell);
    }

    fn set_group(&mut self, at: u32, hint: Option<Hint>) {
        let before = std::mem::replace(&mut self.groups[at as usize].out, hint);
        self.reasons.change(before, hint, |count| &mut count.groups);
        if before.is_some() != hint.is_some() {
            self.weigh_group(at);
        }
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
        let weight = if self.groups[*group as usize].out.is_some() { 0 } else { weights.total() };
        self.tiers[*tier as usize].weights.set(*at as usize, weight);
    }

    /// Throws out-of-date entries away before they outgrow what they describe.
    fn compact(&mut self) {
        let most = 4 * (self.groups.len() + self.members.len()) + 64;
        if self.out.len() > most {
            let mut entries = std::mem::take(&mut self.out).into_vec();
            entries.retain(|Reverse((at, out))| self.hint(*out).is_some_and(|hint| hint.until == *at));
            entries.sort_unstable();
            entries.dedup();
            self.out = entries.into();
        }
        if self.out_by_size.len() > most {
            let mut entries = std::mem::take(&mut self.out_by_size).into_vec();
            let current = |at: u32| self.groups[at as usize].out.map(|hint| hint.tokens);
            entries.retain(|(tokens, at)| current(*at) == Some(*tokens));
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
