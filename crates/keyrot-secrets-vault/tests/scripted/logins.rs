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
    tokio::time::sleep(std::time::Duration::from_millis(3_100)).await;
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
        assert!(said(answer).contains("policies of the AppRole role"), "{answer:?}");
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
async fn kubernetes_logs_in_with_the_service_account_as_it_is_now() {
    let server = Server::start(|request| match request.path.as_str() {
        "/v1/auth/cluster-7/login" => {
            let body: serde_json::Value = serde_json::from_str(&request.body).unwrap_or_default();
            match (body["role"].as_str(), body["jwt"].as_str()) {
                (Some("keyrot"), Some("CANARY.jwt")) => login("s.token", 3_600),
                _ => refusal(403, "permission denied"),
            }
        }
        path if path.contains("/mounts/") => mount("2"),
        _ => Reply::Text(200, secret("AIza-a")),
    })
    .await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "CANARY.jwt\n").expect("room");
    let env = env(&server, &[("VAULT_K8S_ROLE", "keyrot"), ("VAULT_K8S_MOUNT", "cluster-7")]);
    let store = VaultStore::with_service_account(&env, file.path()).expect("legal");
    assert_eq!(text(&store.fetch(NAME).await), "AIza-a");
    std::fs::write(file.path(), "CANARY.other\n").expect("room");
    let store = VaultStore::with_service_account(&env, file.path()).expect("legal");
    assert!(said(&store.fetch(NAME).await).contains("login by Kubernetes failed"));
    let nowhere = VaultStore::new(&env).expect("legal");
    let answer = nowhere.fetch(NAME).await;
    assert!(said(&answer).contains("/var/run/secrets/kubernetes.io/serviceaccount/token"), "{answer:?}");
}
