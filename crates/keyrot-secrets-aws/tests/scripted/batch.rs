//! Several at once: what is used of an answer, what is asked for again, and what happens without the right.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyrot_core::{SecretError, SecretStore};
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::server::{ACCOUNT, Reply, Request, Server, entry, refusal};
use crate::{names, store, text};

fn single(request: &Request) -> Reply {
    let name = request.body["SecretId"].as_str().expect("a name");
    Reply::Json(200, entry(name, &format!("single-{name}"), &["AWSCURRENT"]))
}

#[tokio::test]
async fn an_entry_is_used_only_if_it_is_the_current_version() {
    let server = Server::start(|request| match request.action.as_str() {
        "BatchGetSecretValue" => Reply::Json(
            200,
            json!({ "SecretValues": [
                entry("pending", "CANARY", &["AWSPENDING"]),
                entry("previous", "CANARY", &["AWSPREVIOUS"]),
                entry("unstaged", "CANARY", &[]),
                entry("both", "batch-both", &["AWSPENDING", "AWSCURRENT"]),
            ]}),
        ),
        _ => single(request),
    })
    .await;
    let answers =
        store(&server).fetch_all(&names(&["pending", "both", "previous", "unstaged", "left-out"])).await;
    let texts: Vec<&str> = answers.iter().map(text).collect();
    assert_eq!(
        texts,
        ["single-pending", "batch-both", "single-previous", "single-unstaged", "single-left-out"]
    );
    assert_eq!(
        server.actions(),
        ["BatchGetSecretValue", "GetSecretValue", "GetSecretValue", "GetSecretValue", "GetSecretValue"]
    );
}

#[tokio::test]
async fn an_error_belongs_to_the_name_it_was_asked_by() {
    let server = Server::start(|_| {
        let error = |id: &str, code: &str| json!({ "SecretId": id, "ErrorCode": code, "Message": "no" });
        Reply::Json(
            200,
            json!({
                "SecretValues": [entry("keyrot/a", "key-a", &["AWSCURRENT"])],
                "Errors": [
                    error("keyrot/forbidden", "AccessDeniedException"),
                    error(&format!("{ACCOUNT}keyrot/by-arn-AbCdEf"), "ResourceNotFoundException"),
                    error("keyrot/of-arn", "DecryptionFailure"),
                ],
            }),
        )
    })
    .await;
    let arn = format!("{ACCOUNT}keyrot/of-arn-AbCdEf");
    let asked = names(&[&arn, "keyrot/by-arn", "keyrot/a", "keyrot/forbidden"]);
    let answers = store(&server).fetch_all(&asked).await;
    assert!(
        matches!(&answers[0], Err(SecretError::Denied { why, .. }) if why.contains("KMS") && why.contains(&arn))
    );
    assert!(matches!(&answers[1], Err(SecretError::NotFound { name, .. }) if name == "keyrot/by-arn"));
    assert_eq!(text(&answers[2]), "key-a");
    assert!(matches!(&answers[3], Err(SecretError::Denied { why, .. }) if why.contains("keyrot/forbidden")));
    assert_eq!(server.actions(), ["BatchGetSecretValue"], "nobody is asked twice");
}

#[tokio::test]
async fn twenty_go_into_one_call() {
    let server = Server::start(|request| {
        let ids = request.body["SecretIdList"].as_array().expect("several at once");
        assert!(ids.len() <= 20 && request.body.get("MaxResults").is_none());
        let entries: Vec<_> =
            ids.iter().filter_map(|id| Some(entry(id.as_str()?, id.as_str()?, &["AWSCURRENT"]))).collect();
        Reply::Json(200, json!({ "SecretValues": entries }))
    })
    .await;
    let mut many: Vec<String> = (0..45).map(|n| format!("k{n}")).collect();
    many.push("k7".to_owned());
    let answers = store(&server).fetch_all(&many).await;
    assert!(many.iter().zip(&answers).all(|(name, answer)| text(answer) == name));
    assert_eq!(server.actions().len(), 3, "the one that is there twice is asked for once");
}

/// Counts what the crate says at INFO and above.
struct Ear(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Ear {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        struct Right(bool);
        impl Visit for Right {
            fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
                self.0 |= format!("{value:?}").contains("secretsmanager:BatchGetSecretValue");
            }
        }
        let mut right = Right(false);
        event.record(&mut right);
        if right.0 && *event.metadata().level() == Level::INFO {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn without_the_right_each_is_read_alone_and_that_is_remembered_and_said_once() {
    let said = Arc::new(AtomicUsize::new(0));
    let _listening =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(Ear(Arc::clone(&said))));
    for code in ["AccessDeniedException", "UnknownOperationException"] {
        let server = Server::start(move |request| match request.action.as_str() {
            "BatchGetSecretValue" => refusal(400, code, "not authorized"),
            _ => single(request),
        })
        .await;
        let store = store(&server);
        let many: Vec<String> = (0..30).map(|n| format!("k{n}")).collect();
        for batches in [1, 0] {
            let answers = store.fetch_all(&many).await;
            assert!(many.iter().zip(&answers).all(|(name, answer)| text(answer) == format!("single-{name}")));
            let actions = server.actions();
            assert_eq!(actions.iter().filter(|action| *action == "BatchGetSecretValue").count(), batches);
            assert_eq!(actions.len(), 30 + batches);
        }
        assert_eq!(said.swap(0, Ordering::Relaxed), 1, "{code}");
    }
}

#[tokio::test]
async fn an_outage_is_everybodys_and_is_not_asked_about_again() {
    let server = Server::start(|_| refusal(400, "ThrottlingException", "Rate exceeded")).await;
    let many: Vec<String> = (0..45).map(|n| format!("k{n}")).collect();
    for answer in store(&server).fetch_all(&many).await {
        let error = answer.expect_err("nobody gets anything").to_string();
        assert!(error.contains("too many requests"), "{error}");
    }
    assert_eq!(server.actions(), ["BatchGetSecretValue"; 2]);
}

#[tokio::test]
async fn an_outage_between_two_calls_takes_nothing_from_what_the_first_gave() {
    let server = Server::start(|request| match request.body["SecretIdList"].as_array() {
        Some(ids) if ids.first().is_some_and(|id| id == "k0") => {
            let entries =
                ids.iter().filter_map(|id| Some(entry(id.as_str()?, id.as_str()?, &["AWSCURRENT"])));
            Reply::Json(200, json!({ "SecretValues": entries.collect::<Vec<_>>() }))
        }
        _ => refusal(400, "ThrottlingException", "Rate exceeded"),
    })
    .await;
    let mut many: Vec<String> = (0..45).map(|n| format!("k{n}")).collect();
    many.push("no name".to_owned());
    let answers = store(&server).fetch_all(&many).await;
    assert!(many.iter().zip(&answers).take(20).all(|(name, answer)| text(answer) == name));
    assert!(answers[20..45].iter().all(|answer| matches!(answer, Err(SecretError::Unavailable { .. }))));
    assert!(matches!(answers[45], Err(SecretError::Misconfigured { .. })));
    assert_eq!(server.actions().len(), 3, "one that succeeds, one and its retry that fail");
}

#[tokio::test]
async fn one_that_spoils_the_call_for_all_is_found_by_asking_for_each() {
    let server = Server::start(|request| match request.body["SecretId"].as_str() {
        None => refusal(400, "InvalidRequestException", "one was marked for deletion"),
        Some("gone") => refusal(400, "InvalidRequestException", "it was marked for deletion"),
        Some(_) => single(request),
    })
    .await;
    let answers = store(&server).fetch_all(&names(&["a", "gone"])).await;
    assert_eq!(text(&answers[0]), "single-a");
    assert!(matches!(&answers[1], Err(SecretError::NotFound { name, .. }) if name == "gone"), "{answers:?}");
}
