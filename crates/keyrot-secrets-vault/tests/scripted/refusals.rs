//! Refusals, nonsense and silence.

use std::time::Duration;

use keyrot_core::{SecretError, SecretStore};

use crate::server::{Reply, Server, mount, refusal, secret, whole};
use crate::{NAME, TOKEN, said, store, text};

/// A server that tells the mount, and gives this for every secret.
async fn giving(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Server {
    Server::start(move |request| match request.path.as_str() {
        path if path.contains("/internal/ui/mounts/") => mount("2"),
        path if path.contains("/auth/token/") => refusal(403, "permission denied"),
        _ => reply(),
    })
    .await
}

#[tokio::test]
async fn what_a_server_says_is_cut_and_holds_neither_token_nor_key() {
    let server = giving(|| {
        let key = format!("AIza{}", "CANARY-".repeat(5));
        refusal(403, &format!("bad token {TOKEN},\nand key {key} {}", "long ".repeat(200)))
    })
    .await;
    let said = said(&store(&server).fetch(NAME).await);
    assert!(said.contains("[REDACTED]") && said.len() < 600 && said.lines().count() == 2, "{said}");
}

#[tokio::test]
async fn silence_ends_after_seconds_however_many_ask() {
    let server = giving(|| Reply::Silence).await;
    let store = store(&server);
    let names = vec![NAME.to_owned(); 40];
    let answers = tokio::time::timeout(Duration::from_secs(11), store.fetch_all(&names)).await;
    let answers = answers.expect("within seconds");
    for answer in &answers {
        assert!(said(answer).contains("no answer within 8 s"), "{answer:?}");
    }
}

#[tokio::test]
async fn eight_are_read_at_once_and_no_more() {
    let server = giving(|| Reply::Late(Duration::from_millis(100), 200, secret("AIza-a"))).await;
    let names: Vec<String> = (0..24).map(|n| format!("secret/keyrot/{n}")).collect();
    let answers = store(&server).fetch_all(&names).await;
    assert!(answers.iter().all(|answer| text(answer) == "AIza-a"));
    // One more: whether the token can be renewed is asked beside them.
    assert!((8..=9).contains(&server.most()), "{}", server.most());
}

#[tokio::test]
async fn where_mounts_are_not_told_both_versions_are_tried() {
    let two = Server::start(|request| match request.path.as_str() {
        "/v1/secret/data/keyrot/a" => Reply::Text(200, secret("AIza-two")),
        _ => refusal(403, "permission denied"),
    })
    .await;
    assert_eq!(text(&store(&two).fetch(NAME).await), "AIza-two");
    let one = Server::start(|request| match request.path.as_str() {
        "/v1/secret/keyrot/a" => Reply::Text(200, whole("data", &serde_json::json!({ "value": "AIza-one" }))),
        _ => refusal(403, "permission denied"),
    })
    .await;
    let store = store(&one);
    assert_eq!(text(&store.fetch(NAME).await), "AIza-one");
    one.asked();
    assert_eq!(text(&store.fetch(NAME).await), "AIza-one");
    assert_eq!(one.asked().len(), 1, "it has learned which");
    let neither = Server::start(|_| refusal(403, "permission denied")).await;
    let answer = crate::store(&neither).fetch(NAME).await;
    assert!(matches!(answer, Err(SecretError::Denied { .. })), "{answer:?}");
}
