//! What every store promises, kept in both versions of KV.

use std::sync::Arc;

use async_trait::async_trait;
use keyrot_core::{KeyId, SecretStore};
use keyrot_testkit::live::openbao::ROOT;
use keyrot_testkit::secrets::{Bench, conforms};
use serde_json::{Value, json};

use crate::{operator, store};

struct Kv {
    mount: &'static str,
    versions: bool,
}

impl Kv {
    fn path(&self, key: &KeyId) -> String {
        format!("{}/{}keyrot/{key}", self.mount, if self.versions { "data/" } else { "" })
    }
}

#[async_trait]
impl Bench for Kv {
    async fn store(&self, held: &[(&KeyId, &str)]) -> Arc<dyn SecretStore> {
        for (key, text) in held {
            let object = serde_json::from_str(text).ok().filter(Value::is_object);
            let data = object.unwrap_or_else(|| json!({ "value": text }));
            // A first version of KV holds no empty object.
            let data = if !self.versions && data == json!({}) { json!({ "a": 1, "b": 2 }) } else { data };
            let body = if self.versions { json!({ "data": data }) } else { data };
            operator("POST", &self.path(key), &body);
        }
        Arc::new(store(&[("VAULT_TOKEN", ROOT), ("VAULT_SECRET_PATH", &format!("{}/keyrot", self.mount))]))
    }

    async fn text(&self, key: &KeyId) -> String {
        let answer = operator("GET", &self.path(key), &Value::Null);
        if self.versions { answer["data"]["data"].to_string() } else { answer["data"].to_string() }
    }

    fn is_json(&self) -> bool {
        true
    }

    fn has_versions(&self) -> bool {
        self.versions
    }

    fn is_written(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn with_versions_it_keeps_the_promises_of_every_store() {
    conforms(&Kv { mount: "secret", versions: true }, "suite").await;
}

#[tokio::test]
async fn without_versions_it_keeps_them_too() {
    operator("POST", "sys/mounts/first", &json!({ "type": "kv", "options": { "version": "1" } }));
    conforms(&Kv { mount: "first", versions: false }, "suite").await;
}
