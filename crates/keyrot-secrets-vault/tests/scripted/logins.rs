//! Logins: how many, with what, and after which refusals.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyrot_core::{SecretError, SecretStore};
use keyrot_secrets_vault::VaultStore;

use crate::server::{Reply, Server, login, mount, refusal, secret};
use crate::{NAME, env, said, text};

const APPROLE: [(&str, &str); 2] = [("VAULT_ROLE_ID", "CANARY-role"), ("VAULT_SECRET_ID", "CANARY-secret")];

fn logins(server: &Server) -> usize {
    server.asked().iter().filter(|request| request.path.ends_with("/login")).count()
}

#[tokio::test]
async fn a_refused_login_is_not_tried_by_everybody() {
    let server = Server::start(|_| refusal(400, "invalid role or secret ID")).await;
    let store = VaultStore::new(&env(&server, &APPROLE)).expect("legal");
    let names = vec![NAME.to_owned(); 100];
    for answer in &store.fetch_all(&names).await {
        assert!(matches!(answer, Err(SecretError::Denied { .. })), "{answer:?}");
        assert!(said(answer).contains("login by AppRole failed: invalid role or secret ID"), "{answer:?}");
    }
    assert_eq!(logins(&server), 1);
    // Behind the pause, once more.
    tokio::time::sleep(std::time::Duration::from_millis(5_200)).await;
    store.fetch_all(&names).await;
    assert_eq!(logins(&server), 1);
}

#[tokio::test]
async fn a_right_that_is_missing_costs_one_login_and_not_one_for_each_read() {
    let count = Arc::new(AtomicU64::new(0));
    let counting = Arc::clone(&count);
    let server = Server::start(move |request| match request.path.as_str() {
        "/v1/auth/approle/login" => login(&format!("s.{}", counting.fetch_add(1, Ordering::Relaxed)), 3_600),
        path if path.contains("/mounts/") => mount("2"),
        _ => refusal(403, "permission denied"),
    })
    .await;
    let store = VaultStore::new(&env(&server, &APPROLE)).expect("legal");
    let names: Vec<String> = (0..50).map(|n| format!("secret/keyrot/{n}")).collect();
    for answer in &store.fetch_all(&names).await {
        assert!(matches!(answer, Err(SecretError::Denied { .. })), "{answer:?}");
        assert!(said(answer).contains("policy"), "{answer:?}");
    }
    assert_eq!(count.load(Ordering::Relaxed), 1, "the pause since the first login");
}

#[tokio::test]
async fn a_login_that_is_broken_off_leaves_the_way_free() {
    let server = Server::start(|request| match request.path.as_str() {
        "/v1/auth/approle/login" => {
            let Reply::Text(status, body) = login("s.token", 3_600) else { return Reply::Silence };
            Reply::Late(std::time::Duration::from_millis(300), status, body)
        }
        path if path.contains("/mounts/") => mount("2"),
        _ => Reply::Text(200, secret("AIza-a")),
    })
    .await;
    let store = VaultStore::new(&env(&server, &APPROLE)).expect("legal");
    let short = tokio::time::timeout(std::time::Duration::from_millis(100), store.fetch(NAME)).await;
    assert!(short.is_err());
    assert_eq!(text(&store.fetch(NAME).await), "AIza-a");
}

#[tokio::test]
async fn what_no_header_may_hold_is_refused_before_it_is_sent() {
    let server = Server::start(|_| refusal(403, "permission denied")).await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("plain");
    for odd in ["s.CANARY\nb", "s.CANARY\u{e9}"] {
        assert!(VaultStore::new(&env(&server, &[("VAULT_TOKEN", odd)])).is_err());
        std::fs::write(file.path(), odd).expect("room");
        let store = VaultStore::new(&env(&server, &[("VAULT_TOKEN_FILE", path)])).expect("legal");
        let answer = store.fetch(NAME).await;
        assert!(matches!(answer, Err(SecretError::Misconfigured { .. })), "{answer:?}");
        assert!(said(&answer).contains("VAULT_TOKEN_FILE"), "{answer:?}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_token_file_is_read_again_when_it_changes_though_the_old_token_still_counts() {
    let server = Server::start(|request| match request.path.as_str() {
        path if path.contains("/mounts/") => mount("2"),
        path if path.contains("/auth/token/") => refusal(403, "permission denied"),
        _ if request.head.contains("s.new") => Reply::Text(200, secret("AIza-new")),
        _ => Reply::Text(200, secret("AIza-old")),
    })
    .await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("plain");
    std::fs::write(file.path(), "s.old").expect("room");
    let store = VaultStore::new(&env(&server, &[("VAULT_TOKEN_FILE", path)])).expect("legal");
    assert_eq!(text(&store.fetch(NAME).await), "AIza-old");
    std::fs::write(file.path(), "s.new\n").expect("room");
    assert_eq!(text(&store.fetch(NAME).await), "AIza-new");
    std::fs::remove_file(file.path()).expect("it was there");
    assert_eq!(text(&store.fetch(NAME).await), "AIza-new", "it serves on");
}
