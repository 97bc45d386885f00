//! What one process learns and counts, the others that share its store know.

use std::time::Duration;

use gemini_client::wire::GenerateRequest;
use gemini_sim::ProjectSpec;
use keyrot::{Assembly, EnvMap, KeySet, KeyStatus, Lease, Outcome, Profile, Rotator};
use keyrot_core::{Learned, Quantity, Usage};
use keyrot_testkit::server::{Kind, Server};
use keyrot_testkit::world::World;

const MODEL: &str = "model-1";
/// Longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(60);
const KEYS: &str = r#"[{"key_id": "a", "project": "pa"}, {"key_id": "b", "project": "pb"}]"#;

fn done(tokens: u64) -> Outcome {
    Outcome::Success { usage: Usage { prompt_tokens: Some(tokens), output_tokens: None } }
}

/// One more process: all it shares with the others is the store that `variable` names.
async fn process(variable: &(&str, String)) -> Rotator {
    let env = [
        ("GEMINI_KEY_a".to_owned(), "AIza-a".to_owned()),
        ("GEMINI_KEY_b".to_owned(), "AIza-b".to_owned()),
        (variable.0.to_owned(), variable.1.clone()),
    ];
    // The state file of whoever runs this is none of its business.
    let none = ("KEYROT_STATE".to_owned(), ":memory:".to_owned());
    let env = EnvMap::from_iter([none].into_iter().chain(env));
    let keys = KeySet::parse("keys.json", KEYS).expect("legal").set;
    let made = Assembly::new(env).keys(keys).make().await.expect("a pool");
    assert!(made.rotator.truth().shared, "{:?}", made.warnings);
    made.rotator
}

async fn lease(rotator: &Rotator, project: &str, profile: Profile) -> Lease {
    rotator.lease(&profile.project(project)).await.expect("a lease")
}

async fn key(rotator: &Rotator, index: usize) -> KeyStatus {
    rotator.status(MODEL).await.keys.remove(index)
}

/// A refusal of a call for `project`, which names a limit of `project` and changes nothing else for long.
async fn refused(rotator: &Rotator, project: &str, bucket: &str) {
    let learned = vec![Learned { bucket: Some(bucket.to_owned()), quantity: Quantity::Rpd, limit: 500 }];
    let outcome = Outcome::QuotaMinute { retry_after: Duration::ZERO, learned };
    lease(rotator, project, Profile::new(MODEL)).await.end(&outcome).await;
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect(what);
}

async fn what_one_learns_all_know(variable: (&str, String)) {
    let (one, other) = (process(&variable).await, process(&variable).await);
    lease(&other, "pa", Profile::new(MODEL)).await.end(&done(10)).await;
    for _ in 0..30 {
        lease(&one, "pa", Profile::new(MODEL).estimated(1_000)).await.end(&done(2_000)).await;
    }
    refused(&one, "pa", "family-1").await;
    assert!(one.shutdown(PATIENCE).await && other.shutdown(PATIENCE).await);

    // A process that comes later knows it from its first request.
    let later = process(&variable).await;
    let status = key(&later, 0).await;
    assert_eq!((status.success_count, status.error_count), (31, 1));
    assert!(status.last_used.is_some());
    assert_eq!(status.bucket.as_str(), "family-1");
    assert_eq!((status.limits.rpd, status.configured.rpd), (Some(500), None));
    assert_eq!(status.learned[0].source, "quota_minute a");
    assert_eq!(status.requests_per_day, 32, "what was used under the old name counts under the new one");
    let before = status.tokens_per_minute;
    let call = lease(&later, "pb", Profile::new(MODEL).estimated(1_000)).await;
    let charged = key(&later, 1).await.tokens_per_minute;
    assert!((1_900..=2_000).contains(&charged), "{charged}");
    assert_eq!(key(&later, 0).await.tokens_per_minute, before);
    drop(call);

    // One that runs already hears of it, soon after a refusal of its own.
    refused(&other, "pb", "family-1").await;
    until("the other process hears of it", async || {
        let [pa, pb] = [key(&other, 0).await, key(&other, 1).await];
        pa.limits.rpd == Some(500) && pa.bucket.as_str() == "family-1" && pb.bucket.as_str() == "family-1"
    })
    .await;

    // What an operator clears is cleared for all.
    let id = later.keys()[0].id.clone();
    later.reset(&id, &[MODEL.into()]).await.expect("reset");
    assert_eq!(key(&later, 0).await.limits.rpd, None);
    until("pb may go again", async || key(&other, 1).await.ready).await;
    refused(&other, "pb", "family-1").await;
    until("the limit is gone", async || key(&other, 0).await.limits.rpd.is_none()).await;
    assert_eq!(key(&other, 1).await.limits.rpd, Some(500), "and no other one");
}

#[tokio::test]
async fn processes_with_one_file_learn_together() {
    let folder = tempfile::tempdir().expect("a folder");
    what_one_learns_all_know(("KEYROT_STATE", folder.path().join("state.db").display().to_string())).await;
}

#[tokio::test]
async fn processes_with_one_redis_learn_together() {
    let server = Server::start(Kind::Redis, &[]);
    what_one_learns_all_know(("REDIS_URL", server.url())).await;
}

#[tokio::test]
async fn estimates_follow_the_count_of_the_model() {
    let limit = |key: &mut keyrot::Key| key.limits.tpm = Some(1_000_000);
    let world = World::builder().project(ProjectSpec::new("pa")).key("a", "pa", limit).start().await;
    let rotator = world.gemini.rotator();
    // 300 tokens by the rule, 400 as this server counts.
    let (model, request) = ("gemini-2.5-flash", GenerateRequest::text("д".repeat(400)));
    let used = async || rotator.status(model).await.keys[0].tokens_per_minute;
    for _ in 0..40 {
        world.gemini.generate(&Profile::new(model), &request).await.expect("an answer");
    }
    let before = used().await;
    assert_eq!(before, 40 * 400, "settled to what was used");
    let call = rotator.lease(&Profile::new(model).estimated(300)).await.expect("a lease");
    let charged = used().await - before;
    assert!((395..=400).contains(&charged), "{charged}");
    drop(call);
}
