//! Many secrets at once.

use keyrot_core::SecretStore as _;
use keyrot_testkit::live::azure::{Azure, Mood};

use crate::{application, with};

fn names(azure: &Azure) -> Vec<String> {
    let names: Vec<String> = (0..40).map(|n| format!("key-{n}")).collect();
    for name in &names {
        azure.set(name, "k");
    }
    names
}

#[tokio::test]
async fn forty_secrets_cost_one_login_and_forty_reads() {
    let azure = Azure::new();
    let names = names(&azure);
    assert!(application(&azure).fetch_all(&names).await.iter().all(Result::is_ok));
    let counts = azure.counts();
    assert_eq!((counts.logins, counts.challenges, counts.reads), (1, 1, 40));
}

#[tokio::test]
async fn a_login_that_fails_is_tried_once_for_all() {
    let azure = Azure::new();
    let names = names(&azure);
    let store = crate::store(&azure, &with(&azure, &[("AZURE_CLIENT_SECRET", "wrong")]));
    let answers = store.fetch_all(&names).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().is_err_and(|error| error.to_string().contains("AADSTS7000215")))
    );
    assert_eq!(azure.counts().logins, 1);
}

#[tokio::test]
async fn eight_are_read_at_the_same_time_and_an_outage_ends_it() {
    let azure = Azure::new();
    let names = names(&azure);
    let store = application(&azure);
    store.fetch(&names[0]).await.expect("it is there");
    azure.set("first", "k");
    let (reading, ()) = tokio::join!(store.fetch_all(&names), async {
        while azure.counts().reads < 2 {
            tokio::task::yield_now().await;
        }
        azure.vault_is(Mood::Silent);
    });
    let lost = reading.iter().filter(|answer| answer.is_err()).count();
    assert!(lost > 0, "the vault fell silent in the middle");
    let waited = azure.counts().waiting;
    assert!((1..=8).contains(&waited), "{waited} requests waited");
}
