//! What is read, and every reason why it is not.

use keyrot_core::{SecretError, SecretStore as _};
use keyrot_testkit::live::bao::{Bao, ROOT};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::operator::{Operator, READ, store};

fn said(error: &SecretError) -> String {
    let said = format!("{error} {error:?}");
    assert!(!said.contains("CANARY") && said.contains("hint"), "{said}");
    said
}

#[tokio::test]
async fn deleted_and_destroyed_versions_are_told_apart_and_from_what_was_never_there() {
    let bao = Bao::dev();
    let operator = Operator::of(&bao);
    for name in ["deleted", "destroyed"] {
        operator.keep(&format!("keyrot/{name}"), &json!({ "value": "CANARY-1" }));
        operator.keep(&format!("keyrot/{name}"), &json!({ "value": "CANARY-2" }));
    }
    operator.ask("DELETE", "secret/data/keyrot/deleted", &Value::Null);
    operator.ask("POST", "secret/destroy/keyrot/destroyed", &json!({ "versions": [2] }));
    let store = store(&bao, &[("VAULT_TOKEN", ROOT)]);
    for (name, says) in [
        ("deleted", "version 2 was deleted: `vault kv undelete -versions=2"),
        ("destroyed", "version 2 was destroyed"),
        ("never", "`vault kv put secret/keyrot/never"),
    ] {
        let error = store.fetch(&format!("secret/keyrot/{name}")).await.expect_err(name);
        assert!(matches!(error, SecretError::NotFound { .. }), "{error:?}");
        assert!(said(&error).contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_right_that_is_missing_is_no_secret_that_is_missing() {
    let bao = Bao::dev();
    let operator = Operator::of(&bao);
    operator.keep("keyrot/a", &json!({ "value": "CANARY-1" }));
    operator.keep("other/a", &json!({ "value": "CANARY-2" }));
    let token = operator.token("reader", READ, json!({}));
    let store = store(&bao, &[("VAULT_TOKEN", &token)]);
    // The mount is guessed where the token may not ask about it: here it may.
    store.fetch("secret/keyrot/a").await.expect("allowed");
    let error = store.fetch("secret/other/a").await.expect_err("not allowed");
    assert!(matches!(error, SecretError::Denied { .. }), "{error:?}");
    assert!(said(&error).contains("no right to read `secret/other/a`"), "{error}");
    let error = store.put("secret/keyrot/a", &"AIza-new".into()).await.expect_err("only to be read");
    assert!(matches!(error, SecretError::Denied { .. }), "{error:?}");
    assert!(said(&error).contains("no right to update"), "{error}");
}

#[tokio::test]
async fn a_mount_that_keeps_no_keys_and_a_name_that_is_none_are_mistakes_of_the_settings() {
    let bao = Bao::dev();
    Operator::of(&bao).ask("POST", "sys/mounts/transit", &json!({ "type": "transit" }));
    let store = store(&bao, &[("VAULT_TOKEN", ROOT)]);
    for (name, says) in [
        ("transit/a", "of type `transit`"),
        ("secret/../a", "no secret's name"),
        ("secret/a b", "no secret's name"),
        ("alone", "no secret's name"),
    ] {
        let error = store.fetch(name).await.expect_err(name);
        assert!(matches!(error, SecretError::Misconfigured { .. }), "{error:?}");
        assert!(said(&error).contains(says), "{error}");
    }
}

#[tokio::test]
async fn a_namespace_is_another_world() {
    let bao = Bao::dev();
    let operator = Operator::of(&bao);
    operator.ask("POST", "sys/namespaces/team", &json!({}));
    operator.mount("team/", "secret");
    operator.keep("keyrot/a", &json!({ "value": "AIza-outside" }));
    operator.ask("POST", "team/secret/data/keyrot/a", &json!({ "data": { "value": "AIza-inside" } }));
    let read = async |more: &[(&str, &str)]| {
        let secret = store(&bao, more).fetch("secret/keyrot/a").await.expect("it is there");
        secret.value.expose_secret().to_owned()
    };
    assert_eq!(read(&[("VAULT_TOKEN", ROOT)]).await, "AIza-outside");
    assert_eq!(read(&[("VAULT_TOKEN", ROOT), ("VAULT_NAMESPACE", "team")]).await, "AIza-inside");
}

#[tokio::test]
async fn who_writes_after_another_has_does_not_undo_it() {
    let bao = Bao::dev();
    let operator = Operator::of(&bao);
    operator.ask("POST", "secret/config", &json!({ "cas_required": true }));
    let first = json!({ "data": { "value": "AIza-1", "owner": "us" }, "options": { "cas": 0 } });
    operator.ask("POST", "secret/data/keyrot/a", &first);
    let store = store(&bao, &[("VAULT_TOKEN", ROOT)]);
    assert_eq!(store.put("secret/keyrot/a", &"AIza-2".into()).await.expect("written").as_deref(), Some("2"));
    let kept = operator.ask("GET", "secret/data/keyrot/a", &Value::Null);
    assert_eq!(kept["data"]["data"], json!({ "value": "AIza-2", "owner": "us" }));
    // The version before is still to be had.
    let before = operator.ask("GET", "secret/data/keyrot/a?version=1", &Value::Null);
    assert_eq!(before["data"]["data"]["value"], "AIza-1");
}

#[tokio::test]
async fn a_server_that_is_gone_is_unreachable_and_its_place_is_told() {
    let mut bao = Bao::dev();
    let store = store(&bao, &[("VAULT_TOKEN", ROOT)]);
    Operator::of(&bao).keep("keyrot/a", &json!({ "value": "CANARY" }));
    store.fetch("secret/keyrot/a").await.expect("it is there");
    bao.kill();
    let error = store.fetch("secret/keyrot/a").await.expect_err("gone");
    assert!(matches!(error, SecretError::Unavailable { .. }), "{error:?}");
    assert!(said(&error).contains(&format!("`{}` cannot be reached", bao.url())), "{error}");
}

#[tokio::test]
async fn a_mount_made_anew_without_versions_is_noticed() {
    let bao = Bao::dev();
    let operator = Operator::of(&bao);
    operator.mount("", "moving");
    operator.ask("POST", "moving/data/a", &json!({ "data": { "value": "AIza-two" } }));
    let store = store(&bao, &[("VAULT_TOKEN", ROOT)]);
    let read = async || store.fetch("moving/a").await.map(|secret| secret.value.expose_secret().to_owned());
    assert_eq!(read().await.expect("it is there"), "AIza-two");
    operator.ask("DELETE", "sys/mounts/moving", &serde_json::Value::Null);
    assert!(read().await.is_err());
    operator.ask("POST", "sys/mounts/moving", &json!({ "type": "kv", "options": { "version": "1" } }));
    operator.ask("POST", "moving/a", &json!({ "value": "AIza-one" }));
    assert_eq!(read().await.expect("it is there"), "AIza-one");
}
