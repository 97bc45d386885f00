//! What goes out on the wire.

use bytes::Bytes;
use futures_util::StreamExt;
use gemini_client::wire::{CountTokensRequest, GenerateRequest};
use gemini_client::{Client, Config};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use keyrot_core::Outcome;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::server::Server;
use crate::{MODEL, client, key};

const ANSWER: &str =
    r#"{"candidates":[{"content":{"parts":[{"text":"OK"}],"role":"model"},"finishReason":"STOP"}]}"#;

#[tokio::test]
async fn the_key_goes_in_one_header_and_nothing_else_is_added() {
    let mut server = Server::answer("200 OK", "application/json", ANSWER).await;
    let answer = client(&server.url).generate(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap();
    assert_eq!(answer.text(), "OK");
    let request = server.only_request();
    assert_eq!(request.line, "POST /v1beta/models/gemini-2.5-flash:generateContent HTTP/1.1");
    assert_eq!(request.header("x-goog-api-key"), Some("KEYROT_CANARY"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let user_agent = request.header("user-agent").expect("a user agent");
    assert!(user_agent.starts_with("keyrot-gemini-client/"), "{user_agent}");
    for (name, value) in &request.headers {
        assert!(request.header(name).is_some());
        assert!(name == "x-goog-api-key" || !value.contains("KEYROT_CANARY"), "{name}");
        let expected = ["x-goog-api-key", "content-type", "content-length", "user-agent", "host", "accept"];
        assert!(expected.contains(&name.as_str()), "unexpected header `{name}`");
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, json!({"contents": [{"parts": [{"text": "hi"}], "role": "user"}]}));
}

#[tokio::test]
async fn every_call_has_its_path() {
    let mut server = Server::answer("200 OK", "application/json", "{}").await;
    let mut config = Config::at(format!("{}/gemini/", server.url));
    config.api_version = "v1".to_owned();
    let client = Client::new(&config).unwrap();
    let key = key();

    client.get_model(&key, "models/gemini-2.5-flash").await.unwrap();
    let request = server.only_request();
    assert_eq!(request.line, "GET /gemini/v1/models/gemini-2.5-flash HTTP/1.1");
    assert_eq!(request.header("content-type"), None);

    client.list_models(&key, None, None).await.unwrap();
    assert_eq!(server.only_request().line, "GET /gemini/v1/models HTTP/1.1");
    client.list_models(&key, Some(7), Some("a&key=b c")).await.unwrap();
    assert_eq!(
        server.only_request().line,
        "GET /gemini/v1/models?pageSize=7&pageToken=a%26key%3Db+c HTTP/1.1"
    );

    client.count_tokens(&key, MODEL, &CountTokensRequest::text("hi")).await.unwrap();
    let request = server.only_request();
    assert_eq!(request.line, "POST /gemini/v1/models/gemini-2.5-flash:countTokens HTTP/1.1");
    assert_eq!(request.body, br#"{"contents":[{"parts":[{"text":"hi"}],"role":"user"}]}"#);
    client.count_tokens(&key, MODEL, &GenerateRequest::text("hi").into()).await.unwrap();
    let body: Value = serde_json::from_slice(&server.only_request().body).unwrap();
    assert_eq!(body["generateContentRequest"]["model"], "models/gemini-2.5-flash");

    let mut stream = client.stream(&key, MODEL, &GenerateRequest::text("hi")).await.unwrap();
    while stream.next().await.is_some() {}
    assert_eq!(
        server.only_request().line,
        "POST /gemini/v1/models/gemini-2.5-flash:streamGenerateContent?alt=sse HTTP/1.1"
    );
}

#[tokio::test]
async fn raw_replaces_credentials_and_passes_the_rest_on() {
    let mut server = Server::answer("429 Too Many Requests", "text/plain", "slow down").await;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-goog-api-key", "caller"),
        ("authorization", "Bearer caller"),
        ("cookie", "caller"),
        ("accept-encoding", "gzip"),
        ("host", "caller.example"),
        ("connection", "keep-alive"),
        ("content-type", "application/x-thing"),
        ("x-goog-upload-command", "start"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let path = "/upload/v1beta/files?uploadType=resumable";
    let body = Bytes::from_static(b"\0\xff bytes");
    let answer = client(&server.url).raw(&key(), Method::PUT, path, headers, body).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.content_type()), (429, Some("text/plain")));
    assert_eq!(answer.body.collect(100).await.unwrap(), "slow down");

    let request = server.only_request();
    assert_eq!(request.line, format!("PUT {path} HTTP/1.1"));
    assert_eq!(request.body, b"\0\xff bytes");
    assert_eq!(request.header("x-goog-api-key"), Some("KEYROT_CANARY"));
    assert_eq!(request.header("content-type"), Some("application/x-thing"));
    assert_eq!(request.header("x-goog-upload-command"), Some("start"));
    for gone in ["authorization", "cookie", "accept-encoding", "connection"] {
        assert_eq!(request.header(gone), None, "{gone}");
    }
    assert!(request.headers.iter().all(|(_, value)| !value.contains("caller")));
}

#[tokio::test]
async fn what_cannot_be_sent_is_not() {
    let mut server = Server::answer("200 OK", "application/json", "{}").await;
    let client = client(&server.url);
    let request = GenerateRequest::text("hi");
    for model in ["../secrets", "a/b", "a?key=1", ""] {
        let error = client.generate(&key(), model, &request).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::BadRequest, "{model}");
    }
    for path in ["/v1beta/models?key=abc", "/v1beta/models?access_token=abc", "models", "@evil.example/"] {
        let error = client.raw(&key(), Method::GET, path, HeaderMap::new(), Bytes::new()).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::BadRequest, "{path}");
    }
    for key in ["", "a\nb", "a\u{7f}"] {
        let error = client.generate(&SecretString::from(key), MODEL, &request).await.unwrap_err();
        assert!(matches!(error.outcome(), Outcome::KeyRejected { .. }), "{error}");
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_proxy_of_the_configuration_is_used() {
    let mut proxy = Server::answer("200 OK", "application/json", ANSWER).await;
    let mut config = Config::at("http://gemini.invalid");
    config.proxy = Some(proxy.url.clone());
    let client = Client::new(&config).unwrap();
    client.generate(&key(), MODEL, &GenerateRequest::text("hi")).await.unwrap();
    let line = proxy.only_request().line;
    assert!(line.starts_with("POST http://gemini.invalid/v1beta/models/"), "{line}");
}
