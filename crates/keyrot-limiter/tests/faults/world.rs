//! Instances, their links, one store, and one clock.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::poll_immediate;
use keyrot_core::{
    Ask, Caller, Candidate, Clock, Cost, Ended, FakeClock, Grant, LimitError, Method, Permit, PermitId,
    RateLimiter, Refusal, Timestamp,
};
use keyrot_limiter::{Degrading, Manner};
use keyrot_testkit::limiter::log::{Admission, busiest};
use keyrot_testkit::limiter::{LEASE, NOON, Way, secs, tokens};

use crate::scripted::{Line, Link, Store};

pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);
/// The finest the world moves by.
const STEP: Duration = Duration::from_millis(50);

pub(crate) fn manner(instance: &str) -> Manner {
    Manner {
        instance: instance.to_owned(),
        known: Vec::new(),
        assumed: 1,
        timeout: TIMEOUT,
        fail_closed: false,
    }
}

/// One instance.
pub(crate) struct Instance {
    pub(crate) limiter: Arc<Degrading<Link>>,
    pub(crate) link: Link,
    tend: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// All there is.
pub(crate) struct World {
    pub(crate) clock: FakeClock,
    pub(crate) store: Arc<Store>,
    pub(crate) instances: Vec<Instance>,
    next: u128,
}

impl World {
    /// `n` instances that have heard of each other.
    pub(crate) fn of(n: usize) -> Self {
        Self::made(n, |name| manner(&name))
    }

    pub(crate) fn made(n: usize, manner: impl Fn(String) -> Manner) -> Self {
        let clock = FakeClock::new(NOON);
        let store = Store::new(clock.clone());
        let mut world = Self { clock, store, instances: Vec::new(), next: 0 };
        for i in 0..n {
            world.add(manner(format!("i{i}")));
        }
        world.wait(secs(4));
        world
    }

    /// One more instance.
    pub(crate) fn add(&mut self, manner: Manner) {
        let link = Link::to(&self.store);
        let limiter = Arc::new(Degrading::new(link.clone(), Arc::new(self.clock.clone()), manner));
        let tend: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(limiter.tend());
        self.instances.push(Instance { limiter, link, tend });
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets everybody's background work go as far as it can.
    pub(crate) fn tend(&mut self) {
        for instance in &mut self.instances {
            let ended = pollster::block_on(poll_immediate(&mut instance.tend));
            assert_eq!(ended, None, "it tends as long as the wrapper lives");
        }
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now() + time;
        self.tend();
        while self.now() < end {
            self.clock.advance_to(end.min(self.now() + STEP));
            self.tend();
        }
    }

    /// Time passes at once.
    pub(crate) fn leap(&mut self, time: Duration) {
        self.clock.advance(time);
        self.wait(secs(4));
    }

    pub(crate) fn permit(&mut self) -> PermitId {
        self.next += 1;
        PermitId(self.next)
    }

    /// What comes of a call, and how long it took: the world goes on meanwhile.
    pub(crate) fn drive<T>(&mut self, call: impl Future<Output = T>) -> (T, Duration) {
        let mut call = pin!(call);
        let asked = self.now();
        loop {
            if let Some(answer) = pollster::block_on(poll_immediate(&mut call)) {
                return (answer, self.now().since(asked));
            }
            assert!(self.now().since(asked) <= TIMEOUT * 2, "a call hangs");
            self.clock.advance(STEP);
            self.tend();
        }
    }

    /// Asks instance `i` for one of `ways`, and how long that took.
    pub(crate) fn ask(
        &mut self,
        i: usize,
        ways: &[&Way],
        cost: Cost,
    ) -> (Result<Result<Grant, Vec<Refusal>>, LimitError>, Duration) {
        self.ask_for(i, None, ways, cost)
    }

    /// The same for a caller with limits of its own.
    pub(crate) fn ask_for(
        &mut self,
        i: usize,
        caller: Option<Caller<'_>>,
        ways: &[&Way],
        cost: Cost,
    ) -> (Result<Result<Grant, Vec<Refusal>>, LimitError>, Duration) {
        let limiter = self.instances[i].limiter.clone();
        let permit = self.permit();
        let candidates: Vec<Candidate<'_>> = ways.iter().map(|way| way.candidate()).collect();
        let ask = Ask {
            permit,
            candidates: &candidates,
            method: Method::Generate,
            cost,
            lease: LEASE,
            class: 0,
            caller,
        };
        let (reply, took) = self.drive(limiter.reserve(&ask));
        (reply.map(|reply| reply.grant.ok_or_else(|| reply.refusals.to_vec())), took)
    }

    /// Asks instance `i` as `permit`, without waiting: the answer is to be driven.
    pub(crate) fn asking(
        &self,
        i: usize,
        permit: PermitId,
        way: &Way,
        cost: Cost,
    ) -> Pin<Box<dyn Future<Output = Option<Permit>>>> {
        let (limiter, way) = (self.instances[i].limiter.clone(), way.clone());
        let mut asking: Pin<Box<dyn Future<Output = Option<Permit>>>> = Box::pin(async move {
            let candidates = [way.candidate()];
            let ask = Ask {
                permit,
                candidates: &candidates,
                method: Method::Generate,
                cost,
                lease: LEASE,
                class: 0,
                caller: None,
            };
            let reply = limiter.reserve(&ask).await.expect("nothing fails");
            reply.grant.map(|grant| grant.permit)
        });
        assert!(pollster::block_on(poll_immediate(&mut asking)).is_none(), "the line is slow");
        asking
    }

    /// A permit that must be granted.
    #[track_caller]
    pub(crate) fn go(&mut self, i: usize, way: &Way, cost: Cost) -> Permit {
        let (answer, _) = self.ask(i, &[way], cost);
        answer.expect("nothing fails").unwrap_or_else(|refusals| panic!("refused: {refusals:?}")).permit
    }

    /// A refusal that must be given.
    #[track_caller]
    pub(crate) fn refused(&mut self, i: usize, way: &Way, cost: Cost) -> Refusal {
        let (answer, _) = self.ask(i, &[way], cost);
        answer.expect("nothing fails").expect_err("it must be refused").remove(0)
    }

    pub(crate) fn settle(&mut self, i: usize, permit: &Permit, tokens: u64) {
        let limiter = self.instances[i].limiter.clone();
        self.drive(limiter.settle(permit, tokens)).0.expect("accepted");
    }

    pub(crate) fn release(&mut self, i: usize, permit: &Permit, ended: Ended) {
        let limiter = self.instances[i].limiter.clone();
        self.drive(limiter.release(permit, ended)).0.expect("accepted");
    }

    /// How many requests of `way` instance `i` is admitted at once, of `most` tries.
    pub(crate) fn fill(&mut self, i: usize, way: &Way, most: usize) -> usize {
        (0..most).filter(|_| self.ask(i, &[way], tokens(0)).0.expect("nothing fails").is_ok()).count()
    }

    pub(crate) fn cut(&mut self, which: impl IntoIterator<Item = usize>, line: Line) {
        for i in which {
            self.instances[i].link.set(line);
        }
    }

    pub(crate) fn is_away(&self, i: usize) -> bool {
        self.instances[i].limiter.suspended().is_some()
    }
}

/// The most requests in any minute of a log.
pub(crate) fn worst(log: &[Timestamp]) -> u64 {
    let log: Vec<Admission> =
        log.iter().map(|at| Admission { at: at.as_millis() * 1_000, tokens: 0 }).collect();
    busiest(&log, secs(60)).0
}
