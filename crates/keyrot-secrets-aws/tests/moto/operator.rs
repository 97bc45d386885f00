//! What an operator does at the service, without the store or its SDK.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::{MOTO, REGION};

/// Asks for an action of the service, and gives its answer.
pub(crate) fn ask(action: &str, parameters: &Value) -> Value {
    let url = MOTO.url();
    let address = url.strip_prefix("http://").expect("plain HTTP");
    let body = parameters.to_string();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.1\r\n\
         X-Amz-Target: secretsmanager.{action}\r\nContent-Length: {}\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=AKIAOPERATOR/20260101/{REGION}/secretsmanager/aws4_request, SignedHeaders=host, Signature=0\
         \r\n\r\n{body}",
        body.len()
    );
    let mut connection = TcpStream::connect(address).expect("moto is there");
    connection.write_all(request.as_bytes()).expect("moto listens");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("moto answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
    assert_eq!(head.split(' ').nth(1), Some("200"), "{action} {parameters}: {answer}");
    serde_json::from_str(body).expect("JSON")
}

/// Creates a secret, or gives it a new version. Its ARN.
pub(crate) fn keep(name: &str, text: &str) -> String {
    let listed = ask("ListSecrets", &json!({ "Filters": [{ "Key": "name", "Values": [name] }] }));
    let is_there = listed["SecretList"].as_array().expect("a list").iter().any(|it| it["Name"] == name);
    let answer = if is_there {
        ask(
            "PutSecretValue",
            &json!({ "SecretId": name, "SecretString": text, "ClientRequestToken": token() }),
        )
    } else {
        ask("CreateSecret", &json!({ "Name": name, "SecretString": text, "ClientRequestToken": token() }))
    };
    answer["ARN"].as_str().expect("an ARN").to_owned()
}

/// What the service wants for every version: a label of its own.
pub(crate) fn token() -> String {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("00000000-0000-4000-8000-{next:012}")
}

/// The current version, as the service has it.
pub(crate) fn current(name: &str) -> Value {
    ask("GetSecretValue", &json!({ "SecretId": name, "VersionStage": "AWSCURRENT" }))
}
