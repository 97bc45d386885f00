//! The store before OpenBao, a Vault.

#![expect(clippy::expect_used, reason = "what a test needs and does not get fails the test")]

mod conformance;
mod login;
mod mounts;
mod outage;
mod versions;

use std::sync::LazyLock;

use keyrot_core::{EnvMap, Secret, SecretError};
use keyrot_secrets_vault::VaultStore;
use keyrot_testkit::live::openbao::{Bao, ROOT};
use secrecy::ExposeSecret;
use serde_json::Value;

/// One for all tests that leave it alone: each has names of its own.
static BAO: LazyLock<Bao> = LazyLock::new(Bao::dev);

/// A store before `BAO`, with further variables.
fn store(more: &[(&str, &str)]) -> VaultStore {
    let url = BAO.url();
    let env: EnvMap = [("VAULT_ADDR", url.as_str())].into_iter().chain(more.iter().copied()).collect();
    VaultStore::new(&env).expect("legal settings")
}

fn root() -> VaultStore {
    store(&[("VAULT_TOKEN", ROOT)])
}

fn operator(method: &str, path: &str, body: &Value) -> Value {
    BAO.asked(method, path, ROOT, body)
}

/// A token with one policy.
fn token(policy: &str, rules: &str, more: &Value) -> String {
    operator("PUT", &format!("sys/policies/acl/{policy}"), &serde_json::json!({ "policy": rules }));
    let mut body = serde_json::json!({ "policies": [policy] });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let made = operator("POST", "auth/token/create", &body);
    made["auth"]["client_token"].as_str().expect("a token").to_owned()
}

fn text(answer: &Result<Secret, SecretError>) -> &str {
    answer.as_ref().expect("it is there").value.expose_secret()
}

fn said(answer: &Result<Secret, SecretError>) -> String {
    answer.as_ref().expect_err("an error").to_string()
}
