//! The store before a server that does what a real one cannot be made to do: hang, stand by, keep its mounts to itself.

#![expect(clippy::expect_used, reason = "what a test needs and does not get fails the test")]

mod logins;
mod refusals;
mod server;
mod standby;

use keyrot_core::{EnvMap, Secret, SecretError};
use keyrot_secrets_vault::VaultStore;
use secrecy::ExposeSecret;

use server::Server;

const NAME: &str = "secret/keyrot/a";
const TOKEN: &str = "s.CANARYtokenCANARYtoken";

fn env(server: &Server, more: &[(&str, &str)]) -> EnvMap {
    let url = server.url();
    [("VAULT_ADDR", url.as_str())].into_iter().chain(more.iter().copied()).collect()
}

fn store(server: &Server) -> VaultStore {
    VaultStore::new(&env(server, &[("VAULT_TOKEN", TOKEN)])).expect("legal")
}

fn text(answer: &Result<Secret, SecretError>) -> &str {
    answer.as_ref().expect("it is there").value.expose_secret()
}

fn said(answer: &Result<Secret, SecretError>) -> String {
    let error = answer.as_ref().expect_err("an error");
    let all = format!("{error} {error:?}");
    assert!(!all.contains("CANARY"), "{all}");
    assert!(all.contains("hint"), "{all}");
    error.to_string()
}
