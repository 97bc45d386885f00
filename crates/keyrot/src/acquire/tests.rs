//! Hints: what a refusal leaves behind, and what it must not.

use keyrot_core::keys::{Key, KeySet, PoolConfig};
use keyrot_core::{EnvMap, KeyId, Limits};

use super::*;
use crate::Assembly;

#[tokio::test]
async fn what_is_reopened_while_a_refusal_is_on_its_way_stays_open() {
    let limits = Limits { rpm: Some(1), ..Limits::default() };
    let key = Key { limits, ..Key::new(KeyId::new("a1").expect("legal")) };
    let project = key.project.clone();
    let env = EnvMap::from_iter([("GEMINI_KEY_a1", "AIza")]);
    let keys = KeySet { keys: vec![key], config: PoolConfig::default() };
    let rotator = Assembly::new(env).keys(keys).make().await.expect("a pool").rotator;
    let (pool, profile) = (&rotator.pool, Profile::new("model-1").max_wait(Duration::ZERO));
    rotator.lease(&profile).await.expect("one may go");
    let lane = pool.lane(&profile.lane_key("model-1".into())).await;
    let now = pool.clock.now();
    let search = Search { pool, lane: &lane, profile: &profile, deadline: now };
    for (reopened, out) in [(true, false), (false, true)] {
        let Drawn { picks, permit, seen } = search.draw(None, &Tried::default(), now);
        let pick = picks[0];
        let usable = [search.usable(pick, now).expect("it has a secret")];
        let candidates = [lane.candidate(pick.key, pick.group, &usable[0].1, now)];
        let Profile { method, cost, lease, .. } = profile;
        let reply = pool
            .limiter
            .reserve(&Ask { permit, candidates: &candidates, method, cost, lease, class: 0 })
            .await;
        if reopened {
            lane.reopen(&project, None);
        }
        let granted = search.note(&usable, reply.expect("in memory"), seen, now);
        assert!(matches!(granted, Ok(None)));
        assert_eq!(lane.draw.lock().selector.earliest().is_some(), out);
    }
}

#[tokio::test]
async fn what_is_free_again_by_now_is_no_reason_to_give_up_all_hope() {
    let env = EnvMap::from_iter([("GEMINI_KEY_a1", "AIza")]);
    let keys =
        KeySet { keys: vec![Key::new(KeyId::new("a1").expect("legal"))], config: PoolConfig::default() };
    let rotator = Assembly::new(env).keys(keys).make().await.expect("a pool").rotator;
    let (pool, profile) = (&rotator.pool, Profile::new("model-1"));
    let lane = pool.lane(&profile.lane_key("model-1".into())).await;
    let search = Search { pool, lane: &lane, profile: &profile, deadline: pool.clock.now() };
    let mut tried = Tried::default();
    let exhausted = search.exhausted(&tried, Duration::ZERO).await;
    assert!(!exhausted.is_hopeless(), "{exhausted}");
    tried.group(0, Timestamp::NEVER);
    let exhausted = search.exhausted(&tried, Duration::ZERO).await;
    assert!(exhausted.is_hopeless() && exhausted.to_string().contains("already failed"), "{exhausted}");
}
