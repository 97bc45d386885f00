//! Neither keys nor tokens in what is said: everything runs at TRACE, the errors too, and all that anybody said is
//! searched.
//!
//! A binary of its own, because the subscriber that hears everything is the process's only one.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, PoisonError};

use keyrot_core::{EnvMap, SecretStore};
use keyrot_secrets_vault::VaultStore;
use keyrot_testkit::canary::{AUTH, Grep, INTERACTION, OTHER, PLAIN, STANDARD};
use keyrot_testkit::live::bao::{Bao, ROOT};
use secrecy::ExposeSecret;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
static HEARD: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());

struct Ear;

struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").expect("room for a text");
    }
}

fn say(text: String) {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).push(text);
}

impl<S: Subscriber> Layer<S> for Ear {
    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut words = Words(format!("span {} {}", span.metadata().target(), span.metadata().name()));
        span.record(&mut words);
        say(words.0);
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut words = Words("span records".to_owned());
        values.record(&mut words);
        say(words.0);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        HEARD.lock().unwrap_or_else(PoisonError::into_inner).insert(event.metadata().target());
        let mut words = Words(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut words);
        say(words.0);
    }
}

/// Every question, with an answer and with each refusal.
async fn ask(store: &VaultStore) {
    say(format!("{store:?}"));
    for name in ["secret/keyrot/a", "secret/keyrot/odd", "secret/keyrot/absent", "cubbyhole/a", "no name"] {
        let answer = store.fetch(name).await;
        say(format!("{name}: {answer:?}"));
        if let Err(error) = answer {
            say(error.to_string());
        }
    }
    for (name, value) in [("secret/keyrot/b", INTERACTION), ("secret/keyrot/absent", INTERACTION)] {
        say(format!("{:?}", store.put(name, &value.into()).await));
    }
}

fn store(bao: &Bao, more: &[(&str, &str)]) -> VaultStore {
    let url = bao.url();
    let env: EnvMap = [("VAULT_ADDR", url.as_str())].into_iter().chain(more.iter().copied()).collect();
    VaultStore::new(&env).expect("legal settings")
}

#[tokio::test]
async fn neither_values_nor_tokens_are_said_at_trace() {
    tracing_subscriber::registry().with(Ear).try_init().expect("nobody else sets a subscriber");
    let mut bao = Bao::dev();
    let keep = |path: &str, body: String| {
        let (status, said) = bao.ask("POST", path, ROOT, &body, None);
        assert!(matches!(status, 200 | 204), "{status} {said}");
    };
    keep("secret/data/keyrot/a", format!(r#"{{"data": {{"value": "{STANDARD}"}}}}"#));
    keep("secret/data/keyrot/b", format!(r#"{{"data": {{"api_key": "{OTHER}", "owner": "us"}}}}"#));
    keep("secret/data/keyrot/odd", format!(r#"{{"data": {{"one": "{STANDARD}", "two": "{OTHER}"}}}}"#));
    // A token that holds a canary, one that is good for nothing, and a role whose secret is one.
    let id = format!(r#"{{"id": "{PLAIN}", "policies": ["root"]}}"#);
    keep("auth/token/create", id);
    let good = store(&bao, &[("VAULT_TOKEN", PLAIN)]);
    ask(&good).await;
    let value = good.fetch("secret/keyrot/b").await.expect("it is there").value;
    assert_eq!(value.expose_secret(), INTERACTION, "it was written");
    ask(&store(&bao, &[("VAULT_TOKEN", AUTH)])).await;
    ask(&store(&bao, &[("VAULT_ROLE_ID", "role"), ("VAULT_SECRET_ID", AUTH)])).await;
    bao.kill();
    ask(&good).await;

    let said = std::mem::take(&mut *SAID.lock().unwrap_or_else(PoisonError::into_inner));
    let grep = Grep::default();
    let found: Vec<String> = said.iter().filter_map(|text| grep.find(text)).collect();
    assert!(found.is_empty(), "{} leaks:\n{}", found.len(), found.join("\n\n"));
    assert!(said.len() > 20, "nobody said anything");
    // What its authors log of answers is not ours to answer for: it is not heard at all.
    let heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    let of_the_library = |of: &str| of.starts_with("vaultrs") || of.starts_with("rustify");
    assert!(!heard.iter().any(|target| of_the_library(target)), "{heard:?}");
}
