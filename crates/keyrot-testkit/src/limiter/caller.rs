//! A caller's own limits, which are charged together with the domain's or not at all.

#![expect(clippy::expect_used, reason = "a suite fails by panicking")]

use keyrot_core::{
    Ask, Caller, Candidate, Cost, Domain, Ended, FakeClock, Grant, LimitKind, Limits, Method, PacificDay,
    PermitId, RateLimiter, Refusal, Why,
};

use super::rig::{FREE, LEASE, MS, Maker, NOON, ONE, Rig, Way, rpm, secs, tokens};

pub(super) async fn suite<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    both_are_charged_or_neither(make).await;
    both_are_settled_and_given_back(make).await;
    its_day_ends_at_midnight(make).await;
    what_can_never_fit_says_so(make).await;
}

fn team(name: &str) -> Domain {
    Domain::new("caller", name)
}

fn pair() -> [Way; 2] {
    ["one", "other"].map(|project| Way::new(project, project, "m", rpm(3)))
}

impl<L: RateLimiter> Rig<L> {
    async fn ask_for(
        &self,
        (ledger, limits): (&Domain, Limits),
        permit: PermitId,
        ways: &[&Way],
        cost: Cost,
    ) -> Result<Grant, Vec<Refusal>> {
        let candidates: Vec<Candidate<'_>> = ways.iter().map(|way| way.candidate()).collect();
        let (method, caller) = (Method::Generate, Some(Caller { ledger, limits }));
        let ask = Ask { permit, candidates: &candidates, method, cost, lease: LEASE, class: 0, caller };
        let reply = self.store.reserve(&ask).await.expect("the store is there");
        reply.grant.ok_or_else(|| reply.refusals.to_vec())
    }

    async fn go_for(
        &self,
        caller: (&Domain, Limits),
        ways: &[&Way],
        cost: Cost,
    ) -> Result<Grant, Vec<Refusal>> {
        self.ask_for(caller, self.permit(), ways, cost).await
    }
}

async fn both_are_charged_or_neither<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let [one, other] = &pair();
    let rig = make.rig(NOON).await;
    let (ours, theirs) = (&team("ours"), &team("theirs"));
    // Four of ours in both domains, over all: a question that is put again is charged once.
    let four = (ours, rpm(4));
    for way in [one, other] {
        let permit = rig.permit();
        for _ in 0..2 {
            let grant = rig.ask_for(four, permit, &[way], ONE).await.expect("there is room");
            assert_eq!(grant.permit.caller.as_deref(), Some(ours));
        }
        rig.go_for(four, &[way], ONE).await.expect("there is room");
    }
    let refusals = rig.go_for(four, &[one, other], ONE).await.expect_err("it has had its four");
    let whys: Vec<_> = refusals.iter().map(|refusal| refusal.why).collect();
    assert_eq!(whys, [Why::Caller(LimitKind::Rpm); 2]);
    // Neither domain was charged for it: each has one left, for another caller.
    rig.go_for((theirs, rpm(9)), &[one], ONE).await.expect("the third of three");
    let refusals = rig.go_for((theirs, rpm(9)), &[one], ONE).await.expect_err("the domain is full");
    assert_eq!(refusals[0].why, Why::Limit(LimitKind::Rpm));
    // Nor was it charged for what a domain refused.
    for _ in 0..5 {
        rig.go_for((theirs, rpm(2)), &[one], ONE).await.expect_err("the domain is full");
    }
    rig.go_for((theirs, rpm(2)), &[other], ONE).await.expect("the second of two");
    // What it is told is true.
    rig.wait(refusals[0].retry_after - MS);
    rig.go_for(four, &[one], ONE).await.expect_err("not yet");
    rig.wait(MS);
    rig.go_for(four, &[one], ONE).await.expect("now");
}

async fn both_are_settled_and_given_back<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let way = Way::sole(Limits { tpm: Some(1_000), ..FREE });
    let rig = make.rig(NOON).await;
    let ours = team("ours");
    let hundred = (&ours, Limits { tpm: Some(100), ..FREE });
    let grant = rig.go_for(hundred, &[&way], tokens(80)).await.expect("there is room");
    rig.go_for(hundred, &[&way], tokens(80)).await.expect_err("only 20 are left");
    rig.settle(&grant.permit, 10).await;
    rig.settle(&grant.permit, 70).await;
    let other = rig.go_for(hundred, &[&way], tokens(80)).await.expect("it was settled to 10, once");
    assert_eq!(rig.standing(&way).await.tokens, 90);
    rig.release(&grant.permit, Ended::Succeeded).await;
    rig.release(&other.permit, Ended::NeverSent).await;
    assert_eq!(rig.standing(&way).await.tokens, 10);
    let last = rig.go_for(hundred, &[&way], tokens(90)).await.expect("80 were given back");
    rig.settle(&last.permit, 95).await;
    // An overrun is debt of both.
    rig.go_for(hundred, &[&way], tokens(1)).await.expect_err("105 are used");
    assert_eq!(rig.standing(&way).await.tokens, 105);
}

async fn its_day_ends_at_midnight<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let way = Way::sole(FREE);
    let rig = make.rig(NOON).await;
    let ours = team("ours");
    let daily = (&ours, Limits { rpd: Some(1), ..FREE });
    rig.go_for(daily, &[&way], ONE).await.expect("the day's only one");
    let refusals = rig.go_for(daily, &[&way], ONE).await.expect_err("the day is over");
    assert_eq!(refusals[0].why, Why::Caller(LimitKind::Rpd));
    let midnight = PacificDay::containing(NOON).end.since(NOON);
    assert!(refusals[0].retry_after >= midnight && refusals[0].retry_after < midnight + secs(3));
    rig.wait(refusals[0].retry_after);
    rig.go_for(daily, &[&way], ONE).await.expect("another day");
}

async fn what_can_never_fit_says_so<L: RateLimiter, F: AsyncFn(FakeClock) -> L>(make: &Maker<F>) {
    let rig = make.rig(NOON).await;
    let ours = team("ours");
    let small = (&ours, Limits { tpm: Some(10), ..FREE });
    let refusals = rig.go_for(small, &[&Way::sole(FREE)], tokens(11)).await.expect_err("it is too large");
    let never = Refusal { retry_after: std::time::Duration::MAX, why: Why::Caller(LimitKind::Tpm) };
    assert_eq!(refusals, [never]);
}
