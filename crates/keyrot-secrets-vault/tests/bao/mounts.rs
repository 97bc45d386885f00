//! Mounts, versions of KV, policies and namespaces.

use keyrot_core::{SecretError, SecretStore};
use keyrot_testkit::live::openbao::ROOT;
use serde_json::{Value, json};

use crate::{BAO, operator, root, said, store, text, token};

#[tokio::test]
async fn a_mount_may_have_several_parts() {
    operator("POST", "sys/mounts/team/kv/two", &json!({ "type": "kv", "options": { "version": "2" } }));
    operator("POST", "sys/mounts/team/kv1", &json!({ "type": "kv" }));
    operator("POST", "team/kv/two/data/deep/path/a", &json!({ "data": { "value": "AIza-two" } }));
    operator("POST", "team/kv1/deep/path/a", &json!({ "value": "AIza-one" }));
    let store = root();
    assert_eq!(text(&store.fetch("team/kv/two/deep/path/a").await), "AIza-two");
    let one = store.fetch("team/kv1/deep/path/a").await;
    assert_eq!(text(&one), "AIza-one");
    assert_eq!(one.expect("it is there").version, None);
}

#[tokio::test]
async fn a_mount_that_is_not_there_and_one_of_another_engine_are_named() {
    let wrong = said(&root().fetch("nowhere/keyrot/a").await);
    assert!(
        wrong.contains("no secrets engine mounted at `nowhere/`") && wrong.contains("VAULT_SECRET_PATH"),
        "{wrong}"
    );
    operator("POST", "sys/mounts/transit", &json!({ "type": "transit" }));
    let answer = root().fetch("transit/keyrot/a").await;
    assert!(matches!(answer, Err(SecretError::Misconfigured { .. })), "{answer:?}");
    assert!(said(&answer).contains("engine `transit`, not of `kv`"), "{answer:?}");
    let api = said(&root().fetch("secret/data/keyrot/a").await);
    assert!(api.contains("is `secret/keyrot/a` meant?"), "{api}");
}

#[tokio::test]
async fn a_mount_made_anew_with_another_version_is_noticed() {
    operator("POST", "sys/mounts/moving", &json!({ "type": "kv", "options": { "version": "2" } }));
    operator("POST", "moving/data/a", &json!({ "data": { "value": "AIza-two" } }));
    let store = root();
    assert_eq!(text(&store.fetch("moving/a").await), "AIza-two");
    operator("DELETE", "sys/mounts/moving", &Value::Null);
    assert!(store.fetch("moving/a").await.is_err());
    operator("POST", "sys/mounts/moving", &json!({ "type": "kv", "options": { "version": "1" } }));
    operator("POST", "moving/a", &json!({ "value": "AIza-one" }));
    assert_eq!(text(&store.fetch("moving/a").await), "AIza-one");
}

#[tokio::test]
async fn the_documented_policy_reads_and_no_more() {
    operator("POST", "secret/data/keyrot/mine", &json!({ "data": { "value": "AIza-mine" } }));
    operator("POST", "secret/data/other/theirs", &json!({ "data": { "value": "AIza-theirs" } }));
    let rules = r#"path "secret/data/keyrot/*" { capabilities = ["read"] }"#;
    let token = token("reads", rules, &json!({}));
    let store = store(&[("VAULT_TOKEN", &token)]);
    assert_eq!(text(&store.fetch("secret/keyrot/mine").await), "AIza-mine");
    let answer = store.fetch("secret/other/theirs").await;
    assert!(matches!(answer, Err(SecretError::Denied { .. })), "{answer:?}");
    let said = said(&answer);
    assert!(said.contains("permission denied") && said.contains("`secret/data/other/theirs`"), "{said}");
    let error = store.put("secret/keyrot/mine", &"AIza-new".into()).await.expect_err("it may not write");
    assert!(matches!(error, SecretError::Denied { .. }), "{error:?}");
    assert_eq!(text(&store.fetch("secret/keyrot/mine").await), "AIza-mine");
}

#[tokio::test]
async fn the_documented_policy_for_writers_writes() {
    operator("POST", "secret/data/keyrot/ours", &json!({ "data": { "value": "AIza-1" } }));
    let rules = r#"path "secret/data/keyrot/*" { capabilities = ["read", "update"] }"#;
    let token = token("writes", rules, &json!({}));
    let store = store(&[("VAULT_TOKEN", &token)]);
    assert_eq!(
        store.put("secret/keyrot/ours", &"AIza-2".into()).await.expect("written").as_deref(),
        Some("2")
    );
    assert_eq!(text(&store.fetch("secret/keyrot/ours").await), "AIza-2");
}

#[tokio::test]
async fn a_namespace_is_where_the_names_are_looked_for() {
    operator("POST", "sys/namespaces/team-a", &json!({}));
    let inside = format!("{ROOT} team-a");
    BAO.asked("POST", "sys/mounts/secret", &inside, &json!({ "type": "kv", "options": { "version": "2" } }));
    BAO.asked("POST", "secret/data/keyrot/ns", &inside, &json!({ "data": { "value": "AIza-inside" } }));
    let there = store(&[("VAULT_TOKEN", ROOT), ("VAULT_NAMESPACE", "team-a/")]);
    assert_eq!(text(&there.fetch("secret/keyrot/ns").await), "AIza-inside");
    assert!(matches!(root().fetch("secret/keyrot/ns").await, Err(SecretError::NotFound { .. })));
    let wrong = store(&[("VAULT_TOKEN", ROOT), ("VAULT_NAMESPACE", "team-b")]);
    let said = said(&wrong.fetch("secret/keyrot/ns").await);
    assert!(said.contains("VAULT_NAMESPACE"), "{said}");
}
