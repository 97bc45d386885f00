//! New versions.

use std::collections::BTreeMap;

use keyrot_core::{SecretError, SecretStore as _};
use keyrot_testkit::live::azure::{Azure, Mood, Version};

use crate::application;

#[tokio::test]
async fn a_new_version_keeps_content_type_and_tags_and_the_older_ones() {
    let azure = Azure::new();
    let tags = BTreeMap::from([("owner".to_owned(), "us".to_owned())]);
    azure.set_version(
        "flash-01",
        Version {
            value: r#"{"api_key": "old", "since": 1}"#.to_owned(),
            content_type: Some("application/json".to_owned()),
            tags: tags.clone(),
            // What is over may be written anew.
            expires: Some(1),
            ..Version::default()
        },
    );
    let store = application(&azure);
    let version = store.put("flash-01", &"new".into()).await.expect("it may be written");
    let newest = azure.newest("flash-01").expect("it is there");
    assert_eq!(newest.value, r#"{"api_key":"new","since":1}"#);
    assert_eq!((newest.content_type.as_deref(), newest.tags), (Some("application/json"), tags));
    assert_eq!(azure.versions("flash-01"), 2);
    assert_eq!(store.fetch("flash-01").await.expect("the new one is valid").version, version);
}

#[tokio::test]
async fn what_cannot_be_written_is_told_without_the_secret() {
    let azure = Azure::new();
    let store = application(&azure);
    azure.set("flash-01", "old");
    let long = "CANARY".repeat(5_000);
    let error = store.put("flash-01", &long.into()).await.expect_err("too long");
    assert!(matches!(error, SecretError::Denied { .. }), "{error:?}");
    azure.vault_is(Mood::Forbidding);
    let forbidden = store.put("flash-01", &"CANARY".into()).await.expect_err("no right");
    assert!(forbidden.to_string().contains("Key Vault Secrets Officer"), "{forbidden}");
    azure.vault_is(Mood::Well);
    azure.delete("flash-01");
    let deleted = store.put("flash-01", &"CANARY".into()).await.expect_err("it is deleted");
    assert!(deleted.to_string().contains("secret recover"), "{deleted}");
    for error in [error, forbidden, deleted] {
        assert!(!format!("{error} {error:?}").contains("CANARY"), "{error:?}");
    }
}
