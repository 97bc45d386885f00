//! Calls in a process of their own, for what the environment decides: proxies and certificates.

use std::process::Command;

use gemini_client::wire::GenerateRequest;
use secrecy::ExposeSecret;

use crate::{MODEL, client, key};

const URL: &str = "GEMINI_CLIENT_TEST_URL";

/// Makes one call to `url` in a process with these variables and no other proxy or certificates.
/// Returns its log and the answer's text, or the error; none of it may hold the key.
pub(crate) async fn call(url: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", "child::makes_one_call", "--nocapture"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.env(URL, url).envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("a child");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("DEBUG"), "the log was not heard: {text}");
    assert!(!text.contains(key().expose_secret()), "{text}");
    text
}

/// Nothing by itself: what [`call`] runs.
#[tokio::test]
async fn makes_one_call() {
    #[expect(clippy::disallowed_methods, reason = "how the parent test tells this process what to do")]
    let Ok(url) = std::env::var(URL) else { return };
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).init();
    match client(&url).generate(&key(), MODEL, &GenerateRequest::text("hi")).await {
        Ok(answer) => println!("TEXT={}", answer.text()),
        Err(error) => println!("KIND={:?} {error}", error.kind()),
    }
}
