//! Every way to log in, and what becomes of a token.

use std::fs;
use std::time::Duration;

use keyrot_core::{SecretError, SecretStore as _};
use keyrot_testkit::live::bao::Bao;
use serde_json::{Value, json};

use crate::operator::{Operator, READ, store, text};

const A: &str = "secret/keyrot/a";

fn with_a() -> Bao {
    let bao = Bao::dev();
    Operator::of(&bao).keep("keyrot/a", &json!({ "value": "AIza-CANARY" }));
    bao
}

/// Tokens that somebody logged in with, by AppRole.
fn logins(operator: &Operator<'_>) -> usize {
    let accessors = operator.ask("LIST", "auth/token/accessors", &Value::Null);
    accessors["data"]["keys"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn by_role_once_however_many_ask() {
    let bao = with_a();
    let operator = Operator::of(&bao);
    let (role, secret) = operator.role("app", READ, &json!({ "secret_id_num_uses": 1 }));
    let before = logins(&operator);
    let store = store(&bao, &[("VAULT_ROLE_ID", &role), ("VAULT_SECRET_ID", &secret)]);
    let names: Vec<String> = (0..20).map(|_| A.to_owned()).collect();
    for answer in store.fetch_all(&names).await {
        answer.expect("the secret id may be used once, and was");
    }
    assert_eq!(logins(&operator) - before, 1);
}

#[tokio::test]
async fn a_login_that_is_refused_is_told_and_not_repeated_at_once() {
    let bao = with_a();
    let (role, _) = Operator::of(&bao).role("app", READ, &json!({}));
    let store = store(&bao, &[("VAULT_ROLE_ID", &role), ("VAULT_SECRET_ID", "CANARY-wrong")]);
    for answer in store.fetch_all(&[A.to_owned(), A.to_owned()]).await {
        let error = answer.expect_err("no such secret id");
        let said = format!("{error} {error:?}");
        assert!(matches!(error, SecretError::Denied { .. }), "{said}");
        assert!(said.contains("the login by AppRole failed") && said.contains("`VAULT_SECRET_ID`"), "{said}");
        assert!(!said.contains("CANARY"), "{said}");
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end() {
    let bao = with_a();
    let operator = Operator::of(&bao);
    let (role, secret) = operator.role("app", READ, &json!({ "token_ttl": "3s", "token_max_ttl": "1h" }));
    let before = logins(&operator);
    let store = store(&bao, &[("VAULT_ROLE_ID", &role), ("VAULT_SECRET_ID", &secret)]);
    // Three lives of a token that nobody renews.
    for _ in 0..9 {
        store.fetch(A).await.expect("the token lives on");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(logins(&operator) - before, 1, "it is the same token still");
}

#[tokio::test]
async fn a_token_that_may_not_live_longer_is_replaced_before_its_end() {
    let bao = with_a();
    let operator = Operator::of(&bao);
    let (role, secret) = operator.role("app", READ, &json!({ "token_ttl": "3s", "token_max_ttl": "5s" }));
    let store = store(&bao, &[("VAULT_ROLE_ID", &role), ("VAULT_SECRET_ID", &secret)]);
    for _ in 0..24 {
        store.fetch(A).await.expect("there is always a token");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn a_token_that_was_revoked_is_replaced_and_the_question_answered() {
    let bao = with_a();
    let operator = Operator::of(&bao);
    let (role, secret) = operator.role("app", READ, &json!({}));
    let store = store(&bao, &[("VAULT_ROLE_ID", &role), ("VAULT_SECRET_ID", &secret)]);
    store.fetch(A).await.expect("allowed");
    // The gap between two logins must be over.
    tokio::time::sleep(Duration::from_secs(6)).await;
    operator.ask("POST", "sys/leases/revoke-prefix/auth/approle/login", &json!({}));
    store.fetch(A).await.expect("with another token");
}

#[tokio::test]
async fn a_secret_id_in_a_file_is_read_at_each_login() {
    let bao = with_a();
    let operator = Operator::of(&bao);
    let file = bao.folder().join("secret-id");
    let short = |uses: u32| json!({ "secret_id_num_uses": uses, "token_ttl": "3s", "token_max_ttl": "3s" });
    let (role, once) = operator.role("app", READ, &short(1));
    fs::write(&file, once).expect("room");
    let store = store(&bao, &[("VAULT_ROLE_ID", &role), ("VAULT_SECRET_ID_FILE", text(&file))]);
    store.fetch(A).await.expect("allowed");
    fs::write(&file, operator.role("app", READ, &short(0)).1).expect("room");
    // Longer than the first token may live, and its secret id is used up.
    for _ in 0..20 {
        store.fetch(A).await.expect("by the secret id that is there now");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test]
async fn a_token_file_is_read_again_when_its_token_is_refused() {
    let bao = with_a();
    let operator = Operator::of(&bao);
    let file = bao.folder().join("token");
    let first = operator.token("reader", READ, json!({}));
    fs::write(&file, format!("{first}\n")).expect("room");
    let store = store(&bao, &[("VAULT_TOKEN_FILE", text(&file))]);
    store.fetch(A).await.expect("allowed");
    fs::write(&file, operator.token("reader", READ, json!({}))).expect("room");
    tokio::time::sleep(Duration::from_secs(6)).await;
    operator.ask("POST", "auth/token/revoke", &json!({ "token": first }));
    store.fetch(A).await.expect("with the token that is there now");
    fs::remove_file(&file).expect("ours");
    let error =
        crate::operator::store(&bao, &[("VAULT_TOKEN_FILE", text(&file))]).fetch(A).await.expect_err("gone");
    assert!(matches!(error, SecretError::Misconfigured { .. }), "{error:?}");
    assert!(error.to_string().contains("cannot read the token"), "{error}");
}

#[tokio::test]
async fn a_token_that_is_no_longer_good_is_denied() {
    let bao = with_a();
    let store = store(&bao, &[("VAULT_TOKEN", "hvs.CANARY-no-such-token-at-all")]);
    let error = store.fetch(A).await.expect_err("refused");
    let said = format!("{error} {error:?}");
    assert!(matches!(error, SecretError::Denied { .. }), "{said}");
    assert!(said.contains("no longer valid") && !said.contains("CANARY"), "{said}");
}
