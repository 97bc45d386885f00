//! The limiter: through to the store, or here.

use keyrot_core::{
    Ask, Candidate, CoolReport, Cooled, Cost, Ended, Grant, Lifted, LimitError, Method, Permit, RateLimiter,
    Refusals, Reply, Scope, Standing,
};

use super::late::{End, Word};
use super::share::Share;
use super::shared::{Reading, Shared};
use super::state::Seen;
use super::{Degrading, Inner};

/// How a question goes.
enum Way {
    /// The store decides.
    Through,
    /// The store decides, and our own share has a say.
    Cautious(Share),
    Here,
}

/// What is charged here before the store is asked, given back unless it is kept.
struct Held<'a, S: Shared> {
    inner: &'a Inner<S>,
    ask: &'a Ask<'a>,
    candidate: &'a Candidate<'a>,
    kept: bool,
}

impl<S: Shared> Drop for Held<'_, S> {
    fn drop(&mut self) {
        if !self.kept {
            self.inner.state.lock().books.let_go(self.ask, self.candidate);
        }
    }
}

impl<S: Shared> Inner<S> {
    fn way(&self) -> Way {
        let mut state = self.state.lock();
        if state.away.is_some() {
            return Way::Here;
        }
        state.cautious(self.clock.now()).map_or(Way::Through, Way::Cautious)
    }

    fn is_away(&self) -> bool {
        self.state.lock().away.is_some()
    }

    /// Decides here, if the store still is away.
    fn here(&self, ask: &Ask<'_>) -> Option<Result<Reply, LimitError>> {
        let mut state = self.state.lock();
        let away = state.away.as_ref()?;
        if let Some(error) = &*self.unfit.lock() {
            return Some(Err(error.clone()));
        }
        if self.fail_closed {
            let why = format!("{}; requests are refused until it is back", away.why);
            return Some(Err(LimitError::Unavailable { store: self.store.name(), why }));
        }
        let (share, batch, now) = (away.share, state.batch(), self.clock.now());
        let repeated = state.books.knows(ask.permit);
        let reply = state.books.decide(ask, share, batch, now);
        if let Some(grant) = &reply.grant
            && !repeated
        {
            state.admitted(&grant.permit);
        }
        Some(Ok(reply))
    }

    /// Takes note of an answer. Gives the share that has a say in it too, when it tells that the store
    /// has just lost its memory.
    fn heard(
        &self,
        ask: &Ask<'_>,
        (reply, reading): (&Reply, &Reading),
        before: Option<&Seen>,
        held: bool,
    ) -> Option<Share> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let lost = state.hear(&reading.mark, before, now);
        let away = state.away.is_some();
        for (index, used) in &reading.used {
            if let Some(candidate) = ask.candidates.get(*index) {
                state.books.read(candidate.domain, *used, now);
            }
        }
        if let (Some(caller), Some(used)) = (&ask.caller, reading.caller) {
            state.books.read(caller.ledger, used, now);
        }
        for (candidate, refusal) in ask.candidates.iter().zip(&reply.refusals) {
            state.books.refused(candidate, ask.method, refusal, now);
        }
        let granted = reply.grant.as_ref().and_then(|grant| Some((grant, ask.candidates.get(grant.index)?)));
        let mut say = None;
        if let Some((grant, candidate)) = granted {
            if lost.is_some() && !held {
                say = state.cautious(now);
            } else {
                state.books.granted(grant, (ask, candidate), (held, away), now);
            }
        }
        drop(state);
        self.report_loss(lost);
        say
    }

    /// The store decides.
    async fn through(&self, ask: &Ask<'_>) -> Option<Reply> {
        let (before, returns) = self.before();
        match self.timed(self.store.ask(ask)).await {
            Ok((reply, reading)) => match self.heard(ask, (&reply, &reading), before.as_ref(), false) {
                None => Some(reply),
                // The very answer that tells of a loss was given without what was lost.
                Some(share) => Some(self.second(ask, reply, share).await),
            },
            Err(why) => {
                self.lost_sight(&why, returns);
                None
            }
        }
    }

    /// What the store has granted is granted if our own share allows it.
    async fn second(&self, ask: &Ask<'_>, mut reply: Reply, share: Share) -> Reply {
        let Some(grant) = reply.grant.take() else { return reply };
        let Some(candidate) = ask.candidates.get(grant.index) else { return reply };
        let now = self.clock.now();
        let refusal = {
            let mut state = self.state.lock();
            let away = state.away.is_some();
            match state.books.hold(ask, candidate, share, now) {
                Ok(()) => {
                    state.books.granted(&grant, (ask, candidate), (true, away), now);
                    None
                }
                Err(refusal) => Some(refusal),
            }
        };
        match refusal {
            None => reply.grant = Some(grant),
            Some(refusal) => {
                // Those after it were not tried; asked again, they are tried one by one.
                reply.refusals.extend((grant.index..ask.candidates.len()).map(|_| refusal));
                self.give_back(&grant).await;
            }
        }
        reply
    }

    /// Gives back what the store granted.
    async fn give_back(&self, grant: &Grant) {
        let (_, returns) = self.before();
        if let Err(why) = self.timed(self.store.release(&grant.permit, Ended::NeverSent)).await {
            self.state.lock().late.end(End::Release(grant.permit.clone(), Ended::NeverSent));
            self.lost_sight(&why, returns);
        }
    }

    /// The store decides, one candidate after the other, each charged here first.
    async fn cautiously(&self, ask: &Ask<'_>, share: Share) -> Option<Reply> {
        let mut refusals = Refusals::new();
        for (index, candidate) in ask.candidates.iter().enumerate() {
            let held = self.state.lock().books.hold(ask, candidate, share, self.clock.now());
            if let Err(refusal) = held {
                refusals.push(refusal);
                continue;
            }
            let mut held = Held { inner: self, ask, candidate, kept: false };
            let (before, returns) = self.before();
            let one = Ask { candidates: std::slice::from_ref(candidate), ..*ask };
            let (reply, reading) = match self.timed(self.store.ask(&one)).await {
                Ok(answer) => answer,
                Err(why) => {
                    drop(held);
                    self.lost_sight(&why, returns);
                    return None;
                }
            };
            // What was held is our own say in it already.
            held.kept = reply.grant.is_some();
            self.heard(&one, (&reply, &reading), before.as_ref(), held.kept);
            if let Some(grant) = reply.grant {
                return Some(Reply { refusals, grant: Some(Grant { index, ..grant }) });
            }
            refusals.extend(reply.refusals.into_iter().take(1));
        }
        Some(Reply { refusals, grant: None })
    }

    /// Tells the store of an end, now or later.
    async fn tell_end(&self, end: End) {
        if self.is_away() {
            self.state.lock().late.end(end);
            return;
        }
        let (_, returns) = self.before();
        let told = match &end {
            End::Settle(permit, tokens) => self.timed(self.store.settle(permit, *tokens)).await,
            End::Release(permit, ended) => self.timed(self.store.release(permit, *ended)).await,
        };
        if let Err(why) = told {
            self.state.lock().late.end(end);
            self.lost_sight(&why, returns);
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl<S: Shared> RateLimiter for Degrading<S> {
    async fn reserve(&self, ask: &Ask<'_>) -> Result<Reply, LimitError> {
        if ask.candidates.is_empty() {
            return Ok(Reply { refusals: Refusals::new(), grant: None });
        }
        let inner = &*self.inner;
        loop {
            let answer = match inner.way() {
                Way::Through => inner.through(ask).await,
                Way::Cautious(share) => inner.cautiously(ask, share).await,
                Way::Here => None,
            };
            if let Some(reply) = answer {
                return Ok(reply);
            }
            // Back in the meantime: asked again.
            if let Some(reply) = inner.here(ask) {
                return reply;
            }
        }
    }

    async fn settle(&self, permit: &Permit, tokens: u64) -> Result<(), LimitError> {
        let theirs = self.inner.state.lock().settle(permit, tokens, self.inner.clock.now());
        if theirs {
            self.inner.tell_end(End::Settle(permit.clone(), tokens)).await;
        } else {
            self.inner.wake.wake();
        }
        Ok(())
    }

    async fn release(&self, permit: &Permit, ended: Ended) -> Result<(), LimitError> {
        let theirs = self.inner.state.lock().release(permit, ended, self.inner.clock.now());
        if theirs {
            self.inner.tell_end(End::Release(permit.clone(), ended)).await;
        }
        Ok(())
    }

    async fn cool(&self, report: &CoolReport) -> Result<Cooled, LimitError> {
        let inner = &*self.inner;
        let (away, stamp, returns) = {
            let state = inner.state.lock();
            (state.away.is_some(), report.stamp.map(|stamp| state.theirs(stamp)), state.returns)
        };
        let mut why = None;
        if !away {
            match inner.timed(inner.store.cool(&CoolReport { stamp, ..report.clone() })).await {
                Ok(cooled) => {
                    inner.state.lock().books.cooled(report.reason, &cooled, inner.clock.now());
                    return Ok(cooled);
                }
                Err(error) => why = Some(error),
            }
        }
        let now = inner.clock.now();
        let cooled = {
            let mut state = inner.state.lock();
            state.late.word(Word::Cool(report.clone()), now);
            state.books.cool(report, now)
        };
        if let Some(why) = why {
            inner.lost_sight(&why, returns);
        }
        Ok(cooled)
    }

    fn lifted(&self) -> Lifted {
        let theirs = self.inner.store.lifted();
        self.inner.state.lock().news(theirs, self.inner.clock.now())
    }

    async fn listen(&self) -> Result<(), LimitError> {
        let inner = &*self.inner;
        if !inner.is_away() {
            let (_, returns) = inner.before();
            if let Err(why) = inner.timed(inner.store.listen()).await {
                inner.lost_sight(&why, returns);
            }
        }
        Ok(())
    }

    async fn lift(&self, scope: &Scope) -> Result<(), LimitError> {
        let inner = &*self.inner;
        let (away, before, returns) = {
            let mut state = inner.state.lock();
            let now = inner.clock.now();
            state.books.lift(scope, now);
            let away = state.away.is_some();
            if away {
                state.late.word(Word::Lift(scope.clone()), now);
            }
            (away, state.seen.clone(), state.returns)
        };
        if away {
            return Ok(());
        }
        match inner.timed(inner.store.lift(scope)).await {
            Ok(()) => inner.state.lock().lifted(before.as_ref()),
            Err(why) => {
                inner.state.lock().late.word(Word::Lift(scope.clone()), inner.clock.now());
                inner.lost_sight(&why, returns);
            }
        }
        Ok(())
    }

    async fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
        cost: Cost,
    ) -> Result<Vec<Standing>, LimitError> {
        let inner = &*self.inner;
        loop {
            if !inner.is_away() {
                let (_, returns) = inner.before();
                match inner.timed(inner.store.snapshot(candidates, method, cost)).await {
                    Ok(standings) => return Ok(standings),
                    Err(why) => inner.lost_sight(&why, returns),
                }
            }
            let mut state = inner.state.lock();
            if let Some(share) = state.away.as_ref().map(|away| away.share) {
                let now = inner.clock.now();
                let stand = |c| state.books.standing(c, (method, cost), share, now);
                return Ok(candidates.iter().map(stand).collect());
            }
        }
    }
}
