//! What every secret store owes its callers, asked of this one, with versions and without.

use std::sync::Arc;

use async_trait::async_trait;
use keyrot_core::{KeyId, SecretStore};
use keyrot_testkit::live::bao::{Bao, ROOT};
use keyrot_testkit::secrets::{Bench, conforms};
use serde_json::{Value, json};

use crate::operator::{Operator, store};

struct Kv {
    bao: Bao,
    mount: &'static str,
    has_versions: bool,
}

impl Kv {
    fn path(&self, key: &KeyId) -> String {
        let data = if self.has_versions { "/data" } else { "" };
        format!("{}{data}/team/{key}", self.mount)
    }
}

#[async_trait]
impl Bench for Kv {
    async fn store(&self, held: &[(&KeyId, &str)]) -> Arc<dyn SecretStore> {
        for (key, text) in held {
            // An object is what the secret holds; anything else is its field `value`.
            let object = serde_json::from_str(text).ok().filter(Value::is_object);
            let data = object.unwrap_or_else(|| json!({ "value": text }));
            let body = if self.has_versions { json!({ "data": data }) } else { data };
            // Without versions an empty secret is refused by the server itself.
            let (status, said) = self.bao.ask("POST", &self.path(key), ROOT, &body.to_string(), None);
            assert!(
                matches!(status, 200 | 204) || (status == 400 && said.contains("missing data")),
                "{status} {said}"
            );
        }
        let path = format!("{}/team", self.mount);
        Arc::new(store(&self.bao, &[("VAULT_TOKEN", ROOT), ("VAULT_SECRET_PATH", &path)]))
    }

    async fn text(&self, key: &KeyId) -> String {
        let answer = Operator::of(&self.bao).ask("GET", &self.path(key), &Value::Null);
        let data = if self.has_versions { &answer["data"]["data"] } else { &answer["data"] };
        data.to_string()
    }

    fn is_json(&self) -> bool {
        true
    }

    fn has_versions(&self) -> bool {
        self.has_versions
    }

    fn is_written(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn it_conforms_with_versions() {
    let bao = Bao::dev();
    conforms(&Kv { bao, mount: "secret", has_versions: true }, "suite").await;
}

#[tokio::test]
async fn it_conforms_without_versions_in_a_mount_of_several_parts() {
    let bao = Bao::dev();
    Operator::of(&bao).ask(
        "POST",
        "sys/mounts/org/kv",
        &json!({ "type": "kv", "options": { "version": "1" } }),
    );
    conforms(&Kv { bao, mount: "org/kv", has_versions: false }, "suite").await;
}
