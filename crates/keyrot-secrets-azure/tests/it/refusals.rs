//! Every failure is its own clear error.

use std::time::{Duration, Instant};

use keyrot_core::SecretError;
use keyrot_testkit::live::azure::{Azure, Mood, TOKEN, Version};

use crate::{application, fetch, says, with};

const NAME: &str = "flash-01";

#[tokio::test]
async fn what_the_vault_says_is_told_apart() {
    let azure = Azure::new();
    azure.set(NAME, "k");
    let store = application(&azure);
    for (mood, parts) in [
        (Mood::Throttling(7), &["unavailable", "throttles us for 7 s"][..]),
        (
            Mood::Forbidding,
            &["refuses", "a right is missing for the secret `flash-01`", "Key Vault Secrets User"],
        ),
        (Mood::WithoutPolicy, &["refuses", "secrets get permission", "access policy"]),
        (Mood::Firewalled, &["refuses", "firewall", "Networking"]),
        (Mood::Foreign, &["refuses", "Invalid issuer", "AZURE_TENANT_ID"]),
        (Mood::Down, &["unavailable", "status 503"]),
        (Mood::Babbling, &["unavailable", "no secret of Key Vault", "AZURE_VAULT_URL"]),
        (Mood::Elsewhere, &["cannot be used", "status 404, as no vault does"]),
    ] {
        azure.vault_is(mood);
        let error = says(fetch(&store, NAME).await, parts);
        assert!(!format!("{error} {error:?}").contains(TOKEN), "{error:?}");
        azure.vault_is(Mood::Well);
        fetch(&store, NAME).await.unwrap_or_else(|error| panic!("after {mood:?}: {error}"));
    }
}

#[tokio::test]
async fn a_vault_that_throttles_is_not_waited_for() {
    let azure = Azure::new();
    azure.set(NAME, "k");
    let store = application(&azure);
    fetch(&store, NAME).await.expect("it is there");
    azure.vault_is(Mood::Throttling(30));
    #[expect(clippy::disallowed_methods, reason = "how long a person waits")]
    let began = Instant::now();
    says(fetch(&store, NAME).await, &["throttles"]);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_a_secret_is_is_told_apart() {
    let azure = Azure::new();
    let store = application(&azure);
    let held = Version { value: "k".to_owned(), ..Version::default() };
    azure.set_version("disabled", Version { disabled: true, ..held.clone() });
    azure.set_version("expired", Version { expires: Some(1_000), ..held.clone() });
    azure.set_version("early", Version { not_before: Some(4_102_444_800), ..held.clone() });
    azure.set_version("valid", Version { not_before: Some(1), expires: Some(4_102_444_800), ..held });
    azure.set("deleted", "k");
    azure.delete("deleted");
    let disabled = says(fetch(&store, "disabled").await, &["`disabled` is disabled", "--enabled true"]);
    assert!(matches!(disabled, SecretError::Denied { .. }), "{disabled:?}");
    let expired = says(fetch(&store, "expired").await, &["has expired", "--expires"]);
    assert!(matches!(expired, SecretError::Unusable { .. }), "{expired:?}");
    let early = says(fetch(&store, "early").await, &["not valid yet", "--not-before"]);
    assert!(matches!(early, SecretError::Unusable { .. }), "{early:?}");
    let deleted = says(fetch(&store, "deleted").await, &["`deleted`", "secret recover"]);
    assert!(matches!(deleted, SecretError::NotFound { .. }), "{deleted:?}");
    let absent = says(fetch(&store, "absent").await, &["`absent`", "secret set"]);
    assert!(matches!(absent, SecretError::NotFound { .. }), "{absent:?}");
    fetch(&store, "valid").await.expect("it is valid");
    fetch(&store, "VALID").await.expect("letter case does not matter");
}

#[tokio::test]
async fn a_name_that_cannot_be_is_refused_before_the_vault_is_asked() {
    let azure = Azure::new();
    let store = application(&azure);
    let error = says(fetch(&store, "flash_01").await, &["`flash_01`"]);
    assert!(matches!(error, SecretError::Misconfigured { .. }), "{error:?}");
    assert_eq!(azure.counts(), keyrot_testkit::live::azure::Counts::default());
}

#[tokio::test]
async fn a_vault_that_says_nothing_is_given_up_after_some_seconds() {
    let azure = Azure::new();
    azure.vault_is(Mood::Silent);
    #[expect(clippy::disallowed_methods, reason = "how long a person waits")]
    let began = Instant::now();
    says(fetch(&application(&azure), NAME).await, &["unavailable", "`localhost` did not answer in time"]);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn nobody_there_and_nobody_trusted_are_told_apart() {
    let mut azure = Azure::new();
    let stranger = Azure::new();
    let settings = with(&azure, &[("AZURE_VAULT_URL", &stranger.url())]);
    says(fetch(&crate::store(&azure, &settings), NAME).await, &["certificate of `localhost` is not trusted"]);
    let store = application(&azure);
    azure.die();
    says(fetch(&store, NAME).await, &["unavailable", "`localhost` cannot be reached", "HTTPS_PROXY"]);
}

#[tokio::test]
async fn a_token_that_is_taken_back_costs_one_answer() {
    let azure = Azure::new();
    azure.set(NAME, "k");
    let store = application(&azure);
    fetch(&store, NAME).await.expect("it is there");
    azure.revoke();
    says(fetch(&store, NAME).await, &["does not accept our login"]);
    fetch(&store, NAME).await.expect("logged in anew");
    assert_eq!(azure.counts().logins, 2);
}
