//! What is known against keys and groups, counted by reason, so that a refusal of the whole pool can
//! be told without a look at every key.

use super::{Pick, Selector};
use crate::clock::Timestamp;
use crate::limit::Why;

/// What was last said against a key or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// When it may go again, if nothing else happens; [`Timestamp::NEVER`] for never.
    pub until: Timestamp,
    /// Why not before; `None` for a reason that is not the limiter's.
    pub why: Option<Why>,
    /// The size refused, where a smaller request may still go; otherwise 0.
    pub tokens: u64,
}

impl Hint {
    /// That it is out until `until`, for requests of any size.
    #[must_use]
    pub fn of(until: Timestamp, why: Option<Why>) -> Self {
        Self { until, why, tokens: 0 }
    }
}

/// How much is out for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The reason.
    pub why: Option<Why>,
    /// Groups (quota domains) that are out for it.
    pub groups: u32,
    /// Single keys that are out for it, whatever their group.
    pub keys: u32,
}

impl Selector {
    /// Of the groups that were refused to a request of `tokens` and may have room for a smaller one, the
    /// one that `which` lets pass and that comes back first.
    pub fn first_for_size(&self, tokens: u64, which: impl Fn(u32) -> bool) -> Option<(u32, Timestamp)> {
        let hints = self.groups.iter().filter_map(|group| Some((group.id, group.out?)));
        let out = hints.filter(|(id, hint)| hint.tokens == tokens.max(1) && which(*id));
        out.map(|(id, hint)| (id, hint.until)).min_by_key(|(_, until)| *until)
    }

    /// What is known against a key: its own hint or its group's, whichever lasts longer.
    #[must_use]
    pub fn known_of(&self, pick: Pick) -> Option<Hint> {
        let own = self.member_at.get(&pick.key).and_then(|at| self.members[*at as usize].out);
        let group = self.group_at.get(&pick.group).and_then(|at| self.groups[*at as usize].out);
        own.into_iter().chain(group).max_by_key(|hint| hint.until)
    }

    /// What is out, by reason.
    pub fn reasons(&self) -> impl Iterator<Item = Count> {
        self.reasons.counts()
    }
}

/// A count for each reason there is: a few dozen at most.
#[derive(Debug, Default)]
pub(super) struct Reasons(Vec<Count>);

impl Reasons {
    /// One thing, counted in `field`, is out for the reason of `after` instead of `before`.
    pub(super) fn change(
        &mut self,
        before: Option<Hint>,
        after: Option<Hint>,
        field: impl Fn(&mut Count) -> &mut u32,
    ) {
        if let Some(Hint { why, .. }) = before
            && let Some(count) = self.0.iter_mut().find(|count| count.why == why)
        {
            *field(count) = field(count).saturating_sub(1);
        }
        if let Some(Hint { why, .. }) = after {
            let at = self.0.iter().position(|count| count.why == why).unwrap_or_else(|| {
                self.0.push(Count { why, groups: 0, keys: 0 });
                self.0.len() - 1
            });
            *field(&mut self.0[at]) += 1;
        }
    }

    /// The reasons for which anything is out.
    pub(super) fn counts(&self) -> impl Iterator<Item = Count> {
        self.0.iter().copied().filter(|count| count.groups > 0 || count.keys > 0)
    }
}
