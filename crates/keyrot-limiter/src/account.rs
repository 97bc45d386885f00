//! A ledger with its open charges, as the memory store keeps them.

use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::RandomState;
use keyrot_core::{Cost, Ended, PermitId};

use crate::ledger::{Charge, Ledger, Now};
use crate::sweep::Sweep;

/// What one domain has used, and which permits can still change it.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) ledger: Ledger,
    open: HashMap<PermitId, Charge, RandomState>,
    sweep: Sweep,
}

impl Account {
    /// Charges `cost` at `now` to `permit`.
    pub(crate) fn charge(&mut self, permit: PermitId, cost: Cost, guard: Duration, now: Now) {
        let Some(charge) = self.ledger.charge(cost, guard, now) else { return };
        if self.sweep.due(self.open.len()) {
            self.open.retain(|_, charge| !self.ledger.has_left(charge));
            self.sweep.done(self.open.len());
        }
        self.open.insert(permit, charge);
    }

    /// Replaces the estimate of `permit` by what was used, once.
    pub(crate) fn settle(&mut self, permit: PermitId, tokens: u64) {
        if let Some(charge) = self.open.get_mut(&permit) {
            self.ledger.settle(charge, tokens);
        }
    }

    /// Ends `permit`; gives its charge back when it was never sent. Whether it did.
    pub(crate) fn release(&mut self, permit: PermitId, ended: Ended) -> bool {
        let charge = self.open.remove(&permit).filter(|_| ended == Ended::NeverSent);
        charge.is_some_and(|charge| self.ledger.refund(&charge))
    }
}
