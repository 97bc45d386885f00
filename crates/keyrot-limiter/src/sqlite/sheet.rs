//! What one transaction knows and decides, by the same arithmetic as the memory store.

use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::RandomState;
use keyrot_core::{
    Ask, Candidate, CoolReport, Cooled, Cost, Domain, Ended, Gate, Grant, KeyId, Limits, MAX_CANDIDATES,
    Method, Permit, Reason, Refusal, Refusals, Reply, Scope, Stamp, Standing, Timestamp,
};

use super::cooling::Cooling;
use super::failure::Done;
use super::owners::Owners;
use super::rows::{Open, Pool, Rows};
use super::time::Clocks;
use crate::closed::Closed;
use crate::flight::InFlight;
use crate::ledger::{Ledger, Now, by_caller};
use crate::scopes::{Holder, longest};

/// A domain's ledger as it is by now, and whether that is still to be written.
#[derive(Debug, Default)]
struct Page {
    id: Option<i64>,
    ledger: Ledger,
    changed: bool,
}

impl Page {
    /// Why `cost` does not fit, if so.
    fn refusal(&mut self, limits: &Limits, cost: Cost, guard: Duration, now: Now) -> Option<Refusal> {
        self.changed |= self.ledger.note(limits, now);
        let oldest = self.ledger.oldest();
        let refusal = self.ledger.refusal(limits, cost, guard, now);
        // What has left is gone for a refused request too: a guard that widens must not count it again.
        self.changed |= self.ledger.oldest() != oldest;
        refusal
    }
}

/// One transaction: read when it is asked for, written at its end.
#[derive(Debug)]
pub(super) struct Sheet<'c> {
    pub(super) rows: Rows<'c>,
    clocks: &'c Clocks,
    owners: &'c Owners,
    cooling: &'c mut Cooling,
    /// Sequence number and version as they were read.
    was: (u64, u64),
    pool: Pool,
    pages: HashMap<Domain, Page, RandomState>,
    closed: Closed,
    /// Permits granted here.
    pub(super) granted: u32,
}

impl<'c> Sheet<'c> {
    pub(super) fn begin(
        rows: Rows<'c>,
        clocks: &'c Clocks,
        owners: &'c Owners,
        cooling: &'c mut Cooling,
    ) -> Done<Self> {
        let pool = rows.pool()?;
        cooling.sync(rows, &pool)?;
        let (pages, closed) = (HashMap::default(), Closed::default());
        let was = (pool.seq, pool.version);
        Ok(Self { rows, clocks, owners, cooling, was, pool, pages, closed, granted: 0 })
    }

    /// Writes what is still to be written.
    pub(super) fn end(mut self) -> Done {
        for (domain, page) in &self.pages {
            if let (true, Some(id)) = (page.changed, page.id) {
                self.rows.save_ledger(id, &page.ledger)?;
            } else if page.changed {
                self.rows.add_domain(domain, &page.ledger)?;
            }
        }
        self.cooling.save(self.rows, &mut self.pool)?;
        // Time alone is nothing to write: a look writes nothing.
        if (self.pool.seq, self.pool.version) != self.was {
            self.rows.save_pool(&self.pool)?;
        }
        Ok(())
    }

    pub(super) fn now(&mut self) -> Now {
        self.pool.steady.now(self.clocks)
    }

    /// The calendar.
    pub(super) fn wall(&self) -> Timestamp {
        self.clocks.wall()
    }

    fn next_seq(&mut self) -> u64 {
        self.pool.seq += 1;
        self.pool.seq
    }

    fn page(&mut self, domain: &Domain) -> Done<&mut Page> {
        if !self.pages.contains_key(domain) {
            let page = match self.rows.ledger(domain)? {
                Some((id, ledger)) => Page { id: Some(id), ledger, changed: false },
                None => Page::default(),
            };
            self.pages.insert(domain.clone(), page);
        }
        Ok(self.pages.entry(domain.clone()).or_default())
    }

    /// The number of a domain's row, which is made if there is none.
    fn row_of(&mut self, domain: &Domain) -> Done<i64> {
        let rows = self.rows;
        let page = self.page(domain)?;
        if let Some(id) = page.id {
            return Ok(id);
        }
        let id = rows.add_domain(domain, &page.ledger)?;
        (page.id, page.changed) = (Some(id), false);
        Ok(id)
    }

    pub(super) fn reserve(&mut self, ask: &Ask<'_>) -> Done<Reply> {
        let mut refusals = Refusals::new();
        if let Some(Open { choice, mut permit, .. }) = self.rows.open(ask.permit)? {
            permit.caller = ask.caller.map(|caller| Box::new(caller.ledger.clone()));
            let limits = ask.candidates.get(choice).map(|candidate| candidate.limits).unwrap_or_default();
            let headroom = self.page(&permit.domain)?.ledger.headroom(&limits);
            return Ok(Reply { refusals, grant: Some(Grant { index: choice, permit, headroom }) });
        }
        for index in 0..ask.candidates.len().min(MAX_CANDIDATES) {
            match self.try_one(ask, index)? {
                Ok(grant) => return Ok(Reply { refusals, grant: Some(grant) }),
                Err(refusal) => refusals.push(refusal),
            }
        }
        self.closed.close(ask, &refusals);
        Ok(Reply { refusals, grant: None })
    }

    fn try_one(&mut self, ask: &Ask<'_>, index: usize) -> Done<Result<Grant, Refusal>> {
        let candidate = &ask.candidates[index];
        let Candidate { key, domain, limits, concurrency, .. } = *candidate;
        let now = self.now();
        let holder = Holder::candidate(candidate, ask.method);
        let (guard, gate) = {
            let scopes = &self.cooling.scopes;
            (scopes.guard.width(now.day), scopes.gate(&holder, now.day))
        };
        let full = match concurrency {
            Some(limit) => self.places(key, limit, now.minute, true)?.1,
            None => None,
        };
        let closed = self.closed.refusal(ask, candidate);
        let own = match &ask.caller {
            Some(caller) => self.page(caller.ledger)?.refusal(&caller.limits, ask.cost, guard, now),
            None => None,
        };
        let page = self.page(domain)?;
        let limit = page.refusal(&limits, ask.cost, guard, now);
        if let Some(refusal) = longest([closed, full, gate.err(), limit, own.map(by_caller)]) {
            return Ok(Err(refusal));
        }
        let charge = page.ledger.charge(ask.cost, guard, now);
        // Also where nothing was charged: whoever is admitted may be reported on for as long as others.
        page.changed = true;
        let headroom = page.ledger.headroom(&limits);
        let id = self.row_of(domain)?;
        if concurrency.is_some() {
            let (owner, until) = (self.owners.own(), now.minute + ask.lease);
            self.rows.enter(key, ask.permit, owner, until, now.minute)?;
        }
        self.granted += 1;
        self.pool.steady.newest = now.minute.as_millis();
        let permit = ask.permit_for(
            candidate,
            Stamp { seq: self.next_seq(), admitted: now.day },
            gate == Ok(Gate::Probe),
        );
        if let Some(permit) = permit.of_caller() {
            let page = self.page(&permit.domain)?;
            let charge = page.ledger.charge(ask.cost, guard, now);
            page.changed = true;
            let id = self.row_of(&permit.domain)?;
            self.rows.add_permit(&Open { choice: index, permit, charge }, id)?;
        }
        if permit.probe {
            self.cooling.scopes.take_probes(&permit, ask.lease, now.day);
        }
        let open = Open { choice: index, permit, charge };
        self.rows.add_permit(&open, id)?;
        Ok(Ok(Grant { index, permit: open.permit, headroom }))
    }

    /// A key's places in flight, and why there is none left, if so: those of processes that have ended are
    /// given away, once somebody wants one.
    fn places(
        &self,
        key: &KeyId,
        limit: u32,
        now: Timestamp,
        wanted: bool,
    ) -> Done<(InFlight, Option<Refusal>)> {
        let mut places = self.rows.places(key)?;
        let Some(refusal) = places.refusal(limit, now) else { return Ok((places, None)) };
        let mut given = false;
        for (permit, owner) in self.rows.owners(key)? {
            if self.owners.is_gone(&owner, now) {
                places.leave(permit);
                if wanted {
                    self.rows.leave(key, permit)?;
                }
                given = true;
            }
        }
        let refusal = if given { places.refusal(limit, now) } else { Some(refusal) };
        Ok((places, refusal))
    }

    pub(super) fn settle(&mut self, permit: &Permit, tokens: u64) -> Done {
        if let Some(own) = permit.of_caller() {
            self.settle(&own, tokens)?;
        }
        let rows = self.rows;
        let Some(mut charge) = rows.charge(permit.id)? else { return Ok(()) };
        let page = self.page(&permit.domain)?;
        if page.ledger.settle(&mut charge, tokens) {
            page.changed = true;
            rows.save_charge(permit.id, &charge)?;
        }
        Ok(())
    }

    /// Ends a permit; gives its charge back when it was never sent. Whether it was open.
    fn end_permit(&mut self, permit: &Permit, ended: Ended) -> Done<bool> {
        if ended == Ended::NeverSent
            && let Some(charge) = self.rows.charge(permit.id)?
        {
            let page = self.page(&permit.domain)?;
            page.changed = true;
            if page.ledger.refund(&charge) {
                self.cooling.scopes.given_back(&permit.domain);
            }
        }
        self.rows.end_permit(permit.id)
    }

    pub(super) fn release(&mut self, permit: &Permit, ended: Ended) -> Done {
        if let Some(own) = permit.of_caller() {
            self.end_permit(&own, ended)?;
        }
        let open = self.end_permit(permit, ended)?;
        self.rows.leave(&permit.key, permit.id)?;
        match ended {
            Ended::Succeeded if permit.probe || self.cooling.scopes.has_streak(permit) => {
                let (seq, now) = (self.next_seq(), self.wall());
                self.cooling.scopes.succeeded(permit, open, seq, now);
            }
            Ended::Failed | Ended::NeverSent if permit.probe => {
                let now = self.wall();
                self.cooling.scopes.freed(permit, open, now);
            }
            Ended::Succeeded | Ended::Failed | Ended::NeverSent => {}
        }
        Ok(())
    }

    pub(super) fn cool(&mut self, report: &CoolReport) -> Done<Cooled> {
        let contradicts_us = match (&report.scope, report.reason, report.stamp) {
            (Scope::Domain(domain), Reason::QuotaMinute, Some(stamp)) => {
                self.page(domain)?.ledger.held_to_the_minute(stamp.admitted)
            }
            _ => false,
        };
        let (seq, now) = (self.pool.seq, self.wall());
        let scopes = &mut self.cooling.scopes;
        let cooled = scopes.cool(report, seq, now);
        if contradicts_us && cooled.lasts.is_some() {
            scopes.guard.widen(now);
        }
        Ok(cooled)
    }

    pub(super) fn lift(&mut self, scope: &Scope) {
        let (seq, now) = (self.next_seq(), self.wall());
        self.cooling.scopes.lift(scope, seq, now);
    }

    pub(super) fn standing(
        &mut self,
        candidate: &Candidate<'_>,
        method: Method,
        cost: Cost,
    ) -> Done<Standing> {
        let now = self.now();
        let scopes = &self.cooling.scopes;
        let gate = scopes.gate(&Holder::candidate(candidate, method), now.day);
        let guard: Duration = scopes.guard.width(now.day);
        let (places, full) = match candidate.concurrency {
            Some(limit) => self.places(candidate.key, limit, now.minute, false)?,
            None => (InFlight::default(), None),
        };
        let ledger = &mut self.page(candidate.domain)?.ledger;
        let limit = ledger.refusal(&candidate.limits, cost, guard, now);
        let (requests, tokens, day) = ledger.used();
        let in_flight = places.count(now.minute);
        Ok(Standing { requests, tokens, day, in_flight, refusal: longest([full, gate.err(), limit]) })
    }
}

#[cfg(test)]
mod tests;
