//! No secret in what the SDK says: everything runs at TRACE, and all that anybody said is searched.
//!
//! A binary of its own, because the subscriber that hears everything is the process's only one.

#![expect(clippy::expect_used, reason = "what a test needs and does not get fails the test")]

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, PoisonError};

use keyrot_core::{EnvMap, SecretStore};
use keyrot_secrets_aws::AwsStore;
use keyrot_testkit::canary::{AUTH, Grep, INTERACTION, OTHER, PLAIN, STANDARD};
use keyrot_testkit::live::moto::Moto;
use secrecy::ExposeSecret;
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
async fn neither_values_nor_keys_nor_tokens_are_said_at_trace() {
    tracing_subscriber::registry().with(Ear).try_init().expect("nobody else sets a subscriber");
    let moto = Moto::start();
    let url = moto.url();
    let env = EnvMap::from_iter([
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ENDPOINT_URL", &url),
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", PLAIN),
        ("AWS_SESSION_TOKEN", AUTH),
    ]);
    let store = AwsStore::new(&env).expect("legal");
    say(Words(format!("{store:?}")));
    // An operator's client, which says nothing: the secrets that the store will read and write.
    for (name, text) in [("keyrot/a", STANDARD), ("keyrot/b", OTHER)] {
        keep(&url, name, text);
    }
    let names = ["keyrot/a", "keyrot/b", "keyrot/missing"].map(str::to_owned);
    let answers = store.fetch_all(&names).await;
    assert_eq!(answers[0].as_ref().expect("it is there").value.expose_secret(), STANDARD);
    say(Words(format!("{answers:?}")));
    say(Words(format!("{:?}", store.fetch("keyrot/b").await)));
    say(Words(format!("{:?}", store.put("keyrot/a", &INTERACTION.into()).await)));
    assert_eq!(store.fetch("keyrot/a").await.expect("it is there").value.expose_secret(), INTERACTION);
    say(Words(format!("{:?}", store.put("keyrot/missing", &INTERACTION.into()).await)));
    drop(moto);
    say(Words(format!("{:?}", store.put("keyrot/a", &INTERACTION.into()).await)));
    say(Words(format!("{store:?}")));

    let said = std::mem::take(&mut *SAID.lock().unwrap_or_else(PoisonError::into_inner));
    let grep = Grep::default();
    let found: Vec<String> = said.iter().filter_map(|text| grep.find(text)).collect();
    assert!(found.is_empty(), "{} leaks:\n{}", found.len(), found.join("\n\n"));
    let heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    let is_heard = |target: &str| heard.iter().any(|(_, heard)| heard.starts_with(target));
    assert!(is_heard("aws_smithy_runtime"), "the SDK was silenced, and proves nothing: {heard:?}");
    // Those that see whole requests. What hyper's own tasks poll is still heard, and counts bytes.
    let sees_requests =
        |of: &str| of.starts_with("aws_smithy_runtime::client::orchestrator") || of.starts_with("aws_sigv4");
    let at_trace: Vec<_> =
        heard.iter().filter(|(level, of)| *level == Level::TRACE && sees_requests(of)).collect();
    assert!(at_trace.is_empty(), "{at_trace:?}");
}

fn keep(url: &str, name: &str, text: &str) {
    use std::io::{Read as _, Write as _};
    let address = url.strip_prefix("http://").expect("plain HTTP");
    let body = format!(
        "{{\"Name\": \"{name}\", \"SecretString\": \"{text}\", \"ClientRequestToken\": \"{}\"}}",
        "00000000-0000-4000-8000-000000000001"
    );
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.1\r\n\
         X-Amz-Target: secretsmanager.CreateSecret\r\nContent-Length: {}\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=AKIAOPERATOR/20260101/eu-central-1/secretsmanager/aws4_request, SignedHeaders=host, \
         Signature=0\r\n\r\n{body}",
        body.len()
    );
    let mut connection = std::net::TcpStream::connect(address).expect("moto is there");
    connection.write_all(request.as_bytes()).expect("moto listens");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("moto answers");
    assert_eq!(answer.split(' ').nth(1), Some("200"), "{answer}");
}
