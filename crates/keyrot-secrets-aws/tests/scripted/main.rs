//! The store before servers that do what moto cannot: throttle, forbid, fail, babble, hang.

#![expect(clippy::expect_used, reason = "what a test needs and does not get fails the test")]

mod batch;
mod child;
mod login;
mod refusals;
mod server;

use keyrot_core::{EnvMap, Secret, SecretError};
use keyrot_secrets_aws::AwsStore;
use secrecy::ExposeSecret;

use server::Server;

fn store(server: &Server) -> AwsStore {
    let url = server.url();
    let env = EnvMap::from_iter([
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ENDPOINT_URL", &url),
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "CANARY-secret"),
    ]);
    AwsStore::new(&env).expect("legal settings")
}

fn text(answer: &Result<Secret, SecretError>) -> &str {
    answer.as_ref().expect("it is there").value.expose_secret()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
