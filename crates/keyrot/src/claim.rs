//! A claim: where a request waits that is too large for now, so that smaller ones behind it go elsewhere.

use keyrot_core::Timestamp;

use crate::lane::{Claim, Lane};

/// What somebody who waits claims; it goes with him.
pub(crate) struct Claimed<'a> {
    pub(crate) lane: &'a Lane,
    pub(crate) ticket: u64,
}

impl Claimed<'_> {
    /// Claims the group that has room for `tokens` first, of those that nobody claims who came before, and
    /// keeps to it while it is only a matter of room. Gives when there is.
    pub(crate) fn claim(&self, tokens: u64) -> Option<Timestamp> {
        let mut draw = self.lane.draw.lock();
        let mine = draw.claims.iter().position(|claim| claim.ticket == self.ticket);
        if let Some(at) = mine {
            let Claim { group, .. } = draw.claims.swap_remove(at);
            if let Some((_, until)) = draw.selector.first_for_size(tokens, |id| id == group) {
                draw.claims.push(Claim { ticket: self.ticket, group, until });
                return Some(until);
            }
        }
        let (group, until) = draw.first_for_size(tokens, self.ticket)?;
        draw.claims.push(Claim { ticket: self.ticket, group, until });
        Some(until)
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        self.lane.draw.lock().claims.retain(|claim| claim.ticket != self.ticket);
    }
}
