//! Real threads on one store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use keyrot_core::{
    Ask, Candidate, Clock, CoolFor, CoolReport, Cost, Domain, Ended, FakeClock, Fingerprint, Grant, KeyId,
    Limits, Method, PermitId, RateLimiter, Reason, Samples, Scope, Sleep, Timestamp,
};
use keyrot_limiter::MemoryLimiter;
use pollster::block_on;

const NOON: Timestamp = keyrot_testkit::limiter::NOON;

fn limiter() -> (MemoryLimiter, FakeClock) {
    let clock = FakeClock::new(NOON);
    (MemoryLimiter::new(Arc::new(clock.clone())), clock)
}

/// One request of key `key` of project `project`, with `tokens`.
fn reserve(
    limiter: &MemoryLimiter,
    id: u128,
    (key, project): (&str, &str),
    limits: Limits,
    concurrency: Option<u32>,
    tokens: u64,
) -> Option<Grant> {
    let key = KeyId::new(key).expect("legal");
    let domain = Domain::new(project, "m");
    let fingerprint = Fingerprint::of(&key, "secret");
    let candidate = Candidate { key: &key, fingerprint, domain: &domain, limits, concurrency };
    let ask = Ask {
        permit: PermitId(id),
        candidates: &[candidate],
        method: Method::Generate,
        cost: Cost { requests: 1, tokens },
        lease: Duration::from_secs(60),
        class: 0,
        caller: None,
    };
    block_on(limiter.reserve(&ask)).expect("memory is there").grant
}

/// Runs `f` on `n` threads that start together, and gives what they came to.
fn together<T: Send>(n: u128, f: impl Fn(u128) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(usize::try_from(n).expect("few"));
    thread::scope(|scope| {
        let (barrier, f) = (&barrier, &f);
        let all: Vec<_> = (0..n)
            .map(|i| {
                scope.spawn(move || {
                    barrier.wait();
                    f(i)
                })
            })
            .collect();
        all.into_iter().map(|t| t.join().expect("no panic")).collect()
    })
}

#[test]
fn fifty_threads_of_five_tokens_find_exactly_twenty_places_in_a_hundred() {
    for _ in 0..20 {
        let (limiter, _) = limiter();
        let limits = Limits { tpm: Some(100), ..Limits::default() };
        let granted = together(50, |i| reserve(&limiter, i, ("a", "p"), limits, None, 5));
        assert_eq!(granted.iter().flatten().count(), 20);
    }
}

/// A clock at which askers meet: who asks for the time waits a while for a second one.
#[derive(Debug)]
struct Meeting {
    clock: FakeClock,
    asked: AtomicUsize,
}

impl Clock for Meeting {
    fn now(&self) -> Timestamp {
        let me = self.asked.fetch_add(1, Ordering::SeqCst);
        for _ in 0..100_000 {
            if self.asked.load(Ordering::SeqCst) > me / 2 * 2 + 1 {
                break;
            }
            thread::yield_now();
        }
        self.clock.now()
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep {
        self.clock.sleep_until(at)
    }
}

/// A model cools in every project: those who ask hold no lock in common but the cooldowns'. Both
/// read that it is half-open before either takes the probe's place.
#[test]
fn one_probe_goes_when_two_see_its_place_free() {
    let free = Limits::default();
    let clock = FakeClock::new(NOON);
    let limiter = MemoryLimiter::new(Arc::new(Meeting { clock: clock.clone(), asked: AtomicUsize::new(0) }));
    let wait = Duration::from_secs(30);
    let report = CoolReport {
        scope: Scope::Model("m".into()),
        cool: CoolFor::After(wait),
        reason: Reason::Flaky,
        stamp: None,
        projects: 9,
        samples: Samples::new(),
    };
    let ask = |i| reserve(&limiter, i, (&format!("k{i}"), &format!("p{i}")), free, Some(1), 0);
    for i in [0, 1] {
        let warm = ask(i).expect("free").permit;
        block_on(limiter.release(&warm, Ended::Failed)).expect("memory is there");
    }
    // Twice: who meets must be even in number.
    for _ in [0, 1] {
        block_on(limiter.cool(&report)).expect("memory is there");
    }
    clock.advance(wait);
    let granted: Vec<Grant> = together(2, ask).into_iter().flatten().collect();
    assert_eq!(granted.len(), 1);
    assert!(granted[0].permit.probe);
    block_on(limiter.release(&granted[0].permit, Ended::Succeeded)).expect("memory is there");
    // Who came too late left no place taken.
    let late = 1 - granted[0].permit.id.0;
    assert!(ask(late).is_some());
}

/// Everything at once on few domains: it ends (no deadlock), and no limit was passed.
#[test]
fn a_crowd_doing_everything_neither_stops_nor_overruns() {
    const EACH: u128 = 400;
    let (limiter, clock) = limiter();
    let limits = Limits { rpm: Some(50), tpm: Some(2_000), rpd: Some(5_000), burst: Some(40) };
    let granted = together(8, |thread| {
        let mut mine: Vec<Grant> = Vec::new();
        for i in 0..EACH {
            let project = format!("p{}", (thread + i) % 3);
            let (key, id) = (format!("{project}-k{}", i % 2), thread * EACH + i);
            if let Some(grant) = reserve(&limiter, id, (&key, &project), limits, Some(30), 7) {
                let permit = &grant.permit;
                let scope = match i % 5 {
                    0 => Scope::Domain(permit.domain.clone()),
                    1 => Scope::Project(permit.domain.project.clone()),
                    2 => Scope::Pool,
                    3 => Scope::Key(permit.key.clone(), permit.fingerprint),
                    _ => Scope::Model(permit.domain.bucket.clone()),
                };
                let reason = [Reason::Throttled, Reason::QuotaMinute, Reason::Overloaded][(i % 3) as usize];
                let cool = CoolFor::Escalating { at_least: Duration::ZERO };
                let report = CoolReport {
                    scope: scope.clone(),
                    cool,
                    reason,
                    stamp: Some(permit.stamp),
                    projects: 3,
                    samples: Samples::new(),
                };
                block_on(async {
                    if i % 7 == 0 {
                        limiter.cool(&report).await.expect("memory is there");
                        limiter.lift(&scope).await.expect("memory is there");
                        limiter.lift(&Scope::Pool).await.expect("memory is there");
                    }
                    limiter.settle(permit, 5).await.expect("memory is there");
                    limiter.release(permit, Ended::Succeeded).await.expect("memory is there");
                });
                mine.push(grant);
            }
            if i % 16 == 0 {
                clock.advance(Duration::from_millis(200));
            }
        }
        mine
    });
    let mut by_domain: BTreeMap<Domain, Vec<Timestamp>> = BTreeMap::new();
    for grant in granted.into_iter().flatten() {
        by_domain.entry(grant.permit.domain).or_default().push(grant.permit.stamp.admitted);
    }
    assert_eq!(by_domain.len(), 3);
    for (domain, admitted) in by_domain {
        for &end in &admitted {
            let within = |span| admitted.iter().filter(|&&t| t <= end && end.since(t) < span).count();
            assert!(within(Duration::from_secs(60)) <= 50, "{domain}");
            assert!(within(Duration::from_secs(1)) <= 40, "{domain}");
        }
    }
}
