//! Real servers that are killed, frozen, flushed, restarted and replaced under load, and a network
//! that falls silent. The minute is longer than any of these tests: all that is admitted in one lies in
//! one window.
use keyrot_testkit::limiter::{FREE, Way, rpm};

use std::time::Duration;

use keyrot_core::Limits;
use keyrot_testkit::server::{Kind, Server};

mod crowd;
mod machine;
mod network;

use crowd::{Crowd, admitted, unread};
use network::Network;

/// The longest the return may take.
const BACK: Duration = Duration::from_secs(5);
const LIMIT: u64 = 300;

fn urls(server: &Server, n: usize) -> Vec<String> {
    vec![server.url(); n]
}

/// What was measured, for whoever runs this with `--nocapture`.
fn tell(figure: &str) {
    eprintln!("{}: {figure}", std::thread::current().name().unwrap_or_default());
}

fn tell_log(log: &[crowd::Answer], bound: u64) {
    let longest = log.iter().map(|answer| answer.at - answer.asked).max().unwrap_or_default();
    tell(&format!("{} admitted of {bound} at most, the longest wait {longest:?}", admitted(log)));
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
    let back = crowd.back().await;
    tell(&format!("recovered in {back:?}"));
    assert!(back <= BACK);
    pause(1_500).await;
    let log = crowd.end().await;
    // All instances were cut off; and what they were admitted outlives the server that forgot it.
    let bound = LIMIT + unread(&log, &[0, 1, 2], lost);
    tell_log(&log, bound);
    assert!(admitted(&log) <= bound, "{} admitted, at most {bound}", admitted(&log));
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
    let back = crowd.back().await;
    tell(&format!("recovered in {back:?}"));
    assert!(back <= BACK);
    pause(1_000).await;
    let log = crowd.end().await;
    let bound = LIMIT + unread(&log, &[0, 1, 2], lost);
    tell_log(&log, bound);
    assert!(admitted(&log) <= bound, "{} admitted, at most {bound}", admitted(&log));
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
    tell_log(&log, bound);
    assert!(admitted(&log) <= bound, "{} admitted, at most {bound}", admitted(&log));
    crowd.counts(admitted(&log)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_loses_nothing_costs_nothing() {
    let mut server = Server::start(Kind::Redis, &["--appendonly", "yes", "--appendfsync", "always"]);
    let mut crowd = Crowd::on(&urls(&server, 2), way()).await;
    crowd.load();
    pause(700).await;
    server.restart();
    let back = crowd.back().await;
    tell(&format!("recovered in {back:?}"));
    assert!(back <= BACK);
    pause(1_500).await;
    let log = crowd.end().await;
    let bound = LIMIT + above_share(&log, 2);
    tell_log(&log, bound);
    assert!(admitted(&log) <= bound, "{} admitted, at most {bound}", admitted(&log));
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
    let back = crowd.back().await;
    tell(&format!("recovered in {back:?}"));
    assert!(back <= BACK);
    pause(2_500).await;
    let cautious = crowd.instances.iter().all(|instance| instance.suspended().is_some());
    assert!(cautious, "each knows that writes were lost");
    let log = crowd.end().await;
    let bound = LIMIT + above_share(&log, 2) + unread(&log, &[0, 1], lost);
    tell_log(&log, bound);
    assert!(admitted(&log) <= bound, "{} admitted, at most {bound}", admitted(&log));
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
    let back = crowd.back().await;
    tell(&format!("recovered in {back:?}"));
    assert!(back <= BACK);
    pause(500).await;
    let log = crowd.end().await;
    // One of two: limit × (1 + 1/2).
    let bound = LIMIT + LIMIT / 2 + unread(&log, &[0], lost);
    let all = admitted(&log);
    tell_log(&log, bound);
    assert!(all > LIMIT && all <= bound, "{all} admitted, at most {bound}");
    crowd.counts(all).await;
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
    let back = crowd.back().await;
    tell(&format!("recovered in {back:?}"));
    assert!(back <= BACK);
    pause(300).await;
    let log = crowd.end().await;
    crowd.counts(admitted(&log)).await;
}

/// What instances were admitted above an equal share of the limit, together.
fn above_share(log: &[crowd::Answer], n: u64) -> u64 {
    let of = |who| log.iter().filter(|a| a.granted && a.who == who).count() as u64;
    (0..n as usize).map(|who| of(who).saturating_sub(LIMIT / n)).sum()
}
