//! Logging in, and what is wrong when it fails.

use std::io::Write as _;
use std::time::{Duration, Instant};

use keyrot_core::SecretError;
use keyrot_testkit::live::azure::{Azure, CLIENT_SECRET, FEDERATED, Mood};
use tempfile::NamedTempFile;

use crate::{application, fetch, says, store, with};

const NAME: &str = "flash-01";

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("room");
    file
}

fn workload(azure: &Azure, file: &str) -> Vec<(&'static str, String)> {
    let mut settings = with(azure, &[("AZURE_FEDERATED_TOKEN_FILE", file)]);
    settings.retain(|(name, _)| *name != "AZURE_CLIENT_SECRET");
    settings
}

/// Of somebody without settings of his own to log in with. Never without an address of the machine's identity
/// here: the usual one may be somebody's.
fn ambient(azure: &Azure) -> Vec<(&'static str, String)> {
    vec![
        ("AZURE_VAULT_URL", azure.url()),
        ("AZURE_AUTHORITY_HOST", azure.url()),
        ("AZURE_POD_IDENTITY_AUTHORITY_HOST", azure.machine()),
    ]
}

#[tokio::test]
async fn an_application_logs_in_once_for_many_reads() {
    let azure = Azure::new();
    azure.set(NAME, "k");
    let store = application(&azure);
    assert_eq!(azure.counts().logins, 0, "nothing is asked before it is needed");
    for _ in 0..3 {
        fetch(&store, NAME).await.expect("it is there");
    }
    let counts = azure.counts();
    assert_eq!((counts.challenges, counts.logins, counts.reads), (1, 1, 3));
}

#[tokio::test]
async fn a_workload_logs_in_with_the_token_of_its_file() {
    let azure = Azure::new();
    azure.set(NAME, "k");
    let token = file(FEDERATED);
    let path = token.path().to_str().expect("a plain path");
    fetch(&store(&azure, &workload(&azure, path)), NAME).await.expect("it is there");
    let wrong = file("another");
    let path = wrong.path().to_str().expect("a plain path");
    says(
        fetch(&store(&azure, &workload(&azure, path)), NAME).await,
        &["AADSTS700213", "federated credential"],
    );
    let late = store(&azure, &workload(&azure, "/nowhere/token"));
    says(
        fetch(&late, NAME).await,
        &["refuses", "`/nowhere/token` cannot be read", "AZURE_FEDERATED_TOKEN_FILE"],
    );
}

#[tokio::test]
async fn what_the_login_says_is_told_apart_without_the_secret() {
    let azure = Azure::new();
    azure.set(NAME, "k");
    for (mood, other, parts) in [
        (Mood::Refusing, None, &["refuses", "AADSTS7000215", "`AZURE_CLIENT_SECRET` is not right"][..]),
        (Mood::Expired, None, &["refuses", "AADSTS7000222", "has expired"]),
        (Mood::Well, Some(("AZURE_CLIENT_ID", "other")), &["AADSTS700016", "no application"]),
        (Mood::Well, Some(("AZURE_TENANT_ID", "other")), &["AADSTS90002", "no tenant"]),
        (Mood::Throttling(3), None, &["unavailable", "the login answered with status 429"]),
        (Mood::Down, None, &["unavailable", "the login answered with status 503"]),
        (Mood::Babbling, None, &["unavailable", "the login's answer makes no sense", "AZURE_AUTHORITY_HOST"]),
        (Mood::Silent, None, &["unavailable", "the login gave no answer", "did not answer in time"]),
    ] {
        azure.login_is(mood);
        let settings = with(&azure, other.as_slice());
        let error = says(fetch(&store(&azure, &settings), NAME).await, parts);
        let said = format!("{error} {error:?}");
        assert!(!said.contains(CLIENT_SECRET) && !said.contains("Trace ID"), "{said}");
    }
}

#[tokio::test]
async fn a_machine_gives_its_identity() {
    let azure = Azure::new();
    azure.set(NAME, "k");
    azure.machine_is(Mood::Well);
    let store = store(&azure, &ambient(&azure));
    for _ in 0..2 {
        fetch(&store, NAME).await.expect("it is there");
    }
    let counts = azure.counts();
    assert_eq!((counts.probes, counts.logins), (1, 0));
}

#[tokio::test]
async fn without_an_identity_all_that_was_tried_is_told_and_nothing_hangs() {
    let azure = Azure::new();
    let nobody = ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1".to_owned());
    for (mood, why, most) in [
        (Some(Mood::Refusing), "not been assigned", 3),
        (Some(Mood::Silent), "did not answer in time", 6),
        (Some(Mood::Down), "did not answer in time", 7),
        (None, "cannot be reached", 3),
    ] {
        let mut settings = ambient(&azure);
        match mood {
            Some(mood) => azure.machine_is(mood),
            None => drop(std::mem::replace(settings.last_mut().expect("it is the last"), nobody.clone())),
        }
        #[expect(clippy::disallowed_methods, reason = "how long a person waits")]
        let began = Instant::now();
        let error =
            says(fetch(&store(&azure, &settings), NAME).await, &[why, "command line tools: ", "az login"]);
        assert!(matches!(error, SecretError::Denied { .. }), "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(most), "{mood:?}: {:?}", began.elapsed());
    }
}
