//! Requests that are asked at the same time, which a store may decide in one step, and those that name no
//! way to go.

use futures_util::future::join4;
use keyrot_core::{FakeClock, LimitKind, Limits, Method, RateLimiter, Reply, Why};

use super::rig::{FREE, Maker, NOON, ONE, Way, tokens};

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    no_way_to_go_is_an_answer(make).await;
    what_is_decided_together_keeps_the_limits(make).await;
}

async fn no_way_to_go_is_an_answer<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let Reply { refusals, grant } = rig.ask(&[], Method::Generate, ONE).await;
    assert!(refusals.is_empty() && grant.is_none());
    rig.go(&Way::sole(FREE), ONE).await;
}

/// A request that does not fit keeps out later ones of its class, if they are decided with it, and no
/// other.
async fn what_is_decided_together_keeps_the_limits<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(
    make: &Maker<F>,
) {
    let rig = make.rig(NOON).await;
    let way = Way::sole(Limits { tpm: Some(100), ..FREE });
    let ask = async |class, size| rig.ask_of(class, &way, tokens(size)).await;
    let (first, large, small, other) = join4(ask(0, 30), ask(1, 80), ask(1, 10), ask(2, 10)).await;
    assert!(first.is_ok() && other.is_ok());
    // 30 and 80 are more than 100.
    let large = large.err();
    assert_eq!(large.map(|refusal| refusal.why), Some(Why::Limit(LimitKind::Tpm)));
    let used = 40 + if small.is_ok() { 10 } else { 0 };
    assert!(small.is_ok() || small.as_ref().err() == large.as_ref(), "it waits for the larger one");
    assert_eq!(rig.standing(&way).await.tokens, used);
}
