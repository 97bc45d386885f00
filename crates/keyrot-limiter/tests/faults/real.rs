//! Real servers that are killed, frozen, flushed, restarted and replaced under load, and a network
//! that falls silent. The minute is longer than any of these tests: all that is admitted in one lies in
//! one window.
use keyrot_testkit::limiter::{FREE, Way, rpm};

use std::time::Duration;

use keyrot_core::Limits;
use keyrot_testkit::server::{Kind, Server};

mod crowd;
mod far;
mod machine;
mod network;

use crowd::{Crowd, admitted, unread, within};
use network::Network;

const LIMIT: u64 = 300;

fn urls(server: &Server, n: usize) -> Vec<String> {
    vec![server.url(); n]
}

fn way() -> Way {
    Way::sole(Limits { rpd: Some(100_000), ..rpm(LIMIT) })
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

async fn killed(kind: Kind) {
    let mut server = Server::start(kind, &[]);
    let mut crowd = Crowd::on(&urls(&server, 3), way()).await;
    crowd.load();
    pause(500).await;
    server.kill();
    let lost = crowd.now();
    crowd.alone(&[0, 1, 2]).await;
    // Until every share is used up.
    pause(2_000).await;
    let before = crowd.peek();
    assert!(admitted(&before) > LIMIT / 2, "{} admitted", admitted(&before));
    server.restart();
    crowd.back().await;
    pause(1_500).await;
    let log = crowd.end().await;
    // All instances were cut off; and what they were admitted outlives the server that forgot it.
    let bound = LIMIT + unread(&log, &[0, 1, 2], lost);
    within(&log, bound);
    crowd.counts(admitted(&log)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_killed_and_comes_back_empty() {
    killed(Kind::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn valkey_is_killed_and_comes_back_empty() {
    killed(Kind::Valkey).await;
}

async fn frozen(kind: Kind) {
    let server = Server::start(kind, &[]);
    let mut crowd = Crowd::on(&urls(&server, 3), way()).await;
    crowd.load();
    pause(500).await;
    server.freeze();
    let lost = crowd.now();
    crowd.alone(&[0, 1, 2]).await;
    pause(2_000).await;
    server.thaw();
    crowd.back().await;
    pause(1_000).await;
    let log = crowd.end().await;
    let bound = LIMIT + unread(&log, &[0, 1, 2], lost);
    within(&log, bound);
    // What was asked before and answered after is given back, what was admitted meanwhile is added.
    crowd.counts(admitted(&log)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_frozen_and_thaws() {
    frozen(Kind::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn valkey_is_frozen_and_thaws() {
    frozen(Kind::Valkey).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_under_load_is_seen_and_undone() {
    let server = Server::start(Kind::Redis, &[]);
    let mut crowd = Crowd::on(&urls(&server, 3), way()).await;
    crowd.load();
    pause(1_000).await;
    server.command(&["FLUSHALL"]);
    crowd.alone(&[0, 1, 2]).await;
    pause(2_500).await;
    let log = crowd.end().await;
    // Everybody asks all the time: nobody was far above his share.
    assert!(admitted(&log) > LIMIT / 2, "{} admitted", admitted(&log));
    let bound = LIMIT + above_share(&log, 3);
    within(&log, bound);
    crowd.counts(admitted(&log)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_loses_nothing_costs_nothing() {
    let mut server = Server::start(Kind::Redis, &["--appendonly", "yes", "--appendfsync", "always"]);
    let mut crowd = Crowd::on(&urls(&server, 2), way()).await;
    crowd.load();
    pause(700).await;
    server.restart();
    crowd.back().await;
    pause(1_500).await;
    let log = crowd.end().await;
    let bound = LIMIT + above_share(&log, 2);
    within(&log, bound);
    // Nothing twice: what was counted was kept. What was granted at the very moment may be lost on the
    // way to the asker, and stays charged until it is given back.
    crowd.counts(admitted(&log)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lacks_writes_is_found_out() {
    let mut first = Server::start(Kind::Redis, &[]);
    let port = first.port().to_string();
    let second = Server::start(Kind::Redis, &["--replicaof", "127.0.0.1", &port]);
    let network = Network::to(first.port()).await;
    let mut crowd = Crowd::on(&[network.url(), network.url()], way()).await;
    crowd.load();
    pause(600).await;
    while !second.command(&["INFO", "replication"]).contains("master_link_status:up") {
        pause(20).await;
    }
    // From here on it hears of nothing.
    second.command(&["REPLICAOF", "NO", "ONE"]);
    pause(1_000).await;
    let lost = crowd.now();
    first.kill();
    network.lead(second.port());
    crowd.alone(&[0, 1]).await;
    crowd.back().await;
    pause(2_500).await;
    let cautious = crowd.instances.iter().all(|instance| instance.suspended().is_some());
    assert!(cautious, "each knows that writes were lost");
    let log = crowd.end().await;
    let bound = LIMIT + above_share(&log, 2) + unread(&log, &[0, 1], lost);
    within(&log, bound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_drops_silently_cuts_off_one_of_two() {
    let server = Server::start(Kind::Redis, &[]);
    let network = Network::to(server.port()).await;
    let mut crowd = Crowd::on(&[network.url(), server.url()], way()).await;
    crowd.load();
    pause(500).await;
    network.silent(true);
    let lost = crowd.now();
    crowd.alone(&[0]).await;
    pause(3_000).await;
    assert!(crowd.instances[1].suspended().is_none());
    network.silent(false);
    crowd.back().await;
    pause(500).await;
    let log = crowd.end().await;
    // One of two: limit × (1 + 1/2).
    let bound = LIMIT + LIMIT / 2 + unread(&log, &[0], lost);
    within(&log, bound);
    assert!(admitted(&log) > LIMIT, "{} admitted", admitted(&log));
    crowd.counts(admitted(&log)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_at_the_start_is_found() {
    let mut server = Server::start(Kind::Redis, &[]);
    let network = Network::to(server.port()).await;
    let mut crowd = Crowd::on(&[network.url()], Way::sole(FREE)).await;
    server.kill();
    crowd.load();
    crowd.alone(&[0]).await;
    pause(500).await;
    server.restart();
    crowd.back().await;
    pause(300).await;
    let log = crowd.end().await;
    crowd.counts(admitted(&log)).await;
}

/// What instances were admitted above an equal share of the limit, together.
fn above_share(log: &[crowd::Answer], n: u64) -> u64 {
    let of = |who| log.iter().filter(|a| a.granted && a.who == who).count() as u64;
    (0..n as usize).map(|who| of(who).saturating_sub(LIMIT / n)).sum()
}
