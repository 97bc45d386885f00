//! What every store promises.

use std::sync::Arc;

use async_trait::async_trait;
use keyrot_core::{KeyId, SecretStore};
use keyrot_testkit::secrets::{Bench, conforms};

use crate::{operator, store};

struct Aws;

fn name(key: &KeyId) -> String {
    format!("keyrot/{key}")
}

#[async_trait]
impl Bench for Aws {
    async fn store(&self, held: &[(&KeyId, &str)]) -> Arc<dyn SecretStore> {
        for (key, text) in held {
            operator::keep(&name(key), text);
        }
        Arc::new(store())
    }

    async fn text(&self, key: &KeyId) -> String {
        operator::current(&name(key))["SecretString"].as_str().expect("text").to_owned()
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
async fn the_store_keeps_the_promises_of_every_store() {
    conforms(&Aws, "suite").await;
}
