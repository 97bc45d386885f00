//! What one instance knows by itself: everything it was admitted, what it last read of the shared
//! counts, what it saw cooling. By these books it goes on alone.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use keyrot_core::{
    Ask, Candidate, Cost, Domain, Ended, Gate, Grant, KeyId, MAX_CANDIDATES, Method, PacificDay, Permit,
    PermitId, Refusal, Refusals, Reply, Stamp, Standing, Timestamp,
};

use super::batch::Offset;
use super::share::{Share, soften};
use super::shared::{Charges, DayCharge, Used};
use crate::account::Account;
use crate::flight::InFlight;
use crate::guard::WIDEST;
use crate::ledger::{Now, by_caller};
use crate::scopes::{Holder, Scopes, longest};
use crate::sweep::Sweep;
use crate::window::WINDOW;

/// What marks the sequence number of a permit granted here, while the store was away.
const HERE: u64 = 1 << 63;

/// Whether `permit` was granted here, while the store was away.
pub(super) fn granted_here(stamp: Stamp) -> bool {
    stamp.seq & HERE != 0
}

type Window = Vec<(Timestamp, u64, u64)>;
type Days = Vec<(PacificDay, DayCharge)>;

/// One domain.
#[derive(Debug, Default)]
struct Book {
    /// Everything admitted to this instance, wherever it is counted.
    own: Account,
    /// What is held against the share while the store is away.
    away: Account,
    /// What all had used when the store last told, and when that was.
    read: Option<(Used, Timestamp)>,
    /// The store's day and what it counted for this instance in it.
    tally: Option<(PacificDay, u64)>,
}

impl Book {
    fn idle(&mut self, now: Timestamp) -> bool {
        self.own.ledger.idle(WIDEST, Now::both(now))
            && self.read.is_none_or(|(_, at)| PacificDay::containing(at).end + WIDEST <= now)
            && self.tally.is_none_or(|(day, _)| day.end + WIDEST <= now)
    }

    fn today(&self, at: Timestamp, charge: fn(u64) -> DayCharge) -> Option<(PacificDay, DayCharge)> {
        let (day, sum) = self.tally.filter(|(day, sum)| *day == PacificDay::containing(at) && *sum > 0)?;
        Some((day, charge(sum)))
    }

    fn account(&mut self, against: Against) -> &mut Account {
        match against {
            Against::Own => &mut self.own,
            Against::Away => &mut self.away,
        }
    }

    fn count(&mut self, day: PacificDay, requests: u64) {
        match &mut self.tally {
            Some((old, sum)) if *old == day => *sum += requests,
            Some((old, _)) if old.start > day.start => {}
            tally => *tally = Some((day, requests)),
        }
    }
}

/// Which account a question is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Against {
    /// What this instance was admitted, and nothing else: the store has lost its memory.
    Own,
    /// The part of what all had used, and what was admitted here since.
    Away,
}

/// An open grant.
#[derive(Debug, Clone)]
struct Open {
    grant: Grant,
    /// The batch that a charge made here went into.
    batch: Option<u64>,
}

/// What an end or a settling changed: requests and tokens, given back where negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Change {
    pub(super) requests: i128,
    pub(super) tokens: i128,
    /// The batch that the permit's charge went into, if it was granted here and is still open.
    pub(super) batch: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Books {
    domains: HashMap<Domain, Book, RandomState>,
    domains_sweep: Sweep,
    places: HashMap<KeyId, InFlight, RandomState>,
    places_sweep: Sweep,
    open: HashMap<PermitId, Open, RandomState>,
    open_sweep: Sweep,
    pub(super) scopes: Scopes,
    /// The newest admission or lift, in the order in which this instance learned of them.
    pub(super) seq: u64,
    /// What a store's count lacks to go on where this one is.
    ahead: u64,
}

impl Books {
    fn book(&mut self, domain: &Domain, now: Timestamp) -> &mut Book {
        if self.domains_sweep.due(self.domains.len()) {
            self.domains.retain(|_, book| !book.idle(now));
            self.domains_sweep.done(self.domains.len());
        }
        self.domains.entry(domain.clone()).or_default()
    }

    fn places(&mut self, key: &KeyId, now: Timestamp) -> &mut InFlight {
        if self.places_sweep.due(self.places.len()) {
            self.places.retain(|_, places| places.count(now) > 0);
            self.places_sweep.done(self.places.len());
        }
        self.places.entry(key.clone()).or_default()
    }

    fn remember(&mut self, grant: &Grant, batch: Option<u64>, now: Timestamp) {
        if self.open_sweep.due(self.open.len()) {
            let since = now.before(WINDOW + WIDEST);
            self.open.retain(|_, open| open.grant.permit.stamp.admitted >= since);
            self.open_sweep.done(self.open.len());
        }
        self.open.insert(grant.permit.id, Open { grant: grant.clone(), batch });
    }

    /// Whether this permit is open.
    pub(super) fn knows(&self, permit: PermitId) -> bool {
        self.open.contains_key(&permit)
    }

    /// The store's count in line with ours.
    pub(super) fn in_line(&self, stamp: Stamp) -> Stamp {
        let seq = if granted_here(stamp) { stamp.seq & !HERE } else { self.ahead.saturating_add(stamp.seq) };
        Stamp { seq, ..stamp }
    }

    /// The store counts from `seq` again: what it counts from now on is newer than all before.
    pub(super) fn realign(&mut self, seq: u64) {
        self.ahead = self.seq.saturating_sub(seq);
    }

    /// What the store had counted for `domain` when it told at `now`.
    pub(super) fn read(&mut self, domain: &Domain, used: Used, now: Timestamp) {
        self.book(domain, now).read = Some((used, now));
    }

    /// The store granted `ask` the candidate. `held`: what [`hold`](Self::hold) charged stands for it.
    pub(super) fn granted(
        &mut self,
        grant: &Grant,
        (ask, candidate): (&Ask<'_>, &Candidate<'_>),
        (held, away): (bool, bool),
        now: Timestamp,
    ) {
        let permit = &grant.permit;
        self.seq = self.seq.max(self.in_line(permit.stamp).seq);
        self.believe(&Holder::permit(permit), permit, now);
        if self.open.contains_key(&permit.id) {
            return;
        }
        if !held {
            self.charge(ask, candidate, now);
        }
        let guard = self.scopes.guard.width(now);
        for domain in permit.caller.as_deref().into_iter().chain([&permit.domain]) {
            let book = self.book(domain, now);
            if away {
                book.away.charge(permit.id, permit.cost, guard, Now::both(now));
            }
            book.count(PacificDay::containing(permit.stamp.admitted), permit.cost.requests.into());
        }
        self.remember(grant, None, now);
    }

    fn charge(&mut self, ask: &Ask<'_>, candidate: &Candidate<'_>, now: Timestamp) {
        if candidate.concurrency.is_some() {
            self.places(candidate.key, now).enter(ask.permit, ask.lease, now);
        }
        let guard = self.scopes.guard.width(now);
        for domain in ledgers(ask, candidate) {
            self.book(domain, now).own.charge(ask.permit, ask.cost, guard, Now::both(now));
        }
    }

    /// The store is away from `now` on: each domain starts with its part of what all had used.
    pub(super) fn part(&mut self, share: Share, now: Timestamp) {
        let guard = self.scopes.guard.width(now);
        let today = PacificDay::containing(now);
        for book in self.domains.values_mut() {
            book.away = Account::default();
            let Some((used, at)) = book.read else { continue };
            let recent = now.since(at) < WINDOW + guard;
            let [requests, tokens] =
                [used.requests, used.tokens].map(|sum| if recent { share.of_used(sum) } else { 0 });
            let day = if at >= today.start { share.of_used(used.day) } else { 0 };
            book.away.ledger.seed(requests, tokens, day, guard, Now::both(now));
        }
    }

    /// Decides here.
    pub(super) fn decide(&mut self, ask: &Ask<'_>, share: Share, batch: u64, now: Timestamp) -> Reply {
        let mut refusals = Refusals::new();
        if let Some(open) = self.open.get(&ask.permit) {
            return Reply { refusals, grant: Some(open.grant.clone()) };
        }
        for (index, candidate) in ask.candidates.iter().take(MAX_CANDIDATES).enumerate() {
            self.book(candidate.domain, now).away.ledger.note(&candidate.limits, Now::both(now));
            if let Some(caller) = &ask.caller {
                self.book(caller.ledger, now).away.ledger.note(&caller.limits, Now::both(now));
            }
            let gate = match self.may_for(ask, candidate, share, Against::Away, now) {
                Ok(gate) => gate,
                Err(refusal) => {
                    refusals.push(refusal);
                    continue;
                }
            };
            self.seq += 1;
            let permit =
                ask.permit_for(candidate, Stamp { seq: HERE | self.seq, admitted: now }, gate == Gate::Probe);
            self.charge(ask, candidate, now);
            if permit.probe {
                self.scopes.take_probes(&permit, ask.lease, now);
            }
            let guard = self.scopes.guard.width(now);
            for domain in ledgers(ask, candidate) {
                self.book(domain, now).away.charge(permit.id, permit.cost, guard, Now::both(now));
            }
            let book = self.book(candidate.domain, now);
            let headroom = book.away.ledger.headroom(&share.limits(&candidate.limits));
            let grant = Grant { index, permit, headroom };
            self.remember(&grant, Some(batch), now);
            return Reply { refusals, grant: Some(grant) };
        }
        Reply { refusals, grant: None }
    }

    /// Whether a candidate may go, its caller's own limits among what decides.
    fn may_for(
        &mut self,
        ask: &Ask<'_>,
        candidate: &Candidate<'_>,
        share: Share,
        against: Against,
        now: Timestamp,
    ) -> Result<Gate, Refusal> {
        let may = self.may(candidate, ask.method, ask.cost, share, against, now);
        let Some(caller) = &ask.caller else { return may };
        let guard = self.scopes.guard.width(now);
        let account = self.book(caller.ledger, now).account(against);
        let own = account.ledger.refusal(&share.limits(&caller.limits), ask.cost, guard, Now::both(now));
        let own = own.map(|refusal| by_caller(soften(refusal, &caller.limits, None, ask.cost)));
        match longest([may.err(), own]) {
            Some(refusal) => Err(refusal),
            None => may,
        }
    }

    fn may(
        &mut self,
        candidate: &Candidate<'_>,
        method: Method,
        cost: Cost,
        share: Share,
        against: Against,
        now: Timestamp,
    ) -> Result<Gate, Refusal> {
        let guard = self.scopes.guard.width(now);
        let gate = self.scopes.gate(&Holder::candidate(candidate, method), now);
        let mut full = None;
        if let Some(whole) = candidate.concurrency {
            full = self.places(candidate.key, now).refusal(share.concurrency(whole), now);
        }
        let account = self.book(candidate.domain, now).account(against);
        let limit = account.ledger.refusal(&share.limits(&candidate.limits), cost, guard, Now::both(now));
        let soft = |refusal| soften(refusal, &candidate.limits, candidate.concurrency, cost);
        match longest([full.map(soft), gate.err(), limit.map(soft)]) {
            Some(refusal) => Err(refusal),
            None => gate,
        }
    }

    /// Charges a candidate of `ask` to what this instance was admitted, before the store is asked,
    /// where its share of the limits allows that.
    pub(super) fn hold(
        &mut self,
        ask: &Ask<'_>,
        candidate: &Candidate<'_>,
        share: Share,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.may_for(ask, candidate, share, Against::Own, now)?;
        self.charge(ask, candidate, now);
        Ok(())
    }

    /// What was held was not granted.
    pub(super) fn let_go(&mut self, ask: &Ask<'_>, candidate: &Candidate<'_>) {
        for domain in ledgers(ask, candidate) {
            if let Some(book) = self.domains.get_mut(domain) {
                book.own.release(ask.permit, Ended::NeverSent);
            }
        }
        if let Some(places) = self.places.get_mut(candidate.key) {
            places.leave(ask.permit);
        }
    }

    /// Settles here what a permit was charged in `domain`; what that changed.
    pub(super) fn settle(&mut self, permit: PermitId, domain: &Domain, tokens: u64) -> Change {
        let batch = self.open.get(&permit).and_then(|open| open.batch);
        let Some(book) = self.domains.get_mut(domain) else { return Change::default() };
        let before = book.own.ledger.used();
        book.own.settle(permit, tokens);
        book.away.settle(permit, tokens);
        let change = Change { batch, ..difference(before, book.own.ledger.used()) };
        if let (Some((used, _)), Ok(more)) = (&mut book.read, u64::try_from(change.tokens)) {
            used.tokens = used.tokens.saturating_add(more);
        }
        change
    }

    /// Ends a permit here; what that changed in its domain, and in its caller's ledger.
    pub(super) fn release(&mut self, permit: &Permit, ended: Ended, now: Timestamp) -> (Change, Change) {
        let open = self.open.remove(&permit.id);
        let was_open = open.is_some();
        let batch = open.and_then(|open| open.batch);
        let change = self.end(permit, &permit.domain, ended, batch);
        let own = permit.caller.as_deref().map(|caller| self.end(permit, caller, ended, batch));
        if let Some(places) = self.places.get_mut(&permit.key) {
            places.leave(permit.id);
        }
        self.ended(permit, ended, was_open, now);
        (change, own.unwrap_or_default())
    }

    /// Ends what a permit was charged in `domain`; what that changed.
    fn end(&mut self, permit: &Permit, domain: &Domain, ended: Ended, batch: Option<u64>) -> Change {
        let Some(book) = self.domains.get_mut(domain) else { return Change { batch, ..Change::default() } };
        let before = book.own.ledger.used();
        if book.own.release(permit.id, ended) {
            self.scopes.given_back(domain);
        }
        book.away.release(permit.id, ended);
        let change = Change { batch, ..difference(before, book.own.ledger.used()) };
        if ended == Ended::NeverSent
            && !granted_here(permit.stamp)
            && let Some((_, sum)) = &mut book.tally
        {
            *sum = sum.saturating_sub(u64::try_from(-change.requests).unwrap_or(0));
        }
        change
    }

    /// What a batch of charges made here added to the store's count of a day.
    pub(super) fn counted(&mut self, domain: &Domain, day: PacificDay, requests: u64, now: Timestamp) {
        self.book(domain, now).count(day, requests);
    }

    /// What a store that may have kept some of it must at least have counted for this instance in the
    /// day of `at`, its own time.
    pub(super) fn day_at_least(&self, at: Timestamp) -> Vec<Charges> {
        self.charges(|book| Some((Vec::new(), vec![book.today(at, DayCharge::AtLeast)?])))
    }

    /// Everything this instance was admitted that still counts, for a store that has forgotten all of
    /// it: `now` by our clock.
    pub(super) fn everything(&self, offset: Offset, now: Timestamp) -> Vec<Charges> {
        let at = offset.apply(now);
        let since = now.before(WINDOW + WIDEST);
        self.charges(|book| {
            let slots = book.own.ledger.slots().filter(|(last, ..)| *last >= since);
            let window: Vec<_> = slots.map(|(last, r, t)| (offset.apply(last.min(now)), r, t)).collect();
            let days: Vec<_> = book.today(at, DayCharge::Add).into_iter().collect();
            (!window.is_empty() || !days.is_empty()).then_some((window, days))
        })
    }

    fn charges(&self, of: impl Fn(&Book) -> Option<(Window, Days)>) -> Vec<Charges> {
        let charges = |(domain, book): (&Domain, &Book)| {
            let (window, days) = of(book)?;
            Some(Charges { domain: domain.clone(), window, days })
        };
        let mut all: Vec<Charges> = self.domains.iter().filter_map(charges).collect();
        all.sort_unstable_by(|a, b| a.domain.cmp(&b.domain));
        all
    }

    /// Whether what was admitted at `admitted`, while the store was away, was held to limits per minute.
    pub(super) fn held_to_the_minute(&self, domain: &Domain, admitted: Timestamp) -> bool {
        self.domains.get(domain).is_some_and(|book| book.away.ledger.held_to_the_minute(admitted))
    }

    /// How a candidate stands here, while the store is away.
    pub(super) fn standing(
        &mut self,
        candidate: &Candidate<'_>,
        (method, cost): (Method, Cost),
        share: Share,
        now: Timestamp,
    ) -> Standing {
        // What a wider guard would count again must not be forgotten by looking.
        let kept = self.book(candidate.domain, now).away.ledger.clone();
        let refusal = self.may(candidate, method, cost, share, Against::Away, now).err();
        let in_flight = candidate.concurrency.map_or(0, |_| self.places(candidate.key, now).count(now));
        let ledger = &mut self.book(candidate.domain, now).away.ledger;
        let (requests, tokens, day) = ledger.used();
        *ledger = kept;
        Standing { requests, tokens, day, in_flight, refusal }
    }
}

/// What is charged for a candidate.
fn ledgers<'a>(ask: &Ask<'a>, candidate: &Candidate<'a>) -> impl Iterator<Item = &'a Domain> + use<'a> {
    ask.caller.map(|caller| caller.ledger).into_iter().chain([candidate.domain])
}

fn difference(before: (u64, u64, u64), after: (u64, u64, u64)) -> Change {
    let less = |after: u64, before: u64| i128::from(after) - i128::from(before);
    Change { requests: less(after.0, before.0), tokens: less(after.1, before.1), batch: None }
}
