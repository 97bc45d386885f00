//! A shared store in this process that can be cut off, fall silent, and lose its memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use keyrot_core::{
    Ask, Caller, Candidate, Clock, CoolReport, Cooled, Cost, Domain, Ended, Fact, FactStore, FakeClock,
    Lifted, LimitError, Limits, Method, PacificDay, Permit, RateLimiter, Reply, Scope, Standing, Timestamp,
};
use keyrot_limiter::guard::Guard;
use keyrot_limiter::ledger::{Ledger, Now};
use keyrot_limiter::{Beat, Charges, DayCharge, Mark, MemoryFacts, MemoryLimiter, Reading, Shared, Used};
use parking_lot::Mutex;

/// What a link does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Nothing.
    Up,
    /// Refuses it at once.
    Refused,
    /// Never answers; the store never hears of it.
    Silent,
    /// Never answers, but the store has done it.
    Deaf,
    /// The store has done it, and the answer takes its time.
    Late(Duration),
}

/// The store's memory.
#[derive(Debug)]
struct Memory {
    epoch: u64,
    run: u64,
    limiter: Arc<MemoryLimiter>,
    /// What was absorbed, beside what the limiter counted itself.
    debts: HashMap<Domain, Ledger>,
    /// What callers have used, by their ledgers.
    callers: HashMap<Domain, Used>,
    seq: u64,
    /// How far its clock has been set back.
    behind: Duration,
    alive: BTreeMap<String, Timestamp>,
    once: BTreeSet<String>,
    /// Every batch that was absorbed, in order.
    absorbed: Vec<(String, Vec<Charges>)>,
    /// Every word it was told: settles, ends, cooldowns, lifts.
    told: Vec<String>,
}

/// The store.
#[derive(Debug)]
pub(crate) struct Store {
    clock: FakeClock,
    memory: Mutex<Memory>,
    facts: MemoryFacts,
}

impl Store {
    pub(crate) fn new(clock: FakeClock) -> Arc<Self> {
        let memory = Memory {
            epoch: 1,
            run: 1,
            limiter: Arc::new(MemoryLimiter::new(Arc::new(clock.clone()))),
            debts: HashMap::new(),
            callers: HashMap::new(),
            seq: 0,
            behind: Duration::ZERO,
            alive: BTreeMap::new(),
            once: BTreeSet::new(),
            absorbed: Vec::new(),
            told: Vec::new(),
        };
        let facts = MemoryFacts::new(Arc::new(clock.clone()));
        Arc::new(Self { clock, memory: Mutex::new(memory), facts })
    }

    /// Everything is gone: as FLUSHALL does, or a restart without a file.
    pub(crate) fn flush(&self) {
        let mut memory = self.memory.lock();
        memory.epoch += 1;
        self.clear(&mut memory);
    }

    /// Another server takes its place that has the memory's name and nothing else.
    pub(crate) fn fail_over(&self) {
        let mut memory = self.memory.lock();
        memory.run += 1;
        self.clear(&mut memory);
    }

    /// As [`fail_over`](Self::fail_over), but under the same name: only the count tells.
    pub(crate) fn roll_back(&self) {
        self.clear(&mut self.memory.lock());
    }

    /// A restart that loses nothing.
    pub(crate) fn restart(&self) {
        self.memory.lock().run += 1;
    }

    /// Its clock is set back.
    pub(crate) fn set_back(&self, by: Duration) {
        self.memory.lock().behind += by;
    }

    fn clear(&self, memory: &mut Memory) {
        memory.limiter = Arc::new(MemoryLimiter::new(Arc::new(self.clock.clone())));
        memory.debts.clear();
        memory.once.clear();
        memory.seq = 0;
    }

    pub(crate) fn absorbed(&self) -> Vec<(String, Vec<Charges>)> {
        self.memory.lock().absorbed.clone()
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.memory.lock().told.clone()
    }

    /// What it counts of a domain.
    pub(crate) fn used(&self, domain: &Domain) -> Used {
        let limiter = Arc::clone(&self.memory.lock().limiter);
        let key = keyrot_core::KeyId::new("looker").expect("legal");
        let fingerprint = keyrot_core::Fingerprint::of(&key, "secret");
        let limits = Limits::default();
        let candidate = Candidate { key: &key, fingerprint, domain, limits, concurrency: None };
        let cost = Cost { requests: 1, tokens: 0 };
        let standing = pollster::block_on(limiter.snapshot(&[candidate], Method::Generate, cost));
        let standing = standing.expect("memory is there").remove(0);
        let (requests, tokens, day) = self.memory.lock().debt(domain, self.clock.now());
        Used {
            requests: standing.requests + requests,
            tokens: standing.tokens + tokens,
            day: standing.day + day,
        }
    }
}

impl Memory {
    fn debt(&mut self, domain: &Domain, now: Timestamp) -> (u64, u64, u64) {
        let ledger = self.debts.entry(domain.clone()).or_default();
        let guard = Guard::default().width(now);
        ledger.refusal(&Limits::default(), Cost { requests: 1, tokens: 0 }, guard, Now::both(now));
        ledger.used()
    }

    /// Limits that leave room for what was absorbed.
    fn less(&mut self, limits: Limits, domain: &Domain, now: Timestamp) -> Limits {
        let (requests, tokens, day) = self.debt(domain, now);
        let less = |limit: Option<u64>, debt: u64| limit.map(|limit| limit.saturating_sub(debt));
        Limits {
            rpm: less(limits.rpm, requests),
            tpm: less(limits.tpm, tokens),
            rpd: less(limits.rpd, day),
            burst: limits.burst,
        }
    }

    fn mark(&self, now: Timestamp) -> Mark {
        Mark {
            epoch: format!("e{}", self.epoch).into(),
            run: format!("r{}", self.run).into(),
            seq: self.seq,
            at: now.before(self.behind),
        }
    }
}

/// One instance's way to the store.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    store: Arc<Store>,
    line: Arc<Mutex<Line>>,
    /// What it does to one method's calls, while it is up.
    fault: Arc<Mutex<Option<(&'static str, Line)>>>,
}

impl Link {
    pub(crate) fn to(store: &Arc<Store>) -> Self {
        Self { store: Arc::clone(store), line: Arc::new(Mutex::new(Line::Up)), fault: Arc::default() }
    }

    pub(crate) fn set(&self, line: Line) {
        *self.line.lock() = line;
    }

    /// Does `line` to the calls of `method` alone, until told otherwise.
    pub(crate) fn set_for(&self, method: &'static str, line: Line) {
        *self.fault.lock() = Some((method, line));
    }

    fn gone() -> LimitError {
        LimitError::Unavailable { store: "scripted", why: "connection refused".to_owned() }
    }

    /// The call as the line lets it through.
    async fn line<T>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T, LimitError>>,
    ) -> Result<T, LimitError> {
        let fault = self.fault.lock().filter(|(broken, _)| *broken == method);
        let line = *self.line.lock();
        match if line == Line::Up { fault.map_or(line, |(_, fault)| fault) } else { line } {
            Line::Up => call.await,
            Line::Refused => Err(Self::gone()),
            Line::Silent => pending().await,
            Line::Deaf => {
                drop(call.await);
                pending().await
            }
            Line::Late(by) => {
                let answer = call.await;
                self.store.clock.sleep_until(self.store.clock.now() + by).await;
                answer
            }
        }
    }

    fn limiter(&self) -> Arc<MemoryLimiter> {
        Arc::clone(&self.store.memory.lock().limiter)
    }

    fn told(&self, what: String) {
        self.store.memory.lock().told.push(what);
    }

    async fn decide(&self, ask: &Ask<'_>) -> Result<(Reply, Reading), LimitError> {
        let now = self.store.clock.now();
        let candidates: Vec<Candidate<'_>> = {
            let mut memory = self.store.memory.lock();
            let less = |c: &Candidate<'_>, memory: &mut Memory| memory.less(c.limits, c.domain, now);
            ask.candidates
                .iter()
                .map(|c| (less(c, &mut memory), *c))
                .map(|(limits, c)| narrowed(c, limits))
                .collect()
        };
        let reply = self.limiter().reserve(&Ask { candidates: &candidates, ..*ask }).await?;
        if let Some(grant) = &reply.grant {
            let mut memory = self.store.memory.lock();
            memory.seq = memory.seq.max(grant.permit.stamp.seq);
            if let Some(caller) = &ask.caller {
                let used = memory.callers.entry(caller.ledger.clone()).or_default();
                (used.requests, used.tokens) = (used.requests + 1, used.tokens + ask.cost.tokens);
            }
        }
        let tried = reply.refusals.len() + usize::from(reply.grant.is_some());
        let used: ArrayVec<_, 16> = ask
            .candidates
            .iter()
            .enumerate()
            .take(tried)
            .map(|(i, c)| (i, self.store.used(c.domain)))
            .collect();
        let memory = self.store.memory.lock();
        let mark = memory.mark(now);
        let used_by = |caller: Caller<'_>| memory.callers.get(caller.ledger).copied().unwrap_or_default();
        let caller = ask.caller.map(used_by);
        Ok((reply, Reading { mark, used, caller }))
    }
}

fn narrowed<'a>(candidate: Candidate<'a>, limits: Limits) -> Candidate<'a> {
    Candidate { limits, ..candidate }
}

impl RateLimiter for Link {
    async fn reserve(&self, ask: &Ask<'_>) -> Result<Reply, LimitError> {
        self.line("reserve", async { self.decide(ask).await.map(|(reply, _)| reply) }).await
    }

    async fn settle(&self, permit: &Permit, tokens: u64) -> Result<(), LimitError> {
        let call = async {
            self.told(format!("settle {} to {tokens}", permit.id.0));
            self.limiter().settle(permit, tokens).await
        };
        self.line("settle", call).await
    }

    async fn release(&self, permit: &Permit, ended: Ended) -> Result<(), LimitError> {
        let call = async {
            self.told(format!("release {} {ended:?}", permit.id.0));
            self.limiter().release(permit, ended).await
        };
        self.line("release", call).await
    }

    async fn cool(&self, report: &CoolReport) -> Result<Cooled, LimitError> {
        let call = async {
            self.told(format!("cool {} {:?}", report.scope, report.cool));
            self.limiter().cool(report).await
        };
        self.line("cool", call).await
    }

    fn lifted(&self) -> Lifted {
        self.limiter().lifted()
    }

    async fn listen(&self) -> Result<(), LimitError> {
        self.line("listen", self.limiter().listen()).await
    }

    async fn lift(&self, scope: &Scope) -> Result<(), LimitError> {
        let call = async {
            self.told(format!("lift {scope}"));
            self.store.memory.lock().seq += 1;
            self.limiter().lift(scope).await
        };
        self.line("lift", call).await
    }

    async fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
        cost: Cost,
    ) -> Result<Vec<Standing>, LimitError> {
        self.line("snapshot", async { self.limiter().snapshot(candidates, method, cost).await }).await
    }
}

impl FactStore for Link {
    async fn get(&self, name: &str) -> Result<Option<Fact>, LimitError> {
        self.line("get", self.store.facts.get(name)).await
    }

    async fn put(&self, name: &str, value: &str, ttl: Option<Duration>) -> Result<(), LimitError> {
        self.line("put", self.store.facts.put(name, value, ttl)).await
    }

    async fn scan(&self, prefix: &str) -> Result<Vec<(String, Fact)>, LimitError> {
        self.line("scan", self.store.facts.scan(prefix)).await
    }

    async fn increment(&self, name: &str, by: u64) -> Result<u64, LimitError> {
        self.line("increment", self.store.facts.increment(name, by)).await
    }
}

impl Shared for Link {
    fn name(&self) -> &'static str {
        "scripted"
    }

    async fn ask(&self, ask: &Ask<'_>) -> Result<(Reply, Reading), LimitError> {
        self.line("ask", self.decide(ask)).await
    }

    async fn heartbeat(&self, instance: &str, ttl: Duration) -> Result<Beat, LimitError> {
        let call = async {
            let now = self.store.clock.now();
            let mut memory = self.store.memory.lock();
            memory.alive.insert(instance.to_owned(), now + ttl);
            memory.alive.retain(|_, until| *until > now);
            Ok(Beat { mark: memory.mark(now), instances: memory.alive.keys().cloned().collect() })
        };
        self.line("heartbeat", call).await
    }

    async fn absorb(&self, once: &str, charges: &[Charges]) -> Result<(), LimitError> {
        let call = async {
            let now = self.store.clock.now();
            let guard = Guard::default().width(now);
            let days: HashMap<Domain, u64> =
                charges.iter().map(|c| (c.domain.clone(), self.store.used(&c.domain).day)).collect();
            let mut memory = self.store.memory.lock();
            if !memory.once.insert(once.to_owned()) {
                return Ok(());
            }
            memory.absorbed.push((once.to_owned(), charges.to_vec()));
            for Charges { domain, window, days: more } in charges {
                let ledger = memory.debts.entry(domain.clone()).or_default();
                let (requests, tokens) = window.iter().fold((0, 0), |(r, t), slot| (r + slot.1, t + slot.2));
                let today = PacificDay::containing(now);
                let day = more.iter().filter(|(day, _)| *day == today).map(|(_, charge)| match charge {
                    DayCharge::Add(n) => *n,
                    DayCharge::AtLeast(n) => n.saturating_sub(days[domain]),
                });
                ledger.seed(requests, tokens, day.sum(), guard, Now::both(now));
            }
            Ok(())
        };
        self.line("absorb", call).await
    }
}
