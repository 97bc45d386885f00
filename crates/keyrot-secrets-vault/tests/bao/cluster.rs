//! The login of a pod: the server asks the cluster whose token it is. The cluster is played here.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keyrot_core::{SecretError, SecretStore as _};
use keyrot_testkit::live::bao::Bao;
use keyrot_testkit::tls::Authority;
use serde_json::json;

use crate::operator::{Operator, READ, store, text};

/// The token of the service account `keyrot` in the namespace `trading`, as a cluster makes them; until 2100. Nobody
/// here looks at its signature but the cluster.
const JWT: &str = "\
    eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2t1YmVybmV0ZXMuZGVmYXVsdC5zdmMuY\
    2x1c3Rlci5sb2NhbCIsInN1YiI6InN5c3RlbTpzZXJ2aWNlYWNjb3VudDp0cmFkaW5nOmtleXJvdCIsImF1ZCI6W\
    yJ2YXVsdCJdLCJpYXQiOjE3NjcyMjU2MDAsImV4cCI6NDEwMjQ0NDgwMCwia3ViZXJuZXRlcy5pbyI6eyJuYW1lc\
    3BhY2UiOiJ0cmFkaW5nIiwic2VydmljZWFjY291bnQiOnsibmFtZSI6ImtleXJvdCIsInVpZCI6InUtMSJ9fX0.Q\
    0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ\
    0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZ";

/// A cluster that knows one token; counts how often it is asked.
fn cluster() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let asked = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // Whoever hangs up is told nothing.
            if review(connection).is_some() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    (url, asked)
}

fn review(mut connection: TcpStream) -> Option<()> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    // The question ends with its JSON object, which is not cut up further here.
    let question: serde_json::Value = loop {
        let read = connection.read(&mut buffer).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        let body = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| &bytes[at + 4..]);
        if let Some(question) = body.and_then(|body| serde_json::from_slice(body).ok()) {
            break question;
        }
    };
    let known = question["spec"]["token"] == JWT;
    let user = json!({ "username": "system:serviceaccount:trading:keyrot", "uid": "u-1", "groups": ["system:serviceaccounts"] });
    let answer = json!({
        "kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1",
        "status": { "authenticated": known, "user": user, "audiences": ["vault"] },
    })
    .to_string();
    let head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nConnection: close\r\n";
    write!(connection, "{head}Content-Length: {}\r\n\r\n{answer}", answer.len()).ok()
}

#[tokio::test]
async fn a_pod_logs_in_with_its_service_account() {
    let (bao, (url, asked)) = (Bao::dev(), cluster());
    let operator = Operator::of(&bao);
    operator.keep("keyrot/a", &json!({ "value": "AIza-CANARY" }));
    operator.ask("PUT", "sys/policies/acl/reader", &json!({ "policy": READ }));
    operator.ask("POST", "sys/auth/pods", &json!({ "type": "kubernetes" }));
    let config = json!({
        "kubernetes_host": url, "disable_local_ca_jwt": true, "token_reviewer_jwt": JWT,
        // Asked for, and of no use on plain http.
        "kubernetes_ca_cert": Authority::new().pem().0,
    });
    operator.ask("POST", "auth/pods/config", &config);
    let role = json!({
        "bound_service_account_names": "keyrot", "bound_service_account_namespaces": "trading",
        "token_policies": "reader", "audience": "vault",
    });
    operator.ask("POST", "auth/pods/role/keyrot", &role);
    let file = bao.folder().join("jwt");
    fs::write(&file, format!("{JWT}\n")).expect("room");
    let settings =
        |role| [("VAULT_K8S_ROLE", role), ("VAULT_K8S_MOUNT", "pods"), ("VAULT_K8S_TOKEN_FILE", text(&file))];
    store(&bao, &settings("keyrot")).fetch("secret/keyrot/a").await.expect("the pod may read");
    assert_eq!(asked.load(Ordering::Relaxed), 1);

    let error = store(&bao, &settings("other")).fetch("secret/keyrot/a").await.expect_err("no such role");
    let said = format!("{error} {error:?}");
    assert!(matches!(error, SecretError::Denied { .. }), "{said}");
    assert!(said.contains("the login by Kubernetes failed") && said.contains("`VAULT_K8S_ROLE`"), "{said}");
    assert!(!said.contains("CANARY") && !said.contains(&JWT[..40]), "{said}");

    fs::remove_file(&file).expect("ours");
    let error = store(&bao, &settings("keyrot")).fetch("secret/keyrot/a").await.expect_err("no token");
    assert!(error.to_string().contains("`VAULT_K8S_TOKEN_FILE`"), "{error}");
}
