//! Stages: a version that a rotation is trying out is not served before it is the current one.

use serde_json::json;

use crate::{fetch, fetch_all, operator, text};

#[tokio::test]
async fn a_pending_version_is_served_only_once_it_is_current() {
    let (name, other) = ("rotation/staged", "rotation/beside");
    operator::keep(name, "old-key");
    operator::keep(other, "other-key");
    let old = operator::current(name)["VersionId"].as_str().expect("a label").to_owned();
    let new = operator::token();
    operator::ask(
        "PutSecretValue",
        &json!({
            "SecretId": name, "SecretString": "new-key", "ClientRequestToken": new,
            "VersionStages": ["AWSPENDING"],
        }),
    );
    for answer in [fetch(name).await, fetch_all(&[other, name]).await.remove(1)] {
        assert_eq!(text(&answer), "old-key", "one is pending, and newer");
        assert_eq!(answer.expect("it is there").version.as_deref(), Some(old.as_str()));
    }
    operator::ask(
        "UpdateSecretVersionStage",
        &json!({
            "SecretId": name, "VersionStage": "AWSCURRENT", "MoveToVersionId": new, "RemoveFromVersionId": old,
        }),
    );
    for answer in [fetch(name).await, fetch_all(&[other, name]).await.remove(1)] {
        assert_eq!(text(&answer), "new-key", "it is current now");
        assert_eq!(answer.expect("it is there").version.as_deref(), Some(new.as_str()));
    }
}
