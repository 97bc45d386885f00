//! What the store makes of values that it never wrote: they are taken for absent, and keep no key out.

use std::time::Duration;

use keyrot_core::{CoolFor, CoolReport, Ended, FactStore, Limits, RateLimiter, Reason, Sample, Scope};
use keyrot_limiter::RedisStore;
use keyrot_testkit::limiter::{FREE, Way};
use keyrot_testkit::server::Server;

use crate::people::{ask, cool, go, refused, standing};
use crate::servers::{KINDS, config, fresh_pool, shared};

const LIMITS: Limits = Limits { rpm: Some(3), tpm: Some(100_000), rpd: Some(4), burst: None };
/// In Lua: no number, no end, and more or less than anything counts.
const NONSENSE: [&str; 5] = ["0/0", "1/0", "-1/0", "-1e300", "1e300"];

/// A pool of its own on a server of all tests.
struct Pool {
    server: &'static Server,
    store: RedisStore,
    name: String,
}

impl Pool {
    fn new(server: &'static Server) -> Self {
        let name = fresh_pool();
        let store = RedisStore::connect(&config(&server.url(), &name)).expect("a legal URL");
        Self { server, store, name }
    }

    /// The keys of one kind, such as `d:`.
    fn keys(&self, kind: &str) -> Vec<String> {
        let all = self.server.command(&["KEYS", &format!("{{keyrot:{}}}:*:{kind}*", self.name)]);
        all.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect()
    }

    fn key(&self, kind: &str) -> String {
        self.keys(kind).pop().unwrap_or_else(|| panic!("no key `{kind}`"))
    }

    fn lua(&self, code: &str, key: &str) {
        let answer = self.server.command(&["EVAL", code, "1", key]);
        assert!(!answer.starts_with('-'), "{code}: {answer}");
    }

    /// Puts `value` in the place of one of the numbers of a key that holds some.
    fn spoil(&self, key: &str, number: usize, value: &str) {
        let code = format!(
            "local t = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], string.sub(t, 1, {}) .. \
             struct.pack('<d', {value}) .. string.sub(t, {}))",
            8 * number,
            8 * number + 9
        );
        self.lua(&code, key);
    }
}

/// Whether the limit of three a minute is kept again, of which so many are `known` still.
async fn is_repaired(store: &RedisStore, way: &Way, known: u64, what: &str) {
    for _ in known..3 {
        let asked = ask(store, way).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        asked.unwrap_or_else(|refusal| panic!("{what}: {refusal:?}"));
    }
    assert!(refused(store, way).await.retry_after <= Duration::from_secs(63), "{what}");
    assert_eq!(standing(store, way).await.requests, 3, "{what}");
}

#[tokio::test]
async fn a_damaged_ledger_is_begun_anew() {
    for kind in KINDS {
        // The sums, the newest slot and the day; the limits last asked with and since when decide nothing.
        for number in 0..11 {
            for value in NONSENSE {
                let pool = Pool::new(shared(kind));
                let way = Way::sole(LIMITS);
                go(&pool.store, &way).await;
                pool.spoil(&pool.key("d:"), number, value);
                is_repaired(&pool.store, &way, 0, &format!("{kind:?}, number {number}, {value}")).await;
            }
        }
        for text in ["''", "'short'", "string.rep('x', 500)"] {
            let pool = Pool::new(shared(kind));
            let way = Way::sole(LIMITS);
            go(&pool.store, &way).await;
            pool.lua(&format!("redis.call('SET', KEYS[1], {text})"), &pool.key("d:"));
            standing(&pool.store, &way).await;
            is_repaired(&pool.store, &way, 0, text).await;
        }
    }
}

/// Without limits, damage would be carried on until there are some.
#[tokio::test]
async fn damage_does_not_wait_for_a_limit() {
    for kind in KINDS {
        for number in 0..11 {
            let pool = Pool::new(shared(kind));
            go(&pool.store, &Way::sole(FREE)).await;
            pool.spoil(&pool.key("d:"), number, "0/0");
            let permit = go(&pool.store, &Way::sole(FREE)).await.permit;
            pool.store.settle(&permit, 50).await.expect("the store is there");
            pool.store.release(&permit, Ended::NeverSent).await.expect("the store is there");
            pool.store.flush().await;
            let used = standing(&pool.store, &Way::sole(FREE)).await;
            assert_eq!((used.requests, used.tokens), (1, 50), "{kind:?}, number {number}");
        }
    }
}

#[tokio::test]
async fn damaged_slots_are_forgotten() {
    let slots = [
        "'x'",
        "struct.pack('<ddd', 0/0, 1, 1)",
        "struct.pack('<ddd', 1, 0/0, 1)",
        "struct.pack('<ddd', 1, 1, 1/0)",
    ];
    for kind in KINDS {
        for slot in slots {
            let pool = Pool::new(shared(kind));
            let way = Way::sole(LIMITS);
            go(&pool.store, &way).await;
            let ring = pool.key("d:").replacen(":d:", ":r:", 1);
            pool.lua(&format!("redis.call('RPUSH', KEYS[1], {slot})"), &ring);
            // The ring is read when its oldest slot leaves.
            pool.spoil(&pool.key("d:"), 2, "1");
            is_repaired(&pool.store, &way, 1, slot).await;
        }
        let pool = Pool::new(shared(kind));
        let way = Way::sole(LIMITS).at_once(9);
        go(&pool.store, &way).await;
        let ring = pool.key("d:").replacen(":d:", ":r:", 1);
        for key in [ring, pool.key("f:")] {
            pool.lua("redis.call('SET', KEYS[1], 'of another type')", &key);
        }
        pool.spoil(&pool.key("d:"), 2, "1");
        is_repaired(&pool.store, &way, 1, "another type").await;
    }
}

#[tokio::test]
async fn a_damaged_pool_or_cooldown_keeps_nobody_out() {
    for kind in KINDS {
        for number in 0..4 {
            for value in NONSENSE {
                let pool = Pool::new(shared(kind));
                let way = Way::sole(Limits { rpm: Some(4), rpd: None, ..LIMITS });
                go(&pool.store, &way).await;
                pool.spoil(&pool.key("pool"), number, value);
                let what = format!("{kind:?}, number {number}, {value}");
                for _ in 0..3 {
                    ask(&pool.store, &way).await.expect(&what).expect(&what);
                }
                assert!(refused(&pool.store, &way).await.retry_after <= Duration::from_secs(63), "{what}");
            }
        }
        for number in 0..8 {
            for value in ["0/0", "-1e300", "1e300"] {
                let pool = Pool::new(shared(kind));
                let way = Way::sole(LIMITS);
                let scope = Scope::Domain(way.domain.clone());
                cool(&pool.store, &scope, Duration::from_secs(3_600)).await.expect("the store is there");
                refused(&pool.store, &way).await;
                pool.spoil(&pool.key("c:d:"), number, value);
                let asked = ask(&pool.store, &way).await.unwrap_or_else(|error| panic!("{number}: {error}"));
                // Until when a probe may take counts only where there is one.
                assert!(
                    asked.is_ok() || (number, value) == (3, "1e300"),
                    "{kind:?}, number {number}, {value}"
                );
            }
        }
        let pool = Pool::new(shared(kind));
        let way = Way::sole(LIMITS);
        let scope = Scope::Domain(way.domain.clone());
        cool(&pool.store, &scope, Duration::from_secs(3_600)).await.expect("the store is there");
        // A reason of a newer build.
        pool.spoil(&pool.key("c:d:"), 1, "200");
        assert!(refused(&pool.store, &way).await.retry_after > Duration::from_secs(3_000));
        pool.lua("redis.call('SET', KEYS[1], 'short')", &pool.key("c:d:"));
        go(&pool.store, &way).await;
    }
}

#[tokio::test]
async fn a_damaged_breaker_keeps_nobody_out() {
    for kind in KINDS {
        let spoilt = |number: usize, value| {
            format!(
                "local t = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], string.sub(t, 1, {}) .. \
                 struct.pack('<d', {value}) .. string.sub(t, {}))",
                8 * number + 1,
                8 * number + 10
            )
        };
        let texts = ["''", "'t'", "string.rep('t', 57)", "string.rep('t', 500)"];
        let whole = texts.map(|text| format!("redis.call('SET', KEYS[1], {text})"));
        let numbers = (0..11).flat_map(|n| ["0/0", "-1e300", "1e300"].map(|value| spoilt(n, value)));
        for code in whole.into_iter().chain(numbers) {
            let pool = Pool::new(shared(kind));
            let way = Way::sole(FREE);
            let overloaded = CoolReport {
                scope: Scope::Model(way.domain.bucket.clone()),
                cool: CoolFor::Escalating { at_least: Duration::ZERO },
                reason: Reason::Overloaded,
                stamp: None,
                projects: 9,
                samples: [Sample { age: 0, succeeded: 0, failed: 99 }].into_iter().collect(),
            };
            pool.store.cool(&overloaded).await.expect("the store is there");
            refused(&pool.store, &way).await;
            pool.lua(&code, &pool.key("b:"));
            // A wait of a few seconds may be true.
            if let Err(refusal) =
                ask(&pool.store, &way).await.unwrap_or_else(|error| panic!("{code}: {error}"))
            {
                assert!(refusal.retry_after <= Duration::from_secs(4), "{code}: {refusal:?}");
            }
            let cooled = pool.store.cool(&overloaded).await.unwrap_or_else(|error| panic!("{code}: {error}"));
            assert!(cooled.lasts.is_some_and(|lasts| lasts <= Duration::from_secs(4)), "{code}: {cooled:?}");
        }
    }
}

#[tokio::test]
async fn a_damaged_fact_hides_no_other() {
    for kind in KINDS {
        let pool = Pool::new(shared(kind));
        for name in ["a/good", "a/short", "a/text", "a/never"] {
            pool.store.put(name, "7", None).await.expect("the store is there");
        }
        let spoil = |name: &str, text: &str| {
            pool.lua(&format!("redis.call('HSET', KEYS[1], '{name}', {text})"), &pool.key("facts"));
        };
        spoil("a/short", "'x'");
        spoil("a/text", "struct.pack('<dd', 0, 1/0) .. '\\255'");
        spoil("a/never", "struct.pack('<dd', 0, 0/0) .. '7'");
        let scanned = pool.store.scan("a/").await.expect("the store is there");
        assert_eq!(scanned.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a/good"]);
        for name in ["a/short", "a/text", "a/never"] {
            assert_eq!(pool.store.get(name).await.expect("the store is there"), None, "{name}");
            assert_eq!(pool.store.increment(name, 3).await.expect("the store is there"), 3, "{name}");
        }
        pool.lua("redis.call('SET', KEYS[1], 'of another type')", &pool.key("facts"));
        assert_eq!(pool.store.get("a/good").await.expect("the store is there"), None);
        pool.store.put("a/good", "8", None).await.expect("the store is there");
        assert_eq!(pool.store.scan("a/").await.expect("the store is there").len(), 1);
    }
}
