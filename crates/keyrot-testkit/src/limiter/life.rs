//! Random lives of a pool rich in cooldowns, lived by two clients of one store.

use std::time::Duration;

use keyrot_core::{
    CoolFor, Cost, Domain, Ended, KeyFault, Limits, Method, ProjectFault, Reason, ScopeKind, Timestamp,
};
use proptest::prelude::*;

use super::rig::{FREE, MS, NOON, Way, secs};

/// The project of each key: two keys share one.
const PROJECT_OF: [usize; 4] = [0, 0, 1, 2];
/// Candidates are of distinct projects.
const ORDERS: &[&[usize]] = &[&[0], &[1], &[2], &[3], &[0, 2], &[3, 1], &[2, 3, 0]];
const BUCKETS: [&str; 2] = ["m", "n"];
const SECRETS: [&str; 2] = ["old", "new"];
/// Callers with limits of their own.
const CALLERS: usize = 2;
/// How many handles on the store there are at a time.
pub(super) const CLIENTS: usize = 2;
/// Projects in the pool.
pub(super) const PROJECTS: usize = 3;

/// A pool, and what happens to it.
#[derive(Debug, Clone)]
pub struct Life {
    pub(super) start: Timestamp,
    /// Each project's limits; they may change from one question to the next.
    limits: [[Limits; 2]; PROJECTS],
    concurrency: [Option<u32>; PROJECT_OF.len()],
    /// Each caller's limits.
    callers: [Limits; CALLERS],
    pub(super) events: Vec<Event>,
}

impl Life {
    /// The way `key` goes when asked by `demand`.
    pub(super) fn way(&self, key: usize, demand: &Demand) -> Way {
        let project = PROJECT_OF[key];
        let limits = self.limits[project][demand.limits];
        let way = Way::new(&format!("k{key}"), &format!("p{project}"), BUCKETS[demand.bucket], limits);
        let way = way.with_secret(SECRETS[demand.secret]);
        Way { concurrency: self.concurrency[key], ..way }
    }

    /// Whose own ledger is charged as well, and the caller's limits.
    pub(super) fn caller(&self, demand: &Demand) -> Option<(Domain, Limits)> {
        let caller = demand.caller?;
        Some((Domain::new("caller", caller.to_string()), self.callers[caller]))
    }

    pub(super) fn ways(&self, demand: &Demand) -> Vec<Way> {
        demand.order.iter().map(|&key| self.way(key, demand)).collect()
    }
}

/// Permits are named by their age: 0 is the newest.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Wait(Duration),
    /// To just before or after the next midnight.
    Midnight(i64),
    Reserve(usize, Demand),
    /// The answer gets lost; after a while the same question is put again.
    Lost(usize, Demand, Duration),
    /// The question is given up before its answer is taken.
    Cancel(usize, Demand),
    Settle(usize, u64),
    Release(usize, Ended),
    /// A permit's verdict on a scope it belongs to, and its end.
    Blame(usize, ScopeKind, CoolFor, Reason),
    /// A permit that found its model overloaded: how calls of it ended of late (seconds ago, successes,
    /// failures), and its end.
    Overload(usize, Vec<(u8, u32, u32)>),
    /// An operator's verdict on a scope of the first way of a demand.
    Condemn(usize, Demand, ScopeKind, CoolFor, Reason),
    Lift(usize, Demand, ScopeKind),
    /// Every project is asked, and everything admitted is throttled.
    Storm(usize, usize),
    Look(usize, Demand),
    /// A client asks what was lifted.
    Listen(usize),
    /// A client ends and comes back, knowing nothing.
    Restart(usize),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Demand {
    pub order: &'static [usize],
    pub bucket: usize,
    pub secret: usize,
    pub limits: usize,
    pub caller: Option<usize>,
    pub method: Method,
    pub cost: Cost,
    pub lease: Duration,
}

impl Demand {
    /// One request of `key`, in `bucket`.
    pub(super) fn plain(key: usize, bucket: usize) -> Self {
        let order = ORDERS[key];
        let cost = Cost { requests: 1, tokens: 1 };
        Self {
            order,
            bucket,
            secret: 0,
            limits: 0,
            caller: None,
            method: Method::Generate,
            cost,
            lease: secs(60),
        }
    }
}

fn limits() -> impl Strategy<Value = Limits> {
    let some = |range: std::ops::Range<u64>| prop::option::weighted(0.5, range);
    let any = (some(0..12), some(0..600), some(0..30), some(1..6));
    prop_oneof![1 => Just(FREE), 3 => any.prop_map(|(rpm, tpm, rpd, burst)| Limits { rpm, tpm, rpd, burst })]
}

fn waits() -> impl Strategy<Value = Duration> {
    prop_oneof![
        3 => (0_u64..600).prop_map(Duration::from_millis),
        2 => (0_u64..9).prop_map(|n| Duration::from_millis(n * 250)),
        3 => (0_u64..65_000).prop_map(Duration::from_millis),
        // Where cooldowns end, and a millisecond to either side.
        4 => (prop::sample::select(vec![1_000, 1_000, 2_000, 4_000, 10_000, 30_000, 60_000, 600_000]), 0_u64..3)
            .prop_map(|(ms, off): (u64, u64)| Duration::from_millis(ms + off - 1)),
        1 => (0_u64..60).prop_map(|h| Duration::from_secs(h * 3_600)),
    ]
}

fn demands() -> impl Strategy<Value = Demand> {
    let requests = prop_oneof![8 => Just(1_u32), 1 => 0_u32..4];
    let tokens = prop_oneof![4 => 0_u64..150, 1 => 0_u64..900];
    let methods = vec![Method::Generate, Method::Generate, Method::Generate, Method::CountTokens];
    let rare = || prop_oneof![5 => Just(0_usize), 1 => Just(1)];
    let which = (prop::sample::select(ORDERS), rare(), rare(), rare(), prop::sample::select(methods));
    let caller = prop::option::weighted(0.25, 0..CALLERS);
    (which, requests, tokens, waits(), caller).prop_map(
        |((order, bucket, secret, limits, method), requests, tokens, lease, caller)| Demand {
            caller,
            order,
            bucket,
            secret,
            limits,
            method,
            cost: Cost { requests, tokens },
            lease: lease + MS,
        },
    )
}

fn scopes() -> impl Strategy<Value = ScopeKind> {
    prop_oneof![
        2 => Just(ScopeKind::Key),
        2 => Just(ScopeKind::Permission),
        2 => Just(ScopeKind::Project),
        6 => Just(ScopeKind::Domain),
        2 => Just(ScopeKind::Model),
        1 => Just(ScopeKind::Pool),
    ]
}

/// How long, and why: mostly as an answer of Google's would have it.
fn verdicts() -> impl Strategy<Value = (CoolFor, Reason)> {
    let escalating = |seconds| CoolFor::Escalating { at_least: secs(seconds) };
    let half_open = vec![
        Reason::Throttled,
        Reason::Throttled,
        Reason::Overloaded,
        Reason::Flaky,
        Reason::QuotaZero,
        Reason::ProjectRejected(ProjectFault::Billing),
    ];
    let plain = vec![Reason::QuotaMinute, Reason::QuotaMinute, Reason::ModelNotFound, Reason::Operator];
    let dead = vec![Reason::KeyRejected(KeyFault::Invalid), Reason::KeyRestricted, Reason::OperationDenied];
    prop_oneof![
        6 => (prop::sample::select(half_open), prop::sample::select(vec![0, 0, 0, 45]))
            .prop_map(move |(reason, at_least)| (escalating(at_least), reason)),
        4 => (waits(), prop::sample::select(plain)).prop_map(|(wait, reason)| (CoolFor::After(wait), reason)),
        1 => waits().prop_map(|wait| (CoolFor::After(wait), Reason::ProjectRejected(ProjectFault::Denied))),
        1 => Just((CoolFor::NextPacificMidnight, Reason::QuotaDay)),
        1 => prop::sample::select(dead).prop_map(|reason| (CoolFor::UntilLifted, reason)),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let client = || 0..CLIENTS;
    let ended =
        prop::sample::select(vec![Ended::Succeeded, Ended::Succeeded, Ended::Failed, Ended::NeverSent]);
    let some = || prop_oneof![3 => 0_u32..4, 1 => 0_u32..40];
    let samples = prop::collection::vec((0_u8..12, some(), some()), 0..4);
    prop_oneof![
        9 => waits().prop_map(Event::Wait),
        1 => (-700_000_i64..700_000).prop_map(Event::Midnight),
        14 => (client(), demands()).prop_map(|(c, demand)| Event::Reserve(c, demand)),
        2 => (client(), demands(), 0_u64..3_000)
            .prop_map(|(c, demand, ms)| Event::Lost(c, demand, Duration::from_millis(ms))),
        2 => (client(), demands()).prop_map(|(c, demand)| Event::Cancel(c, demand)),
        2 => (0_usize..8, 0_u64..700).prop_map(|(i, tokens)| Event::Settle(i, tokens)),
        6 => (0_usize..4, ended).prop_map(|(i, ended)| Event::Release(i, ended)),
        7 => (0_usize..4, scopes(), verdicts())
            .prop_map(|(i, scope, (cool, reason))| Event::Blame(i, scope, cool, reason)),
        4 => (0_usize..4, samples).prop_map(|(i, samples)| Event::Overload(i, samples)),
        1 => (client(), demands(), scopes(), verdicts())
            .prop_map(|(c, demand, scope, (cool, reason))| Event::Condemn(c, demand, scope, cool, reason)),
        2 => (client(), demands(), scopes()).prop_map(|(c, demand, scope)| Event::Lift(c, demand, scope)),
        1 => (client(), 0_usize..2).prop_map(|(c, bucket)| Event::Storm(c, bucket)),
        2 => (client(), demands()).prop_map(|(c, demand)| Event::Look(c, demand)),
        3 => client().prop_map(Event::Listen),
        1 => client().prop_map(Event::Restart),
    ]
}

/// What happens about one model that is overloaded again and again.
fn overloads() -> impl Strategy<Value = Event> {
    let client = || 0..CLIENTS;
    let ended = prop::sample::select(vec![
        Ended::Succeeded,
        Ended::Succeeded,
        Ended::Succeeded,
        Ended::Failed,
        Ended::NeverSent,
    ]);
    let waits = prop_oneof![
        4 => (0_u64..1_500).prop_map(Duration::from_millis),
        4 => (prop::sample::select(vec![1_000, 2_000, 4_000, 10_000]), 0_u64..3)
            .prop_map(|(ms, off): (u64, u64)| Duration::from_millis(ms + off - 1)),
        1 => (0_u64..70_000).prop_map(Duration::from_millis),
    ];
    let samples = prop_oneof![
        2 => Just(Vec::new()),
        1 => (0_u8..11, 0_u32..12, 0_u32..12).prop_map(|sample| vec![sample]),
        1 => (0_u8..3, 14_u32..30).prop_map(|(age, failed)| vec![(age, 0, failed)]),
    ];
    let demands = (0_usize..PROJECT_OF.len()).prop_map(|key| Demand::plain(key, 0));
    prop_oneof![
        6 => waits.prop_map(Event::Wait),
        16 => (client(), demands.clone()).prop_map(|(c, demand)| Event::Reserve(c, demand)),
        1 => (client(), demands.clone()).prop_map(|(c, demand)| Event::Cancel(c, demand)),
        10 => (0_usize..6, ended).prop_map(|(i, ended)| Event::Release(i, ended)),
        3 => (0_usize..6, samples).prop_map(|(i, samples)| Event::Overload(i, samples)),
        1 => client().prop_map(Event::Listen),
        1 => (client(), demands).prop_map(|(c, demand)| Event::Look(c, demand)),
    ]
}

/// Random lives of pools without limits and of one model, whose breaker trips and recovers.
fn overloaded_lives() -> impl Strategy<Value = Life> {
    let start = (0_u64..1_000).prop_map(|ms| Timestamp::from_millis(NOON.as_millis() + ms));
    // It begins with a storm, which would else seldom come together.
    let trips = (0_u32..2, 14_u32..40).prop_map(|(succeeded, failed)| {
        let go = Event::Reserve(0, Demand::plain(0, 0));
        vec![go, Event::Overload(0, vec![(0, succeeded, failed)]), Event::Wait(secs(1))]
    });
    (start, trips, prop::collection::vec(overloads(), 1..100)).prop_map(|(start, mut events, more)| {
        events.extend(more);
        let (limits, concurrency) = ([[FREE; 2]; PROJECTS], [None; PROJECT_OF.len()]);
        Life { start, limits, concurrency, callers: [FREE; CALLERS], events }
    })
}

/// Random pools with random lives: every scope and reason, probes and how they end, storms, lifts,
/// midnights, lost answers, questions given up, and clients that end and come back; in one of three, one
/// model that is overloaded.
pub fn lives() -> impl Strategy<Value = Life> {
    prop_oneof![2 => varied_lives(), 1 => overloaded_lives()]
}

fn varied_lives() -> impl Strategy<Value = Life> {
    let start = prop_oneof![2 => Just(NOON.as_millis()), 1 => 1_767_225_600_000_u64..1_798_761_600_000];
    let pair = || (limits(), limits()).prop_map(|(a, b)| [a, b]);
    let concurrency = prop::array::uniform4(prop::option::weighted(0.25, 0_u32..4));
    let events = prop::collection::vec(events(), 1..100);
    (start, [pair(), pair(), pair()], concurrency, pair(), events).prop_map(
        |(start, limits, concurrency, callers, events)| Life {
            start: Timestamp::from_millis(start),
            limits,
            concurrency,
            callers,
            events,
        },
    )
}
