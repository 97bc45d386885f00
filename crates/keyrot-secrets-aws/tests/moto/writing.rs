//! A new version: what becomes of the old one, and of what else a secret holds.

use keyrot_core::{SecretError, SecretStore};
use serde_json::json;

use crate::{fetch, operator, store, text};

#[tokio::test]
async fn the_old_version_is_kept_as_the_previous_one() {
    let name = "writing/versions";
    operator::keep(name, "old-key");
    let version = store().put(name, &"new-key".into()).await.expect("it may be written");
    assert_eq!(operator::current(name)["VersionId"].as_str(), version.as_deref());
    let previous =
        operator::ask("GetSecretValue", &json!({ "SecretId": name, "VersionStage": "AWSPREVIOUS" }));
    assert_eq!(previous["SecretString"], "old-key");
    assert_eq!(text(&fetch(name).await), "new-key");
}

#[tokio::test]
async fn bytes_stay_bytes() {
    let name = "writing/bytes";
    operator::ask("CreateSecret", &json!({ "Name": name, "SecretBinary": "a2V5LTE=" }));
    store().put(name, &"new-key".into()).await.expect("it may be written");
    assert_eq!(operator::current(name)["SecretBinary"], "bmV3LWtleQ==");
    assert_eq!(text(&fetch(name).await), "new-key");
}

#[tokio::test]
async fn an_object_in_which_the_key_is_not_known_is_left_alone() {
    let name = "writing/unclear";
    let before = r#"{"a": "CANARY", "b": "CANARY"}"#;
    operator::keep(name, before);
    let error = store().put(name, &"new-key".into()).await.expect_err("which one would it be?");
    assert!(matches!(error, SecretError::Unusable { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("CANARY"), "{error:?}");
    assert_eq!(operator::current(name)["SecretString"], before);
}
