//! Where the wrapper stands: through, away, or cautious after the store lost its memory; and what is
//! to be told on return.

use std::collections::VecDeque;
use std::time::Duration;

use keyrot_core::{Ended, Lifted, Permit, ScopeKind, Stamp, Timestamp};

use super::batch::{Batch, Offset};
use super::books::{Books, Change, granted_here};
use super::late::{End, Late, News, Word};
use super::share::Share;
use super::shared::{Charges, DayCharge, Mark};
use crate::guard::WIDEST;
use crate::lifts::Untold;
use crate::suspended::Suspended;
use crate::window::WINDOW;

/// How far the store's time may jump back and still be the same server's.
const JUMP: Duration = Duration::from_secs(60);
/// How often what is admitted during the return is told before the store decides again: what is left
/// is told right after.
const ROUNDS: u32 = 3;
/// The most overruns kept: an overrun that is not told is an estimate that stays.
const MOST_OWED: usize = 4_096;

/// The newest word of the store's memory, and when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) mark: Mark,
    pub(super) at: Timestamp,
    /// How often it had lost writes by then.
    losses: u64,
}

/// The store is away.
#[derive(Debug, Clone)]
pub(super) struct Away {
    pub(super) since: Timestamp,
    pub(super) why: String,
    pub(super) share: Share,
    /// When the store last answered before.
    last: Option<Timestamp>,
}

/// The store has lost writes.
#[derive(Debug, Clone)]
pub(super) struct Caution {
    since: Timestamp,
    until: Timestamp,
    pub(super) share: Share,
    why: &'static str,
}

/// Charges to be added once.
#[derive(Debug, Clone)]
pub(super) struct Owed {
    pub(super) once: String,
    pub(super) charges: Vec<Charges>,
    /// Whether the store then counts for this instance what it did not before.
    counts: bool,
}

/// The next thing to tell the store.
#[derive(Debug, Clone)]
pub(super) enum Duty {
    Absorb(Owed),
    Word(Word, Timestamp),
    End(End),
    Fact(String, News),
    /// Nothing of what came before the return is left: the store decides again.
    Return(Return),
}

/// How long the store was away, and what was admitted meanwhile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Return {
    pub(super) away: Duration,
    pub(super) admitted: u64,
}

#[derive(Debug)]
pub(super) struct State {
    instance: String,
    /// Tells this process's batches from those of another one that had the same name.
    born: Timestamp,
    assumed: u64,
    pub(super) peers: Vec<String>,
    pub(super) books: Books,
    pub(super) seen: Option<Seen>,
    pub(super) away: Option<Away>,
    pub(super) caution: Option<Caution>,
    /// The newest that was known of the store's count at the last loss: what was admitted here since
    /// is newer.
    left: u64,
    /// How often the store came back: who asked before does not speak of now.
    pub(super) returns: u64,
    pub(super) late: Late,
    batch: Batch,
    batches: u64,
    admitted: u64,
    owed: VecDeque<Owed>,
    /// What the caller has yet to be told was lifted.
    untold: Untold,
}

impl State {
    pub(super) fn new(instance: String, known: Vec<String>, assumed: u64, born: Timestamp) -> Self {
        let mut peers = known;
        peers.sort_unstable();
        peers.dedup();
        Self {
            instance,
            born,
            assumed,
            peers,
            books: Books::default(),
            seen: None,
            away: None,
            caution: None,
            left: 0,
            returns: 0,
            late: Late::default(),
            batch: Batch::default(),
            batches: 0,
            admitted: 0,
            owed: VecDeque::new(),
            untold: Untold::default(),
        }
    }

    fn share(&self) -> Share {
        Share::new(&self.instance, &self.peers, self.assumed)
    }

    /// The store's clock against ours.
    fn offset(&self) -> Offset {
        self.seen.as_ref().map_or(Offset::default(), |seen| Offset::between(seen.at, seen.mark.at))
    }

    /// The store did not answer. Whether that is news.
    pub(super) fn leave(&mut self, why: String, now: Timestamp) -> bool {
        if self.away.is_some() {
            return false;
        }
        let share = self.share();
        self.books.part(share, now);
        self.admitted = 0;
        self.left = self.seen.as_ref().map_or(0, |seen| seen.mark.seq);
        // What is decided by other counts is not what was refused before.
        self.untold.add_all(Lifted::All);
        self.away = Some(Away { since: now, why, share, last: self.seen.as_ref().map(|seen| seen.at) });
        true
    }

    /// Whether to keep to the share of what this instance was admitted, and that share.
    pub(super) fn cautious(&mut self, now: Timestamp) -> Option<Share> {
        self.caution = self.caution.take().filter(|caution| now < caution.until);
        self.caution.as_ref().map(|caution| caution.share)
    }

    /// A lift was told when `before` was known: the store has counted at least that since.
    pub(super) fn lifted(&mut self, before: Option<&Seen>) {
        if let (Some(seen), Some(before)) = (&mut self.seen, before)
            && seen.losses == before.losses
        {
            seen.mark.seq = seen.mark.seq.max(before.mark.seq + 1);
        }
    }

    /// What the caller has yet to be told was lifted, the store having told `theirs`.
    pub(super) fn news(&mut self, theirs: Lifted, now: Timestamp) -> Lifted {
        if let Lifted::Scopes(scopes) = &theirs {
            // Of a domain it may be no more than a charge that was given back.
            for scope in scopes.iter().filter(|scope| scope.kind() != ScopeKind::Domain) {
                self.books.lift(scope, now);
            }
        }
        let here = self.books.scopes.take_lifted();
        self.untold.add_all(theirs);
        if self.away.is_some() {
            self.untold.add_all(here);
        }
        self.untold.take()
    }

    /// The stamp of an admission by the store's count.
    pub(super) fn theirs(&self, stamp: Stamp) -> Stamp {
        if granted_here(stamp) { Stamp { seq: self.left.saturating_add(1), ..stamp } } else { stamp }
    }

    /// The store answered: sees whether it has lost writes since `before`, what was known when it was
    /// asked. What it lost, in words, if that is news.
    pub(super) fn hear(
        &mut self,
        mark: &Mark,
        before: Option<&Seen>,
        now: Timestamp,
    ) -> Option<&'static str> {
        let Some(seen) = &self.seen else {
            self.seen = Some(Seen { mark: mark.clone(), at: now, losses: 0 });
            self.books.seq = self.books.seq.max(mark.seq);
            return None;
        };
        let losses = seen.losses;
        let (wiped, restarted) = (mark.epoch != seen.mark.epoch, mark.run != seen.mark.run);
        // Who asked before the last loss was seen says nothing of the time since.
        let before = before.filter(|before| before.losses == losses).map(|before| &before.mark);
        let why = match before {
            None if wiped || restarted => return None,
            Some(_) if wiped => "it has forgotten everything",
            Some(_) if restarted => "it was restarted, or another server took its place",
            Some(before) if mark.seq < before.seq => "it counts from an earlier state",
            Some(before) if mark.at + JUMP < before.at => "its clock jumped back",
            _ => {
                let newest = mark.seq.max(seen.mark.seq);
                self.seen = Some(Seen { mark: Mark { seq: newest, ..mark.clone() }, at: now, losses });
                return None;
            }
        };
        let share = self.share();
        let until = now + WINDOW + WIDEST;
        self.caution = Some(Caution { since: now, until, share, why });
        self.books.realign(mark.seq);
        self.seen = Some(Seen { mark: mark.clone(), at: now, losses: losses + 1 });
        let charges = if wiped {
            // Whatever was owed or told is part of everything.
            if !self.batch.is_empty() {
                self.close(now);
            }
            for owed in std::mem::take(&mut self.owed) {
                self.count(&owed, now);
            }
            self.books.everything(self.offset(), now)
        } else {
            self.books.day_at_least(mark.at)
        };
        if !charges.is_empty() {
            let once = format!("lost/{}/{}/{}/{}", mark.epoch, mark.run, mark.seq, self.instance);
            self.owed.push_back(Owed { once, charges, counts: false });
        }
        Some(why)
    }

    /// A charge of `cost` was admitted here.
    pub(super) fn admitted(&mut self, permit: &Permit) {
        let (guard, offset) = (self.books.scopes.guard.width(permit.stamp.admitted), self.offset());
        for domain in permit.caller.as_deref().into_iter().chain([&permit.domain]) {
            self.batch.charge(domain, permit.cost, permit.stamp.admitted, guard, offset);
        }
        self.admitted += u64::from(permit.cost.requests);
    }

    /// The batch under way.
    pub(super) fn batch(&self) -> u64 {
        self.batch.no
    }

    /// Settles a permit in the books; whether the store has to be told.
    pub(super) fn settle(&mut self, permit: &Permit, tokens: u64, now: Timestamp) -> bool {
        if let Some(own) = permit.of_caller() {
            let change = self.books.settle(permit.id, &own.domain, tokens);
            self.amend(&own, change, now);
        }
        let change = self.books.settle(permit.id, &permit.domain, tokens);
        self.amend(permit, change, now)
    }

    /// Ends a permit in the books; whether the store has to be told.
    pub(super) fn release(&mut self, permit: &Permit, ended: Ended, now: Timestamp) -> bool {
        let (change, of_caller) = self.books.release(permit, ended, now);
        if let Some(own) = permit.of_caller() {
            self.amend(&own, of_caller, now);
        }
        self.amend(permit, change, now)
    }

    fn amend(&mut self, permit: &Permit, change: Change, now: Timestamp) -> bool {
        if !granted_here(permit.stamp) {
            return true;
        }
        let admitted = permit.stamp.admitted;
        let offset = self.offset();
        if change.batch == Some(self.batch.no) {
            let guard = self.books.scopes.guard.width(now);
            self.batch.change(&permit.domain, change, admitted, guard, offset);
        } else if let Ok(more @ 1..) = u64::try_from(change.tokens)
            && self.owed.len() < MOST_OWED
        {
            // The estimate has been told; what went beyond it is debt there too. What was too much
            // stays charged.
            let window = vec![(offset.apply(admitted), 0, more)];
            let charges = Charges { domain: permit.domain.clone(), window, days: Vec::new() };
            let once = format!("over/{}/{:032x}", self.instance, permit.id.0);
            self.owed.push_back(Owed { once, charges: vec![charges], counts: false });
        }
        false
    }

    /// Closes the batch under way: from now on it does not change.
    fn close(&mut self, now: Timestamp) {
        let offset = self.offset();
        self.batches += 1;
        let batch = std::mem::replace(&mut self.batch, Batch::new(self.batches));
        let once = format!("away/{}/{}/{}", self.instance, self.born.as_millis(), batch.no);
        self.owed.push_back(Owed { once, charges: batch.charges(offset, now), counts: true });
    }

    /// What was owed is counted by the store.
    fn count(&mut self, owed: &Owed, now: Timestamp) {
        for charges in owed.charges.iter().filter(|_| owed.counts) {
            for (day, charge) in &charges.days {
                if let DayCharge::Add(requests) = charge {
                    self.books.counted(&charges.domain, *day, *requests, now);
                }
            }
        }
    }

    /// What to tell next, `round` batches having been told since the store answered again.
    pub(super) fn duty(&mut self, round: u32, now: Timestamp) -> Option<Duty> {
        if let Some((word, at)) = self.late.words.front() {
            return Some(Duty::Word(word.clone(), *at));
        }
        let returning = self.away.is_some();
        if self.owed.is_empty() && !self.batch.is_empty() && (!returning || round < ROUNDS) {
            self.close(now);
        }
        if let Some(owed) = self.owed.front() {
            return Some(Duty::Absorb(owed.clone()));
        }
        if let Some(away) = self.away.take() {
            self.returns += 1;
            self.untold.add_all(Lifted::All);
            let back = Return { away: now.since(away.since), admitted: self.admitted };
            return Some(Duty::Return(back));
        }
        if let Some(end) = self.late.ends.front() {
            return Some(Duty::End(end.clone()));
        }
        // Taken out: what is added meanwhile must not be taken for told.
        self.late.facts.pop_first().map(|(name, news)| Duty::Fact(name, news))
    }

    /// What [`duty`](Self::duty) gave has been done.
    pub(super) fn done(&mut self, duty: &Duty, now: Timestamp) {
        match duty {
            Duty::Absorb(told) => {
                // Unless the store lost its memory meanwhile, and everything is owed anew.
                if self.owed.front().is_some_and(|owed| owed.once == told.once) {
                    self.owed.pop_front();
                    self.count(told, now);
                }
            }
            Duty::Word(..) => drop(self.late.words.pop_front()),
            Duty::End(_) => drop(self.late.ends.pop_front()),
            Duty::Fact(..) | Duty::Return(_) => {}
        }
    }

    /// What [`duty`](Self::duty) gave could not be done.
    pub(super) fn undone(&mut self, duty: Duty) {
        if let Duty::Fact(name, news) = duty {
            self.late.put_back(name, news);
        }
    }

    /// Since when, why, and within what bounds the promise over all instances is suspended.
    pub(super) fn suspended(&self, now: Timestamp) -> Option<Suspended> {
        if let Some(away) = &self.away {
            let bounds = Some(bounds(away.share, away.last.map(|last| away.since.since(last))));
            return Some(Suspended { since: away.since, why: away.why.clone(), bounds });
        }
        let caution = self.caution.as_ref().filter(|caution| now < caution.until)?;
        let n = caution.share.n();
        let bounds = format!(
            "until {} this instance keeps to {} of each limit as well; a window may exceed a limit by what \
             instances that are gone were admitted, and by what others were above their share until they \
             told of it",
            caution.until,
            part(n)
        );
        let why = format!("the store lost writes: {}", caution.why);
        Some(Suspended { since: caution.since, why, bounds: Some(bounds) })
    }
}

fn part(n: u64) -> String {
    if n == 1 { "all".to_owned() } else { format!("1/{n}") }
}

fn bounds(share: Share, last: Option<Duration>) -> String {
    let n = share.n();
    let since = match last {
        Some(last) => {
            format!("in the {:.1} s before the loss, after this instance's last reading", last.as_secs_f64())
        }
        None => "before the loss: this instance had read nothing".to_owned(),
    };
    if n == 1 {
        return format!(
            "this instance keeps to the limits as the only one known; in the minute of the loss a window \
             may exceed a limit by what others were admitted {since}"
        );
    }
    let percent = |k: u64| 100 + 100 * k / n;
    format!(
        "this instance keeps to 1/{n} of each limit; a window of 60 s stays within 100 % of a limit when all \
         {n} instances are cut off, within {} % when 1 of them is, {} % when {} are (limit × (1 + k/{n}), each share rounded up); in \
         the minute of the loss also what others were admitted {since}",
        percent(1),
        percent(n - 1),
        n - 1,
    )
}
