//! Names and ARNs, what is not there, what is no text.

use keyrot_core::{EnvMap, SecretError, SecretStore};
use keyrot_secrets_aws::AwsStore;
use keyrot_testkit::live::moto::Moto;
use serde_json::json;

use crate::{fetch, fetch_all, operator, text};

#[tokio::test]
async fn a_secret_is_found_by_its_name_and_by_its_arn_alone_and_among_others() {
    let arn = operator::keep("reading/by-name", "key-1");
    operator::keep("reading/other", "key-2");
    assert_eq!(text(&fetch(&arn).await), "key-1");
    let missing_arn = arn.replace("by-name", "nowhere");
    let answers =
        fetch_all(&["reading/other", &arn, "reading/missing", "reading/by-name", &missing_arn, &arn]).await;
    assert_eq!(text(&answers[0]), "key-2");
    for at in [1, 3, 5] {
        assert_eq!(text(&answers[at]), "key-1", "{at}");
    }
    for (at, name) in [(2, "reading/missing"), (4, missing_arn.as_str())] {
        let error = answers[at].as_ref().expect_err("it is missing");
        assert!(matches!(error, SecretError::NotFound { name: told, .. } if told == name), "{error:?}");
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_spelt_spoils_no_other() {
    operator::keep("reading/spelt", "key-1");
    let answers = fetch_all(&["no name", "reading/spelt", "arn:aws:s3:::bucket"]).await;
    assert_eq!(text(&answers[1]), "key-1");
    for at in [0, 2] {
        assert!(matches!(answers[at], Err(SecretError::Misconfigured { .. })), "{:?}", answers[at]);
    }
}

#[tokio::test]
async fn a_secret_that_is_marked_for_deletion_says_so() {
    operator::keep("reading/deleted", "CANARY");
    operator::keep("reading/kept", "key-2");
    operator::ask("DeleteSecret", &json!({ "SecretId": "reading/deleted", "RecoveryWindowInDays": 7 }));
    for answer in
        [fetch("reading/deleted").await, fetch_all(&["reading/kept", "reading/deleted"]).await.remove(1)]
    {
        let error = answer.expect_err("it is as good as gone").to_string();
        assert!(error.contains("marked for deletion") && error.contains("restore-secret"), "{error}");
        assert!(!error.contains("CANARY"), "{error}");
    }
    operator::ask("RestoreSecret", &json!({ "SecretId": "reading/deleted" }));
    assert_eq!(text(&fetch("reading/deleted").await), "CANARY");
}

#[tokio::test]
async fn bytes_that_are_text_are_a_key_and_others_are_not() {
    // `key-1`, and two bytes that begin no character.
    for (name, base64) in [("reading/bytes", "a2V5LTE="), ("reading/noise", "//4=")] {
        operator::ask("CreateSecret", &json!({ "Name": name, "SecretBinary": base64 }));
    }
    operator::keep("reading/text", "key-2");
    assert_eq!(text(&fetch("reading/bytes").await), "key-1");
    let answers = fetch_all(&["reading/text", "reading/bytes", "reading/noise"]).await;
    assert_eq!(text(&answers[1]), "key-1");
    let error = answers[2].as_ref().expect_err("no text");
    assert!(matches!(error, SecretError::Unusable { why, .. } if why.contains("binary")), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_gone_is_unreachable_and_the_message_says_where_it_was() {
    let mut moto = Moto::start();
    let env = EnvMap::from_iter([
        ("AWS_REGION", crate::REGION),
        ("AWS_ENDPOINT_URL", &moto.url()),
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "CANARY"),
    ]);
    let store = AwsStore::new(&env).expect("legal");
    let error = store.fetch("keyrot/a").await.expect_err("it holds nothing");
    assert!(matches!(error, SecretError::NotFound { .. }), "{error:?}");
    moto.kill();
    let mut answers = store.fetch_all(&["keyrot/a".to_owned(), "keyrot/b".to_owned()]).await;
    answers.push(store.fetch("keyrot/a").await);
    for answer in answers {
        let error = answer.expect_err("nobody is there");
        let said = error.to_string();
        assert!(matches!(error, SecretError::Unavailable { .. }), "{error:?}");
        assert!(said.contains(&moto.url()) && said.contains("cannot be reached"), "{said}");
        assert!(!said.contains("CANARY"), "{said}");
    }
}
