//! What an operator does holds until he undoes it.

use std::sync::Arc;

use keyrot_core::keys::KeySet;
use keyrot_core::{EnvMap, FakeClock, Timestamp};

use super::*;
use crate::assembly::Assembly;
use crate::profile::Profile;
use crate::status::KeyState;

const MODEL: &str = "gemini-2.5-flash";

async fn pool() -> (Rotator, Arc<FakeClock>) {
    let text = r#"[{"key_id": "a", "project": "pa"}, {"key_id": "b", "project": "pb"}]"#;
    let keys = KeySet::parse("keys.json", text).expect("legal").set;
    let clock = Arc::new(FakeClock::new(Timestamp::from_millis(1_800_000_000_000)));
    let env = EnvMap::from_iter([("GEMINI_KEY_a", "AIza-a"), ("GEMINI_KEY_b", "AIza-b")]);
    let shared: Arc<dyn keyrot_core::Clock> = Arc::<FakeClock>::clone(&clock);
    let made = Assembly::new(env).keys(keys).clock(shared).seed(1).make().await.expect("made");
    (made.rotator, clock)
}

fn id(text: &str) -> KeyId {
    KeyId::new(text).expect(text)
}

async fn states(rotator: &Rotator) -> Vec<KeyState> {
    rotator.status(MODEL).await.keys.iter().map(|key| key.state).collect()
}

/// The keys that get a request, one after the other.
async fn used(rotator: &Rotator) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for _ in 0..20 {
        let lease = rotator.lease(&Profile::new(MODEL).max_wait(Duration::ZERO)).await.expect("a lease");
        used.insert(lease.key_id().to_string());
    }
    used
}

#[tokio::test]
async fn a_disabled_key_serves_nobody_until_it_is_enabled() {
    let (rotator, clock) = pool().await;
    assert!(rotator.disable(&id("a")).await.expect("disabled"));
    assert!(!rotator.disable(&id("a")).await.expect("disabled"));
    clock.advance(Duration::from_secs(400 * 24 * 3600));
    assert_eq!(states(&rotator).await, [KeyState::Disabled, KeyState::Ready]);
    assert_eq!(used(&rotator).await, BTreeSet::from(["b".to_owned()]));
    // Neither lifts it.
    let scope = rotator.key_scope(&id("a")).expect("known");
    assert!(!rotator.uncool(&scope).await.expect("lifted"));
    rotator.reset(&id("a"), &[]).await.expect("reset");
    assert_eq!(used(&rotator).await, BTreeSet::from(["b".to_owned()]));
    assert!(rotator.enable(&id("a")).await.expect("enabled"));
    assert!(!rotator.enable(&id("a")).await.expect("enabled"));
    assert_eq!(states(&rotator).await, [KeyState::Ready, KeyState::Ready]);
    assert_eq!(used(&rotator).await.len(), 2);
}

#[tokio::test]
async fn a_cooled_project_comes_back_when_its_time_is_over_or_when_it_is_lifted() {
    let (rotator, clock) = pool().await;
    let scope = Scope::Project("pa".into());
    let for_a_minute = CoolFor::After(Duration::from_secs(60));
    rotator.cool(&scope, for_a_minute).await.expect("cooled");
    assert_eq!(states(&rotator).await, [KeyState::Cooling, KeyState::Ready]);
    let [why, _] = &rotator.explain(MODEL).await[..] else { panic!("two keys") };
    assert_eq!(why.learned_from, Some("an operator"));
    assert_eq!(why.remedy.as_deref(), Some("`keyrot uncool project:pa`"));
    clock.advance(Duration::from_secs(60));
    assert_eq!(states(&rotator).await, [KeyState::Ready, KeyState::Ready]);
    rotator.cool(&scope, CoolFor::UntilLifted).await.expect("cooled");
    assert_eq!(states(&rotator).await, [KeyState::Out, KeyState::Ready]);
    assert!(rotator.uncool(&scope).await.expect("lifted"));
    assert_eq!(states(&rotator).await, [KeyState::Ready, KeyState::Ready]);
}

#[tokio::test]
async fn a_reset_lifts_every_scope_and_forgets_learned_limits() {
    let (rotator, _clock) = pool().await;
    let learned = vec![keyrot_core::Learned { bucket: None, quantity: keyrot_core::Quantity::Rpm, limit: 1 }];
    let domain = Domain::new("pa", MODEL);
    let lease = rotator.lease(&Profile::new(MODEL).project("pa")).await.expect("a lease");
    lease.end(&keyrot_core::Outcome::QuotaMinute { retry_after: Duration::ZERO, learned }).await;
    let Scope::Key(a, fingerprint) = rotator.key_scope(&id("a")).expect("known") else { panic!("a key") };
    for scope in [
        Scope::Key(a.clone(), fingerprint),
        Scope::Permission(a.clone(), fingerprint, Method::Generate, MODEL.into()),
        Scope::Project("pa".into()),
        Scope::Domain(domain),
        Scope::Model(MODEL.into()),
        Scope::Pool,
    ] {
        rotator.cool(&scope, CoolFor::UntilLifted).await.expect("cooled");
    }
    let before = rotator.status(MODEL).await.keys.remove(0);
    assert_eq!((before.limits.rpm, before.learned.len()), (Some(1), 1));
    rotator.reset(&a, &[]).await.expect("reset");
    let after = rotator.status(MODEL).await.keys.remove(0);
    assert_eq!((after.limits.rpm, after.learned.len()), (None, 0));
    // What is not the key's alone stays.
    assert_eq!(after.state, KeyState::Out);
    rotator.reset_all(&[]).await.expect("reset");
    assert_eq!(states(&rotator).await, [KeyState::Ready, KeyState::Ready]);
    assert!(matches!(rotator.reset(&id("c"), &[]).await, Err(OperateError::UnknownKey(_))));
}
