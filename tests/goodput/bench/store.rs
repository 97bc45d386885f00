//! A store that several processes share, in this one: the memory limiter behind a link that takes its time and
//! can fall silent. Each process reaches it through keyrot's own wrapper for stores that may be away.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{
    Ask, Candidate, Clock, CoolReport, Cooled, Cost, Domain, Ended, Fact, FactStore, Lifted, LimitError,
    Limits, Method, Permit, RateLimiter, Reply, Scope, Standing, Timestamp,
};
use keyrot_limiter::guard::Guard;
use keyrot_limiter::ledger::{Ledger, Now};
use keyrot_limiter::{
    Beat, Charges, Degrading, Manner, Mark, MemoryFacts, MemoryLimiter, Reading, Shared, Used,
};
use parking_lot::Mutex;

use crate::bench::clock::VirtualClock;

/// One way through the network of the machine room.
const WAY: Duration = Duration::from_millis(1);
/// How long a process waits for an answer before the store counts as away.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The smallest request.
const ONE: Cost = Cost { requests: 1, tokens: 0 };

/// The store.
#[derive(Debug)]
pub(crate) struct Store {
    clock: VirtualClock,
    /// Milliseconds of the run in which it does not answer.
    silent: (u64, u64),
    limiter: MemoryLimiter,
    facts: MemoryFacts,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// What was absorbed, beside what the limiter counts itself. Each process's in a ledger of its own, for a
    /// ledger's time does not run backwards.
    debts: HashMap<Domain, Vec<Ledger>>,
    seq: u64,
    alive: BTreeMap<String, Timestamp>,
    absorbed: BTreeSet<String>,
    /// What was lifted so far, for handles that have not asked yet.
    lifted: Vec<Lifted>,
}

impl Store {
    pub(crate) fn new(clock: VirtualClock, silent: (u64, u64)) -> Arc<Self> {
        let limiter = MemoryLimiter::new(Arc::new(clock));
        let facts = MemoryFacts::new(Arc::new(clock));
        Arc::new(Self { clock, silent, limiter, facts, memory: Mutex::default() })
    }

    /// The way of one process to the store. Must be called inside the runtime.
    pub(crate) fn handle(self: &Arc<Self>, process: usize) -> Degrading<Link> {
        let manner = Manner {
            instance: format!("process-{process}"),
            known: Vec::new(),
            assumed: 1,
            timeout: TIMEOUT,
            fail_closed: false,
        };
        let link = Link { store: Arc::clone(self), heard: Mutex::default() };
        let degrading = Degrading::new(link, Arc::new(self.clock), manner);
        tokio::spawn(degrading.tend());
        degrading
    }

    /// What it counts of the domain of `candidate`.
    async fn used(&self, candidate: &Candidate<'_>) -> Result<Used, LimitError> {
        let candidates = [Candidate { limits: Limits::default(), ..*candidate }];
        let standing = self.limiter.snapshot(&candidates, Method::Generate, ONE).await?;
        let (requests, tokens, day) = self.memory.lock().debt(candidate.domain, self.clock.now());
        let sum = |of: fn(&Standing) -> u64| standing.iter().map(of).sum::<u64>();
        Ok(Used {
            requests: sum(|s| s.requests) + requests,
            tokens: sum(|s| s.tokens) + tokens,
            day: sum(|s| s.day) + day,
        })
    }

    async fn decide(&self, ask: &Ask<'_>) -> Result<(Reply, Reading), LimitError> {
        let now = self.clock.now();
        let candidates: Vec<Candidate<'_>> = {
            let mut memory = self.memory.lock();
            ask.candidates.iter().map(|c| memory.narrowed(c, now)).collect()
        };
        let reply = self.limiter.reserve(&Ask { candidates: &candidates, ..*ask }).await?;
        let mark = {
            let mut memory = self.memory.lock();
            memory.seq += u64::from(reply.grant.is_some());
            memory.mark(now)
        };
        let tried = reply.refusals.len() + usize::from(reply.grant.is_some());
        let mut reading = Reading { mark, used: arrayvec::ArrayVec::new(), caller: None };
        for (index, candidate) in ask.candidates.iter().enumerate().take(tried) {
            reading.used.push((index, self.used(candidate).await?));
        }
        Ok((reply, reading))
    }
}

impl Memory {
    /// What was absorbed and still counts: requests and tokens of the window, requests of the day.
    fn debt(&mut self, domain: &Domain, now: Timestamp) -> (u64, u64, u64) {
        let guard = Guard::default().width(now);
        let mut sum = (0, 0, 0);
        for ledger in self.debts.get_mut(domain).into_iter().flatten() {
            // Asked for its side effect: it drops what has left the window.
            ledger.refusal(&Limits::default(), ONE, guard, Now::both(now));
            let (requests, tokens, day) = ledger.used();
            sum = (sum.0 + requests, sum.1 + tokens, sum.2 + day);
        }
        sum
    }

    /// The candidate with limits that leave room for what was absorbed.
    fn narrowed<'a>(&mut self, candidate: &Candidate<'a>, now: Timestamp) -> Candidate<'a> {
        let (requests, tokens, day) = self.debt(candidate.domain, now);
        let less = |limit: Option<u64>, debt: u64| limit.map(|limit| limit.saturating_sub(debt));
        let Limits { rpm, tpm, rpd, burst } = candidate.limits;
        let limits = Limits { rpm: less(rpm, requests), tpm: less(tpm, tokens), rpd: less(rpd, day), burst };
        Candidate { limits, ..*candidate }
    }

    fn mark(&self, now: Timestamp) -> Mark {
        Mark { epoch: "epoch".into(), run: "run".into(), seq: self.seq, at: now }
    }
}

/// One process's link.
#[derive(Debug)]
pub(crate) struct Link {
    store: Arc<Store>,
    /// How many of the store's lifts it has heard of.
    heard: Mutex<usize>,
}

impl Link {
    /// The call as the network lets it through.
    async fn carry<T>(&self, call: impl Future<Output = Result<T, LimitError>>) -> Result<T, LimitError> {
        let clock = self.store.clock;
        let (from, to) = self.store.silent;
        clock.sleep_until(clock.now() + WAY).await;
        if (from..to).contains(&clock.millis()) {
            return pending().await;
        }
        let answer = call.await;
        clock.sleep_until(clock.now() + WAY).await;
        answer
    }
}

impl RateLimiter for Link {
    async fn reserve(&self, ask: &Ask<'_>) -> Result<Reply, LimitError> {
        self.carry(async { self.store.decide(ask).await.map(|(reply, _)| reply) }).await
    }

    async fn settle(&self, permit: &Permit, tokens: u64) -> Result<(), LimitError> {
        self.carry(self.store.limiter.settle(permit, tokens)).await
    }

    async fn release(&self, permit: &Permit, ended: Ended) -> Result<(), LimitError> {
        self.carry(self.store.limiter.release(permit, ended)).await
    }

    async fn cool(&self, report: &CoolReport) -> Result<Cooled, LimitError> {
        self.carry(self.store.limiter.cool(report)).await
    }

    fn lifted(&self) -> Lifted {
        let mut memory = self.store.memory.lock();
        // The limiter has one handle and tells it once; here are several.
        match self.store.limiter.lifted() {
            Lifted::Scopes(scopes) if scopes.is_empty() => {}
            new => memory.lifted.push(new),
        }
        let mut heard = self.heard.lock();
        let mut all = Vec::new();
        for lifted in &memory.lifted[std::mem::replace(&mut *heard, memory.lifted.len())..] {
            match lifted {
                Lifted::Scopes(scopes) => all.extend(scopes.iter().cloned()),
                Lifted::All => return Lifted::All,
            }
        }
        Lifted::Scopes(all)
    }

    async fn listen(&self) -> Result<(), LimitError> {
        self.carry(self.store.limiter.listen()).await
    }

    async fn lift(&self, scope: &Scope) -> Result<(), LimitError> {
        self.carry(async {
            self.store.memory.lock().seq += 1;
            self.store.limiter.lift(scope).await
        })
        .await
    }

    async fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
        cost: Cost,
    ) -> Result<Vec<Standing>, LimitError> {
        self.carry(self.store.limiter.snapshot(candidates, method, cost)).await
    }
}

impl FactStore for Link {
    async fn get(&self, name: &str) -> Result<Option<Fact>, LimitError> {
        self.carry(self.store.facts.get(name)).await
    }

    async fn put(&self, name: &str, value: &str, ttl: Option<Duration>) -> Result<(), LimitError> {
        self.carry(self.store.facts.put(name, value, ttl)).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Fact)>, LimitError> {
        self.carry(self.store.facts.scan(prefix)).await
    }

    async fn increment(&self, name: &str, by: u64) -> Result<u64, LimitError> {
        self.carry(self.store.facts.increment(name, by)).await
    }
}

impl Shared for Link {
    fn name(&self) -> &'static str {
        "simulated"
    }

    async fn ask(&self, ask: &Ask<'_>) -> Result<(Reply, Reading), LimitError> {
        self.carry(self.store.decide(ask)).await
    }

    async fn heartbeat(&self, instance: &str, ttl: Duration) -> Result<Beat, LimitError> {
        self.carry(async {
            let now = self.store.clock.now();
            let mut memory = self.store.memory.lock();
            memory.alive.insert(instance.to_owned(), now + ttl);
            memory.alive.retain(|_, until| *until > now);
            Ok(Beat { mark: memory.mark(now), instances: memory.alive.keys().cloned().collect() })
        })
        .await
    }

    async fn absorb(&self, once: &str, charges: &[Charges]) -> Result<(), LimitError> {
        self.carry(async {
            let guard = Guard::default().width(self.store.clock.now());
            let mut memory = self.store.memory.lock();
            if !memory.absorbed.insert(once.to_owned()) {
                return Ok(());
            }
            // A store here is away for less than a window, so that the windows say all of the day as well.
            for Charges { domain, window, days: _ } in charges {
                let mut ledger = Ledger::default();
                for &(at, requests, tokens) in window {
                    ledger.seed(requests, tokens, requests, guard, Now::both(at));
                }
                memory.debts.entry(domain.clone()).or_default().push(ledger);
            }
            Ok(())
        })
        .await
    }
}
