//! What every [`FactStore`] must do, written once.

use std::time::Duration;

use keyrot_core::{Clock, FactStore, FakeClock};

use crate::limiter::NOON;

const MINUTE: Duration = Duration::from_secs(60);
const MS: Duration = Duration::from_millis(1);

/// Runs every promise against a fresh store each. Panics, naming the promise, where one is broken.
///
/// `make` gives an empty store that ages its facts by the clock.
pub async fn suite<S: FactStore, F: AsyncFn(FakeClock) -> S>(make: F) {
    let fresh = async || {
        let clock = FakeClock::new(NOON);
        (make(clock.clone()).await, clock)
    };
    a_fact_is_what_was_written_last(fresh().await).await;
    a_fact_ages_out_at_its_instant(fresh().await).await;
    a_scan_gives_what_begins_so_by_name(fresh().await).await;
    a_counter_counts(fresh().await).await;
    many_small_facts_come_and_go(fresh().await).await;
}

async fn value<S: FactStore>(store: &S, name: &str) -> Option<String> {
    get(store, name).await.map(|fact| fact.value)
}

#[expect(clippy::expect_used, reason = "a suite fails by panicking")]
async fn get<S: FactStore>(store: &S, name: &str) -> Option<keyrot_core::Fact> {
    store.get(name).await.expect("the store is there")
}

#[expect(clippy::expect_used, reason = "a suite fails by panicking")]
async fn put<S: FactStore>(store: &S, name: &str, value: &str, ttl: Option<Duration>) {
    store.put(name, value, ttl).await.expect("the store is there");
}

#[expect(clippy::expect_used, reason = "a suite fails by panicking")]
async fn increment<S: FactStore>(store: &S, name: &str, by: u64) -> u64 {
    store.increment(name, by).await.expect("the store is there")
}

#[expect(clippy::expect_used, reason = "a suite fails by panicking")]
async fn names<S: FactStore>(store: &S, prefix: &str) -> Vec<String> {
    let facts = store.scan(prefix).await.expect("the store is there");
    facts.into_iter().map(|(name, _)| name).collect()
}

async fn a_fact_is_what_was_written_last<S: FactStore>((store, clock): (S, FakeClock)) {
    assert_eq!(get(&store, "limits/p/m").await, None);
    put(&store, "limits/p/m", "5", None).await;
    clock.advance(MINUTE);
    put(&store, "limits/p/m", "{\"ünï\": \"'; --\\n\"}", None).await;
    let fact = get(&store, "limits/p/m").await;
    let fact = fact.map(|fact| (fact.value, fact.at));
    assert_eq!(fact, Some(("{\"ünï\": \"'; --\\n\"}".to_owned(), clock.now())));
    put(&store, "limits/p/m", "", None).await;
    assert_eq!(value(&store, "limits/p/m").await.as_deref(), Some(""), "an empty value is a value");
}

async fn a_fact_ages_out_at_its_instant<S: FactStore>((store, clock): (S, FakeClock)) {
    put(&store, "short", "1", Some(MINUTE)).await;
    put(&store, "renewed", "1", Some(MINUTE)).await;
    put(&store, "kept", "1", Some(MINUTE)).await;
    clock.advance(MINUTE.saturating_sub(MS));
    assert_eq!(value(&store, "short").await.as_deref(), Some("1"));
    put(&store, "renewed", "2", Some(MINUTE)).await;
    put(&store, "kept", "2", None).await;
    clock.advance(MS);
    assert_eq!(value(&store, "short").await, None);
    assert_eq!(names(&store, "").await, ["kept", "renewed"]);
    clock.advance(MINUTE * 60 * 24 * 365);
    assert_eq!(names(&store, "").await, ["kept"]);
}

async fn a_scan_gives_what_begins_so_by_name<S: FactStore>((store, _): (S, FakeClock)) {
    let all = ["a", "a%c", "a/1", "a/10", "a/2", "a0", "a_c", "abc", "b"];
    for name in all.iter().rev() {
        put(&store, name, name, None).await;
    }
    assert_eq!(names(&store, "").await, all);
    assert_eq!(names(&store, "a/").await, ["a/1", "a/10", "a/2"]);
    // Nothing in a prefix is a pattern.
    assert_eq!(names(&store, "a_").await, ["a_c"]);
    assert_eq!(names(&store, "a%").await, ["a%c"]);
    assert!(names(&store, "a*").await.is_empty());
    assert!(names(&store, "[a]").await.is_empty());
    assert!(names(&store, "A").await.is_empty(), "names are told apart by case");
}

async fn a_counter_counts<S: FactStore>((store, clock): (S, FakeClock)) {
    assert_eq!(increment(&store, "n", 2).await, 2);
    assert_eq!(increment(&store, "n", 0).await, 2);
    let all = futures_util::future::join_all((0..50).map(|_| increment(&store, "n", 1))).await;
    let mut all: Vec<u64> = all.into_iter().collect();
    all.sort_unstable();
    assert_eq!(all, (3..=52).collect::<Vec<_>>(), "every one sees its own");
    assert_eq!(value(&store, "n").await.as_deref(), Some("52"));
    put(&store, "n", "no number", None).await;
    assert_eq!(increment(&store, "n", 7).await, 7);
    // A counter that was given an end keeps it, and starts again after it.
    put(&store, "today", "10", Some(MINUTE)).await;
    clock.advance(MINUTE.saturating_sub(MS));
    assert_eq!(increment(&store, "today", 1).await, 11);
    clock.advance(MS);
    assert_eq!(value(&store, "today").await, None);
    assert_eq!(increment(&store, "today", 1).await, 1);
    clock.advance(MINUTE * 60);
    assert_eq!(value(&store, "today").await.as_deref(), Some("1"), "the new one was given no end");
}

async fn many_small_facts_come_and_go<S: FactStore>((store, clock): (S, FakeClock)) {
    for round in 0..3 {
        for i in 0..300 {
            put(&store, &format!("r{round}/{i:03}"), "x", Some(MINUTE)).await;
        }
        assert_eq!(names(&store, "").await.len(), 300, "round {round}");
        clock.advance(MINUTE);
    }
}
