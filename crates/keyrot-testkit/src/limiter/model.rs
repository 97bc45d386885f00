//! The limiter as simply as it can be said: a list of all charges ever, looked through for every
//! question. Shares no code with any store.

use std::collections::BTreeSet;
use std::time::Duration;

use keyrot_core::{Cost, Ended, Limits, PacificDay, PermitId, Timestamp};

/// Parts of a slot count as long as the whole slot does.
const SLOT: u64 = 250;
/// What is added to the minute, and to both sides of midnight.
const GUARD: u64 = 250;
const MINUTE: u64 = 60_000;
const SECOND: u64 = 1_000;

#[derive(Debug)]
struct Charge {
    permit: PermitId,
    domain: usize,
    at: u64,
    requests: u64,
    tokens: u64,
    settled: bool,
    released: bool,
}

impl Charge {
    /// Whether a window of `length` that ends at `at` still touches the charge's slot.
    fn counts(&self, length: u64, at: u64) -> bool {
        at < (self.at / SLOT + 1) * SLOT + length
    }
}

#[derive(Debug)]
struct Place {
    permit: PermitId,
    key: usize,
    until: u64,
}

/// What a candidate asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub key: usize,
    pub domain: usize,
    pub limits: Limits,
    pub concurrency: Option<u32>,
    pub cost: Cost,
}

/// What has been counted: requests, tokens, requests of the day.
pub(super) type Used = (u64, u64, u64);

#[derive(Debug, Default)]
pub(super) struct Model {
    charges: Vec<Charge>,
    places: Vec<Place>,
    /// (domain, until)
    cooling: Vec<(usize, u64)>,
}

impl Model {
    fn of(&self, domain: usize) -> impl Iterator<Item = &Charge> {
        self.charges.iter().filter(move |c| c.domain == domain)
    }

    fn sum(&self, domain: usize, length: u64, at: u64, of: impl Fn(&Charge) -> u64) -> u64 {
        self.of(domain).filter(|c| c.counts(length, at)).map(of).sum()
    }

    fn in_day(&self, domain: usize, day: u64) -> u64 {
        self.of(domain).filter(|c| days(c.at).contains(&day)).map(|c| c.requests).sum()
    }

    pub(super) fn in_flight(&self, key: usize, at: Timestamp) -> u32 {
        let live = self.places.iter().filter(|p| p.key == key && p.until > at.as_millis());
        u32::try_from(live.count()).unwrap_or(u32::MAX)
    }

    pub(super) fn used(&self, domain: usize, at: Timestamp) -> Used {
        let at = at.as_millis();
        let window = MINUTE + GUARD;
        (
            self.sum(domain, window, at, |c| c.requests),
            self.sum(domain, window, at, |c| c.tokens),
            self.in_day(domain, day(at).start.as_millis()),
        )
    }

    fn fits(&self, wish: &Wish, at: u64) -> bool {
        let Wish { domain, limits, cost, .. } = *wish;
        let cooling = self.cooling.iter().any(|(d, until)| *d == domain && at < *until);
        let in_flight = self.in_flight(wish.key, Timestamp::from_millis(at));
        if cooling || wish.concurrency.is_some_and(|limit| in_flight >= limit) {
            return false;
        }
        if cost == (Cost { requests: 0, tokens: 0 }) {
            return true;
        }
        let requests = u64::from(cost.requests);
        let under = |limit: Option<u64>, used: u64, more: u64| limit.is_none_or(|limit| used + more <= limit);
        under(limits.rpm, self.sum(domain, MINUTE + GUARD, at, |c| c.requests), requests)
            && under(limits.tpm, self.sum(domain, MINUTE + GUARD, at, |c| c.tokens), cost.tokens)
            && under(limits.burst, self.sum(domain, SECOND, at, |c| c.requests), requests)
            && days(at).into_iter().all(|day| under(limits.rpd, self.in_day(domain, day), requests))
    }

    /// How long until `wish` is granted if nothing else happens: zero for now, the longest duration
    /// for never.
    pub(super) fn wait(&self, wish: &Wish, now: Timestamp) -> Duration {
        let now = now.as_millis();
        let mut instants = BTreeSet::from([now]);
        for charge in self.of(wish.domain) {
            let end = (charge.at / SLOT + 1) * SLOT;
            instants.extend([end + SECOND, end + MINUTE + GUARD]);
        }
        instants.extend(self.places.iter().map(|p| p.until));
        instants.extend(self.cooling.iter().map(|(_, until)| *until));
        let mut midnight = day(now);
        for _ in 0..3 {
            instants.extend([midnight.start.as_millis() + GUARD, midnight.end.as_millis() + GUARD]);
            midnight = PacificDay::containing(midnight.end);
        }
        let first = instants.range(now..).find(|&&at| self.fits(wish, at));
        first.map_or(Duration::MAX, |at| Duration::from_millis(at - now))
    }

    pub(super) fn admit(&mut self, permit: PermitId, wish: &Wish, lease: Duration, now: Timestamp) {
        let until = (now + lease).as_millis();
        if wish.concurrency.is_some() {
            self.places.push(Place { permit, key: wish.key, until });
        }
        self.charges.push(Charge {
            permit,
            domain: wish.domain,
            at: now.as_millis(),
            requests: wish.cost.requests.into(),
            tokens: wish.cost.tokens,
            settled: wish.cost == (Cost { requests: 0, tokens: 0 }),
            released: false,
        });
    }

    pub(super) fn settle(&mut self, permit: PermitId, tokens: u64) {
        for charge in self.charges.iter_mut().filter(|c| c.permit == permit && !c.settled && !c.released) {
            (charge.tokens, charge.settled) = (tokens, true);
        }
    }

    pub(super) fn release(&mut self, permit: PermitId, ended: Ended) {
        self.places.retain(|p| p.permit != permit);
        for charge in self.charges.iter_mut().filter(|c| c.permit == permit && !c.released) {
            charge.released = true;
            if ended == Ended::NeverSent && !charge.settled {
                (charge.requests, charge.tokens) = (0, 0);
            }
        }
    }

    pub(super) fn cool(&mut self, domain: usize, wait: Duration, now: Timestamp) {
        self.cooling.push((domain, (now + wait).as_millis()));
    }

    /// What was admitted in the minute, the second and the Pacific day that end at `now`: no slots,
    /// no guard, the promise itself.
    pub(super) fn truly_used(&self, domain: usize, now: Timestamp) -> (Used, u64) {
        let now = now.as_millis();
        let within = |c: &&Charge, length: u64| now - c.at < length;
        let minute: Vec<&Charge> = self.of(domain).filter(|c| within(c, MINUTE)).collect();
        let today = self.of(domain).filter(|c| day(c.at) == day(now)).map(|c| c.requests).sum();
        let second = minute.iter().filter(|c| within(c, SECOND)).map(|c| c.requests).sum();
        let sums = (minute.iter().map(|c| c.requests).sum(), minute.iter().map(|c| c.tokens).sum(), today);
        (sums, second)
    }
}

fn day(at: u64) -> PacificDay {
    PacificDay::containing(Timestamp::from_millis(at))
}

/// The starts of the days that an admission at `at` counts in.
fn days(at: u64) -> BTreeSet<u64> {
    [at.saturating_sub(GUARD), at, at + GUARD].map(|t| day(t).start.as_millis()).into()
}
