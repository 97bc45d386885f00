//! A granted request costs no heap allocation: not to select, not to reserve, not to settle.
#![cfg(test)]

use futures_util::FutureExt;
use keyrot::{Assembly, EnvMap, Key, KeyId, KeySet, Limits, Outcome, Profile, Project};
use keyrot_core::Usage;
use tokio::task::unconstrained;

/// A hundred keys, five to a project, with limits that are counted and never reached.
async fn pool() -> keyrot::Rotator {
    let limits = Limits { rpm: Some(1 << 30), tpm: Some(1 << 40), rpd: Some(1 << 30), burst: Some(1 << 30) };
    let keys = (0..100).map(|i| {
        let id = KeyId::new(&format!("key_{i}")).expect("a legal id");
        Key { project: Project::new(&format!("p{}", i / 5)), project_given: true, limits, ..Key::new(id) }
    });
    let env = (0..100).map(|i| (format!("GEMINI_KEY_key_{i}"), format!("AIza{i}"))).collect::<EnvMap>();
    let keys = KeySet { keys: keys.collect(), ..KeySet::default() };
    Assembly::new(env).keys(keys).seed(7).make().await.expect("a pool").rotator
}

#[tokio::test]
async fn the_granted_path_allocates_nothing() {
    let rotator = pool().await;
    let profiles = [
        Profile::new("gemini-2.5-flash").tokens(500),
        // Corrected by what the model turned out to count.
        Profile::new("gemini-2.5-flash").estimated(500),
    ];
    let mut profiles = profiles.iter().cycle();
    let outcome = Outcome::Success { usage: Usage { prompt_tokens: Some(400), output_tokens: Some(9) } };
    let mut one = || {
        let lease = rotator
            .lease(profiles.next().expect("a cycle"))
            .now_or_never()
            .expect("nothing waits")
            .expect("granted");
        lease.end(&outcome).now_or_never().expect("nothing waits");
    };
    // What grows with use (a slot now and then, remembered successes) has grown.
    (0..20_000).for_each(|_| one());
    let counted = allocation_counter::measure(|| (0..1_000).for_each(|_| one()));
    println!("1,000 requests allocated {} times", counted.count_total);
    // A ring that sees a new quarter second may grow its list of slots: less than once in 100 requests.
    assert!(counted.count_total <= 10, "1,000 requests allocated {} times", counted.count_total);
}

#[tokio::test]
async fn a_hundred_thousand_names_that_nobody_has_heard_of_take_no_memory() {
    let rotator = pool().await;
    // However long it takes: a task that never pauses is made to wait for no reason of its own.
    let ask = |name: &str| {
        let lease = unconstrained(rotator.lease(&Profile::new(name))).now_or_never().expect("nothing waits");
        let end = lease.expect("granted").end(&Outcome::ModelNotFound);
        unconstrained(end).now_or_never().expect("nothing waits");
    };
    ask("gemini-2.5-flash");
    let counted = allocation_counter::measure(|| (0..100_000).for_each(|i| ask(&format!("nonsense-{i}"))));
    println!("100,000 names hold {} bytes", counted.bytes_current);
    assert!(counted.bytes_current <= 10_000_000, "{} bytes", counted.bytes_current);
}
