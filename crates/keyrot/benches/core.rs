//! Selection + in-memory reserve + settle, by the number of keys; run by `cargo xtask bench core`,
//! which prints each as a ratio to the baseline of the same run.

#![expect(clippy::expect_used, reason = "what a benchmark needs and lacks ends it")]
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark measures and prints")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use keyrot::{Assembly, Profile, Rotator};
use keyrot_core::keys::{Key, KeySet};
use keyrot_core::{EnvMap, KeyId, Limits, Outcome, Project, Usage};
use parking_lot::Mutex;
use tokio::runtime::Runtime;

/// Limits that are counted and never reached.
const AMPLE: Limits =
    Limits { rpm: Some(1 << 40), tpm: Some(1 << 50), rpd: Some(1 << 40), burst: Some(1 << 40) };

/// `n` keys, five to a project.
fn pool(n: usize, limits: Limits) -> Rotator {
    let key = |i: usize| {
        let id = KeyId::new(&format!("key_{i}")).expect("a legal id");
        Key {
            project: Project::new(&format!("project_{}", i / 5)),
            project_given: true,
            limits,
            ..Key::new(id)
        }
    };
    let env: EnvMap = (0..n).map(|i| (format!("GEMINI_KEY_key_{i}"), format!("AIza{i}"))).collect();
    let keys = KeySet { keys: (0..n).map(key).collect(), ..KeySet::default() };
    Assembly::new(env)
        .keys(keys)
        .seed(1)
        .make()
        .now_or_never()
        .expect("nothing waits")
        .expect("a pool")
        .rotator
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

const SERVED: Outcome =
    Outcome::Success { usage: Usage { prompt_tokens: Some(900), output_tokens: Some(100) } };

/// A request from its lease to its end.
fn ask(rotator: &Rotator, profile: &Profile, outcome: &Outcome) {
    let lease = rotator.lease(profile).now_or_never().expect("nothing waits").expect("granted");
    lease.end(outcome).now_or_never().expect("nothing waits");
}

fn grant(c: &mut Criterion) {
    let runtime = runtime();
    let _inside = runtime.enter();
    let mut group = c.benchmark_group("grant");
    group.sample_size(100).measurement_time(Duration::from_secs(4));
    let map: Mutex<HashMap<String, u64>> =
        Mutex::new((0..1_000).map(|i| (format!("project_{i}"), 0)).collect());
    let names: Vec<String> = (0..1_000).map(|i| format!("project_{i}")).collect();
    let mut at = 0;
    group.bench_function("baseline: a locked map, one counter", |b| {
        b.iter(|| {
            at = (at + 7) % names.len();
            *map.lock().get_mut(black_box(&names[at])).expect("there") += 1;
        });
    });
    let profile = Profile::new("gemini-2.5-flash").tokens(1_000);
    for keys in [10, 1_000, 10_000] {
        let rotator = pool(keys, AMPLE);
        group.bench_function(format!("{keys} keys"), |b| {
            b.iter(|| ask(&rotator, &profile, &SERVED));
        });
    }
    let full = pool(10_000, Limits { rpm: Some(1), ..AMPLE });
    let at_once = profile.clone().max_wait(Duration::ZERO);
    let refused = || full.lease(&at_once).now_or_never().expect("nothing waits");
    while refused().is_ok() {}
    group.bench_function("10000 keys: a refusal", |b| b.iter(|| refused().expect_err("all are out")));
    group.finish();
}

/// One client asks for 100,000 models nobody has heard of, while another uses one that exists: the 99th
/// percentile of the latter, beside the same with a first client whose models exist. Both in turn, medians.
fn strangers(_: &mut Criterion) {
    const NAMES: usize = 100_000;
    const ROUNDS: usize = 9;
    let p99_beside = |model: fn(usize) -> String, outcome: Outcome| {
        let runtime = runtime();
        let _inside = runtime.enter();
        let rotator = pool(1_000, AMPLE);
        let profile = Profile::new("gemini-2.5-flash").tokens(1_000);
        let is_over = AtomicBool::new(false);
        let mut took = Vec::new();
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let _inside = runtime.enter();
                for i in 0..NAMES {
                    ask(&rotator, &Profile::new(model(i).as_str()).tokens(1_000), &outcome);
                }
                is_over.store(true, Ordering::Release);
            });
            while !is_over.load(Ordering::Acquire) {
                let began = Instant::now();
                ask(&rotator, &profile, &SERVED);
                took.push(began.elapsed());
            }
        });
        took.sort_unstable();
        took[took.len() * 99 / 100]
    };
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        known.push(p99_beside(|_| "gemini-2.5-pro".to_owned(), SERVED));
        unknown.push(p99_beside(|i| format!("model-{i}"), Outcome::ModelNotFound));
    }
    let median = |p99s: &mut Vec<Duration>| {
        p99s.sort_unstable();
        p99s[ROUNDS / 2]
    };
    let (known, unknown) = (median(&mut known), median(&mut unknown));
    let ratio = unknown.as_secs_f64() / known.as_secs_f64();
    println!("p99 of a known model while another client sends 100,000 requests for");
    println!("  a known model:   {known:?}");
    println!("  unknown models:  {unknown:?}, {ratio:.2} times as much");
}

criterion_group!(benches, grant, strangers);
criterion_main!(benches);
