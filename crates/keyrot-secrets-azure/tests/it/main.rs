//! The store before a vault on loopback.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod conformance;
mod elsewhere;
mod login;
mod refusals;
mod several;
mod writing;

use keyrot_core::{EnvMap, Secret, SecretError, SecretStore as _};
use keyrot_secrets_azure::AzureStore;
use keyrot_testkit::live::azure::Azure;

/// A store with these settings that trusts `azure`.
pub(crate) fn store(azure: &Azure, settings: &[(&'static str, String)]) -> AzureStore {
    let env: EnvMap = settings.iter().cloned().collect();
    let pem = std::fs::read(azure.authority().file()).expect("its certificate");
    AzureStore::new(&env).expect("settings that make sense").trusting(&pem).expect("a certificate")
}

/// A store that logs in as an application.
pub(crate) fn application(azure: &Azure) -> AzureStore {
    store(azure, &azure.application())
}

/// The same settings with others put in their place.
pub(crate) fn with(azure: &Azure, other: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut settings = azure.application();
    for (name, value) in other {
        settings.retain(|(known, _)| known != name);
        settings.push((name, (*value).to_owned()));
    }
    settings
}

pub(crate) async fn fetch(store: &AzureStore, name: &str) -> Result<Secret, SecretError> {
    store.fetch(name).await
}

/// The error's text, which has a hint and every one of `parts`.
pub(crate) fn says(answer: Result<Secret, SecretError>, parts: &[&str]) -> SecretError {
    let error = answer.expect_err("it must not be had");
    let said = error.to_string();
    assert!(said.contains("\nhint: "), "{said}");
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    error
}
