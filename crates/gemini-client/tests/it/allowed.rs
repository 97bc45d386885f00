//! What of a caller's request travels on through `Client::raw`, as a real server sees it.

use bytes::Bytes;
use gemini_client::{Error, ErrorKind, RawResponse};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use keyrot_core::{Deadline, Outcome};

use crate::server::{Request, Server};
use crate::{client, key};

const LATE: &str = r#"{"error":{"code":504,"message":"Deadline expired before operation could complete.","status":"DEADLINE_EXCEEDED"}}"#;

async fn raw(url: &str, method: Method, path: &str, headers: HeaderMap) -> Result<RawResponse, Error> {
    client(url).raw(&key(), method, path, headers, Bytes::new()).await
}

/// The request that a server sees when a caller sends this one.
async fn seen(path: &str, headers: &[(&str, &str)]) -> Request {
    let mut server = Server::answer("200 OK", "application/json", "{}").await;
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    raw(&server.url, Method::GET, path, map).await.unwrap();
    server.only_request()
}

#[tokio::test]
async fn no_header_names_another_credential_project_or_method() {
    let forbidden = [
        // Credentials.
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-goog-api-key",
        "x-goog-iam-authorization-token",
        "x-goog-iam-authority-selector",
        "x-goog-iap-jwt-assertion",
        "x-goog-authenticated-user-email",
        "x-api-key",
        "x-authorization",
        "x-serverless-authorization",
        // Who pays, and who is counted.
        "x-goog-user-project",
        "x-goog-quota-user",
        "x-goog-project-override",
        "x-server-token",
        // What a key's restrictions are held against.
        "referer",
        "origin",
        "x-referer",
        "x-origin",
        "x-requested-with",
        "x-forwarded-for",
        "x-real-ip",
        "forwarded",
        "via",
        "x-android-package",
        "x-android-cert",
        "x-ios-bundle-identifier",
        // Another method, path or host.
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
        "x-forwarded-host",
        "x-goog-request-params",
        "x-goog-encode-response-if-executable",
        // Headers of a request within the request.
        "x-goog-upload-header-authorization",
        "x-goog-upload-header-x-goog-user-project",
        "x-goog-upload-url",
        // Names that some servers read like the ones with hyphens.
        "x_goog_user_project",
        "x_goog_api_key",
        // Nothing anybody knows.
        "x-something-new",
        "accept-encoding",
        "expect",
    ];
    for name in forbidden {
        let request = seen("/v1beta/models", &[(name, "smuggled"), (&name.to_uppercase(), "smuggled")]).await;
        assert!(request.headers.iter().all(|(_, value)| !value.contains("smuggled")), "{name}");
        let credentials = request.headers.iter().filter(|(_, value)| value == "KEYROT_CANARY");
        assert_eq!(credentials.count(), 1, "{name}");
    }
}

#[tokio::test]
async fn what_the_sdks_send_arrives() {
    let sent = [
        ("content-type", "application/json"),
        ("accept", "text/event-stream"),
        ("accept-language", "de"),
        ("user-agent", "google-genai-sdk/3.6.0 gl-python/3.13"),
        ("x-goog-api-client", "google-genai-sdk/3.6.0 gl-python/3.13"),
        ("x-server-timeout", "30"),
        ("x-goog-upload-protocol", "resumable"),
        ("x-goog-upload-command", "upload, finalize"),
        ("x-goog-upload-offset", "8388608"),
        ("x-goog-upload-file-name", "a.pdf"),
        ("x-goog-upload-header-content-length", "9000000"),
        ("x-goog-upload-header-content-type", "application/pdf"),
        ("range", "bytes=0-99"),
        ("if-none-match", "\"a\""),
    ];
    let request = seen("/v1beta/files", &sent).await;
    for (name, value) in sent {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    for (query, arrives) in [
        ("alt=sse", "alt=sse"),
        ("$alt=json&prettyPrint=false", "%24alt=json&prettyPrint=false"),
        ("%24fields=models(name)", "%24fields=models%28name%29"),
        ("pageSize=7&pageToken=a%26b", "pageSize=7&pageToken=a%26b"),
        ("page_size=7&page_token=x", "page_size=7&page_token=x"),
        ("filter=state%3DACTIVE&updateMask=ttl", "filter=state%3DACTIVE&updateMask=ttl"),
        (
            "uploadType=resumable&upload_id=A-b_9&upload_protocol=resumable",
            "uploadType=resumable&upload_id=A-b_9&upload_protocol=resumable",
        ),
        ("alt=sse&alt=json", "alt=sse&alt=json"),
        ("alt", "alt="),
    ] {
        assert_eq!(
            seen(&format!("/v1beta/x?{query}"), &[]).await.line,
            format!("GET /v1beta/x?{arrives} HTTP/1.1")
        );
    }
    for bare in ["/v1beta/x", "/v1beta/x?", "/v1beta/x#access_token=abc"] {
        assert_eq!(seen(bare, &[]).await.line, "GET /v1beta/x HTTP/1.1");
    }
}

#[tokio::test]
async fn no_query_parameter_names_another_credential_project_or_method() {
    let mut server = Server::answer("200 OK", "application/json", "{}").await;
    let client = client(&server.url);
    let names = [
        "key",
        "Key",
        "api_key",
        "apikey",
        "access_token",
        "accessToken",
        "ACCESS_TOKEN",
        "oauth_token",
        "bearer_token",
        "authuser",
        "$key",
        "$access_token",
        "quotaUser",
        "quota_user",
        "$quotaUser",
        "userIp",
        "userProject",
        "$userProject",
        "$httpMethod",
        "$httpHeaders",
        "$req",
        "$ct",
        "$unique",
        "method",
        "_method",
        "x-http-method-override",
        "X-Goog-User-Project",
        "callback",
        "$callback",
        "$.xgafv",
        "trace",
        "$trace",
        "pp",
        "",
        " alt",
        "alt ",
        "alt[]",
    ];
    for name in names {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let twice = encoded.replace('%', "%25");
        let first = name.bytes().next().map(|byte| format!("%{byte:02X}{}", &name[1..])).unwrap_or_default();
        for spelled in [name.to_owned(), encoded, twice, first] {
            for query in [
                format!("{spelled}=x"),
                format!("alt=sse&{spelled}=x"),
                format!("{spelled}=&{spelled}=x&alt=sse"),
                format!("&&{spelled}=x"),
            ] {
                let path = format!("/v1beta/models?{query}");
                let sent = client.raw(&key(), Method::GET, &path, HeaderMap::new(), Bytes::new()).await;
                let error = sent.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{query}");
                assert_eq!(error.outcome(), Outcome::BadRequest, "{query}");
            }
        }
    }
    assert_eq!(server.count(), 0);
    // What one server takes for a separator arrives as a part of the value.
    let request = seen("/v1beta/x?alt=sse;access_token=abc", &[]).await;
    assert_eq!(request.line, "GET /v1beta/x?alt=sse%3Baccess_token%3Dabc HTTP/1.1");
}

#[tokio::test]
async fn a_refused_parameter_is_named() {
    let error =
        raw("http://127.0.0.1:9", Method::GET, "/x?access_token=abc", HeaderMap::new()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`access_token`") && !text.contains("abc"), "{text}");
    let long = format!("/x?{}=1", "a".repeat(5000));
    let error = raw("http://127.0.0.1:9", Method::GET, &long, HeaderMap::new()).await.unwrap_err();
    assert!(error.to_string().len() < 300, "{error}");
}

#[tokio::test]
async fn methods_that_would_echo_or_tunnel_are_refused() {
    let mut server = Server::answer("200 OK", "application/json", "{}").await;
    for method in ["TRACE", "CONNECT", "OPTIONS", "TRACK", "get", "PURGE"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let error = raw(&server.url, method, "/x", HeaderMap::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    }
    assert_eq!(server.count(), 0);
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        raw(&server.url, method.clone(), "/x", HeaderMap::new()).await.unwrap();
        assert!(server.only_request().line.starts_with(method.as_str()));
    }
}

#[tokio::test]
async fn a_raw_answer_knows_the_callers_deadline() {
    let server = Server::answer("504 Gateway Timeout", "application/json", LATE).await;
    for (timeouts, expected) in [
        (&[][..], Outcome::Overloaded),
        (&["3"], Outcome::OwnDeadline(Deadline::Caller)),
        (&["900", "3"], Outcome::OwnDeadline(Deadline::Caller)),
        (&["900"], Outcome::Overloaded),
        (&["soon"], Outcome::Overloaded),
    ] {
        let mut headers = HeaderMap::new();
        for timeout in timeouts {
            headers.append("x-server-timeout", HeaderValue::from_static(timeout));
        }
        let answer = raw(&server.url, Method::GET, "/x", headers).await.unwrap();
        let outcome = gemini_client::classify(&answer.head(), LATE.as_bytes());
        assert_eq!(outcome, expected, "{timeouts:?}");
    }
}
