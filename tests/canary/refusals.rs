//! Refusals of the API that quote the key, in every status and every wrapping, through the client.

use std::time::Duration;

use gemini_client::wire::{CountTokensRequest, GenerateRequest};
use gemini_client::{Client, Config, Head, classify};
use gemini_sim::{Fault, FaultRule, KeySpec, ProjectSpec, Sim, SimServer};
use keyrot_testkit::canary::{self, ALL};
use secrecy::SecretString;
use serde_json::json;

use crate::ear;

const MODEL: &str = "gemini-2.5-flash";
const STATUSES: [u16; 14] = [200, 400, 401, 402, 403, 404, 408, 409, 429, 499, 500, 502, 503, 504];

/// A server that knows every canary.
pub(crate) async fn server() -> SimServer {
    let sim = Sim::builder().project(ProjectSpec::new("p"));
    let sim = ALL.into_iter().fold(sim, |sim, key| sim.key(KeySpec::new(key, "p")));
    sim.start().await.expect("a simulator")
}

/// Bodies that quote `key`, each with its media type.
fn bodies(status: u16, key: &str) -> Vec<(&'static str, String)> {
    let about = |message: &str| {
        json!({"error": {
            "code": status, "status": "PERMISSION_DENIED", "message": message,
            "details": [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": key, "domain": key,
                 "metadata": {"consumer": format!("projects/{key}"), "containerInfo": format!("api_key:{key}"),
                              "quota_limit": format!("{key}PerMinute"), "quota_metric": key}},
                {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [
                    {"quotaId": "GenerateRequestsPerDayPerProjectPerModel", "quotaMetric": key, "quotaValue": "7",
                     "quotaDimensions": {"model": key, "location": key}}]},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{key}s")},
                {"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": key, "message": message},
            ],
        }})
    };
    let consumer = format!("Permission denied: Consumer 'api_key:{key}' has been suspended.");
    let metric = format!("* Quota exceeded for metric: requests_per_day, limit: 5, model: {key}");
    let half = key.len() / 2;
    let cut = format!("{}{key}{key}", " ".repeat(keyrot_core::UntrustedText::LONGEST - half));
    let mut bodies = vec![
        ("application/json", about(&consumer).to_string()),
        ("application/json", format!("{:#}", json!([about(&consumer)]))),
        ("application/json", about(&about(&consumer).to_string()).to_string()),
        ("application/json", about(&format!("API key not valid: {key}")).to_string()),
        ("application/json", about(&metric).to_string()),
        ("application/json", json!({"error": {"code": status, "message": metric}}).to_string()),
        ("application/json", about(&cut).to_string()),
        ("application/json", json!({"error": key, "error_description": key}).to_string()),
        ("application/json", json!({"candidates": key, "usageMetadata": key}).to_string()),
        ("application/json", about(&consumer).to_string().replace('}', "")),
        ("application/json", json!(key).to_string()),
        ("text/plain", cut),
        ("", key.to_owned()),
    ];
    // As pages and objects write it: not in hexadecimal, for nobody does.
    for (_, form) in canary::forms(key).into_iter().take(8) {
        bodies.push(("text/html", format!("<html><a href=\"/?key={form}\">{form}</a> {form}{form}</html>")));
    }
    if key.len() >= 16 {
        let (begin, end) = (&key[..half], &key[half..]);
        bodies.push(("text/plain", format!("the key that begins with {begin} is bad, it ends with {end}")));
    }
    bodies
}

#[tokio::test]
async fn no_refusal_gives_the_key_away_that_it_quotes() {
    let heard = ear::listen();
    let server = server().await;
    let client = Client::new(&Config::at(server.base_url())).expect("a client");
    let request = GenerateRequest::text("hi");
    let mut refused = 0;
    for key in ALL {
        let secret = SecretString::from(key);
        for status in STATUSES {
            for (media, body) in bodies(status, key) {
                ear::debug("outcome", &classify(&Head::new(status, &http::HeaderMap::new()), b"{}"));
                server.push_fault(FaultRule::new(Fault::Raw {
                    status,
                    content_type: media.to_owned(),
                    body,
                }));
                if let Err(error) = client.generate(&secret, MODEL, &request).await {
                    refused += 1;
                    ear::error("generate", &error);
                    ear::debug("outcome", &error.outcome());
                    ear::say(&serde_json::to_string(&error.outcome()).expect("JSON"));
                    ear::say(&error.message().to_string());
                }
            }
        }
    }
    assert!(refused > 2000, "{refused}");
    heard.assert_clean();
    ear::assert_heard(&["gemini_client", "hyper_util", "reqwest"]);
}

#[tokio::test]
async fn no_other_call_gives_the_key_away_either() {
    let heard = ear::listen();
    let server = server().await;
    let mut config = Config::at(server.base_url());
    config.timeouts.first_byte = Some(Duration::from_millis(60));
    config.timeouts.idle = Some(Duration::from_millis(60));
    let client = Client::new(&config).expect("a client");
    ear::debug("client", &client);
    ear::debug("config", &config);
    let count = CountTokensRequest::from(GenerateRequest::text("hi"));
    let get = http::Method::GET;
    for key in ALL {
        let secret = SecretString::from(key);
        for (media, body) in bodies(403, key).into_iter().take(12) {
            let fault = Fault::Raw { status: 403, content_type: media.to_owned(), body };
            server.push_fault(FaultRule::new(fault).times(4));
            ear::error("count", &client.count_tokens(&secret, MODEL, &count).await.expect_err("403"));
            ear::error("list", &client.list_models(&secret, Some(5), None).await.expect_err("403"));
            ear::error("get", &client.get_model(&secret, MODEL).await.expect_err("403"));
            let headers = http::HeaderMap::new();
            let raw = client.raw(&secret, get.clone(), "/v1beta/models", headers, "".into()).await;
            let raw = raw.expect("an answer");
            ear::debug("raw", &raw);
            ear::debug("body", &raw.body);
        }
        for fault in [Fault::Stall, Fault::Reset] {
            server.push_fault(FaultRule::new(fault));
            let error = client.count_tokens(&secret, MODEL, &count).await.expect_err("no answer");
            ear::error("count", &error);
        }
        // A key does not belong into a URL, under whatever name.
        if key.len() > 8 {
            let percent = &canary::forms(key)[1].1;
            for path in
                [format!("/x?key={percent}"), format!("/x?k={key}"), format!("/{key}"), format!("/{percent}")]
            {
                let headers = http::HeaderMap::new();
                ear::debug("in the path", &client.raw(&secret, get.clone(), &path, headers, "".into()).await);
            }
            for model in [key.to_owned(), format!("models/{key}"), format!("{key}:x"), format!("{key} x")] {
                let error = client.get_model(&secret, &model).await.expect_err("no such model");
                ear::error("in place of the model", &error);
            }
        }
        for broken in [format!("{key}\n"), format!("{key}é"), format!("{key}\0")] {
            let error = client.get_model(&broken.into(), MODEL).await.expect_err("no header value");
            ear::error("broken key", &error);
        }
    }
    heard.assert_clean();
}
