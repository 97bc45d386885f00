//! Versions: written, deleted, destroyed; and two who write at once.

use std::time::Duration;

use keyrot_core::{SecretError, SecretStore};
use serde_json::{Value, json};

use crate::{operator, root, said, text};

fn keep(name: &str, value: &str) {
    operator("POST", &format!("secret/data/{name}"), &json!({ "data": { "value": value } }));
}

#[tokio::test]
async fn a_version_and_its_date_come_from_the_metadata() {
    keep("v/one", "AIza-1");
    keep("v/one", "AIza-2");
    let secret = root().fetch("secret/v/one").await.expect("it is there");
    assert_eq!(secret.version.as_deref(), Some("2"));
    let told = operator("GET", "secret/data/v/one", &Value::Null);
    let told = told["data"]["metadata"]["created_time"].as_str().expect("text").to_owned();
    let written = secret.written_at.expect("a date").to_string();
    assert_eq!(written.get(..19), told.get(..19));
}

#[tokio::test]
async fn a_deleted_version_says_how_it_comes_back() {
    keep("v/deleted", "AIza-1");
    operator("DELETE", "secret/data/v/deleted", &Value::Null);
    let store = root();
    let answer = store.fetch("secret/v/deleted").await;
    assert!(matches!(answer, Err(SecretError::NotFound { .. })), "{answer:?}");
    let said = said(&answer);
    assert!(said.contains("version 1 was deleted at 20") && said.contains("undelete -versions=1"), "{said}");
    let error = store.put("secret/v/deleted", &"AIza-2".into()).await.expect_err("it is deleted");
    assert!(error.to_string().contains("was deleted"), "{error}");
    operator("PUT", "secret/undelete/v/deleted", &json!({ "versions": [1] }));
    assert_eq!(text(&store.fetch("secret/v/deleted").await), "AIza-1");
}

#[tokio::test]
async fn a_destroyed_version_is_gone_for_ever() {
    keep("v/destroyed", "AIza-1");
    operator("PUT", "secret/destroy/v/destroyed", &json!({ "versions": [1] }));
    let said = said(&root().fetch("secret/v/destroyed").await);
    assert!(said.contains("version 1 was destroyed, for ever"), "{said}");
}

#[tokio::test]
async fn of_those_who_write_at_once_nobody_loses_a_change_unseen() {
    keep("v/contended", "AIza-0");
    let writers: Vec<_> = (1..=12)
        .map(|n| {
            tokio::spawn(async move { root().put("secret/v/contended", &format!("AIza-{n}").into()).await })
        })
        .collect();
    let mut written = 0;
    for writer in writers {
        match writer.await.expect("no panic") {
            Ok(version) => {
                assert!(version.is_some());
                written += 1;
            }
            Err(error) => assert!(error.to_string().contains("changed by somebody else"), "{error}"),
        }
    }
    let now = root().fetch("secret/v/contended").await.expect("it is there").version;
    assert_eq!(now, Some((1 + written).to_string()), "one version for each that was told so");
    assert!(written > 0);
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_read_and_older_versions_stay() {
    keep("v/kept", "AIza-1");
    let store = root();
    assert_eq!(text(&store.fetch("secret/v/kept").await), "AIza-1");
    assert_eq!(store.put("secret/v/kept", &"AIza-2".into()).await.expect("written").as_deref(), Some("2"));
    assert_eq!(text(&store.fetch("secret/v/kept").await), "AIza-2");
    let old = operator("GET", "secret/data/v/kept?version=1", &Value::Null);
    assert_eq!(old["data"]["data"]["value"], "AIza-1");
}

#[tokio::test]
async fn many_are_read_a_few_at_a_time() {
    for n in 0..20 {
        keep(&format!("v/many-{n}"), &format!("AIza-{n}"));
    }
    let names: Vec<String> = (0..20).map(|n| format!("secret/v/many-{n}")).collect();
    let answers =
        tokio::time::timeout(Duration::from_secs(10), root().fetch_all(&names)).await.expect("soon");
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(text(answer), format!("AIza-{n}"));
    }
}
