//! Instances on a real server, the load they make, and the log of what they were admitted.
use keyrot_testkit::limiter::Way;

use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{Ask, Cost, Ended, Method, PermitId, RateLimiter};
use keyrot_limiter::{Degrading, Manner, RedisConfig, RedisStore};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::machine::Machine;

/// How long the wrapper waits for the store; the store itself waits for its server a little less.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);
const SERVERS: Duration = Duration::from_millis(400);
/// What a machine that is busy with other tests may add to that.
const SLACK: Duration = Duration::from_millis(1_500);
/// The longest the return may take.
const BACK: Duration = Duration::from_secs(5);
/// How often an instance asks.
const PACE: Duration = Duration::from_millis(10);

/// One question and its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) who: usize,
    /// When it was asked, and when answered.
    pub(crate) asked: Duration,
    pub(crate) at: Duration,
    pub(crate) granted: bool,
    /// Whether the instance was on its own afterwards.
    pub(crate) alone: bool,
}

pub(crate) struct Crowd {
    pub(crate) machine: Machine,
    pub(crate) instances: Vec<Arc<Degrading<RedisStore>>>,
    way: Way,
    log: Arc<Mutex<Vec<Answer>>>,
    failures: Arc<Mutex<Vec<String>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// An instance on each of `urls`, none of which asks for anything yet. They have heard of each
    /// other.
    pub(crate) async fn on(urls: &[String], way: Way) -> Self {
        let machine = Machine::start();
        let mut tasks = Vec::new();
        let mut instances = Vec::new();
        for (i, url) in urls.iter().enumerate() {
            let config = RedisConfig { url: url.clone().into(), pool: "crowd".to_owned(), timeout: SERVERS };
            let store = RedisStore::connect(&config).expect("a legal URL");
            let manner = Manner {
                instance: format!("i{i}"),
                known: (0..urls.len()).map(|i| format!("i{i}")).collect(),
                assumed: 1,
                timeout: PATIENCE,
                fail_closed: false,
            };
            let limiter = Arc::new(Degrading::new(store, Arc::new(machine), manner));
            // All of them alive before any of them listens.
            keyrot_limiter::Shared::heartbeat(limiter.store(), &format!("i{i}"), Duration::from_secs(60))
                .await
                .expect("the server is there");
            tasks.push(limiter.tend());
            instances.push(limiter);
        }
        let tasks = tasks.into_iter().map(tokio::spawn).collect();
        Self { machine, instances, way, log: Arc::default(), failures: Arc::default(), tasks }
    }

    /// Everybody asks all the time, from now on.
    pub(crate) fn load(&mut self) {
        for (who, limiter) in self.instances.iter().enumerate() {
            let (limiter, machine, way) = (Arc::clone(limiter), self.machine, self.way.clone());
            let (log, failures) = (Arc::clone(&self.log), Arc::clone(&self.failures));
            self.tasks.push(tokio::spawn(async move {
                for i in 0_u128.. {
                    let asked = machine.elapsed();
                    let candidates = [way.candidate()];
                    let ask = Ask {
                        permit: PermitId(((who as u128) << 64) + i),
                        candidates: &candidates,
                        method: Method::Generate,
                        cost: Cost { requests: 1, tokens: 10 },
                        lease: Duration::from_secs(30),
                        class: 0,
                        caller: None,
                    };
                    let reply = limiter.reserve(&ask).await;
                    let at = machine.elapsed();
                    let granted = reply.as_ref().is_ok_and(|reply| reply.grant.is_some());
                    let alone = limiter.suspended().is_some();
                    log.lock().push(Answer { who, asked, at, granted, alone });
                    let ended = match reply {
                        Ok(reply) => match reply.grant {
                            Some(grant) => match limiter.settle(&grant.permit, 7).await {
                                Ok(()) => limiter.release(&grant.permit, Ended::Succeeded).await,
                                error => error,
                            },
                            None => Ok(()),
                        },
                        Err(error) => Err(error),
                    };
                    if let Err(error) = ended {
                        failures.lock().push(error.to_string());
                    }
                    tokio::time::sleep(PACE).await;
                }
            }));
        }
    }

    /// Waits until everybody's wrapper says that the store is there again, which is soon.
    pub(crate) async fn back(&self) {
        let since = self.machine.elapsed();
        let lost = |limiter: &Arc<Degrading<RedisStore>>| {
            limiter.suspended().is_some_and(|s| !s.why.starts_with("the store lost writes"))
        };
        while self.instances.iter().any(lost) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let back = self.machine.elapsed() - since;
        tell(&format!("recovered in {back:?}"));
        assert!(back <= BACK, "{back:?} is too long");
    }

    /// Waits until every one of `which` is on its own.
    pub(crate) async fn alone(&self, which: &[usize]) {
        while which.iter().any(|i| self.instances[*i].suspended().is_none()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends the load; the log in order of time. Nobody has waited too long, and nobody failed.
    pub(crate) async fn end(&mut self) -> Vec<Answer> {
        // The wrappers' own tasks go on: there may be something left to tell.
        for load in self.tasks.drain(self.instances.len()..) {
            load.abort();
            drop(load.await);
        }
        assert_eq!(*self.failures.lock(), [""; 0], "nobody fails");
        let mut log = self.log.lock().clone();
        log.sort_by_key(|answer| answer.at);
        let longest = log.iter().max_by_key(|answer| answer.at - answer.asked).expect("somebody asked");
        assert!(longest.at - longest.asked <= PATIENCE + SLACK, "{longest:?} took too long");
        log
    }

    /// What the server has counted of the day, once everything is told.
    pub(crate) async fn counted(&self) -> u64 {
        for limiter in &self.instances {
            limiter.store().flush().await;
        }
        let cost = Cost { requests: 1, tokens: 1 };
        let standing =
            self.instances[0].store().snapshot(&[self.way.candidate()], Method::Generate, cost).await;
        standing.expect("the server is there")[0].day
    }

    /// Waits until the server has counted `all`, and for a while whether it stays so.
    pub(crate) async fn counts(&self, all: u64) {
        let since = self.machine.elapsed();
        while self.counted().await != all && self.machine.elapsed() - since < Duration::from_secs(5) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(self.counted().await, all, "everything admitted is counted, and once");
    }

    /// The log so far.
    pub(crate) fn peek(&self) -> Vec<Answer> {
        self.log.lock().clone()
    }

    pub(crate) fn now(&self) -> Duration {
        self.machine.elapsed()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Requests admitted.
pub(crate) fn admitted(log: &[Answer]) -> u64 {
    log.iter().filter(|answer| answer.granted).count() as u64
}

/// No more than `bound` were admitted.
pub(crate) fn within(log: &[Answer], bound: u64) {
    let longest = log.iter().map(|answer| answer.at - answer.asked).max().unwrap_or_default();
    tell(&format!("{} admitted of {bound} at most, the longest wait {longest:?}", admitted(log)));
    assert!(admitted(log) <= bound, "{} admitted, at most {bound}", admitted(log));
}

/// What was measured, for whoever runs this with `--nocapture`.
fn tell(figure: &str) {
    eprintln!("{}: {figure}", std::thread::current().name().unwrap_or_default());
}

/// What others were admitted between the last answer that each of `cut` had from the server before
/// `lost` and `lost`, together.
pub(crate) fn unread(log: &[Answer], cut: &[usize], lost: Duration) -> u64 {
    let of = |who: usize| {
        let read = log.iter().filter(|a| a.who == who && !a.alone && a.at <= lost).map(|a| a.asked).max();
        let read = read.unwrap_or_default();
        log.iter().filter(|a| a.who != who && a.granted && a.at >= read && a.asked <= lost).count() as u64
    };
    cut.iter().map(|who| of(*who)).sum()
}
