//! The store before moto, a server that keeps secrets as AWS Secrets Manager does.

#![expect(clippy::expect_used, reason = "what a test needs and does not get fails the test")]

mod conformance;
mod operator;
mod reading;
mod rotation;
mod writing;

use std::sync::LazyLock;

use keyrot_core::{EnvMap, Secret, SecretError, SecretStore};
use keyrot_secrets_aws::AwsStore;
use keyrot_testkit::live::moto::Moto;
use secrecy::ExposeSecret;

/// One for all tests: each has names of its own.
static MOTO: LazyLock<Moto> = LazyLock::new(Moto::start);

const REGION: &str = "eu-central-1";

fn store() -> AwsStore {
    let url = MOTO.url();
    let env = EnvMap::from_iter([
        ("AWS_REGION", REGION),
        ("AWS_ENDPOINT_URL", &url),
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]);
    AwsStore::new(&env).expect("legal settings")
}

fn text(answer: &Result<Secret, SecretError>) -> &str {
    answer.as_ref().expect("it is there").value.expose_secret()
}

async fn fetch(name: &str) -> Result<Secret, SecretError> {
    store().fetch(name).await
}

async fn fetch_all(names: &[&str]) -> Vec<Result<Secret, SecretError>> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    store().fetch_all(&names).await
}
