//! What every store owes its callers.

use std::sync::Arc;

use async_trait::async_trait;
use keyrot_core::{KeyId, SecretStore};
use keyrot_testkit::live::azure::Azure;
use keyrot_testkit::secrets::{Bench, conforms};

use crate::application;

struct Vault(Azure);

fn name(key: &KeyId) -> String {
    key.as_str().replace('_', "-")
}

#[async_trait]
impl Bench for Vault {
    async fn store(&self, held: &[(&KeyId, &str)]) -> Arc<dyn SecretStore> {
        for (key, text) in held {
            self.0.set(&name(key), text);
        }
        Arc::new(application(&self.0))
    }

    async fn text(&self, key: &KeyId) -> String {
        self.0.newest(&name(key)).expect("it is there").value
    }

    fn is_json(&self) -> bool {
        true
    }

    fn has_versions(&self) -> bool {
        true
    }

    fn is_written(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn it_keeps_what_every_store_promises() {
    conforms(&Vault(Azure::new()), "suite_of").await;
}
