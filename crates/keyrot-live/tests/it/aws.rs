//! The simulated AWS, behind a door. It keeps nothing: what it held is put there again when it comes back.

use async_trait::async_trait;
use keyrot_testkit::live::moto::Moto;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::door::Door;
use crate::place::{Place, a_rotation_loses_no_request, an_outage_costs_no_request};

/// In every request that reads secrets, one or several.
const READS: &str = "getsecretvalue";

struct Aws {
    moto: Moto,
    door: Door,
    held: Mutex<Option<(String, String)>>,
}

impl Aws {
    async fn start() -> Self {
        let moto = Moto::start();
        let door = Door::before(moto.port(), READS).await;
        Self { moto, door, held: Mutex::default() }
    }

    /// As an operator asks it, past the door.
    async fn ask(&self, action: &str, what: &Value) -> reqwest::StatusCode {
        let credentials = "AWS4-HMAC-SHA256 Credential=x/20260101/eu-central-1/secretsmanager/aws4_request, \
                           SignedHeaders=host, Signature=x";
        let tls = gemini_client::tls::config(false).expect("no certificates are needed");
        let client = reqwest::Client::builder().tls_backend_preconfigured(tls).build().expect("a client");
        let request = client
            .post(self.moto.url())
            .header("x-amz-target", format!("secretsmanager.{action}"))
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", credentials)
            .body(what.to_string());
        request.send().await.expect("moto answers").status()
    }
}

#[async_trait]
impl Place for Aws {
    fn env(&self) -> Vec<(String, String)> {
        let url = format!("http://127.0.0.1:{}", self.door.port());
        [
            ("SECRET_STORE_TYPE", "aws"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT_URL", &url),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    async fn keep(&self, label: &str, secret: &str) {
        let name = format!("keyrot/{label}");
        let put = self.ask("PutSecretValue", &json!({ "SecretId": name, "SecretString": secret })).await;
        if !put.is_success() {
            let made = self.ask("CreateSecret", &json!({ "Name": name, "SecretString": secret })).await;
            assert!(made.is_success(), "{made}");
        }
        *self.held.lock() = Some((label.to_owned(), secret.to_owned()));
    }

    async fn kill(&mut self) {
        self.door.shut(true);
        self.moto.kill();
    }

    async fn come_back(&mut self) {
        self.moto.restart();
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
async fn a_rotation_in_aws_loses_no_request() {
    a_rotation_loses_no_request(Aws::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_aws_costs_no_request() {
    an_outage_costs_no_request(Aws::start().await).await;
}
