//! A store led through a [`Life`] beside another that is taken at its word.

use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::poll_immediate;
use keyrot_core::{
    Ask, Caller, Candidate, Clock, CoolFor, CoolReport, Cooled, Cost, Ended, FakeClock, Grant, Lifted,
    LimitError, PacificDay, Permit, PermitId, RateLimiter, Reason, Refusal, Reply, Sample, Samples, Scope,
    ScopeKind, Timestamp, Why,
};
use proptest::test_runner::TestCaseError;

use super::life::{CLIENTS, Demand, Event, Life, PROJECTS};
use super::rig::secs;

/// No attempt lives so long: what is older says nothing any more.
const OLDEST: Duration = secs(12 * 3_600);
/// How many lifts a store tells one by one.
const REMEMBERED: usize = 64;

/// Leads a fresh store and a fresh `reference` through `life`, comparing every answer.
///
/// `make` gives what opens handles on one empty store that decides by the clock.
///
/// # Errors
/// Where the two first differ.
pub async fn relive<R, L, O, F>(
    reference: impl FnOnce(FakeClock) -> R,
    make: F,
    life: &Life,
) -> Result<(), TestCaseError>
where
    R: RateLimiter,
    L: RateLimiter,
    O: AsyncFn() -> L,
    F: AsyncFn(FakeClock) -> O,
{
    let clock = FakeClock::new(life.start);
    let open = make(clock.clone()).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(open().await);
    }
    let reference = reference(clock.clone());
    let untold = [const { Vec::new() }; CLIENTS];
    let mut both = Both { open, clients, reference, clock, life, held: Vec::new(), asked: 0, untold };
    for client in 0..CLIENTS {
        both.begin(client).await.map_err(TestCaseError::fail)?;
    }
    for (i, event) in life.events.iter().enumerate() {
        let step = both.step(event).await.and_then(|()| both.hear());
        step.map_err(|error| TestCaseError::fail(format!("event {i}, {event:?}: {error}")))?;
    }
    Ok(())
}

/// A permit as the store gave it, as the reference gave it, and the client that holds it.
struct Held {
    client: usize,
    store: Permit,
    reference: Permit,
}

struct Both<'a, R, L, O> {
    open: O,
    clients: Vec<L>,
    reference: R,
    clock: FakeClock,
    life: &'a Life,
    /// The newest first.
    held: Vec<Held>,
    asked: u128,
    /// What each client has yet to be told was lifted.
    untold: [Vec<Scope>; CLIENTS],
}

/// What went wrong, without the event it went wrong at.
type Step<T = ()> = Result<T, String>;

impl<R: RateLimiter, L: RateLimiter, O: AsyncFn() -> L> Both<'_, R, L, O> {
    async fn step(&mut self, event: &Event) -> Step {
        let now = self.clock.now();
        self.held.retain(|held| now.since(held.reference.stamp.admitted) < OLDEST);
        match event {
            Event::Wait(d) => self.clock.advance(*d),
            Event::Midnight(off) => {
                let midnight = PacificDay::containing(now).end.as_millis();
                self.clock.advance_to(Timestamp::from_millis(midnight.saturating_add_signed(*off)));
            }
            Event::Reserve(client, demand) => self.reserve(*client, demand).await?,
            Event::Lost(client, demand, pause) => self.lose(*client, demand, *pause).await?,
            Event::Cancel(client, demand) => self.cancel(*client, demand).await?,
            Event::Settle(i, tokens) => {
                if let Some(held) = self.held.get(*i) {
                    self.clients[held.client].settle(&held.store, *tokens).await.map_err(failed)?;
                    self.reference.settle(&held.reference, *tokens).await.map_err(failed)?;
                    self.settled(held.client).await?;
                }
            }
            Event::Release(i, ended) => self.release(*i, *ended).await?,
            Event::Blame(i, kind, cool, reason) => self.blame(*i, *kind, *cool, *reason).await?,
            Event::Overload(i, samples) => self.overload(*i, samples).await?,
            Event::Condemn(client, demand, kind, cool, reason) => {
                let scope = self.scope(demand, *kind);
                let report = report(scope, *cool, *reason, None);
                self.cool(*client, &report, &report).await?;
            }
            Event::Lift(client, demand, kind) => {
                let scope = self.scope(demand, *kind);
                self.clients[*client].lift(&scope).await.map_err(failed)?;
                self.reference.lift(&scope).await.map_err(failed)?;
            }
            Event::Storm(client, bucket) => self.storm(*client, *bucket).await?,
            Event::Look(client, demand) => self.look(*client, demand).await?,
            Event::Restart(client) => {
                drop(self.clients.remove(*client));
                self.clients.insert(*client, (self.open)().await);
                self.held.retain(|held| held.client != *client);
                self.begin(*client).await?;
            }
            Event::Listen(client) => {
                self.hear()?;
                self.clients[*client].listen().await.map_err(failed)?;
                let mut wanted = std::mem::take(&mut self.untold[*client]);
                match self.clients[*client].lifted() {
                    Lifted::All if wanted.len() <= REMEMBERED => Err("everything was lifted".to_owned())?,
                    Lifted::All => {}
                    Lifted::Scopes(_) if wanted.len() > REMEMBERED => Err("lifts are missing".to_owned())?,
                    Lifted::Scopes(mut told) => {
                        told.sort_unstable();
                        wanted.sort_unstable();
                        same("lifts", &told, &wanted)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A client's first question. What was lifted before it is no news to it.
    async fn begin(&mut self, client: usize) -> Step {
        self.settled(client).await?;
        self.clients[client].lifted();
        self.untold[client].clear();
        Ok(())
    }

    /// What the reference has lifted is what each client has yet to be told.
    fn hear(&mut self) -> Step {
        let Lifted::Scopes(lifted) = self.reference.lifted() else {
            return Err("the reference lifted too much in one step".to_owned());
        };
        self.untold.iter_mut().for_each(|untold| untold.extend_from_slice(&lifted));
        Ok(())
    }

    async fn reserve(&mut self, client: usize, demand: &Demand) -> Step {
        let permit = self.next();
        let reply = ask(&self.clients[client], self.life, demand, permit).await?;
        let wanted = ask(&self.reference, self.life, demand, permit).await?;
        self.keep(client, &reply, &wanted)
    }

    async fn lose(&mut self, client: usize, demand: &Demand, pause: Duration) -> Step {
        // A store remembers what it charged, and a place while it is kept.
        let cost = Cost { requests: demand.cost.requests.max(1), ..demand.cost };
        let demand = Demand { lease: demand.lease.max(pause * 2) + secs(1), cost, ..*demand };
        let permit = self.next();
        drop(ask(&self.clients[client], self.life, &demand, permit).await?);
        let first = ask(&self.reference, self.life, &demand, permit).await?;
        self.clock.advance(pause);
        let reply = ask(&self.clients[client], self.life, &demand, permit).await?;
        let Some(wanted) = first.grant else {
            let wanted = ask(&self.reference, self.life, &demand, permit).await?;
            return self.keep(client, &reply, &wanted);
        };
        // How the domain stands by now, and who was asked before, is not part of the answer.
        let grant = reply.grant.ok_or("a question repeated was refused")?;
        let grant = Grant { headroom: wanted.headroom, ..grant };
        let [reply, wanted] =
            [grant, wanted].map(|grant| Reply { refusals: Default::default(), grant: Some(grant) });
        self.keep(client, &reply, &wanted)
    }

    async fn cancel(&mut self, client: usize, demand: &Demand) -> Step {
        // A client that has yet to connect would not have put its question when it is first left alone.
        self.settled(client).await?;
        let permit = self.next();
        let wanted = ask(&self.reference, self.life, demand, permit).await?;
        let reply = {
            let mut question = pin!(ask(&self.clients[client], self.life, demand, permit));
            let reply = poll_immediate(question.as_mut()).await;
            if reply.is_none() {
                // The next question is answered after this one, whose answer nobody takes: dropped
                // earlier it might not have been put at all, and who knows what it would have ended.
                self.settled(client).await?;
            }
            reply
        };
        if let Some(reply) = reply {
            let granted = wanted.grant.is_some();
            self.keep(client, &reply?, &wanted)?;
            return if granted { self.release(0, Ended::NeverSent).await } else { Ok(()) };
        }
        if let Some(grant) = wanted.grant {
            self.reference.release(&grant.permit, Ended::NeverSent).await.map_err(failed)?;
        }
        self.settled(client).await
    }

    async fn release(&mut self, i: usize, ended: Ended) -> Step {
        let Some(held) = self.held.get(i) else { return Ok(()) };
        self.clients[held.client].release(&held.store, ended).await.map_err(failed)?;
        self.reference.release(&held.reference, ended).await.map_err(failed)?;
        self.settled(held.client).await
    }

    async fn blame(&mut self, i: usize, kind: ScopeKind, cool: CoolFor, reason: Reason) -> Step {
        let Some(held) = self.held.get(i) else { return Ok(()) };
        let scope = Scope::of(kind, &held.reference);
        let mine = report(scope.clone(), cool, reason, Some(&held.store));
        let wanted = report(scope, cool, reason, Some(&held.reference));
        self.cool(held.client, &mine, &wanted).await?;
        self.release(i, Ended::Failed).await
    }

    async fn overload(&mut self, i: usize, samples: &[(u8, u32, u32)]) -> Step {
        let Some(held) = self.held.get(i) else { return Ok(()) };
        let scope = Scope::of(ScopeKind::Model, &held.reference);
        let sample = |&(age, succeeded, failed): &(u8, u32, u32)| Sample { age, succeeded, failed };
        let samples: Samples = samples.iter().map(sample).collect();
        let cool = CoolFor::Escalating { at_least: Duration::ZERO };
        let report = |permit| CoolReport {
            samples: samples.clone(),
            ..report(scope.clone(), cool, Reason::Overloaded, Some(permit))
        };
        self.cool(held.client, &report(&held.store), &report(&held.reference)).await?;
        self.release(i, Ended::Failed).await
    }

    async fn storm(&mut self, client: usize, bucket: usize) -> Step {
        for key in 1..=PROJECTS {
            let before = self.asked;
            self.reserve(client, &Demand::plain(key, bucket)).await?;
            if self.held.first().is_some_and(|held| held.reference.id.0 > before) {
                let cool = CoolFor::Escalating { at_least: Duration::ZERO };
                self.blame(0, ScopeKind::Domain, cool, Reason::Throttled).await?;
            }
        }
        Ok(())
    }

    /// What a client asked to have done and did not wait for is done before its next question is
    /// answered: then the other client may look.
    async fn settled(&self, client: usize) -> Step {
        self.look(client, &Demand::plain(0, 0)).await
    }

    async fn look(&self, client: usize, demand: &Demand) -> Step {
        let ways = self.life.ways(demand);
        let candidates: Vec<Candidate<'_>> = ways.iter().map(|way| way.candidate()).collect();
        let Demand { method, cost, .. } = *demand;
        let all = self.clients[client].snapshot(&candidates, method, cost).await.map_err(failed)?;
        let wanted = self.reference.snapshot(&candidates, method, cost).await.map_err(failed)?;
        same("standings", &all.len(), &wanted.len())?;
        for (mut standing, mut wanted) in all.into_iter().zip(wanted) {
            let refusals = (standing.refusal.take(), wanted.refusal.take());
            same("a standing", &standing, &wanted)?;
            if let (Some(refusal), Some(wanted)) = refusals {
                alike(&refusal, &wanted)?;
            } else {
                same("a standing's refusal", &refusals.0, &refusals.1)?;
            }
        }
        Ok(())
    }

    async fn cool(&self, client: usize, mine: &CoolReport, wanted: &CoolReport) -> Step {
        let cooled: Cooled = self.clients[client].cool(mine).await.map_err(failed)?;
        same("a cooldown", &cooled, &self.reference.cool(wanted).await.map_err(failed)?)
    }

    fn next(&mut self) -> PermitId {
        self.asked += 1;
        PermitId(self.asked)
    }

    fn scope(&self, demand: &Demand, kind: ScopeKind) -> Scope {
        let way = self.life.way(demand.order[0], demand);
        match kind {
            ScopeKind::Key => Scope::Key(way.key, way.fingerprint),
            ScopeKind::Permission => {
                Scope::Permission(way.key, way.fingerprint, demand.method, way.domain.bucket)
            }
            ScopeKind::Project => Scope::Project(way.domain.project),
            ScopeKind::Domain => Scope::Domain(way.domain),
            ScopeKind::Model => Scope::Model(way.domain.bucket),
            ScopeKind::Pool => Scope::Pool,
        }
    }

    /// Compares two answers; what both granted is held by the client.
    fn keep(&mut self, client: usize, reply: &Reply, wanted: &Reply) -> Step {
        same("refusals", &reply.refusals.len(), &wanted.refusals.len())?;
        for (refusal, wanted) in reply.refusals.iter().zip(&wanted.refusals) {
            alike(refusal, wanted)?;
        }
        let (Some(grant), Some(wanted)) = (&reply.grant, &wanted.grant) else {
            return same("a grant", &reply.grant, &wanted.grant);
        };
        // A store counts its admissions as it likes.
        let mut expected = wanted.clone();
        expected.permit.stamp.seq = grant.permit.stamp.seq;
        same("a grant", grant, &expected)?;
        let (store, reference) = (grant.permit.clone(), wanted.permit.clone());
        self.held.insert(0, Held { client, store, reference });
        Ok(())
    }
}

async fn ask(store: &impl RateLimiter, life: &Life, demand: &Demand, permit: PermitId) -> Step<Reply> {
    let ways = life.ways(demand);
    let candidates: Vec<Candidate<'_>> = ways.iter().map(|way| way.candidate()).collect();
    let Demand { method, cost, lease, .. } = *demand;
    let caller = life.caller(demand);
    let caller = caller.as_ref().map(|(ledger, limits)| Caller { ledger, limits: *limits });
    store
        .reserve(&Ask { permit, candidates: &candidates, method, cost, lease, class: 0, caller })
        .await
        .map_err(failed)
}

fn report(scope: Scope, cool: CoolFor, reason: Reason, permit: Option<&Permit>) -> CoolReport {
    CoolReport {
        scope,
        cool,
        reason,
        stamp: permit.map(|permit| permit.stamp),
        projects: PROJECTS,
        samples: Samples::new(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "handed to `map_err`")]
fn failed(error: LimitError) -> String {
    error.to_string()
}

fn same<T: Debug + PartialEq>(what: &str, got: &T, wanted: &T) -> Step {
    if got == wanted { Ok(()) } else { Err(format!("{what}: {got:?} instead of {wanted:?}")) }
}

/// Of a key's cooldowns that end together, any may be named.
fn alike(refusal: &Refusal, wanted: &Refusal) -> Step {
    let of_a_key = |refusal: &Refusal| {
        matches!(refusal.why, Why::Cooling { scope: ScopeKind::Key | ScopeKind::Permission, .. })
    };
    if refusal.retry_after == wanted.retry_after && of_a_key(refusal) && of_a_key(wanted) {
        return Ok(());
    }
    same("a refusal", refusal, wanted)
}
