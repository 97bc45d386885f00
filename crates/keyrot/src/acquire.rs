//! From a request to a lease: draw candidates, reserve one, or wait in line.

use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use keyrot_core::select::{Blocked, Hint, Pick};
use keyrot_core::{
    Ask, Candidate, Grant, LimitError, LimitKind, MAX_CANDIDATES, Permit, PermitId, RateLimiter, Refusal,
    Reply, ScopeKind, Timestamp, Why,
};
use keyrot_secrets::Resolved;
use smallvec::SmallVec;

use crate::claim::Claimed;
use crate::event::Event;
use crate::hints::MAX_AGE;
use crate::lane::{Draw, Group, Lane};
use crate::lease::{Attempt, Lease};
use crate::line::{Keeps, Place};
use crate::pool::{PATIENCE, Pool};
use crate::profile::Profile;
use crate::request_id::RequestId;
use crate::retry::Tried;

/// How often what ends with somebody else's call is asked for again, should its end go unnoticed here.
const POLL: Duration = Duration::from_millis(100);
/// Who waits does not wake on the dot with everybody else.
const JITTER_MS: u64 = 50;

/// A reserved place.
struct Reserved {
    permit: Permit,
    pick: Pick,
    resolved: Arc<Resolved>,
}

/// What to ask for.
struct Drawn {
    picks: ArrayVec<Pick, MAX_CANDIDATES>,
    /// The name of the permit to be.
    permit: PermitId,
    /// How often anything had been reopened by then.
    seen: u64,
    /// How often what stands in the way of all had been lifted by then.
    lifted: u64,
    /// How often anything of any lane had been reopened by then.
    reopenings: u64,
}

/// Why nothing was reserved.
#[derive(Debug)]
enum Denied {
    Refused(Refused),
    /// The store does not decide.
    Store(LimitError),
}

/// Nothing may go before `until` ([`Timestamp::NEVER`] for never).
#[derive(Debug, Clone, Copy)]
struct Refused {
    until: Timestamp,
    keeps: Keeps,
}

impl Refused {
    fn all(until: Timestamp) -> Self {
        Self { until, keeps: Keeps::All }
    }
}

impl From<Refused> for Denied {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Why there is no lease.
#[derive(Debug)]
pub(crate) enum Stop {
    /// No key may go before the deadline.
    Exhausted,
    /// The keys were read again: the lane is not the one to wait in any more.
    Moved,
    /// The store does not decide: no request is sent while nobody counts it.
    Store(LimitError),
}

/// One request's way to its next lease.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) pool: &'a Arc<Pool>,
    pub(crate) lane: &'a Arc<Lane>,
    pub(crate) profile: &'a Profile,
    pub(crate) request: &'a RequestId,
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
            Ok(place) => Ok((place, began)),
            Err(Some(stop)) => Err(stop),
            Err(None) => {
                // Few wait, and all others would carry what it needs.
                let place = Box::pin(self.in_line(tried)).await;
                let now = self.pool.clock.now();
                *waited += now.since(began);
                place.map(|place| (place, now))
            }
        };
        let (Reserved { permit, pick, resolved }, started) = place?;
        self.lane.recent.began(started);
        let attempt = Attempt {
            permit,
            lane: Arc::clone(self.lane),
            key: pick.key,
            group: pick.group,
            number,
            waited: *waited,
            started,
            estimate: self.profile.estimate,
            request: self.request.clone(),
            answered: false,
            lasts: self.profile.lease,
        };
        Ok(Lease { pool: Arc::clone(self.pool), attempt, resolved, over: false })
    }

    /// A place without waiting; `Err(None)` when waiting may help. Nobody may overtake: with a line, a
    /// newcomer goes to its end, unless what is known says that waiting is useless.
    async fn at_once(&self, tried: &Tried, now: Timestamp) -> Result<Reserved, Option<Stop>> {
        if self.lane.line.waiting() > 0 {
            let in_vain = |refused: &Refused| self.in_vain(*refused, now) && !self.pool.is_stale(now);
            return Err(self.known(tried, now).filter(in_vain).map(|_| Stop::Exhausted));
        }
        match self.reserve(tried, LAST, now).await {
            Ok(place) => Ok(place),
            Err(Denied::Store(error)) => Err(Some(Stop::Store(error))),
            Err(Denied::Refused(refused)) if self.in_vain(refused, now) => Err(Some(Stop::Exhausted)),
            Err(Denied::Refused(_)) => Err(None),
        }
    }

    async fn in_line(&self, tried: &Tried) -> Result<Reserved, Stop> {
        let place = self.lane.line.join(self.lane.class, self.profile.cost.tokens);
        let now = self.pool.clock.now();
        self.pool.watch.tell(|| {
            let until = self.known(tried, now).map_or(now, |refused| refused.until);
            let (model, eta) = (self.lane.key.model.clone(), until.since(now));
            Event::Waiting { request: self.request.clone(), model, until, eta, ahead: place.ahead }
        });
        let reserved = tokio::select! {
            biased;
            reserved = self.from(&place, tried) => reserved?,
            () = self.pool.clock.sleep_until(self.deadline) => return Err(Stop::Exhausted),
        };
        place.granted();
        Ok(reserved)
    }

    /// A reserved place, by whoever stands at `place`.
    async fn from(&self, place: &Place<'_>, tried: &Tried) -> Result<Reserved, Stop> {
        let clock = &*self.pool.clock;
        let claimed = Claimed { lane: self.lane, ticket: place.ticket };
        loop {
            let turn = place.turn(clock).await;
            if !Arc::ptr_eq(&self.pool.roster(), &self.lane.roster) {
                return Err(Stop::Moved);
            }
            let asked = clock.now();
            let refused = match self.reserve(tried, place.ticket, asked).await {
                Ok(reserved) => return Ok(reserved),
                Err(Denied::Store(error)) => return Err(Stop::Store(error)),
                Err(Denied::Refused(refused)) => refused,
            };
            let now = clock.now();
            if self.in_vain(refused, asked) {
                return Err(Stop::Exhausted);
            }
            // Where it waits for room, if it is only too large for now, nobody behind it goes.
            let room =
                (refused.keeps == Keeps::Size).then(|| claimed.claim(self.profile.cost.tokens)).flatten();
            // Hints are looked at again while they can be believed, and no later.
            let jitter = Duration::from_millis(self.pool.rng.lock().u64(0..=JITTER_MS));
            let until = (room.unwrap_or(refused.until) + jitter).min(now + MAX_AGE);
            place.refused(&turn, until, refused.keeps, now);
        }
    }

    /// Whether waiting from `now` for what comes back then is useless. What is polled for may come back at
    /// any moment up to the deadline.
    fn in_vain(&self, refused: Refused, now: Timestamp) -> bool {
        let at = refused.until;
        let late = at > self.deadline && (at > now + POLL || now >= self.deadline);
        late || at == Timestamp::NEVER
    }

    /// Draws and reserves until something is granted or nothing is left to draw.
    async fn reserve(&self, tried: &Tried, ticket: u64, now: Timestamp) -> Result<Reserved, Denied> {
        let mut stay = tried.stays_with();
        loop {
            let drawn =
                match self.draw(stay.filter(|pick| !self.barred(tried, *pick, now)), tried, ticket, now) {
                    Ok(drawn) => drawn,
                    // What is known is only as good as it is new.
                    Err(_) if self.pool.is_stale(now) && self.refreshed(now).await => continue,
                    Err(refused) => return Err(refused.into()),
                };
            stay = None;
            // A store in this process is asked for one, and pays for no room for more.
            let usable: SmallVec<[_; 1]> =
                drawn.picks.iter().filter_map(|pick| self.usable(*pick, now)).collect();
            if usable.is_empty() {
                continue;
            }
            let candidate = |(pick, secret): &(Pick, Arc<Resolved>)| {
                self.lane.candidate(pick.key, pick.group, secret, now)
            };
            let candidates: SmallVec<[_; 1]> = usable.iter().map(candidate).collect();
            let ask = Ask {
                permit: drawn.permit,
                candidates: &candidates,
                method: self.profile.method,
                cost: self.profile.cost,
                lease: self.profile.lease,
                class: self.lane.class,
                caller: None,
            };
            // What is granted too late is given back.
            let reply = self.in_time(self.pool.limiter.reserve(&ask), now).await.map_err(Denied::Store)?;
            let granted = self.note(&usable, &drawn, reply, now);
            self.pool.heard(now);
            if let Some((permit, index)) = granted? {
                let (pick, resolved) = &usable[index];
                return Ok(Reserved { permit, pick: *pick, resolved: Arc::clone(resolved) });
            }
        }
    }

    /// What a store is asked for a request: it ends at the deadline and what a store is given after that.
    async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, LimitError>>,
        now: Timestamp,
    ) -> Result<T, LimitError> {
        tokio::select! {
            biased;
            answer = call => answer,
            // Made only when there is something to wait for.
            () = async { self.pool.clock.sleep_until(self.deadline.max(now) + PATIENCE).await } => {
                let why = "it did not answer before the deadline".to_owned();
                Err(LimitError::Unavailable { store: self.pool.limiter.truth().store, why })
            }
        }
    }

    /// Catches up on what was lifted. `false` when the limiter does not say, in time.
    async fn refreshed(&self, now: Timestamp) -> bool {
        let heard = self.in_time(self.pool.refresh_hints(), now).await;
        // The clock may stand still at who asked.
        heard.is_ok() && !self.pool.is_stale(now)
    }

    /// A pick with its secret; a key without one, or past its date, is out for good.
    fn usable(&self, pick: Pick, now: Timestamp) -> Option<(Pick, Arc<Resolved>)> {
        let key = self.lane.roster.key(pick.key);
        let expired = key.expires_at.is_some_and(|at| at <= now);
        let resolved = self.pool.secrets.get(&key.id).filter(|_| !expired);
        if resolved.is_none() {
            let mut draw = self.lane.draw.lock();
            let seen = draw.selector.reopenings();
            draw.selector.refused(pick, Blocked::Key, Hint::of(Timestamp::NEVER, None), seen);
            drop(draw);
            self.pool.lanes.keeps_hints(&self.lane.field);
        }
        resolved.map(|resolved| (pick, resolved))
    }

    /// Keeps what a reply says as hints, but for what was reopened since it was asked for: it may be from
    /// before that. `Err` when it says that no other key helps either.
    fn note(
        &self,
        usable: &[(Pick, Arc<Resolved>)],
        drawn: &Drawn,
        reply: Reply,
        now: Timestamp,
    ) -> Result<Option<(Permit, usize)>, Refused> {
        let mut refused_all = None;
        {
            let mut draw = self.lane.draw.lock();
            for ((pick, resolved), refusal) in usable.iter().zip(&reply.refusals) {
                let until = until(refusal, &self.lane.groups[pick.group as usize], now);
                let hint = Hint::of(until, Some(refusal.why));
                if let Why::Cooling { reason, .. } = refusal.why {
                    let key = &self.lane.roster.key(pick.key).id;
                    let domain = &self.lane.groups[pick.group as usize].domain;
                    self.pool.watch_key(key, resolved.fingerprint, domain, &self.lane.key.model, reason);
                }
                match blocked(refusal, self.profile.cost.tokens) {
                    Some(blocked) => draw.selector.refused(*pick, blocked, hint, drawn.seen),
                    None if matches!(refusal.why, Why::Caller(_)) => {
                        refused_all = Some(Refused { until, keeps: Keeps::Own });
                    }
                    // The model or the whole pool.
                    None if reply.grant.is_none() => {
                        refused_all = Some(Refused::all(until));
                        if draw.lifted == drawn.lifted {
                            draw.wide = Some(hint);
                        }
                    }
                    None => {}
                }
            }
            if let Some(Grant { index, headroom, .. }) = &reply.grant {
                draw.selector.granted(usable[*index].0, *headroom);
            }
        }
        let lanes = &self.pool.lanes;
        // Nobody told this field of what was reopened before it was known to have hints.
        if !reply.refusals.is_empty()
            && lanes.keeps_hints(&self.lane.field)
            && lanes.reopenings() != drawn.reopenings
        {
            self.lane.reopen_all();
        }
        match (reply.grant, refused_all) {
            (Some(Grant { index, permit, .. }), _) => Ok(Some((permit, index))),
            (None, Some(refused)) => Err(refused),
            (None, None) => Ok(None),
        }
    }

    /// The one it stays with, if any, or the best to be had now.
    fn draw(
        &self,
        stays: Option<Pick>,
        tried: &Tried,
        ticket: u64,
        now: Timestamp,
    ) -> Result<Drawn, Refused> {
        let (batch, reopenings) = (self.pool.limiter.batch(), self.pool.lanes.reopenings());
        let mut draw = self.lane.draw.lock();
        if self.profile.cost.tokens > draw.most_tokens(&self.lane.groups, now) {
            return Err(Refused::all(Timestamp::NEVER));
        }
        if let Some(hint) = draw.wide.filter(|hint| hint.until > now) {
            return Err(Refused::all(hint.until));
        }
        draw.wide = None;
        let permit = PermitId(draw.rng.u128(..));
        let mut picks = match stays {
            Some(pick) => ArrayVec::from_iter([pick]),
            None => self.pick(&mut draw, tried, ticket, batch, now),
        };
        if picks.is_empty() && self.pool.limiter.is_shared() && draw.look_again(now) {
            picks = self.pick(&mut draw, tried, ticket, batch, now);
        }
        if picks.is_empty() {
            return Err(self.refused(&mut draw, tried, ticket, now));
        }
        Ok(Drawn { picks, permit, seen: draw.selector.reopenings(), lifted: draw.lifted, reopenings })
    }

    fn pick(
        &self,
        draw: &mut Draw,
        tried: &Tried,
        ticket: u64,
        batch: usize,
        now: Timestamp,
    ) -> ArrayVec<Pick, MAX_CANDIDATES> {
        let Draw { selector, rng, claims, .. } = draw;
        let claimed = |group| claims.iter().any(|claim| claim.group == group && claim.ticket < ticket);
        let skip = |pick: Pick| claimed(pick.group) || self.barred(tried, pick, now);
        selector.pick(self.profile.cost.tokens, now, batch, skip, |n| rng.u64(0..n))
    }

    /// Nothing is left to draw: when the first thing comes back, and for whom that matters.
    fn refused(&self, draw: &mut Draw, tried: &Tried, ticket: u64, now: Timestamp) -> Refused {
        let claims = draw.claims.iter().filter(|claim| claim.ticket < ticket).map(|claim| claim.until);
        let out = if tried.is_empty() {
            draw.selector.earliest()
        } else {
            // What comes back where this request may not go any more is nothing to wait for.
            let free = |pick: Pick| {
                let known = draw.selector.known_of(pick).map_or(now, |hint| hint.until);
                self.barred_until(tried, pick, now).max(known)
            };
            self.lane.picks().map(free).filter(|at| *at > now).min()
        };
        let until = claims.chain(out).min().unwrap_or(Timestamp::NEVER);
        let tokens = self.profile.cost.tokens;
        let keeps = if !tried.is_empty() && draw.selector.has_any() {
            Keeps::Own
        } else if ticket < LAST && draw.first_for_size(tokens, ticket).is_some() {
            Keeps::Size
        } else {
            Keeps::All
        };
        Refused { until, keeps }
    }

    /// What is known to stand in the way, without a question to anybody.
    fn known(&self, tried: &Tried, now: Timestamp) -> Option<Refused> {
        self.draw(None, tried, LAST, now).err()
    }

    /// Until when this request may not use a key again; `now` when it may.
    fn barred_until(&self, tried: &Tried, pick: Pick, now: Timestamp) -> Timestamp {
        let for_a_time = tried.group_until(pick.group).max(now);
        if for_a_time < Timestamp::NEVER && self.barred(tried, pick, for_a_time) {
            return Timestamp::NEVER;
        }
        for_a_time
    }

    pub(crate) fn barred(&self, tried: &Tried, pick: Pick, now: Timestamp) -> bool {
        let fingerprint =
            |key: u32| self.pool.secrets.get(&self.lane.roster.key(key).id).map(|r| r.fingerprint);
        tried.bars(pick, fingerprint, now)
    }
}

/// Nobody comes after whoever has no place in the line.
const LAST: u64 = u64::MAX;

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

/// When what refused may be asked again.
pub(crate) fn until(refusal: &Refusal, group: &Group, now: Timestamp) -> Timestamp {
    // At least the next millisecond: a refusal that ends now must not be asked again at once.
    let until = now + refusal.retry_after.max(Duration::from_millis(1));
    match refusal.why {
        Why::Limit(LimitKind::Concurrency) => until.min(now + POLL),
        Why::Cooling { .. } | Why::Caller(_) => until,
        Why::Limit(_) | Why::TooLarge(_) => until.min(group.limits.read().changes(now)),
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
        // Of nobody else's.
        Why::Caller(_) => None,
    }
}

#[cfg(test)]
mod silent;
#[cfg(test)]
mod tests;
