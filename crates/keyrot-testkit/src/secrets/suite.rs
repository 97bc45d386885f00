//! What every [`SecretStore`] owes its callers, asked of one that stands before a real server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keyrot_core::{KeyId, Secret, SecretError, SecretStore};
use secrecy::{ExposeSecret, SecretString};

/// In every secret of the suite, and nowhere else.
const CANARY: &str = "CANARY-of-the-suite";

/// What a backend's tests do behind the store's back, and what the store can do.
#[async_trait]
pub trait Bench: Sync {
    /// A store that holds `text` under the label of each key: each call may give another one, with what
    /// earlier calls put there or without.
    async fn store(&self, held: &[(&KeyId, &str)]) -> Arc<dyn SecretStore>;

    /// The text that is kept for a key, as an operator would see it.
    async fn text(&self, key: &KeyId) -> String;

    /// Whether a secret may be a JSON object.
    fn is_json(&self) -> bool;

    /// Whether versions have labels and dates.
    fn has_versions(&self) -> bool;

    /// Whether keyrot may write.
    fn is_written(&self) -> bool;
}

fn key(label: &str) -> KeyId {
    KeyId::new(label).expect("a legal label")
}

fn value(n: usize) -> String {
    format!("AIza-{CANARY}-{n}")
}

fn text(secret: &Secret) -> &str {
    secret.value.expose_secret()
}

async fn fetch(store: &dyn SecretStore, key: &KeyId) -> Result<Secret, SecretError> {
    store.fetch(&store.name_of(key)?).await
}

/// Asks everything. `prefix` begins every label used: servers may be shared.
///
/// # Panics
/// When the store does not keep a promise.
pub async fn conforms(bench: &dyn Bench, prefix: &str) {
    let label = |name: &str| key(&format!("{prefix}-{name}"));
    gives_what_it_holds(bench, &label("plain")).await;
    mends_what_people_paste(bench, &label("pasted")).await;
    refuses_what_cannot_be_a_key(bench, &label("unusable")).await;
    tells_what_is_not_there(bench, &label("absent")).await;
    answers_for_many_in_their_order(bench, &label).await;
    is_asked_by_many_at_once(bench, &label("shared")).await;
    if bench.is_json() {
        reads_json(bench, &label("json")).await;
    }
    if bench.has_versions() {
        knows_versions(bench, &label("versions")).await;
    }
    if bench.is_written() {
        writes(bench, &label("written")).await;
    } else {
        says_that_it_is_not_written(bench, &label("fixed")).await;
    }
}

async fn gives_what_it_holds(bench: &dyn Bench, key: &KeyId) {
    let store = bench.store(&[(key, &value(1))]).await;
    let secret = fetch(&*store, key).await.expect("it is there");
    assert_eq!(text(&secret), value(1));
    assert_eq!(secret.mended, None);
    assert!(!format!("{secret:?} {store:?}").contains(CANARY));
}

async fn mends_what_people_paste(bench: &dyn Bench, key: &KeyId) {
    let store = bench.store(&[(key, &format!(" \"{}\"\n", value(2)))]).await;
    let secret = fetch(&*store, key).await.expect("it is there");
    assert_eq!(text(&secret), value(2));
    assert!(secret.mended.is_some(), "and says so");
}

async fn refuses_what_cannot_be_a_key(bench: &dyn Bench, key: &KeyId) {
    let mut bad = vec![format!("{CANARY} {CANARY}"), format!("{CANARY}-\u{e4}\u{df}")];
    if bench.is_json() {
        bad.extend(
            [
                r#"{"a": "CANARY", "b": "CANARY"}"#,
                r#"{"value": 7, "a": "CANARY"}"#,
                "{}",
                r#"{"value": {"value": "CANARY"}}"#,
            ]
            .map(|json| json.replace("CANARY", CANARY)),
        );
    }
    for bad in bad {
        let store = bench.store(&[(key, &bad)]).await;
        let error = fetch(&*store, key).await.expect_err("no key");
        assert!(matches!(error, SecretError::Unusable { .. }), "{bad}: {error:?}");
        assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
    }
}

async fn tells_what_is_not_there(bench: &dyn Bench, key: &KeyId) {
    let store = bench.store(&[]).await;
    let error = fetch(&*store, key).await.expect_err("there is none");
    let name = store.name_of(key).expect("it can be spelt");
    let said = error.to_string();
    assert!(matches!(error, SecretError::NotFound { .. }), "{error:?}");
    assert!(said.contains(&name) && said.contains("hint: "), "{said}");
}

async fn answers_for_many_in_their_order(bench: &dyn Bench, label: &dyn Fn(&str) -> KeyId) {
    // More than any interface takes at once.
    let keys: Vec<KeyId> = (0..45).map(|n| label(&format!("many-{n}"))).collect();
    let values: Vec<String> = (0..45).map(value).collect();
    let (absent, unusable) = (label("many-absent"), label("many-unusable"));
    let mut held: Vec<(&KeyId, &str)> = keys.iter().zip(values.iter().map(String::as_str)).collect();
    held.push((&unusable, "no key"));
    let store = bench.store(&held).await;
    let mut asked: Vec<&KeyId> = keys.iter().rev().collect();
    asked.insert(7, &absent);
    asked.insert(23, &unusable);
    let names: Vec<String> = asked.iter().map(|key| store.name_of(key).expect("it can be spelt")).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "each has a name of its own");
    let answers = store.fetch_all(&names).await;
    assert_eq!(answers.len(), asked.len());
    for (key, answer) in asked.into_iter().zip(answers) {
        let place = keys.iter().position(|other| other == key);
        match (place, answer) {
            (Some(n), Ok(secret)) => assert_eq!(text(&secret), value(n)),
            (None, Err(SecretError::NotFound { .. })) => assert_eq!(key, &absent),
            (None, Err(SecretError::Unusable { .. })) => assert_eq!(key, &unusable),
            (_, answer) => panic!("{key}: {answer:?}"),
        }
    }
    assert!(store.fetch_all(&[]).await.is_empty());
}

async fn is_asked_by_many_at_once(bench: &dyn Bench, key: &KeyId) {
    let store = bench.store(&[(key, &value(3))]).await;
    let readers: Vec<_> = (0..20)
        .map(|_| {
            let (store, key) = (Arc::clone(&store), key.clone());
            tokio::spawn(async move { fetch(&*store, &key).await.map(|secret| text(&secret) == value(3)) })
        })
        .collect();
    for reader in readers {
        assert!(reader.await.expect("no panic").expect("it is there"));
    }
}

async fn reads_json(bench: &dyn Bench, key: &KeyId) {
    for (n, json) in [
        r#"{"value": "KEY"}"#,
        r#"{"api_key": "KEY"}"#,
        r#"{"gemini": "KEY"}"#,
        r#"{"value": "KEY", "owner": "us", "n": 7}"#,
        r#"{"owner": "us", "api_key": " KEY\n", "since": null}"#,
    ]
    .into_iter()
    .enumerate()
    {
        let store = bench.store(&[(key, &json.replace("KEY", &value(n)))]).await;
        let secret = fetch(&*store, key).await.unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(text(&secret), value(n), "{json}");
    }
}

async fn knows_versions(bench: &dyn Bench, key: &KeyId) {
    let store = bench.store(&[(key, &value(1))]).await;
    let one = fetch(&*store, key).await.expect("it is there");
    let same = fetch(&*store, key).await.expect("it is there");
    assert!(one.version.is_some() && one.version == same.version && one.written_at == same.written_at);
    let store = bench.store(&[(key, &value(2))]).await;
    let two = fetch(&*store, key).await.expect("it is there");
    assert_eq!(text(&two), value(2));
    assert_ne!(two.version, one.version);
    let (before, after) = (one.written_at.expect("a date"), two.written_at.expect("a date"));
    // Some servers know seconds only.
    assert!(after >= before && after.since(before) < Duration::from_secs(600), "{before} then {after}");
}

async fn writes(bench: &dyn Bench, key: &KeyId) {
    let store = bench.store(&[(key, &value(1))]).await;
    let name = store.name_of(key).expect("it can be spelt");
    let before = fetch(&*store, key).await.expect("it is there").version;
    let version = store.put(&name, &value(2).into()).await.expect("it may be written");
    let after = fetch(&*store, key).await.expect("it is there");
    assert_eq!(text(&after), value(2));
    assert_eq!(after.version, version);
    if bench.has_versions() {
        assert!(version.is_some() && version != before);
    }
    if bench.is_json() {
        bench.store(&[(key, &format!(r#"{{"owner": "us", "api_key": "{}", "n": [1, 2]}}"#, value(3)))]).await;
        store.put(&name, &value(4).into()).await.expect("it may be written");
        assert_eq!(text(&fetch(&*store, key).await.expect("it is there")), value(4));
        let kept: serde_json::Value = serde_json::from_str(&bench.text(key).await).expect("JSON still");
        let expected = serde_json::json!({ "owner": "us", "api_key": value(4), "n": [1, 2] });
        assert_eq!(kept, expected, "what else is in it stays");
    }
    let nowhere = KeyId::new(&format!("{key}-nowhere")).expect("legal");
    let name = store.name_of(&nowhere).expect("it can be spelt");
    let error = store.put(&name, &SecretString::from(value(5))).await.expect_err("there is none");
    assert!(matches!(error, SecretError::NotFound { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
}

async fn says_that_it_is_not_written(bench: &dyn Bench, key: &KeyId) {
    let store = bench.store(&[(key, &value(1))]).await;
    let name = store.name_of(key).expect("it can be spelt");
    let error = store.put(&name, &value(2).into()).await.expect_err("it is not written to");
    assert!(matches!(error, SecretError::ReadOnly { .. }), "{error:?}");
    assert!(error.to_string().contains("hint: "), "{error}");
    assert_eq!(text(&fetch(&*store, key).await.expect("it is there")), value(1));
}
