//! The line in front of a pool whose limits are kept in a Redis some way off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use keyrot::{Assembly, EnvMap, Key, KeyId, KeySet, Outcome, PoolConfig, Profile, Rotator, Usage};
use keyrot_testkit::server::{Kind, Server};
use tokio::task::JoinSet;

use crate::far;

const MODEL: &str = "gemini-2.5-flash";
/// Who asks, each for one request after the other.
const CLIENTS: usize = 200;
/// A round trip takes twice as long.
const LATE: Duration = Duration::from_millis(3);

async fn pool(port: u16) -> Rotator {
    let ids = ["a", "b", "c", "d"];
    let keys = ids.map(|id| Key::new(KeyId::new(id).expect("legal"))).to_vec();
    let env = ids.map(|id| (format!("GEMINI_KEY_{id}"), format!("AIza-{id}")));
    let url = ("REDIS_URL".to_owned(), format!("redis://127.0.0.1:{port}"));
    let env = EnvMap::from_iter(env.into_iter().chain([url]));
    let made = Assembly::new(env).keys(KeySet { keys, config: PoolConfig::default() }).make().await;
    made.expect("the pool is made").rotator
}

/// After a pause that made everybody wait, with nothing limiting, the line drains: those in it are granted
/// many to a round trip, and soon nobody waits any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_drains_when_the_pause_is_over() {
    let redis = Server::start(Kind::Redis, &[]);
    let rotator = pool(far::way_to(redis.port(), LATE).await).await;
    let (answers, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (rotator, answers, over) = (rotator.clone(), Arc::clone(&answers), Arc::clone(&over));
        clients.spawn(async move {
            let profile = Profile::new(MODEL).max_wait(Duration::from_secs(60));
            let done = Outcome::Success { usage: Usage::default() };
            while !over.load(Ordering::Relaxed) {
                let lease = rotator.lease(&profile).await.expect("nothing limits");
                lease.end(&done).await;
                answers.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let answered = || answers.load(Ordering::Relaxed);
    let enough = async |n: usize| {
        while answered() < n {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    enough(1_000).await;
    let paused = keyrot::CoolFor::After(Duration::from_millis(500));
    rotator.cool(&keyrot::Scope::Pool, paused).await.expect("told");
    // Everybody comes to wait.
    while rotator.status(MODEL).await.waiting < CLIENTS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let before = answered();
    // One grant to a round trip would never empty it: each who leaves comes back at once. Thirty answers
    // for each client are enough for a line that drains, and fewer than it took before it did.
    enough(before + 30 * CLIENTS).await;
    let waiting = rotator.status(MODEL).await.waiting;
    over.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        client.expect("no panic");
    }
    assert!(waiting < CLIENTS / 10, "{waiting} of {CLIENTS} still wait");
}
