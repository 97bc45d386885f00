//! The rotator's free questions, against servers that answer oddly or not at all. How a Gemini
//! answers them is in `tests/it/probing.rs` of the workspace.

use std::time::Duration;

use gemini_client::Probing;
use keyrot_core::call::{Prober, Proof};
use keyrot_core::{ModelId, Outcome};
use secrecy::SecretString;

use crate::server::{Server, Step, endless};
use crate::{MODEL, client, key};

const JSON: &str = "application/json";
const NO_MODEL: &str = r#"{"error":{"code":404,"message":"models/x is not found for API version v1beta, or is not supported for generateContent. Call ModelService.ListModels to see the list of available models and their supported methods.","status":"NOT_FOUND"}}"#;
const NO_METHOD: &str = r#"{"error":{"code":404,"message":"Method not found.","status":"NOT_FOUND"}}"#;

async fn probe(url: &str) -> Proof {
    Probing::new(client(url)).probe(&key(), &ModelId::from(MODEL)).await
}

async fn models(url: &str) -> Option<Vec<ModelId>> {
    Probing::new(client(url)).models(&key()).await
}

#[tokio::test]
async fn an_answer_that_says_nothing_of_key_or_model_proves_nothing() {
    for (status, media, body) in [
        ("404 Not Found", "text/html", "<html>not found"),
        ("404 Not Found", "text/plain", "404 page not found"),
        ("404 Not Found", JSON, r#"{"detail":"Not Found"}"#),
        ("404 Not Found", JSON, NO_METHOD),
        ("405 Method Not Allowed", JSON, r#"{"error":{"code":405,"message":"no"}}"#),
        ("501 Not Implemented", JSON, r#"{"error":{"code":501,"message":"no"}}"#),
        (
            "400 Bad Request",
            JSON,
            r#"{"error":{"code":400,"message":"Request contains an invalid argument."}}"#,
        ),
        ("401 Unauthorized", "text/html", "<html>log in"),
        ("403 Forbidden", "text/html", "<html>blocked"),
        ("302 Found", "text/html", ""),
        ("429 Too Many Requests", "text/plain", ""),
        (
            "500 Internal Server Error",
            JSON,
            r#"{"error":{"code":500,"message":"Internal error encountered."}}"#,
        ),
        ("502 Bad Gateway", "text/html", "<html>"),
        ("503 Service Unavailable", JSON, r#"{"error":{"code":503,"message":"The model is overloaded."}}"#),
        ("504 Gateway Timeout", "text/html", ""),
        ("200 OK", "text/html", "<html>log in"),
        ("200 OK", JSON, ""),
        ("200 OK", JSON, "{}"),
        ("200 OK", JSON, "[]"),
        ("200 OK", JSON, r#"{"name":"models/"}"#),
        ("200 OK", JSON, r#"{"name":"welcome"}"#),
        ("200 OK", JSON, r#"{"name":"models/a"#),
    ] {
        let server = Server::answer(status, media, body).await;
        assert_eq!(probe(&server.url).await, Proof::Unknown, "{status} {body}");
        assert_eq!(models(&server.url).await, None, "{status} {body}");
    }
    let closed = Server::play(vec![Step::Reset]).await;
    assert_eq!(probe(&closed.url).await, Proof::Unknown);
    assert_eq!(models(&closed.url).await, None);
}

#[tokio::test]
async fn a_gemini_error_about_the_model_is_a_refusal_and_a_card_is_proof() {
    let mut server = Server::answer("404 Not Found", JSON, NO_MODEL).await;
    assert_eq!(probe(&server.url).await, Proof::Refused(Outcome::ModelNotFound));
    assert_eq!(server.only_request().line, "GET /v1beta/models/gemini-2.5-flash HTTP/1.1");
    let server = Server::answer("200 OK", JSON, r#"{"name":"models/gemini-2.5-flash"}"#).await;
    assert_eq!(probe(&server.url).await, Proof::Works);
    // What stands behind an alias.
    let server = Server::answer("200 OK", JSON, r#"{"name":"models/gemini-3.8-flash","version":"1"}"#).await;
    assert_eq!(probe(&server.url).await, Proof::Works);
}

#[tokio::test]
async fn a_name_or_a_key_that_cannot_be_sent_asks_nobody() {
    let mut server = Server::answer("200 OK", JSON, r#"{"name":"models/a"}"#).await;
    let probing = Probing::new(client(&server.url));
    assert_eq!(probing.probe(&key(), &ModelId::from("../files")).await, Proof::Unknown);
    let unsendable = SecretString::from("a\nb");
    let proof = probing.probe(&unsendable, &ModelId::from(MODEL)).await;
    assert!(matches!(proof, Proof::Refused(Outcome::KeyRejected { .. })), "{proof:?}");
    assert_eq!(probing.models(&unsendable).await, None);
    assert_eq!(server.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn silence_proves_nothing_after_five_seconds() {
    for script in [vec![Step::Hang], vec![Step::Send(endless(JSON)), Step::Hang]] {
        let server = Server::play(script).await;
        let both = async {
            assert_eq!(probe(&server.url).await, Proof::Unknown);
            assert_eq!(models(&server.url).await, None);
        };
        // Time stands still, and jumps when nothing else can happen: no test waits.
        tokio::time::timeout(Duration::from_millis(10_100), both).await.expect("five seconds each");
    }
}

#[tokio::test]
async fn a_list_is_whole_or_none() {
    let page = |models: &str, next: &str| format!(r#"{{"models":[{models}],"nextPageToken":"{next}"}}"#);
    // The same page for ever.
    let endless = page(r#"{"name":"models/a"}"#, "again");
    let mut server = Server::answer("200 OK", JSON, &endless).await;
    assert_eq!(models(&server.url).await, None);
    assert_eq!(server.count(), 10);
    let odd = page(r#"{"name":"models/a"},{"name":"tunedModels/b"},{"name":"models/../c"},{}"#, "");
    let mut server = Server::answer("200 OK", JSON, &odd).await;
    assert_eq!(models(&server.url).await, Some(vec![ModelId::from("a")]));
    assert_eq!(server.only_request().line, "GET /v1beta/models?pageSize=1000 HTTP/1.1");
}
