//! OpenBao, behind a door.

use async_trait::async_trait;
use keyrot_testkit::live::bao::{Bao, ROOT};
use parking_lot::Mutex;
use serde_json::json;

use crate::door::Door;
use crate::place::{Place, a_rotation_loses_no_request, an_outage_costs_no_request};

/// In every request that reads a secret.
const READS: &str = "get /v1/secret/data/";

struct Vault {
    bao: Bao,
    door: Door,
    held: Mutex<Option<(String, String)>>,
}

impl Vault {
    async fn start() -> Self {
        let bao = Bao::dev();
        let door = Door::before(bao.port(), READS).await;
        Self { bao, door, held: Mutex::default() }
    }
}

#[async_trait]
impl Place for Vault {
    fn env(&self) -> Vec<(String, String)> {
        let url = format!("http://127.0.0.1:{}", self.door.port());
        [("SECRET_STORE_TYPE", "vault"), ("VAULT_ADDR", &url), ("VAULT_TOKEN", ROOT)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    async fn keep(&self, label: &str, secret: &str) {
        let body = json!({ "data": { "value": secret } }).to_string();
        // Past the door.
        let (status, said) = self.bao.ask("POST", &format!("secret/data/keyrot/{label}"), ROOT, &body, None);
        assert_eq!(status, 200, "{said}");
        *self.held.lock() = Some((label.to_owned(), secret.to_owned()));
    }

    async fn kill(&mut self) {
        self.door.shut(true);
        self.bao.kill();
    }

    /// It keeps nothing in memory: what it held is put there again.
    async fn come_back(&mut self) {
        self.bao.restart();
        let held = self.held.lock().clone();
        if let Some((label, secret)) = held {
            self.keep(&label, &secret).await;
        }
        self.door.shut(false);
    }

    fn reads(&self) -> u64 {
        self.door.reads()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_in_vault_loses_no_request() {
    a_rotation_loses_no_request(Vault::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_vault_costs_no_request() {
    an_outage_costs_no_request(Vault::start().await).await;
}
