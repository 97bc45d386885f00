//! Reads in a process of their own, for what only the process's environment and its home decide.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use keyrot_core::{EnvMap, SecretStore};
use keyrot_secrets_aws::AwsStore;
use keyrot_testkit::canary::Grep;

const NAME: &str = "KEYROT_AWS_TEST_NAME";

/// Reads the secret `keyrot/a` in a process with these variables alone and `home` as its home. Gives what it
/// printed, its log at TRACE among it, in which there is no canary; and how long it took.
pub(crate) async fn read(home: &Path, variables: &[(&str, &str)]) -> (String, Duration) {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", "child::reads_once", "--nocapture"]).env_clear();
    command.env("HOME", home).env(NAME, "keyrot/a").envs(variables.iter().copied());
    let begun = now();
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("a child");
    let took = now().duration_since(begun);
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    assert!(text.contains("DEBUG"), "the log was not heard: {text}");
    assert_eq!(Grep::default().find(&text), None);
    (text.lines().filter(|line| line.starts_with("SAID=")).collect(), took)
}

#[expect(clippy::disallowed_methods, reason = "another process is measured")]
fn now() -> Instant {
    Instant::now()
}

/// Nothing by itself: what [`read`] runs.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how the parent test tells this process what to do")]
async fn reads_once() {
    let Ok(name) = std::env::var(NAME) else { return };
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).init();
    let env = std::env::vars().filter(|(name, _)| !name.contains("KEY")).collect::<EnvMap>();
    let answer = match AwsStore::new(&env) {
        Ok(store) => store.fetch(&name).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(secret) => println!("SAID=version {}", secret.version.unwrap_or_default()),
        Err(error) => println!("SAID={}", format!("{error:?}").replace('\n', " ")),
    }
}
