//! No secret in what the libraries beneath say: everything runs at TRACE, and all that anybody said is searched.
//!
//! A binary of its own, because the subscriber that hears everything is the process's only one.

#![expect(clippy::expect_used, reason = "what a test needs and does not get fails the test")]

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, PoisonError};

use keyrot_core::{EnvMap, SecretStore};
use keyrot_secrets_vault::VaultStore;
use keyrot_testkit::canary::{AUTH, Grep, INTERACTION, OTHER, PLAIN, STANDARD};
use keyrot_testkit::live::openbao::{Bao, ROOT};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
static HEARD: Mutex<BTreeSet<(Level, &str)>> = Mutex::new(BTreeSet::new());

struct Ear;

struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").expect("room for a text");
    }
}

fn say(words: Words) {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).push(words.0);
}

impl<S: Subscriber> Layer<S> for Ear {
    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut words = Words(format!("span {} {}", span.metadata().target(), span.metadata().name()));
        span.record(&mut words);
        say(words);
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut words = Words("span records".to_owned());
        values.record(&mut words);
        say(words);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        HEARD.lock().unwrap_or_else(PoisonError::into_inner).insert((*metadata.level(), metadata.target()));
        let mut words = Words(format!("{} {}", metadata.level(), metadata.target()));
        event.record(&mut words);
        say(words);
    }
}

#[tokio::test]
async fn neither_values_nor_tokens_are_said_at_trace() {
    tracing_subscriber::registry().with(Ear).try_init().expect("nobody else sets a subscriber");
    let mut bao = Bao::dev();
    let url = bao.url();
    let operator = |method: &str, path: &str, body: Value| bao.asked(method, path, ROOT, &body);
    operator("POST", "secret/data/keyrot/a", json!({ "data": { "value": STANDARD } }));
    operator("POST", "secret/data/keyrot/b", json!({ "data": { "value": OTHER } }));
    let rules = r#"path "secret/data/keyrot/*" { capabilities = ["read", "update"] }"#;
    operator("PUT", "sys/policies/acl/keyrot", json!({ "policy": rules }));
    operator("POST", "sys/auth/approle", json!({ "type": "approle" }));
    let role = json!({ "token_policies": "keyrot", "token_ttl": "2s", "token_max_ttl": "1h" });
    operator("POST", "auth/approle/role/keyrot", role);
    operator("POST", "auth/approle/role/keyrot/role-id", json!({ "role_id": "role-of-the-test" }));
    operator("POST", "auth/approle/role/keyrot/custom-secret-id", json!({ "secret_id": PLAIN }));
    operator(
        "POST",
        "auth/token/create",
        json!({ "id": AUTH.replace('.', "_"), "policies": ["keyrot"], "ttl": "2s" }),
    );
    let token = AUTH.replace('.', "_");
    let ways: [&[(&str, &str)]; 3] = [
        &[("VAULT_TOKEN", &token)],
        &[("VAULT_ROLE_ID", "role-of-the-test"), ("VAULT_SECRET_ID", PLAIN)],
        &[("VAULT_ROLE_ID", INTERACTION), ("VAULT_SECRET_ID", PLAIN)],
    ];
    let names = ["secret/keyrot/a", "secret/keyrot/b", "secret/keyrot/missing"].map(str::to_owned);
    let mut stores = Vec::new();
    for way in ways {
        let env: EnvMap = [("VAULT_ADDR", url.as_str())].into_iter().chain(way.iter().copied()).collect();
        let store = VaultStore::new(&env).expect("legal");
        say(Words(format!("{store:?}")));
        say(Words(format!("{:?}", store.fetch_all(&names).await)));
        say(Words(format!("{:?}", store.put("secret/keyrot/b", &INTERACTION.into()).await)));
        say(Words(format!("{:?}", store.put("secret/keyrot/missing", &INTERACTION.into()).await)));
        stores.push(store);
    }
    for store in &stores[..2] {
        assert_eq!(store.fetch(&names[0]).await.expect("it is there").value.expose_secret(), STANDARD);
        assert_eq!(store.fetch(&names[1]).await.expect("it is there").value.expose_secret(), INTERACTION);
    }
    // Beyond the lease: what renews speaks, too.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    for store in &stores[..2] {
        assert_eq!(store.fetch(&names[0]).await.expect("it is there").value.expose_secret(), STANDARD);
    }
    bao.kill();
    for store in &stores {
        say(Words(format!("{:?}", store.fetch_all(&names).await)));
    }

    let said = std::mem::take(&mut *SAID.lock().unwrap_or_else(PoisonError::into_inner));
    let grep = Grep::default();
    let own = Grep::of(&[token.as_str(), PLAIN]);
    let found: Vec<String> =
        said.iter().filter_map(|text| grep.find(text).or_else(|| own.find(text))).collect();
    assert!(found.is_empty(), "{} leaks:\n{}", found.len(), found.join("\n\n"));
    let heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    for speaker in ["rustify", "hyper_util", "log"] {
        let is_heard =
            heard.iter().any(|(level, target)| *level == Level::TRACE && target.starts_with(speaker));
        assert!(is_heard, "`{speaker}` was not heard, which proves nothing: {heard:?}");
    }
}
