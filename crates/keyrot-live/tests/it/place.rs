//! What every secret server is put through.

use std::time::Duration;

use async_trait::async_trait;
use keyrot::KeyStatus;

use crate::load::{KEY, NEW, OLD, World, now};

/// A secret server that tests write to, kill, and count the readers of.
#[async_trait]
pub(crate) trait Place: Send + Sync {
    /// The settings that lead to it.
    fn env(&self) -> Vec<(String, String)>;

    /// Makes `secret` the newest version of what is kept for the key called `label`.
    async fn keep(&self, label: &str, secret: &str);

    /// Ends it as a crash would.
    async fn kill(&mut self);

    /// It is there again, with what it held.
    async fn come_back(&mut self);

    /// Reads of secrets so far.
    fn reads(&self) -> u64;
}

async fn pause(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// The secret of the only key is replaced in its store and the old one revoked, while requests come in: none is
/// lost, and the store is read once more, however many were rejected together.
pub(crate) async fn a_rotation_loses_no_request(place: impl Place) {
    // So long a time that nothing is read again because it is due.
    let world = World::before(&place, Duration::from_secs(3_600)).await;
    let before = place.reads();
    let load = world.under_load(async {
        pause(3).await;
        place.keep(KEY, NEW).await;
        // From now on Google knows the new one alone.
        assert!(world.sim.replace_key(OLD, NEW));
        pause(3).await;
    });
    load.await.assert_lost_nothing(250);
    assert_eq!(place.reads() - before, 1);
    assert!(world.key().await.ready);
}

/// After this time a secret is to be read again.
const TTL: Duration = Duration::from_secs(6);
/// How long the server is away: more than twice as long.
const AWAY: u64 = 14;

/// The server dies while requests come in, and comes back: none is lost, what it holds is read again within one
/// time of a secret's life, and nobody reads more often than that.
pub(crate) async fn an_outage_costs_no_request(mut place: impl Place) {
    let world = World::before(&place, TTL).await;
    let (start, before) = (now(), place.reads());
    let mut back = Duration::ZERO;
    let load = world.under_load(async {
        pause(3).await;
        place.kill().await;
        pause(AWAY).await;
        let key = world.key().await;
        assert!(key.ready && key.secret.problem.is_some(), "it serves, and that is told: {:?}", key.secret);
        place.come_back().await;
        back = world.until(TTL, |key| key.secret.problem.is_none()).await;
        pause(3).await;
    });
    load.await.assert_lost_nothing(600);
    println!("read again {back:?} after the server was back");
    // Another version is found within its time; nobody was rejected, so nothing was read out of turn.
    let known = world.key().await.secret.version;
    place.keep(KEY, NEW).await;
    let is_another = |key: &KeyStatus| key.secret.version != known;
    world.until(TTL + TTL / 10 + Duration::from_millis(500), is_another).await;
    let (reads, took) = (place.reads() - before, now().since(start));
    let most = took.as_secs() / TTL.as_secs() + 1;
    println!("{reads} reads in {took:?}");
    assert!(reads <= most, "{reads} reads, at most {most}");
}
