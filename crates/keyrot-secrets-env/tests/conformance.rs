//! What every secret store owes its callers, asked of this one.
#![cfg(test)]

use std::sync::Arc;

use async_trait::async_trait;
use keyrot_core::{EnvMap, KeyId, SecretStore};
use keyrot_secrets_env::EnvStore;
use keyrot_testkit::secrets::{Bench, conforms};

struct Env;

#[async_trait]
impl Bench for Env {
    async fn store(&self, held: &[(&KeyId, &str)]) -> Arc<dyn SecretStore> {
        let env: EnvMap = held.iter().map(|(key, text)| (format!("GEMINI_KEY_{key}"), *text)).collect();
        Arc::new(EnvStore::new(env))
    }

    async fn text(&self, _: &KeyId) -> String {
        panic!("nothing is written")
    }

    fn is_json(&self) -> bool {
        false
    }

    fn has_versions(&self) -> bool {
        false
    }

    fn is_written(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn it_conforms() {
    conforms(&Env, "suite").await;
}
