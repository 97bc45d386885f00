//! Random lives of a store, and a store led through one beside the model.

use std::time::Duration;

use keyrot_core::{
    Ask, Candidate, Clock, CoolFor, CoolReport, Cost, Ended, FakeClock, Limits, Method, PacificDay, Permit,
    PermitId, RateLimiter, Reason, Samples, Scope, Timestamp,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::model::{Model, Wish};
use super::rig::{MS, NOON, Way};

/// The domain of each key: two keys share one.
const DOMAIN_OF: [usize; 3] = [0, 0, 1];
/// Candidates are of distinct projects.
const ORDERS: &[&[usize]] = &[&[0], &[1], &[2], &[0, 2], &[2, 1]];

/// A pool, and what happens to it.
#[derive(Debug, Clone)]
pub struct Scenario {
    start: Timestamp,
    /// Each domain's limits; they may change from one question to the next.
    limits: [[Limits; 2]; 2],
    concurrency: [Option<u32>; 3],
    events: Vec<Event>,
}

#[derive(Debug, Clone)]
enum Event {
    Wait(Duration),
    /// To just before or after the next midnight.
    Midnight(i64),
    Reserve(Demand),
    /// The same; when refused, waits as long as told and no millisecond less.
    Patient(Demand),
    Settle(usize, u64),
    Release(usize, Ended),
    Cool(usize, Duration),
    Look(usize),
}

#[derive(Debug, Clone, Copy)]
struct Demand {
    order: &'static [usize],
    limits: usize,
    cost: Cost,
    lease: Duration,
}

fn limits() -> impl Strategy<Value = Limits> {
    let some = |range: std::ops::Range<u64>| prop::option::weighted(0.7, range);
    (some(0..12), some(0..600), some(0..20), some(1..6)).prop_map(|(rpm, tpm, rpd, burst)| Limits {
        rpm,
        tpm,
        rpd,
        burst,
    })
}

fn waits() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (0_u64..600).prop_map(Duration::from_millis),
        2 => (0_u64..9).prop_map(|n| Duration::from_millis(n * 250)),
        3 => (0_u64..65_000).prop_map(Duration::from_millis),
        1 => (0_u64..60).prop_map(|h| Duration::from_secs(h * 3_600)),
    ]
}

fn demands() -> impl Strategy<Value = Demand> {
    let requests = prop_oneof![8 => Just(1_u32), 1 => 0_u32..4];
    let tokens = prop_oneof![4 => 0_u64..150, 1 => 0_u64..900];
    (prop::sample::select(ORDERS), 0_usize..2, requests, tokens, waits()).prop_map(
        |(order, limits, requests, tokens, lease)| Demand {
            order,
            limits,
            cost: Cost { requests, tokens },
            lease: lease + MS,
        },
    )
}

fn events() -> impl Strategy<Value = Event> {
    let ended = prop::sample::select(vec![Ended::Succeeded, Ended::Failed, Ended::NeverSent]);
    prop_oneof![
        8 => waits().prop_map(Event::Wait),
        1 => (-600_i64..600).prop_map(Event::Midnight),
        12 => demands().prop_map(Event::Reserve),
        3 => demands().prop_map(Event::Patient),
        3 => (0_usize..8, 0_u64..700).prop_map(|(i, tokens)| Event::Settle(i, tokens)),
        3 => (0_usize..8, ended).prop_map(|(i, ended)| Event::Release(i, ended)),
        1 => (0_usize..2, waits()).prop_map(|(domain, wait)| Event::Cool(domain, wait)),
        2 => (0_usize..3).prop_map(Event::Look),
    ]
}

/// Random pools with random lives, some of them over a midnight or a change of daylight saving.
pub fn scenarios() -> impl Strategy<Value = Scenario> {
    // Noon; shortly before the midnights that begin 2026-03-08 and 2026-11-01; any time.
    let start = prop_oneof![
        2 => Just(NOON.as_millis()),
        1 => Just(1_772_956_800_000 - 20_000),
        1 => Just(1_793_516_400_000 - 20_000),
        2 => 1_767_225_600_000_u64..1_798_761_600_000,
    ];
    let pair = || (limits(), limits()).prop_map(|(a, b)| [a, b]);
    let concurrency = prop::array::uniform3(prop::option::weighted(0.3, 0_u32..4));
    (start, pair(), pair(), concurrency, prop::collection::vec(events(), 1..80)).prop_map(
        |(start, a, b, concurrency, events)| Scenario {
            start: Timestamp::from_millis(start),
            limits: [a, b],
            concurrency,
            events,
        },
    )
}

/// Leads a fresh store through `scenario`, comparing every answer with the model's.
///
/// `make` gives an empty store that decides by the clock.
///
/// # Errors
/// Where store and model first differ.
pub async fn replay<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: F,
    scenario: &Scenario,
) -> Result<(), TestCaseError> {
    let clock = FakeClock::new(scenario.start);
    let mut both = Both {
        store: make(clock.clone()).await,
        clock,
        model: Model::default(),
        permits: Vec::new(),
        asked: 0,
        scenario,
    };
    for event in &scenario.events {
        both.step(event).await?;
    }
    Ok(())
}

struct Both<'a, L> {
    store: L,
    clock: FakeClock,
    model: Model,
    /// The newest first.
    permits: Vec<Permit>,
    asked: u128,
    scenario: &'a Scenario,
}

impl<L: RateLimiter> Both<'_, L> {
    async fn step(&mut self, event: &Event) -> Result<(), TestCaseError> {
        match event {
            Event::Wait(d) => self.clock.advance(*d),
            Event::Midnight(off) => {
                let midnight = PacificDay::containing(self.clock.now()).end.as_millis();
                self.clock.advance_to(Timestamp::from_millis(midnight.saturating_add_signed(*off)));
            }
            Event::Reserve(demand) => {
                self.reserve(demand).await?;
            }
            Event::Patient(demand) => self.wait_for(demand).await?,
            Event::Settle(i, tokens) => {
                if let Some(permit) = self.permits.get(*i) {
                    self.model.settle(permit.id, *tokens);
                    self.store.settle(permit, *tokens).await.map_err(failed)?;
                }
            }
            Event::Release(i, ended) => {
                if let Some(permit) = self.permits.get(*i) {
                    self.model.release(permit.id, *ended);
                    self.store.release(permit, *ended).await.map_err(failed)?;
                }
            }
            Event::Cool(domain, wait) => {
                self.model.cool(*domain, *wait, self.clock.now());
                let scope = Scope::Domain(self.way(domain * 2, 0).domain);
                let cool = CoolFor::After(*wait);
                let report = CoolReport {
                    scope,
                    cool,
                    reason: Reason::Operator,
                    stamp: None,
                    projects: 2,
                    samples: Samples::new(),
                };
                self.store.cool(&report).await.map_err(failed)?;
            }
            Event::Look(key) => self.look(*key).await?,
        }
        Ok(())
    }

    fn way(&self, key: usize, limits: usize) -> Way {
        let project = DOMAIN_OF[key];
        let limits = self.scenario.limits[project][limits];
        let way = Way::new(&format!("k{key}"), &format!("p{project}"), "m", limits);
        Way { concurrency: self.scenario.concurrency[key], ..way }
    }

    fn wish(&self, key: usize, limits: usize, cost: Cost) -> Wish {
        let domain = DOMAIN_OF[key];
        let limits = self.scenario.limits[domain][limits];
        Wish { key, domain, limits, concurrency: self.scenario.concurrency[key], cost }
    }

    /// Asks both; the shortest wait when refused, `None` when granted.
    async fn reserve(&mut self, demand: &Demand) -> Result<Option<Duration>, TestCaseError> {
        self.asked += 1;
        let permit = PermitId(self.asked);
        let now = self.clock.now();
        let ways: Vec<Way> = demand.order.iter().map(|&key| self.way(key, demand.limits)).collect();
        let candidates: Vec<Candidate<'_>> = ways.iter().map(Way::candidate).collect();
        let Demand { cost, lease, .. } = *demand;
        let ask = Ask {
            permit,
            candidates: &candidates,
            method: Method::Generate,
            cost,
            lease,
            class: 0,
            caller: None,
        };
        let reply = self.store.reserve(&ask).await.map_err(failed)?;
        let wishes: Vec<Wish> = demand.order.iter().map(|&key| self.wish(key, demand.limits, cost)).collect();
        let waits: Vec<Duration> = wishes.iter().map(|wish| self.model.wait(wish, now)).collect();
        let first = waits.iter().position(Duration::is_zero);
        prop_assert_eq!(
            reply.grant.as_ref().map(|g| g.index),
            first,
            "at {:?} {:?} {:?}",
            now,
            demand,
            waits
        );
        let told: Vec<Duration> = reply.refusals.iter().map(|r| r.retry_after).collect();
        let refused = first.unwrap_or(waits.len());
        prop_assert_eq!(&told[..], &waits[..refused], "at {:?}", now);
        let (Some(grant), Some(index)) = (reply.grant, first) else {
            return Ok(Some(told.into_iter().min().unwrap_or(Duration::MAX)));
        };
        prop_assert_eq!(grant.permit.stamp.admitted, now);
        self.permits.insert(0, grant.permit);
        self.model.admit(permit, &wishes[index], lease, now);
        self.check_promise(&wishes[index], now)?;
        Ok(None)
    }

    /// Right after an admission no window that ends now holds more than a limit that has a say.
    fn check_promise(&self, wish: &Wish, now: Timestamp) -> Result<(), TestCaseError> {
        let Wish { domain, limits, cost, .. } = *wish;
        let ((requests, tokens, day), second) = self.model.truly_used(domain, now);
        let over = |limit: Option<u64>, used: u64| limit.is_some_and(|limit| used > limit);
        if cost != (Cost { requests: 0, tokens: 0 }) {
            prop_assert!(!over(limits.rpm, requests), "{} requests in a minute: {:?}", requests, limits);
            prop_assert!(!over(limits.tpm, tokens), "{} tokens in a minute: {:?}", tokens, limits);
            prop_assert!(!over(limits.rpd, day), "{} requests in a day: {:?}", day, limits);
            prop_assert!(!over(limits.burst, second), "{} requests in a second: {:?}", second, limits);
        }
        Ok(())
    }

    async fn wait_for(&mut self, demand: &Demand) -> Result<(), TestCaseError> {
        let Some(wait) = self.reserve(demand).await?.filter(|&wait| wait < Duration::MAX) else {
            return Ok(());
        };
        self.clock.advance(wait.saturating_sub(MS));
        if wait > MS {
            prop_assert!(self.reserve(demand).await?.is_some(), "granted before {:?} had passed", wait);
        }
        self.clock.advance(MS);
        prop_assert!(self.reserve(demand).await?.is_none(), "refused after {:?}", wait);
        Ok(())
    }

    async fn look(&mut self, key: usize) -> Result<(), TestCaseError> {
        let now = self.clock.now();
        let way = self.way(key, 0);
        let all = self
            .store
            .snapshot(&[way.candidate()], Method::Generate, Cost { requests: 1, tokens: 0 })
            .await
            .map_err(failed)?;
        let standing = &all[0];
        let used = (standing.requests, standing.tokens, standing.day);
        prop_assert_eq!(used, self.model.used(DOMAIN_OF[key], now));
        if way.concurrency.is_some() {
            prop_assert_eq!(standing.in_flight, self.model.in_flight(key, now));
        }
        let wait = self.model.wait(&self.wish(key, 0, Cost { requests: 1, tokens: 0 }), now);
        let told = standing.refusal.map_or(Duration::ZERO, |r| r.retry_after);
        prop_assert_eq!(told, wait);
        Ok(())
    }
}

fn failed(error: impl std::fmt::Display) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}
