//! From a request to a lease: draw candidates, reserve one, or wait in line.

use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use keyrot_core::select::{Blocked, Pick};
use keyrot_core::{
    Ask, Candidate, Grant, LimitKind, MAX_CANDIDATES, Permit, PermitId, RateLimiter, Refusal, Reply,
    ScopeKind, Timestamp, Why,
};
use keyrot_secrets::Resolved;

use crate::event::Event;
use crate::exhausted::{Exhausted, KeyRefusal};
use crate::lane::{Draw, Group, Lane};
use crate::lease::{Attempt, Lease};
use crate::pool::Pool;
use crate::profile::Profile;
use crate::retry::Tried;

/// How often what ends with somebody else's call is asked for again, should its end go unnoticed here.
const POLL: Duration = Duration::from_millis(100);
/// How soon a store that cannot decide is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// What a store is given to answer, even to who will not wait for capacity at all.
const LEAST: Duration = Duration::from_secs(2);
/// Who waits does not wake on the dot with everybody else.
const JITTER_MS: u64 = 50;

/// A reserved place.
struct Place {
    permit: Permit,
    pick: Pick,
    resolved: Arc<Resolved>,
}

/// What to ask for.
struct Drawn {
    picks: ArrayVec<Pick, MAX_CANDIDATES>,
    /// The name of the permit to be.
    permit: PermitId,
    /// How often the lane had been reopened by then.
    seen: u64,
}

/// Why there is no lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// No key may go before the deadline.
    Exhausted,
    /// The keys were read again: the lane is not the one to wait in any more.
    Moved,
}

/// One request's way to its next lease.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) pool: &'a Arc<Pool>,
    pub(crate) lane: &'a Arc<Lane>,
    pub(crate) profile: &'a Profile,
    /// No waiting past this.
    pub(crate) deadline: Timestamp,
}

impl Search<'_> {
    /// A lease, as soon as a key may go. `waited` grows by the time it took since `began`, which is now.
    pub(crate) async fn lease(
        &self,
        tried: &Tried,
        number: u32,
        waited: &mut Duration,
        began: Timestamp,
    ) -> Result<Lease, Stop> {
        let place = match self.at_once(tried, began).await {
            Ok(Some(place)) => Ok((place, began)),
            Ok(None) => {
                let place = self.in_line(tried, began).await;
                let now = self.pool.clock.now();
                *waited += now.since(began);
                place.map(|place| (place, now))
            }
            Err(stop) => Err(stop),
        };
        let (Place { permit, pick, resolved }, started) = place?;
        if permit.probe {
            self.pool.probes.sent(permit.id, started + self.profile.lease, started);
        }
        let attempt = Attempt {
            permit,
            lane: Arc::clone(self.lane),
            key: pick.key,
            group: pick.group,
            number,
            waited: *waited,
            started,
            estimate: self.profile.estimate,
        };
        Ok(Lease { pool: Arc::clone(self.pool), attempt, resolved, over: false })
    }

    /// A place without waiting; `None` when waiting may help. Nobody may
    /// overtake: with a line, a newcomer goes to its end.
    async fn at_once(&self, tried: &Tried, now: Timestamp) -> Result<Option<Place>, Stop> {
        if self.lane.queue.waiting() > 0 {
            return Ok(None);
        }
        match self.reserve(tried, now).await {
            Ok(place) => Ok(Some(place)),
            Err(at) if self.in_vain(at, now) => Err(Stop::Exhausted),
            Err(_) => Ok(None),
        }
    }

    async fn in_line(&self, tried: &Tried, now: Timestamp) -> Result<Place, Stop> {
        let queue = &self.lane.queue;
        let ready = self.lane.draw.lock().selector.earliest().unwrap_or(now);
        let _in_line = queue.join();
        self.pool.watch.tell(|| Event::Waiting {
            model: self.lane.key.model.clone(),
            until: ready,
            eta: ready.since(now),
            ahead: queue.waiting().saturating_sub(1),
        });
        let _turn = tokio::select! {
            biased;
            turn = queue.turn.lock() => turn,
            () = self.pool.clock.sleep_until(self.deadline) => return Err(Stop::Exhausted),
        };
        loop {
            let changed = self.pool.changed.notified();
            tokio::pin!(changed);
            // Before looking, so that nothing that happens from here on is missed.
            changed.as_mut().enable();
            if !Arc::ptr_eq(&self.pool.roster(), &self.lane.roster) {
                return Err(Stop::Moved);
            }
            let now = self.pool.clock.now();
            let ready = match self.reserve(tried, now).await {
                Ok(place) => return Ok(place),
                Err(at) if self.in_vain(at, now) => return Err(Stop::Exhausted),
                Err(at) => at,
            };
            let jitter = Duration::from_millis(self.pool.rng.lock().u64(0..=JITTER_MS));
            tokio::select! {
                () = self.pool.clock.sleep_until((ready + jitter).min(self.deadline)) => {}
                () = changed => {}
            }
        }
    }

    /// Whether waiting from `now` for what comes back at `at` is useless. What is polled for may come
    /// back at any moment up to the deadline.
    fn in_vain(&self, at: Timestamp, now: Timestamp) -> bool {
        let late = at > self.deadline && (at > now + POLL || now >= self.deadline);
        late || at == Timestamp::NEVER
    }

    /// Draws and reserves until something is granted or nothing is left to draw; then says when the
    /// first thing comes back ([`Timestamp::NEVER`] for nothing).
    async fn reserve(&self, tried: &Tried, now: Timestamp) -> Result<Place, Timestamp> {
        let mut stay = tried.stays_with();
        loop {
            let stays = stay.take().filter(|pick| !self.barred(tried, *pick, now));
            let Drawn { picks, permit, seen } = self.draw(stays, tried, now);
            if picks.is_empty() {
                let out = self.lane.draw.lock().selector.earliest().unwrap_or(Timestamp::NEVER);
                return Err(tried.earliest(now).map_or(out, |at| at.min(out)));
            }
            // Filled where they are: what is collected is moved, room for all candidates with it.
            let mut usable = ArrayVec::<_, MAX_CANDIDATES>::new();
            usable.extend(picks.into_iter().filter_map(|pick| self.usable(pick, now)));
            let mut candidates = ArrayVec::<_, MAX_CANDIDATES>::new();
            candidates.extend(
                usable.iter().map(|(pick, secret)| self.lane.candidate(pick.key, pick.group, secret, now)),
            );
            let ask = Ask {
                permit,
                candidates: &candidates,
                method: self.profile.method,
                cost: self.profile.cost,
                lease: self.profile.lease,
                class: 0,
            };
            let reply = tokio::select! {
                biased;
                reply = self.pool.limiter.reserve(&ask) => reply,
                // Made only when there is something to wait for. What is granted too late is given back.
                () = async { self.pool.clock.sleep_until(self.deadline.max(now + LEAST)).await } => {
                    tracing::warn!("the limit store did not answer before the deadline");
                    return Err(Timestamp::NEVER);
                }
            };
            let reply = match reply {
                Ok(reply) => reply,
                Err(error) => {
                    tracing::warn!(%error, "cannot reserve");
                    return Err(now + AGAIN);
                }
            };
            if let Some((permit, index)) = self.note(&usable, reply, seen, now)? {
                let (pick, resolved) = &usable[index];
                return Ok(Place { permit, pick: *pick, resolved: Arc::clone(resolved) });
            }
        }
    }

    /// A pick with its secret; a key without one, or past its date, is out for good.
    fn usable(&self, pick: Pick, now: Timestamp) -> Option<(Pick, Arc<Resolved>)> {
        let key = self.lane.roster.key(pick.key);
        let expired = key.expires_at.is_some_and(|at| at <= now);
        let resolved = self.pool.secrets.get(&key.id).filter(|_| !expired);
        if resolved.is_none() {
            self.lane.draw.lock().selector.refused(pick, Blocked::Key, Timestamp::NEVER);
        }
        resolved.map(|resolved| (pick, resolved))
    }

    /// Keeps what a reply says as hints, unless something was reopened since `seen`: the refusals may
    /// be from before that. `Err` when it says that no other key helps either.
    fn note(
        &self,
        usable: &[(Pick, Arc<Resolved>)],
        reply: Reply,
        seen: u64,
        now: Timestamp,
    ) -> Result<Option<(Permit, usize)>, Timestamp> {
        let mut draw = self.lane.draw.lock();
        let refusals = if draw.reopened == seen { reply.refusals.as_slice() } else { &[] };
        for ((pick, _), refusal) in usable.iter().zip(refusals) {
            let until = self.pool.until(refusal, &self.lane.groups[pick.group as usize], now);
            match blocked(refusal, self.profile.cost.tokens) {
                Some(blocked) => draw.selector.refused(*pick, blocked, until),
                // The model or the whole pool.
                None if reply.grant.is_none() => return Err(until),
                None => {}
            }
        }
        Ok(reply.grant.map(|Grant { index, permit, headroom }| {
            draw.selector.granted(usable[index].0, headroom);
            (permit, index)
        }))
    }

    /// The one it stays with, if any, or the best to be had now.
    fn draw(&self, stays: Option<Pick>, tried: &Tried, now: Timestamp) -> Drawn {
        let batch = self.pool.limiter.batch();
        let mut draw = self.lane.draw.lock();
        let Draw { selector, rng, reopened } = &mut *draw;
        let permit = PermitId(rng.u128(..));
        let picks = match stays {
            Some(pick) => ArrayVec::from_iter([pick]),
            None => {
                let skip = |pick| self.barred(tried, pick, now);
                selector.pick(self.profile.cost.tokens, now, batch, skip, |n| rng.u64(0..n))
            }
        };
        Drawn { picks, permit, seen: *reopened }
    }

    fn barred(&self, tried: &Tried, pick: Pick, now: Timestamp) -> bool {
        let fingerprint =
            |key: u32| self.pool.secrets.get(&self.lane.roster.key(key).id).map(|r| r.fingerprint);
        tried.bars(pick, fingerprint, now)
    }

    /// The error that lists every key.
    pub(crate) async fn exhausted(&self, tried: &Tried, waited: Duration) -> Exhausted {
        let now = self.pool.clock.now();
        let mut keys = Vec::new();
        for verdict in self.pool.verdicts(self.lane, self.profile.cost, now).await {
            let key = self.lane.roster.key(verdict.index);
            let (why, until) = verdict.why.map(|why| (why, verdict.until)).unwrap_or_else(|| {
                let group = self.lane.group(&key.project);
                let pick = group.map(|group| Pick { key: verdict.index, group });
                if pick.is_some_and(|pick| self.barred(tried, pick, now)) {
                    ("already failed this request".to_owned(), None)
                } else {
                    ("free again just now".to_owned(), Some(now))
                }
            });
            keys.push(KeyRefusal { key: key.id.clone(), project: key.project.clone(), why, until });
        }
        let earliest = keys.iter().filter_map(|k| k.until).min();
        let eta = earliest.map(|at| at.since(now));
        Exhausted { model: self.lane.key.model.clone(), keys, earliest, eta, waited }
    }
}

impl Lane {
    /// A key with its secret, as the limiter sees it.
    pub(crate) fn candidate(
        &self,
        key: u32,
        group: u32,
        resolved: &Resolved,
        now: Timestamp,
    ) -> Candidate<'_> {
        let (key, group) = (self.roster.key(key), &self.groups[group as usize]);
        Candidate {
            key: &key.id,
            fingerprint: resolved.fingerprint,
            domain: &group.domain,
            limits: group.limits.read().at(now),
            concurrency: key.concurrency,
        }
    }
}

impl Pool {
    /// When what refused may be asked again.
    pub(crate) fn until(&self, refusal: &Refusal, group: &Group, now: Timestamp) -> Timestamp {
        // At least the next millisecond: a refusal that ends now must not be asked again at once.
        let until = now + refusal.retry_after.max(Duration::from_millis(1));
        match refusal.why {
            Why::Limit(LimitKind::Concurrency) => until.min(now + POLL),
            Why::Cooling { .. } if self.probes.end_at(until) => until.min(now + POLL),
            Why::Cooling { .. } => until,
            Why::Limit(_) | Why::TooLarge(_) => until.min(group.limits.read().changes(now)),
        }
    }
}

/// What a refusal says of other requests; `None` when it is about the model or the whole pool.
fn blocked(refusal: &Refusal, tokens: u64) -> Option<Blocked> {
    match refusal.why {
        Why::Limit(LimitKind::Rpm | LimitKind::Rpd | LimitKind::Burst) => Some(Blocked::Group),
        Why::TooLarge(LimitKind::Rpm | LimitKind::Rpd | LimitKind::Burst) => Some(Blocked::Group),
        Why::Limit(LimitKind::Tpm) | Why::TooLarge(LimitKind::Tpm) => Some(Blocked::GroupFor { tokens }),
        Why::Limit(LimitKind::Concurrency) | Why::TooLarge(LimitKind::Concurrency) => Some(Blocked::Key),
        Why::Cooling { scope, .. } => match scope {
            ScopeKind::Key | ScopeKind::Permission => Some(Blocked::Key),
            ScopeKind::Project | ScopeKind::Domain => Some(Blocked::Group),
            ScopeKind::Model | ScopeKind::Pool => None,
        },
    }
}

#[cfg(test)]
mod tests;
