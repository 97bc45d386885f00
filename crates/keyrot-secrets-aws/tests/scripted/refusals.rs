//! Every way in which the service refuses or fails: which error it is, in which words, after how many tries.

use std::time::Duration;

use keyrot_core::{SecretError, SecretStore};
use keyrot_testkit::canary::STANDARD;
use serde_json::json;
use tokio::time::timeout;

use crate::server::{Reply, Server, entry, refusal};
use crate::{names, store, text};

/// What one read gives when every request is answered with `reply`.
async fn fetched(reply: impl Fn() -> Reply + Send + Sync + 'static) -> (SecretError, Vec<String>) {
    let server = Server::start(move |_| reply()).await;
    let asked = timeout(Duration::from_secs(11), store(&server).fetch("keyrot/a")).await;
    let error = asked.expect("nothing takes longer").expect_err("there is no secret");
    let told = format!("{error} {error:?}");
    assert!(told.contains("hint: ") && !told.contains("CANARY") && !told.contains(STANDARD), "{told}");
    (error, server.actions())
}

fn kind(error: &SecretError) -> &'static str {
    match error {
        SecretError::NotFound { .. } => "not found",
        SecretError::Denied { .. } => "denied",
        SecretError::Unavailable { .. } => "unavailable",
        SecretError::Misconfigured { .. } => "misconfigured",
        _ => "other",
    }
}

#[tokio::test]
async fn each_refusal_has_its_own_kind_words_and_remedy() {
    let cases: [(u16, &str, &str, &str, [&str; 2]); 15] = [
        (400, "ResourceNotFoundException", "not there", "not found", ["`keyrot/a`", "create-secret"]),
        (
            400,
            "ResourceNotFoundException",
            "no value for staging label: AWSCURRENT",
            "not found",
            ["`keyrot/a`", "put-secret-value"],
        ),
        (
            400,
            "InvalidRequestException",
            "it was marked for deletion",
            "not found",
            ["`keyrot/a`", "restore-secret"],
        ),
        (
            400,
            "InvalidRequestException",
            "managed by another service",
            "denied",
            ["managed by another", "describe-secret"],
        ),
        (
            400,
            "AccessDeniedException",
            "User: u is not authorized to perform",
            "denied",
            ["no right to `keyrot/a`", "`secretsmanager:GetSecretValue`"],
        ),
        (
            400,
            "AccessDeniedException",
            "Access to KMS is not allowed",
            "denied",
            ["KMS key", "`kms:Decrypt`"],
        ),
        (400, "DecryptionFailure", "can't decrypt", "denied", ["KMS key", "`kms:Decrypt`"]),
        (
            400,
            "ExpiredTokenException",
            "The security token has expired",
            "denied",
            ["have expired", "log in again"],
        ),
        (
            400,
            "UnrecognizedClientException",
            "The security token is invalid",
            "denied",
            ["the login failed", "`AWS_ACCESS_KEY_ID`"],
        ),
        (
            400,
            "InvalidSignatureException",
            "does not match",
            "denied",
            ["the login failed", "`AWS_SECRET_ACCESS_KEY`"],
        ),
        (
            400,
            "InvalidParameterException",
            "bad name",
            "misconfigured",
            ["does not take", "`AWS_SECRET_PREFIX`"],
        ),
        (400, "UnknownOperationException", "", "misconfigured", ["does not know", "`AWS_ENDPOINT_URL`"]),
        (
            400,
            "SomethingNew",
            "said\nthe service",
            "denied",
            ["`SomethingNew`: said the service", "describe-secret"],
        ),
        (500, "InternalServiceError", "oops", "unavailable", ["fails", "asked again later"]),
        (
            400,
            "ThrottlingException",
            "Rate exceeded",
            "unavailable",
            ["too many requests", "`KEYROT_SECRET_TTL`"],
        ),
    ];
    let mut told = std::collections::BTreeSet::new();
    for (status, code, message, expected, words) in cases {
        let (error, actions) = fetched(move || refusal(status, code, message)).await;
        let said = error.to_string();
        assert_eq!(kind(&error), expected, "{code}: {said}");
        for word in words {
            assert!(said.contains(word), "{code}: {said}");
        }
        let transient = matches!(code, "InternalServiceError" | "ThrottlingException");
        assert_eq!(actions.len(), if transient { 2 } else { 1 }, "{code}: {actions:?}");
        assert!(told.insert(said.clone()), "said before: {said}");
    }
}

#[tokio::test]
async fn what_the_service_says_is_cut_to_a_line_and_scrubbed() {
    let message = format!("{STANDARD}\n{}", "long ".repeat(1_000));
    let (error, _) = fetched(move || refusal(400, "AccessDeniedException", &message)).await;
    let said = error.to_string();
    assert!(said.len() < 600 && said.lines().count() == 2, "{said}");
}

#[tokio::test]
async fn what_is_no_answer_of_the_service_is_no_secret() {
    for (status, body) in [
        (200, "<html>welcome, CANARY</html>"),
        (200, "{\"SecretString\": \"CANARY"),
        (200, "[]"),
        (403, "<html>blocked by the proxy: CANARY</html>"),
        (404, ""),
    ] {
        let (error, _) = fetched(move || Reply::Text(status, body)).await;
        assert!(
            error.to_string().contains("something else than Secrets Manager"),
            "{status} {body}: {error}"
        );
        assert_eq!(kind(&error), "unavailable");
    }
    let (error, actions) = fetched(|| Reply::Text(503, "<html>CANARY</html>")).await;
    assert!(error.to_string().contains("fails"), "{error}");
    assert_eq!((kind(&error), actions.len()), ("unavailable", 2));
}

#[tokio::test]
async fn an_answer_without_a_value_is_unusable() {
    let server = Server::start(|_| Reply::Json(200, json!({ "Name": "keyrot/a" }))).await;
    let error = store(&server).fetch("keyrot/a").await.expect_err("there is no value");
    assert!(matches!(error, SecretError::Unusable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_hangs_is_left_after_ten_seconds_at_most() {
    let (error, actions) = fetched(|| Reply::Silence).await;
    assert_eq!(kind(&error), "unavailable");
    assert!(error.to_string().contains("did not answer in time"), "{error}");
    assert_eq!(actions.len(), 2);
}

#[tokio::test]
async fn many_names_are_not_waited_for_one_after_the_other() {
    let server = Server::start(|_| Reply::Silence).await;
    let many: Vec<String> = (0..45).map(|n| format!("keyrot/{n}")).collect();
    let store = store(&server);
    let answers = timeout(Duration::from_secs(11), store.fetch_all(&many)).await.expect("as one");
    assert_eq!(answers.len(), 45);
    assert!(answers.iter().all(|answer| matches!(answer, Err(SecretError::Unavailable { .. }))));
}

#[tokio::test]
async fn every_single_read_asks_for_the_current_version() {
    let server = Server::start(|_| Reply::Json(200, entry("keyrot/a", "key-1", &["AWSCURRENT"]))).await;
    let store = store(&server);
    let secret = store.fetch("keyrot/a").await.expect("it is there");
    assert_eq!(secret.version.as_deref(), Some("version-of-keyrot/a"));
    assert_eq!(secret.written_at.expect("a date").as_millis(), 1_790_000_000_250);
    store.fetch_all(&names(&["keyrot/a"])).await;
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    for request in asked {
        assert_eq!(request.action, "GetSecretValue");
        assert_eq!(request.body["VersionStage"], "AWSCURRENT");
    }
}

#[tokio::test]
async fn a_secret_without_a_value_is_given_its_first() {
    let server = Server::start(|request| match request.action.as_str() {
        "GetSecretValue" => {
            refusal(400, "ResourceNotFoundException", "can't find a value for staging label: AWSCURRENT")
        }
        _ => Reply::Json(200, json!({ "VersionId": "first" })),
    })
    .await;
    let version = store(&server).put("keyrot/a", &"key-1".into()).await.expect("it may be written");
    assert_eq!(version.as_deref(), Some("first"));
    assert_eq!(server.asked()[1].body["SecretString"], "key-1");
}

#[tokio::test]
async fn a_right_that_is_missing_for_writing_is_named() {
    for (code, message, words) in [
        ("AccessDeniedException", "not authorized", "`secretsmanager:PutSecretValue`"),
        ("EncryptionFailure", "can't encrypt", "`kms:GenerateDataKey`"),
    ] {
        let server = Server::start(move |request| match request.action.as_str() {
            "GetSecretValue" => Reply::Json(200, entry("keyrot/a", "key-1", &["AWSCURRENT"])),
            _ => refusal(400, code, message),
        })
        .await;
        let store = store(&server);
        assert_eq!(text(&store.fetch("keyrot/a").await), "key-1");
        let error = store.put("keyrot/a", &"CANARY".into()).await.expect_err("it is forbidden");
        assert!(matches!(error, SecretError::Denied { .. }), "{error:?}");
        let said = format!("{error} {error:?}");
        assert!(said.contains(words) && !said.contains("CANARY"), "{said}");
    }
}
