//! More servers than one: a cluster, and a master that sentinels watch.

use std::sync::Arc;
use std::time::Duration;

use keyrot_limiter::RedisStore;
use keyrot_testkit::limiter::{FREE, Way};
use keyrot_testkit::server::{Kind, Server};
use keyrot_testkit::{facts, limiter};

use crate::people::{everything, go, standing};
use crate::servers::{KINDS, config, fresh_pool};

async fn until(what: &str, mut there: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if there() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}: not within 20 s");
}

/// A cluster of two, half of the slots each.
async fn cluster(kind: Kind) -> [Server; 2] {
    let servers = [0, 1].map(|_| Server::start(kind, &["--cluster-enabled", "yes"]));
    for (server, slots) in servers.iter().zip([0..8_192, 8_192..16_384]) {
        let slots: Vec<String> = slots.map(|slot: u32| slot.to_string()).collect();
        let words: Vec<&str> =
            ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(|s| &**s)).collect();
        assert!(server.command(&words).starts_with("+OK"));
    }
    let other = servers[1].port().to_string();
    servers[0].command(&["CLUSTER", "MEET", "127.0.0.1", &other]);
    until("a cluster", || {
        servers.iter().all(|server| {
            let info = server.command(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:2")
        })
    })
    .await;
    servers
}

#[tokio::test]
async fn a_cluster_keeps_every_promise() {
    for kind in KINDS {
        let servers = cluster(kind).await;
        let url = format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", servers[0].port(), servers[1].port());
        let make = async |clock| {
            RedisStore::with_clock(&config(&url, &fresh_pool()), Arc::new(clock)).expect("a legal URL")
        };
        limiter::suite(make).await;
        facts::suite(make).await;
        // Both were asked: the pools' names spread over them.
        for server in &servers {
            assert!(!server.command(&["DBSIZE"]).starts_with(":0"));
        }
    }
}

#[tokio::test]
async fn the_master_that_sentinels_name_is_followed() {
    for kind in KINDS {
        let mut first = Server::start(kind, &[]);
        let port = first.port().to_string();
        let second = Server::start(kind, &["--replicaof", "127.0.0.1", &port]);
        until("a replica", || second.command(&["INFO", "replication"]).contains("master_link_status:up"))
            .await;
        let sentinel = Server::sentinel(kind, "main", first.port());
        let new = second.port().to_string();
        let says = |command: &str| {
            let answer = sentinel.command(&["SENTINEL", command, "main"]);
            answer.lines().any(|line| line == new)
        };
        until("a sentinel that knows both", || says("REPLICAS")).await;
        let url = format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port());
        let store = RedisStore::connect(&config(&url, "pool")).expect("a legal URL");
        everything(&store).await.expect("the master is there");
        first.kill();
        until("another master", || says("MASTER") && second.command(&["ROLE"]).contains("master")).await;
        let way = Way::by("fresh", FREE);
        // The first question finds the line cut; one that changes nothing is asked again by itself.
        standing(&store, &way).await;
        go(&store, &way).await;
        assert!(!second.command(&["DBSIZE"]).starts_with(":0"));
    }
}
