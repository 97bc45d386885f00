//! keys.json changes while the pool works.

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use keyrot::{Assembly, CoolFor, EnvMap, KeyId, KeyState, Outcome, Profile, Rotator, Scope};
use keyrot_core::Usage;
use keyrot_core::call::Judged;
use tempfile::TempDir;

const MODEL: &str = "gemini-2.5-flash";
/// Longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never(Infallible);

impl Judged for Never {
    fn outcome(&self) -> Outcome {
        match self.0 {}
    }
}

/// A pool whose keys are in a file, and the secrets of all keys that ever will be.
struct World {
    folder: TempDir,
    rotator: Rotator,
}

impl World {
    async fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("keys.json"), text).expect("written");
        let mut env = vec![
            ("KEYS_FILE".to_owned(), folder.path().join("keys.json").display().to_string()),
            ("ENABLE_KEY_ROTATION".to_owned(), "true".to_owned()),
            ("KEYROT_STATE".to_owned(), ":memory:".to_owned()),
        ];
        env.extend(
            ["a", "b", "c", "other"]
                .map(|key| (format!("GEMINI_KEY_{key}"), format!("secret of {key}").replace(' ', "-"))),
        );
        let made = Assembly::new(EnvMap::from_iter(env)).seed(1).make().await.expect("a pool");
        Self { folder, rotator: made.rotator }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("keys.json")
    }

    fn write(&self, text: &str) {
        // As editors do: a new file in the place of the old one.
        let new = self.folder.path().join("keys.json.new");
        fs::write(&new, text).expect("written");
        fs::rename(new, self.file()).expect("renamed");
    }

    /// The key of one call that succeeds.
    async fn call(&self) -> String {
        let profile = Profile::new(MODEL).tokens(10).max_wait(PATIENCE);
        self.rotator.run(&profile, succeed).await.expect("an answer")
    }

    async fn states(&self) -> Vec<(String, KeyState)> {
        let status = self.rotator.status(MODEL).await;
        status.keys.into_iter().map(|key| (key.key_id.to_string(), key.state)).collect()
    }
}

fn succeed(lease: &keyrot::Lease) -> impl Future<Output = Result<(String, Outcome), Never>> + use<> {
    let key = lease.key_id().to_string();
    async { Ok((key, Outcome::Success { usage: Usage::default() })) }
}

fn id(text: &str) -> KeyId {
    KeyId::new(text).expect("legal")
}

#[tokio::test]
async fn what_is_known_of_a_key_survives_and_what_is_new_holds_at_once() {
    let world = World::of(r#"[{"key_id": "a", "rpm": 100, "priority": 1}, {"key_id": "b"}]"#).await;
    while world.call().await != "a" {}
    let cooled = world.rotator.key_scope(&id("b")).expect("b has a secret");
    world.rotator.cool(&cooled, CoolFor::After(Duration::from_secs(600))).await.expect("cooled");
    let before = world.rotator.status(MODEL).await.keys[0].clone();
    world.write(
        r#"[{"key_id": "c", "priority": 2}, {"key_id": "a", "rpm": 7, "priority": 1}, {"key_id": "b", "weight": 3}]"#,
    );
    let reloaded = world.rotator.reload().await.expect("reloaded");
    assert_eq!((reloaded.changed, reloaded.added, reloaded.removed), (true, vec![id("c")], vec![]));
    assert_eq!(
        world.states().await,
        [("c", KeyState::Ready), ("a", KeyState::Ready), ("b", KeyState::Cooling)]
            .map(|(key, state)| (key.to_owned(), state))
    );
    let after = world.rotator.status(MODEL).await.keys[1].clone();
    assert!(before.requests_per_minute > 0 && before.success_count > 0);
    assert_eq!(after.requests_per_minute, before.requests_per_minute);
    assert_eq!((after.success_count, after.last_used), (before.success_count, before.last_used));
    assert_eq!((after.limits.rpm, after.configured.rpm), (Some(7), Some(7)));
    // Six more fit into the new limit; then it is c's turn, which was not there before.
    let mut keys = Vec::new();
    while keys.last().is_none_or(|key| key == "a") && keys.len() < 10 {
        keys.push(world.call().await);
    }
    assert_eq!(keys.last().map(String::as_str), Some("c"));
    assert_eq!(keys.len() as u64, 8 - before.requests_per_minute);
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_says_why() {
    let world = World::of(r#"[{"key_id": "a"}]"#).await;
    for (text, expected) in [
        (r#"[{"key_id": "a"}"#, "keys.json:1:"),
        (r#"[{"key_id": "b"}, {"key_id": "b"}]"#, "`b`"),
        (r#"[{"key_id": "b", "rpm": -1}]"#, "rpm"),
        ("[]", ""),
        ("", ""),
        (r#"[{"key_id": "nosecret"}]"#, "nosecret"),
        (r#"[{"key_id": "a", "secret": "env:nosecret"}]"#, "nosecret"),
        (
            r#"[{"key_id": "a"}, {"key_id": "b", "secret": "aws:prod/db"}]"#,
            "key `b`: its secret `aws:prod/db`",
        ),
    ] {
        world.write(text);
        let error = world.rotator.reload().await.expect_err(text);
        assert!(error.to_string().contains(expected), "{text}: {error}");
        assert_eq!(world.states().await, [("a".to_owned(), KeyState::Ready)], "{text}");
        assert_eq!(world.call().await, "a", "{text}");
    }
    fs::remove_file(world.file()).expect("removed");
    let error = world.rotator.reload().await.expect_err("gone").to_string();
    assert!(error.contains("gone"), "{error}");
    world.write(&" ".repeat(5 * 1024 * 1024));
    let error = world.rotator.reload().await.expect_err("too large").to_string();
    assert!(error.contains("larger than"), "{error}");
    assert_eq!(world.call().await, "a");
    world.write(r#"[{"key_id": "a"}]"#);
    assert!(!world.rotator.reload().await.expect("good again").changed, "it is what is in use");
}

#[tokio::test]
async fn who_waits_moves_over_and_who_is_under_way_ends_as_he_began() {
    let world = World::of(r#"[{"key_id": "a", "rpm": 1}]"#).await;
    let (begun, mut has_begun) = tokio::sync::mpsc::channel::<()>(1);
    let (go, wait) = tokio::sync::oneshot::channel::<()>();
    let rotator = world.rotator.clone();
    let under_way = tokio::spawn(async move {
        let mut wait = Some(wait);
        let call = |lease: &keyrot::Lease| {
            let (key, begun, wait) = (lease.key_id().to_string(), begun.clone(), wait.take());
            async move {
                begun.send(()).await.expect("heard");
                wait.expect("one attempt").await.expect("told");
                Ok::<_, Never>((key, Outcome::Success { usage: Usage::default() }))
            }
        };
        rotator.run(&Profile::new(MODEL), call).await.expect("an answer")
    });
    has_begun.recv().await.expect("begun");
    let rotator = world.rotator.clone();
    let waiting = tokio::spawn(async move {
        let profile = Profile::new(MODEL).max_wait(2 * PATIENCE);
        rotator.run(&profile, succeed).await.expect("an answer")
    });
    let in_line = async {
        while world.rotator.status(MODEL).await.waiting == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, in_line).await.expect("in line");
    world.write(r#"[{"key_id": "b"}]"#);
    let reloaded = world.rotator.reload().await.expect("reloaded");
    assert_eq!(reloaded.removed, [id("a")]);
    let moved = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert_eq!(moved.expect("long before a's minute is over").expect("no panic"), "b");
    go.send(()).expect("still under way");
    assert_eq!(under_way.await.expect("no panic"), "a");
    assert_eq!(world.states().await, [("b".to_owned(), KeyState::Ready)]);
    assert!(world.rotator.secret(&id("a")).is_none(), "its secret is forgotten");
}

#[tokio::test]
async fn a_secret_that_is_elsewhere_now_is_read_from_there() {
    let world = World::of(r#"[{"key_id": "a"}]"#).await;
    let before = world.rotator.key_scope(&id("a")).expect("a secret");
    world.write(r#"[{"key_id": "a", "secret": "env:other"}]"#);
    world.rotator.reload().await.expect("reloaded");
    let after = world.rotator.key_scope(&id("a")).expect("a secret");
    assert!(matches!((&before, &after), (Scope::Key(..), Scope::Key(..))));
    assert_ne!(before, after, "a new secret is a new key");
}

#[tokio::test]
async fn a_changed_file_is_noticed() {
    let world = World::of(r#"[{"key_id": "a"}]"#).await;
    world.write(r#"[{"key_id": "a"}, {"key_id": "b"}]"#);
    let noticed = async {
        while world.rotator.keys().len() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, noticed).await.expect("noticed");
    // Bad, and then good again: it is still watched.
    world.write("[");
    world.write(r#"[{"key_id": "c"}]"#);
    let noticed = async {
        while world.rotator.keys().iter().all(|key| key.id != id("c")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, noticed).await.expect("noticed");
}
