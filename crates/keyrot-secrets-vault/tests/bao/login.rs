//! Logging in: tokens, files, AppRole; renewed, at the end of their life, revoked.

use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{EnvMap, SecretError, SecretStore};
use keyrot_secrets_vault::VaultStore;
use keyrot_testkit::live::openbao::{Bao, ROOT};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{said, store, text, token};

const RULES: &str = r#"path "secret/data/keyrot/*" { capabilities = ["read"] }"#;

/// A server of its own, with one secret and one AppRole role.
struct House {
    bao: Bao,
    role_id: String,
}

impl House {
    fn new(role: &Value) -> Self {
        let bao = Bao::dev();
        bao.asked("POST", "secret/data/keyrot/a", ROOT, &json!({ "data": { "value": "AIza-a" } }));
        bao.asked("PUT", "sys/policies/acl/keyrot", ROOT, &json!({ "policy": RULES }));
        bao.asked("POST", "sys/auth/approle", ROOT, &json!({ "type": "approle" }));
        bao.asked("POST", "auth/approle/role/keyrot", ROOT, role);
        let told = bao.asked("GET", "auth/approle/role/keyrot/role-id", ROOT, &Value::Null);
        let role_id = told["data"]["role_id"].as_str().expect("text").to_owned();
        Self { bao, role_id }
    }

    fn secret_id(&self) -> String {
        let made = self.bao.asked("POST", "auth/approle/role/keyrot/secret-id", ROOT, &Value::Null);
        made["data"]["secret_id"].as_str().expect("text").to_owned()
    }

    fn store(&self, secret_id: &str) -> VaultStore {
        let url = self.bao.url();
        let env = EnvMap::from_iter([
            ("VAULT_ADDR", url.as_str()),
            ("VAULT_ROLE_ID", &self.role_id),
            ("VAULT_SECRET_ID", secret_id),
        ]);
        VaultStore::new(&env).expect("legal")
    }

    fn accessors(&self) -> Vec<Value> {
        let listed = self.bao.asked("LIST", "auth/token/accessors", ROOT, &Value::Null);
        let keys = listed["data"]["keys"].as_array().expect("a list");
        let look = |accessor| {
            self.bao.request("POST", "auth/token/lookup-accessor", ROOT, &json!({ "accessor": accessor }))
        };
        let looked = keys.iter().filter_map(|accessor| look(accessor).ok());
        looked
            .filter(|(status, it)| *status == 200 && it["data"]["path"] == "auth/approle/login")
            .map(|(_, it)| it)
            .collect()
    }

    fn revoke_all(&self) {
        for token in self.accessors() {
            let accessor = token["data"]["accessor"].clone();
            self.bao.asked("POST", "auth/token/revoke-accessor", ROOT, &json!({ "accessor": accessor }));
        }
    }
}

/// Until something holds; a test that waits longer than this has failed.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited).await.expect(what);
}

#[tokio::test]
async fn however_many_ask_there_is_one_login() {
    let house = House::new(&json!({ "token_policies": "keyrot", "token_ttl": "1h" }));
    let store = Arc::new(house.store(&house.secret_id()));
    assert_eq!(house.accessors().len(), 0, "nobody is asked when a store is made");
    let asking: Vec<_> = (0..20)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { text(&store.fetch("secret/keyrot/a").await).to_owned() })
        })
        .collect();
    for asking in asking {
        assert_eq!(asking.await.expect("no panic"), "AIza-a");
    }
    assert_eq!(house.accessors().len(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_until_its_longest_life_and_then_there_is_another() {
    let role = json!({ "token_policies": "keyrot", "token_ttl": "4s", "token_max_ttl": "10s" });
    let house = House::new(&role);
    let store = house.store(&house.secret_id());
    assert_eq!(text(&store.fetch("secret/keyrot/a").await), "AIza-a");
    let first = house.accessors()[0]["data"]["accessor"].clone();
    // Longer than its first lease: nobody but the store itself renews it.
    until("the first token is renewed", || {
        house
            .accessors()
            .iter()
            .any(|it| it["data"]["accessor"] == first && it["data"]["last_renewal"].is_string())
    })
    .await;
    until("another token is made before the first one ends", || {
        house.accessors().iter().any(|it| it["data"]["accessor"] != first)
    })
    .await;
    until("the first token ends", || house.accessors().iter().all(|it| it["data"]["accessor"] != first))
        .await;
    assert_eq!(text(&store.fetch("secret/keyrot/a").await), "AIza-a");
    drop(store);
    until("with the store the last token ends", || house.accessors().is_empty()).await;
}

#[tokio::test]
async fn a_revoked_token_is_replaced_within_the_same_read() {
    let house = House::new(&json!({ "token_policies": "keyrot", "token_ttl": "1h" }));
    let store = house.store(&house.secret_id());
    assert_eq!(text(&store.fetch("secret/keyrot/a").await), "AIza-a");
    // Behind the pause between two logins.
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    house.revoke_all();
    assert_eq!(text(&store.fetch("secret/keyrot/a").await), "AIza-a");
    // At once again: now the pause holds, and it is refused.
    house.revoke_all();
    let refused = store.fetch("secret/keyrot/a").await;
    assert!(matches!(refused, Err(SecretError::Denied { .. })), "{refused:?}");
}

#[tokio::test]
async fn logins_that_fail_are_few_and_say_what_to_do() {
    let house = House::new(&json!({ "token_policies": "keyrot", "secret_id_num_uses": 1 }));
    let secret_id = house.secret_id();
    let store = house.store(&secret_id);
    assert_eq!(text(&store.fetch("secret/keyrot/a").await), "AIza-a");
    // It was good for one login.
    let other = house.store(&secret_id);
    let names: Vec<String> = (0..30).map(|_| "secret/keyrot/a".to_owned()).collect();
    let answers = other.fetch_all(&names).await;
    for answer in &answers {
        assert!(matches!(answer, Err(SecretError::Denied { .. })), "{answer:?}");
        let said = said(answer);
        assert!(said.contains("login by AppRole failed") && said.contains("VAULT_SECRET_ID"), "{said}");
        assert!(!said.contains(&secret_id), "{said}");
    }
}

#[tokio::test]
async fn a_secret_id_in_a_file_is_read_again_at_every_login() {
    let house =
        House::new(&json!({ "token_policies": "keyrot", "secret_id_num_uses": 1, "token_ttl": "1h" }));
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), house.secret_id() + "\n").expect("room");
    let store = house.store(&format!("@{}", file.path().display()));
    assert_eq!(text(&store.fetch("secret/keyrot/a").await), "AIza-a");
    std::fs::write(file.path(), house.secret_id()).expect("room");
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    house.revoke_all();
    assert_eq!(text(&store.fetch("secret/keyrot/a").await), "AIza-a");
}

#[tokio::test]
async fn a_token_file_is_read_again_when_it_changes() {
    crate::operator("POST", "secret/data/keyrot/file", &json!({ "data": { "value": "AIza-file" } }));
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("plain").to_owned();
    std::fs::write(file.path(), "s.nobody\n").expect("room");
    let store = store(&[("VAULT_TOKEN_FILE", &path)]);
    let refused = store.fetch("secret/keyrot/file").await;
    assert!(matches!(refused, Err(SecretError::Denied { .. })), "{refused:?}");
    assert!(said(&refused).contains("token file") && !said(&refused).contains("s.nobody"), "{refused:?}");
    std::fs::write(file.path(), token("file", RULES, &json!({})) + "\n").expect("room");
    assert_eq!(text(&store.fetch("secret/keyrot/file").await), "AIza-file");
    std::fs::write(file.path(), "two words").expect("room");
    let broken = store.fetch("secret/keyrot/file").await;
    assert!(matches!(broken, Err(SecretError::Misconfigured { .. })), "{broken:?}");
}

#[tokio::test]
async fn a_token_that_does_not_count_is_refused_and_not_shown() {
    let answer = store(&[("VAULT_TOKEN", "s.CANARYcanary")]).fetch("secret/keyrot/a").await;
    assert!(matches!(answer, Err(SecretError::Denied { .. })), "{answer:?}");
    assert!(said(&answer).contains("VAULT_TOKEN") && !said(&answer).contains("CANARY"), "{answer:?}");
}

#[tokio::test]
async fn a_given_token_is_renewed_too() {
    crate::operator("POST", "secret/data/keyrot/given", &json!({ "data": { "value": "AIza-given" } }));
    let token = token("given", RULES, &json!({ "ttl": "3s", "renewable": true }));
    let store = store(&[("VAULT_TOKEN", &token)]);
    assert_eq!(text(&store.fetch("secret/keyrot/given").await), "AIza-given");
    // Twice its life.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let secret = store.fetch("secret/keyrot/given").await.expect("it is alive");
    assert_eq!(secret.value.expose_secret(), "AIza-given");
}
