//! The limiter's calls: what is sent for each, and what the answers mean.

use std::time::Duration;

use arrayvec::ArrayVec;
use keyrot_core::{
    Ask, Candidate, CoolFor, CoolReport, Cooled, Cost, Ended, Grant, Headroom, Lifted, LimitError,
    MAX_CANDIDATES, Method, Permit, RateLimiter, Reason, Refusals, Reply, Sample, Scope, Stamp, Standing,
};
use redis::Value;

use super::RedisStore;
use super::batch::Batch;
use super::coding::{self, Answer, Blob, NONE, count, instant, method_no, millis, reason_no};
use super::courier::Handed;
use super::link::{Again, STORE, senseless};
use super::script::SCRIPTS;
use crate::degrading::{Beat, Charges, DayCharge, Mark, Reading, Shared, Used};

/// The most candidates looked at in one go, so that no other question waits for long.
const MOST_STANDINGS: usize = 64;

/// Gives an asking up unless it was answered.
struct Asking<'a> {
    store: &'a RedisStore,
    ask: &'a Ask<'a>,
    /// Tells this asking from any other of the same permit.
    name: f64,
    handed: Option<Handed>,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(handed) = &self.handed {
            self.store.courier.give_up(handed, self.ask, self.name, self.store.client.now());
        }
    }
}

impl RedisStore {
    async fn decide(&self, ask: &Ask<'_>) -> Result<(Reply, Reading), LimitError> {
        let ask = &Ask { candidates: &ask.candidates[..ask.candidates.len().min(MAX_CANDIDATES)], ..*ask };
        if ask.candidates.is_empty() {
            let why = "a question without a candidate".to_owned();
            return Err(LimitError::Unavailable { store: STORE, why });
        }
        let name = fastrand::u64(..1 << 53) as f64;
        let handed = self.courier.ask(ask, name, self.client.now());
        let mut asking = Asking { store: self, ask, name, handed: Some(handed) };
        let Some(handed) = &mut asking.handed else { return Err(senseless()) };
        let answer = self.courier.answer(handed).await?;
        let answer = reply(answer.bytes(), ask, self, &answer.run)?;
        // Answered: from here on it is the asker's to give back.
        asking.handed = None;
        // By a clock that is not the server's a place lasts for its lease.
        if self.client.now().is_none()
            && let Some(grant) = &answer.0.grant
            && ask.candidates.get(grant.index).is_some_and(|candidate| candidate.concurrency.is_some())
        {
            self.places.enter(&grant.permit, ask.lease, &self.link, &self.client);
        }
        Ok(answer)
    }

    /// Has it done in order, without waiting.
    async fn accept(&self, add: impl FnOnce(&mut Batch)) -> Result<(), LimitError> {
        self.link.reach().await?;
        self.courier.tell(self.client.now(), 0, add);
        Ok(())
    }
}

fn bytes(answer: &Value) -> Result<&[u8], LimitError> {
    match answer {
        Value::BulkString(bytes) => Ok(bytes),
        _ => Err(senseless()),
    }
}

fn reply(
    bytes: &[u8],
    ask: &Ask<'_>,
    store: &RedisStore,
    run: &std::sync::Arc<str>,
) -> Result<(Reply, Reading), LimitError> {
    let mut answer = Answer::new(bytes);
    let mark = store.mark(&mut answer, run)?;
    let refused = answer.count()?;
    let granted = answer.count()? == 1;
    let grant = if granted {
        let index = usize::try_from(answer.count()?).map_err(|_| senseless())?;
        let stamp = Stamp { seq: answer.count()?, admitted: answer.instant()? };
        Some((index, stamp, answer.count()? == 1))
    } else {
        None
    };
    if refused > MAX_CANDIDATES as u64 {
        return Err(senseless());
    }
    let mut refusals = Refusals::new();
    for _ in 0..refused {
        let refusal = answer.refusal()?.ok_or_else(senseless)?;
        refusals.push(refusal);
    }
    let (mut used, mut by_caller) = (ArrayVec::new(), None);
    while !answer.is_empty() {
        let by = Used { requests: answer.count()?, tokens: answer.count()?, day: answer.count()? };
        if ask.caller.is_some() && answer.is_empty() {
            by_caller = Some(by);
            break;
        }
        // What was granted before is all there is to an answer repeated.
        let index = if refusals.is_empty() { grant.map_or(used.len(), |(i, ..)| i) } else { used.len() };
        used.try_push((index, by)).map_err(|_| senseless())?;
    }
    let grant = match grant {
        Some((index, stamp, probe)) => {
            let candidate = ask.candidates.get(index).ok_or_else(senseless)?;
            let (_, by) = used.iter().find(|(i, _)| *i == index).ok_or_else(senseless)?;
            let permit = ask.permit_for(candidate, stamp, probe);
            Some(Grant { index, permit, headroom: headroom(candidate, by) })
        }
        None => None,
    };
    Ok((Reply { refusals, grant }, Reading { mark, used, caller: by_caller }))
}

/// What the scarcest limit has left.
fn headroom(candidate: &Candidate<'_>, used: &Used) -> Headroom {
    let of = |limit: Option<u64>, used| limit.map_or(Headroom::FULL, |limit| Headroom::of(used, limit));
    let limits = &candidate.limits;
    of(limits.rpm, used.requests).min(of(limits.tpm, used.tokens)).min(of(limits.rpd, used.day))
}

impl RateLimiter for RedisStore {
    async fn reserve(&self, ask: &Ask<'_>) -> Result<Reply, LimitError> {
        if ask.candidates.is_empty() {
            return Ok(Reply { refusals: Refusals::new(), grant: None });
        }
        self.decide(ask).await.map(|(reply, _)| reply)
    }

    async fn settle(&self, permit: &Permit, tokens: u64) -> Result<(), LimitError> {
        self.accept(|batch| batch.settle(permit, tokens)).await
    }

    async fn release(&self, permit: &Permit, ended: Ended) -> Result<(), LimitError> {
        self.places.leave(permit.id);
        self.accept(|batch| batch.release(permit, ended)).await
    }

    async fn cool(&self, report: &CoolReport) -> Result<Cooled, LimitError> {
        let (sort, wait) = match report.cool {
            CoolFor::After(wait) => (0.0, millis(wait)),
            CoolFor::NextPacificMidnight => (1.0, 0.0),
            CoolFor::UntilLifted => (2.0, 0.0),
            CoolFor::Escalating { at_least } => (3.0, millis(at_least)),
        };
        let (first, longest) = report.reason.escalation();
        let domain = match &report.scope {
            Scope::Domain(domain) => Some(domain),
            _ => None,
        };
        let contradicts = domain.is_some() && report.reason == Reason::QuotaMinute && report.stamp.is_some();
        let what = Blob::new()
            .numbers([
                sort,
                wait,
                f64::from(reason_no(report.reason)),
                f64::from(u8::from(report.reason.half_open())),
                millis(first),
                millis(longest),
                report.stamp.map_or(NONE, |stamp| count(stamp.seq)),
                report.stamp.map_or(NONE, |stamp| instant(stamp.admitted)),
                count(report.projects as u64),
                f64::from(u8::from(contradicts)),
            ])
            .text(&coding::scope(&report.scope))
            .text(&domain.map(|d| coding::domain(&d.project, &d.bucket)).unwrap_or_default())
            .text(domain.map_or("", |d| d.project.as_str()))
            .done();
        let mut args = vec![what];
        if let (Scope::Model(_), Reason::Overloaded) = (&report.scope, report.reason) {
            let sample =
                |blob: Blob, s: &Sample| blob.numbers([s.age.into(), s.succeeded.into(), s.failed.into()]);
            args.push(report.samples.iter().fold(Blob::new(), sample).done());
        }
        let answer = self.question(&SCRIPTS.cool, args).await?;
        let mut answer = Answer::new(bytes(&answer)?);
        let scope = if answer.count()? == 1 { Scope::Pool } else { report.scope.clone() };
        Ok(Cooled { scope, lasts: answer.lasts()? })
    }

    fn lifted(&self) -> Lifted {
        self.client.lifts.take()
    }

    async fn listen(&self) -> Result<(), LimitError> {
        self.question(&SCRIPTS.listen, []).await.map(drop)
    }

    async fn lift(&self, scope: &Scope) -> Result<(), LimitError> {
        self.question(&SCRIPTS.lift, [coding::scope(scope).into_bytes()]).await.map(drop)
    }

    async fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
        cost: Cost,
    ) -> Result<Vec<Standing>, LimitError> {
        let mut standings = Vec::with_capacity(candidates.len());
        for some in candidates.chunks(MOST_STANDINGS) {
            let what = [f64::from(cost.requests), count(cost.tokens), f64::from(method_no(method))];
            let mut args = vec![Blob::new().numbers(what).done()];
            args.extend(some.iter().map(coding::candidate));
            let answer = self.question(&SCRIPTS.snapshot, args).await?;
            let mut answer = Answer::new(bytes(&answer)?);
            for _ in some {
                standings.push(Standing {
                    requests: answer.count()?,
                    tokens: answer.count()?,
                    day: answer.count()?,
                    in_flight: u32::try_from(answer.count()?).unwrap_or(u32::MAX),
                    refusal: answer.refusal()?,
                });
            }
        }
        Ok(standings)
    }
}

impl Shared for RedisStore {
    fn name(&self) -> &'static str {
        STORE
    }

    async fn ask(&self, ask: &Ask<'_>) -> Result<(Reply, Reading), LimitError> {
        self.decide(ask).await
    }

    async fn heartbeat(&self, instance: &str, ttl: Duration) -> Result<Beat, LimitError> {
        let life = Blob::new().number(millis(ttl)).done();
        let args = [life, instance.as_bytes().to_vec()];
        let (answer, live) = self.call(&SCRIPTS.heartbeat, args, Again::Yes).await?;
        let Value::Array(answer) = answer else { return Err(senseless()) };
        let (first, rest) = answer.split_first().ok_or_else(senseless)?;
        let mark = self.mark(&mut Answer::new(bytes(first)?), &live.run)?;
        let names = rest.iter().map(|name| Ok(String::from_utf8_lossy(bytes(name)?).into_owned()));
        let mut instances = names.collect::<Result<Vec<_>, LimitError>>()?;
        instances.sort_unstable();
        Ok(Beat { mark, instances })
    }

    async fn absorb(&self, once: &str, charges: &[Charges]) -> Result<(), LimitError> {
        let mut args = vec![once.as_bytes().to_vec()];
        args.extend(charges.iter().map(|charges| {
            let mut blob = Blob::new()
                .text(&coding::domain(&charges.domain.project, &charges.domain.bucket))
                .numbers([charges.window.len() as f64, charges.days.len() as f64]);
            for (at, requests, tokens) in &charges.window {
                blob = blob.numbers([instant(*at), count(*requests), count(*tokens)]);
            }
            for (day, charge) in &charges.days {
                let (sort, requests) = match charge {
                    DayCharge::Add(n) => (0.0, n),
                    DayCharge::AtLeast(n) => (1.0, n),
                };
                blob = blob.numbers([instant(day.start), instant(day.end), sort, count(*requests)]);
            }
            blob.done()
        }));
        self.call(&SCRIPTS.absorb, args, Again::Yes).await.map(drop)
    }
}

impl RedisStore {
    fn mark(&self, answer: &mut Answer<'_>, run: &std::sync::Arc<str>) -> Result<Mark, LimitError> {
        let (at, epoch, seq) = (answer.instant()?, answer.number()?, answer.count()?);
        Ok(Mark { epoch: self.epoch(epoch), run: std::sync::Arc::clone(run), seq, at })
    }
}
