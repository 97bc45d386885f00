//! What an operator does behind the store's back.

use std::path::{Path, PathBuf};

use keyrot_core::EnvMap;
use keyrot_secrets_vault::VaultStore;
use keyrot_testkit::live::bao::{Bao, ROOT};
use serde_json::{Value, json};

/// Somebody who may do everything.
pub(crate) struct Operator<'a> {
    pub(crate) bao: &'a Bao,
    pub(crate) token: String,
    pub(crate) ca: Option<PathBuf>,
}

impl<'a> Operator<'a> {
    pub(crate) fn of(bao: &'a Bao) -> Self {
        Self { bao, token: ROOT.to_owned(), ca: None }
    }

    /// Asks, and is not refused.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, text) = self.bao.ask(method, path, &self.token, &body, self.ca.as_deref());
        assert!(matches!(status, 200 | 204), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Mounts `kv` with versions, and waits until it serves: at first it is busy with making room for versions.
    pub(crate) fn mount(&self, namespace: &str, mount: &str) {
        let wanted = json!({ "type": "kv", "options": { "version": "2" } });
        self.ask("POST", &format!("{namespace}sys/mounts/{mount}"), &wanted);
        let config = format!("{namespace}{mount}/config");
        let is_ready = || self.bao.ask("GET", &config, &self.token, "", self.ca.as_deref()).0 == 200;
        assert!(
            (0..400).any(|_| {
                let ready = is_ready();
                if !ready {
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
                ready
            }),
            "`{mount}` does not serve"
        );
    }

    /// Keeps `data` at `path` of the mount `secret`.
    pub(crate) fn keep(&self, path: &str, data: &Value) {
        self.ask("POST", &format!("secret/data/{path}"), &json!({ "data": data }));
    }

    /// A token that may do what `policy` says, for `ttl`.
    pub(crate) fn token(&self, name: &str, policy: &str, more: Value) -> String {
        self.ask("PUT", &format!("sys/policies/acl/{name}"), &json!({ "policy": policy }));
        let mut wanted = json!({ "policies": [name] });
        if let (Value::Object(wanted), Value::Object(more)) = (&mut wanted, more) {
            wanted.extend(more);
        }
        let made = self.ask("POST", "auth/token/create", &wanted);
        made["auth"]["client_token"].as_str().expect("a token").to_owned()
    }

    /// A role that may read, with these parameters: its id and a secret id.
    pub(crate) fn role(&self, name: &str, policy: &str, parameters: &Value) -> (String, String) {
        self.ask("PUT", &format!("sys/policies/acl/{name}"), &json!({ "policy": policy }));
        let (status, text) = self.bao.ask(
            "POST",
            "sys/auth/approle",
            &self.token,
            r#"{"type": "approle"}"#,
            self.ca.as_deref(),
        );
        assert!(status == 204 || text.contains("already in use"), "{status} {text}");
        let mut wanted = json!({ "token_policies": name });
        if let (Value::Object(wanted), Value::Object(more)) = (&mut wanted, parameters.clone()) {
            wanted.extend(more);
        }
        self.ask("POST", &format!("auth/approle/role/{name}"), &wanted);
        let role = self.ask("GET", &format!("auth/approle/role/{name}/role-id"), &Value::Null);
        let secret = self.ask("POST", &format!("auth/approle/role/{name}/secret-id"), &json!({}));
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        (text(&role["data"]["role_id"]), text(&secret["data"]["secret_id"]))
    }
}

/// What a program needs that only reads.
pub(crate) const READ: &str = r#"path "secret/data/keyrot/*" { capabilities = ["read"] }"#;

/// A store before `bao` with these settings besides its address.
pub(crate) fn store(bao: &Bao, more: &[(&str, &str)]) -> VaultStore {
    let url = bao.url();
    let env: EnvMap = [("VAULT_ADDR", url.as_str())].into_iter().chain(more.iter().copied()).collect();
    VaultStore::new(&env).expect("legal settings")
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
