//! Lost answers: a question repeated is one charge, and a question given up is none.

use futures_util::future::poll_immediate;
use keyrot_core::{Ask, Ended, FakeClock, Method, RateLimiter};

use super::rig::{FREE, LEASE, Maker, NOON, ONE, Rig, Way, rpm, secs, tokens};

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    a_question_repeated_is_charged_once(make).await;
    the_same_way_is_answered_again(make).await;
    a_repeated_probe_is_the_same_probe(make).await;
    what_was_refused_may_be_asked_again(make).await;
    a_question_given_up_is_given_back(make).await;
}

async fn a_question_repeated_is_charged_once<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let way = Way { concurrency: Some(1), ..Way::new("a", "p", "m", rpm(1)) };
    let id = rig.permit();
    let first = rig.ask_as(id, &[&way], Method::Generate, tokens(7)).await.grant;
    let first = first.map(|grant| (grant.index, grant.permit));
    assert!(first.is_some());
    for _ in 0..3 {
        rig.wait(secs(1));
        let again = rig.ask_as(id, &[&way], Method::Generate, tokens(7)).await.grant;
        assert_eq!(again.map(|grant| (grant.index, grant.permit)), first);
        let standing = rig.standing(&way).await;
        let used = (standing.requests, standing.tokens, standing.day, standing.in_flight);
        assert_eq!(used, (1, 7, 1, 1));
    }
    if let Some((_, permit)) = &first {
        rig.release(permit, Ended::NeverSent).await;
    }
    let standing = rig.standing(&way).await;
    assert_eq!((standing.requests, standing.tokens, standing.day, standing.in_flight), (0, 0, 0, 0));
}

async fn the_same_way_is_answered_again<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let (a, b) = (Way::new("a", "p", "m", rpm(1)), Way::new("b", "q", "m", rpm(1)));
    let full = rig.go(&a, ONE).await;
    let id = rig.permit();
    let first = rig.ask_as(id, &[&a, &b], Method::Generate, ONE).await.grant.map(|g| (g.index, g.permit));
    assert_eq!(first.as_ref().map(|(index, _)| *index), Some(1));
    // Now the better way has room: the answer stays what it was.
    rig.release(&full, Ended::NeverSent).await;
    let again = rig.ask_as(id, &[&a, &b], Method::Generate, ONE).await.grant.map(|g| (g.index, g.permit));
    assert_eq!(again, first);
    assert_eq!((rig.standing(&a).await.requests, rig.standing(&b).await.requests), (0, 1));
}

async fn a_repeated_probe_is_the_same_probe<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let (a, b) = (Way::new("a", "p", "m", FREE), Way::new("b", "p", "m", FREE));
    let permit = rig.go(&a, ONE).await;
    rig.throttled(&permit, 9).await;
    rig.wait(secs(30));
    let id = rig.permit();
    for _ in 0..2 {
        let grant = rig.ask_as(id, &[&a], Method::Generate, ONE).await.grant;
        assert!(grant.is_some_and(|grant| grant.permit.probe));
        rig.refused(&b, ONE).await;
    }
}

async fn what_was_refused_may_be_asked_again<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let (rig, way) = (make.rig(NOON).await, Way::new("a", "p", "m", rpm(1)));
    rig.go(&way, ONE).await;
    let id = rig.permit();
    let reply = rig.ask_as(id, &[&way], Method::Generate, ONE).await;
    assert!(reply.grant.is_none());
    rig.wait(reply.retry_after());
    assert!(rig.ask_as(id, &[&way], Method::Generate, ONE).await.grant.is_some());
}

async fn a_question_given_up_is_given_back<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let way = Way { concurrency: Some(2), ..Way::new("a", "p", "m", rpm(2)) };
    let kept = rig.go(&way, ONE).await;
    for _ in 0..20 {
        give_up(&rig, &way).await;
        let standing = rig.standing(&way).await;
        assert_eq!((standing.requests, standing.day, standing.in_flight), (1, 1, 1), "given back in order");
    }
    rig.release(&kept, Ended::Succeeded).await;
    rig.go(&way, ONE).await;
}

/// Asks, and drops the question at its first wait.
#[expect(clippy::expect_used, reason = "a suite fails by panicking")]
async fn give_up<L: RateLimiter>(rig: &Rig<L>, way: &Way) {
    let candidates = [way.candidate()];
    let permit = rig.permit();
    let ask = Ask {
        permit,
        candidates: &candidates,
        method: Method::Generate,
        cost: ONE,
        lease: LEASE,
        class: 0,
        caller: None,
    };
    // A store that never waits has answered: then it is the asker who gives back.
    if let Some(reply) = poll_immediate(rig.store.reserve(&ask)).await
        && let Some(grant) = reply.expect("the store is there").grant
    {
        rig.release(&grant.permit, Ended::NeverSent).await;
    }
}
