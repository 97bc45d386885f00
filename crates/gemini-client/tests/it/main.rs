//! The client against scripted servers on loopback.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, like tests"
)]

mod allowed;
mod answers;
mod broken;
mod child;
mod probing;
mod requests;
mod secrets;
mod server;
mod timeouts;
mod tls;

use gemini_client::{Client, Config};
use secrecy::SecretString;

/// The model every test asks.
const MODEL: &str = "gemini-2.5-flash";

fn key() -> SecretString {
    SecretString::from("KEYROT_CANARY")
}

fn client(url: &str) -> Client {
    Client::new(&Config::at(url)).expect("a usable configuration")
}
