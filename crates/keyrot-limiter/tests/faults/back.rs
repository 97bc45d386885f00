//! The return: what was admitted meanwhile is added once, and what was said meanwhile is told.

use std::time::Duration;

use keyrot_core::{
    Ask, Caller, CoolFor, CoolReport, Cost, Domain, Ended, FactStore, LimitKind, Limits, Method, PacificDay,
    RateLimiter, Reason, Samples, Scope, Why,
};
use keyrot_limiter::{DayCharge, Used};
use keyrot_testkit::limiter::{FREE, Way, rpm, secs, tokens};

use crate::scripted::Line;
use crate::world::{World, manner};

#[test]
fn what_was_admitted_alone_is_added_once() {
    let mut world = World::of(2);
    let way = Way::sole(Limits { rpm: Some(20), rpd: Some(100), ..FREE });
    world.go(0, &way, tokens(5));
    world.cut([0], Line::Refused);
    for _ in 0..3 {
        world.go(0, &way, tokens(7));
        world.wait(secs(1));
    }
    assert_eq!(world.store.used(&way.domain), Used { requests: 1, tokens: 5, day: 1 });
    let asked = world.now();
    world.cut([0], Line::Up);
    world.wait(secs(3));
    assert_eq!(world.store.used(&way.domain), Used { requests: 4, tokens: 26, day: 4 });
    let absorbed = world.store.absorbed();
    assert_eq!(absorbed.len(), 1);
    let charges = &absorbed[0].1;
    assert_eq!((charges.len(), &charges[0].domain), (1, &way.domain));
    assert_eq!(charges[0].days, [(PacificDay::containing(asked), DayCharge::Add(3))]);
    let when: Vec<u64> =
        charges[0].window.iter().map(|(at, ..)| asked.since(*at).as_millis() as u64).collect();
    assert!(when[0] <= 3_000 && when[0] > 2_700 && when[2] <= 1_000 && when[2] > 700, "{when:?}");
    assert!(charges[0].window.iter().all(|(_, requests, tokens)| (*requests, *tokens) == (1, 7)));
    // Twenty less four.
    assert_eq!(world.fill(1, &way, 30), 16);
    world.wait(secs(120));
    assert_eq!(world.store.absorbed().len(), 1);
}

#[test]
fn a_caller_keeps_to_its_share_alone_and_its_use_is_told() {
    let mut world = World::of(2);
    let (way, ledger) = (Way::sole(rpm(100)), Domain::new("caller", "a team"));
    let caller = || Some(Caller { ledger: &ledger, limits: Limits { tpm: Some(100), ..rpm(6) } });
    let go = |world: &mut World, tokens_each| {
        world.ask_for(0, caller(), &[&way], tokens(tokens_each)).0.expect("nothing fails")
    };
    go(&mut world, 10).expect("one of six, by the store");
    world.cut([0], Line::Refused);
    // Its share is three of six, and of what was used one of one.
    let alone: Vec<_> = (0..2).map(|_| go(&mut world, 10).expect("it is its share")).collect();
    let refusals = go(&mut world, 10).expect_err("three are its share");
    assert_eq!(refusals[0].why, Why::Caller(LimitKind::Rpm));
    world.settle(0, &alone[0].permit, 4);
    world.release(0, &alone[1].permit, Ended::NeverSent);
    go(&mut world, 10).expect("one was given back");
    world.cut([0], Line::Up);
    world.wait(secs(3));
    let absorbed = world.store.absorbed();
    let of = |domain: &Domain| {
        let charges = absorbed.iter().flat_map(|(_, charges)| charges).filter(|c| c.domain == *domain);
        charges
            .flat_map(|c| &c.window)
            .fold((0, 0), |(r, t), (_, requests, tokens)| (r + requests, t + tokens))
    };
    assert_eq!((of(&way.domain), of(&ledger)), ((2, 14), (2, 14)));
}

#[test]
fn a_return_whose_answer_is_lost_counts_once() {
    let mut world = World::of(1);
    let way = Way::sole(rpm(1_000));
    world.cut([0], Line::Refused);
    for _ in 0..4 {
        world.go(0, &way, tokens(1));
    }
    // The heartbeat must come through, what follows must not be heard of.
    let link = world.instances[0].link.clone();
    link.set(Line::Up);
    link.set_for("absorb", Line::Deaf);
    world.wait(secs(3));
    assert!(world.is_away(0));
    assert_eq!(world.store.used(&way.domain).requests, 4);
    // Admitted after the batch was told, before anybody knows that it was.
    world.go(0, &way, tokens(1));
    link.set_for("absorb", Line::Up);
    world.wait(secs(5));
    assert!(!world.is_away(0));
    assert_eq!(world.store.used(&way.domain), Used { requests: 5, tokens: 5, day: 5 });
}

#[test]
fn what_is_older_than_a_window_counts_for_the_day_alone() {
    let mut world = World::of(1);
    let way = Way::sole(FREE);
    world.cut([0], Line::Refused);
    world.go(0, &way, tokens(9));
    world.wait(secs(100));
    world.go(0, &way, tokens(8));
    world.cut([0], Line::Up);
    world.wait(secs(3));
    assert_eq!(world.store.used(&way.domain), Used { requests: 1, tokens: 8, day: 2 });
}

#[test]
fn the_stores_clock_decides_when_it_was() {
    let mut world = World::of(0);
    let store_clock = keyrot_core::FakeClock::new(world.now() + secs(300));
    world.store = crate::scripted::Store::new(store_clock.clone());
    world.add(manner("skewed"));
    let way = Way::sole(FREE);
    world.wait(secs(1));
    world.go(0, &way, tokens(1));
    world.cut([0], Line::Refused);
    world.go(0, &way, tokens(1));
    store_clock.advance(secs(2));
    world.wait(secs(2));
    world.cut([0], Line::Up);
    world.wait(secs(2));
    let absorbed = world.store.absorbed();
    let (at, ..) = absorbed[0].1[0].window[0];
    // Two seconds before the store's now, to a slot.
    let ago = keyrot_core::Clock::now(&store_clock).since(at);
    assert!(ago >= secs(1) && ago <= Duration::from_millis(4_100), "{ago:?}");
}

#[test]
fn permits_are_settled_where_they_were_granted() {
    let mut world = World::of(1);
    let way = Way::sole(Limits { tpm: Some(10_000), ..FREE });
    let [theirs, refunded] = [(); 2].map(|()| world.go(0, &way, tokens(100)));
    world.cut([0], Line::Refused);
    let [down, over, late, never] = [(); 4].map(|()| world.go(0, &way, tokens(100)));
    // Granted by the store, ended while it is away.
    world.settle(0, &theirs, 30);
    world.release(0, &theirs, Ended::Succeeded);
    world.release(0, &refunded, Ended::NeverSent);
    // Granted and ended here, before the return: the truth is told.
    world.settle(0, &down, 10);
    world.settle(0, &over, 150);
    world.release(0, &never, Ended::NeverSent);
    world.cut([0], Line::Up);
    world.wait(secs(4));
    assert_eq!(world.store.used(&way.domain), Used { requests: 4, tokens: 30 + 10 + 150 + 100, day: 4 });
    let told = world.store.told();
    assert_eq!(
        told,
        [
            format!("settle {} to 30", theirs.id.0),
            format!("release {} Succeeded", theirs.id.0),
            format!("release {} NeverSent", refunded.id.0),
        ],
        "nothing of what was granted here"
    );
    // Granted here, ended after: an overrun is debt, what was too much stays charged.
    world.settle(0, &late, 400);
    world.settle(0, &late, 400);
    world.release(0, &down, Ended::Succeeded);
    world.release(0, &over, Ended::NeverSent);
    world.wait(secs(1));
    assert_eq!(world.store.used(&way.domain), Used { requests: 4, tokens: 590, day: 4 });
}

#[test]
fn what_was_cooled_and_lifted_meanwhile_is_told_in_order() {
    let mut world = World::of(2);
    let way = Way::sole(FREE);
    world.cut([0], Line::Refused);
    let permit = world.go(0, &way, tokens(0));
    let report = |scope, cool, stamp| CoolReport {
        scope,
        cool,
        reason: Reason::KeyRestricted,
        stamp,
        projects: 1,
        samples: Samples::new(),
    };
    let key = Scope::Key(way.key.clone(), way.fingerprint);
    let long = report(key, CoolFor::After(secs(100)), Some(permit.stamp));
    let project = Scope::Project(way.domain.project.clone());
    let short = report(project.clone(), CoolFor::After(secs(5)), Some(permit.stamp));
    let lifted = report(Scope::Domain(way.domain.clone()), CoolFor::UntilLifted, None);
    let limiter = world.instances[0].limiter.clone();
    for report in [&long, &short, &lifted] {
        world.drive(limiter.cool(report)).0.expect("accepted");
    }
    world.drive(limiter.lift(&lifted.scope)).0.expect("accepted");
    assert!(world.refused(0, &way, tokens(0)).retry_after <= secs(100));
    // The other one has not heard of it.
    let other = world.go(1, &way, tokens(0));
    world.release(1, &other, Ended::Succeeded);
    world.wait(secs(10));
    world.cut([0], Line::Up);
    world.wait(secs(3));
    let refusal = world.refused(1, &way, tokens(0));
    assert!(refusal.retry_after > secs(80) && refusal.retry_after <= secs(90), "{refusal:?}");
    let told = world.store.told();
    assert_eq!(told.len(), 4, "one release, two cooldowns, one lift: {told:?}");
    assert!(told[1].starts_with("cool key") && told[2].starts_with("cool domain"), "{told:?}");
    assert!(told[3].starts_with("lift domain"), "{told:?}");
}

#[test]
fn a_report_of_a_permit_granted_alone_counts_unless_it_was_lifted_since() {
    for lifted_since in [false, true] {
        let mut world = World::of(2);
        let way = Way::sole(FREE);
        let scope = Scope::Domain(way.domain.clone());
        let (here, there) = (world.instances[0].limiter.clone(), world.instances[1].limiter.clone());
        world.go(0, &way, tokens(0));
        // This one is older than the permit.
        world.drive(here.lift(&scope)).0.expect("accepted");
        world.cut([0], Line::Refused);
        let permit = world.go(0, &way, tokens(0));
        world.cut([0], Line::Up);
        world.wait(secs(3));
        if lifted_since {
            world.go(1, &way, tokens(0));
            world.drive(there.lift(&scope)).0.expect("accepted");
            world.wait(secs(4));
        }
        let report = CoolReport {
            scope,
            cool: CoolFor::Escalating { at_least: Duration::ZERO },
            reason: Reason::Throttled,
            stamp: Some(permit.stamp),
            projects: 9,
            samples: Samples::new(),
        };
        let cooled = world.drive(here.cool(&report)).0.expect("accepted");
        assert_eq!(cooled.lasts, (!lifted_since).then_some(secs(30)));
    }
}

#[test]
fn what_costs_nothing_adds_nothing() {
    let mut world = World::of(1);
    let way = Way::sole(rpm(1));
    world.cut([0], Line::Refused);
    for _ in 0..3 {
        world.go(0, &way, Cost { requests: 0, tokens: 0 });
    }
    world.cut([0], Line::Up);
    world.wait(secs(3));
    assert!(!world.is_away(0));
    assert!(world.store.absorbed().is_empty());
}

#[test]
fn it_is_away_until_what_was_admitted_is_added() {
    let mut world = World::of(1);
    let way = Way::sole(rpm(5));
    world.cut([0], Line::Refused);
    world.go(0, &way, tokens(0));
    world.cut([0], Line::Up);
    world.instances[0].link.set_for("absorb", Line::Late(Duration::from_millis(800)));
    while world.store.absorbed().is_empty() {
        world.wait(Duration::from_millis(50));
    }
    world.wait(Duration::from_millis(500));
    assert!(world.is_away(0));
    world.go(0, &way, tokens(0));
    world.wait(Duration::from_millis(1_000));
    assert!(world.is_away(0), "one more was admitted meanwhile");
    world.wait(secs(1));
    assert!(!world.is_away(0));
    assert_eq!(world.store.used(&way.domain).requests, 2);
}

#[test]
fn who_is_never_idle_is_back_all_the_same() {
    let mut world = World::of(1);
    let way = Way::sole(FREE);
    world.cut([0], Line::Refused);
    world.go(0, &way, tokens(0));
    world.cut([0], Line::Up);
    world.instances[0].link.set_for("absorb", Line::Late(Duration::from_millis(300)));
    let (up, mut all) = (world.now(), 1);
    while world.is_away(0) {
        world.go(0, &way, tokens(0));
        all += 1;
        world.wait(Duration::from_millis(50));
    }
    assert!(world.now().since(up) <= secs(5));
    world.wait(secs(2));
    assert_eq!(world.store.used(&way.domain).requests, all, "the rest was added after");
}

#[test]
fn a_question_repeated_alone_is_charged_once() {
    let mut world = World::of(1);
    let way = Way::sole(rpm(5));
    world.cut([0], Line::Silent);
    let permit = world.permit();
    let first = world.asking(0, permit, &way, tokens(4));
    let first = world.drive(first).0;
    assert!(first.is_some());
    let limiter = world.instances[0].limiter.clone();
    let candidates = [way.candidate()];
    let ask = Ask {
        permit,
        candidates: &candidates,
        method: Method::Generate,
        cost: tokens(4),
        lease: secs(90),
        class: 0,
        caller: None,
    };
    let again = world.drive(limiter.reserve(&ask)).0.expect("nothing fails").grant;
    assert_eq!(again.map(|grant| grant.permit), first);
    world.cut([0], Line::Up);
    world.wait(secs(3));
    assert_eq!(world.store.used(&way.domain), Used { requests: 1, tokens: 4, day: 1 });
}

#[test]
fn near_midnight_it_counts_in_both_days() {
    let mut world = World::of(1);
    let way = Way::sole(FREE);
    let today = PacificDay::containing(world.now());
    world.cut([0], Line::Refused);
    world.clock.advance_to(today.end.before(Duration::from_millis(100)));
    world.go(0, &way, tokens(0));
    world.cut([0], Line::Up);
    world.wait(secs(3));
    let tomorrow = PacificDay::containing(today.end);
    let one = DayCharge::Add(1);
    assert_eq!(world.store.absorbed()[0].1[0].days, [(today, one), (tomorrow, one)]);
}

#[test]
fn a_line_that_breaks_while_it_is_told_is_told_the_rest() {
    let mut world = World::of(1);
    world.cut([0], Line::Refused);
    let limiter = world.instances[0].limiter.clone();
    world.drive(limiter.increment("n", 3)).0.expect("accepted");
    world.drive(limiter.put("x", "1", None)).0.expect("accepted");
    world.cut([0], Line::Up);
    world.instances[0].link.set_for("increment", Line::Refused);
    world.wait(secs(2));
    world.drive(limiter.increment("n", 2)).0.expect("accepted");
    world.instances[0].link.set_for("increment", Line::Up);
    world.wait(secs(4));
    let value = |fact: Option<keyrot_core::Fact>| fact.map(|fact| fact.value);
    let link = world.instances[0].link.clone();
    assert_eq!(value(world.drive(link.get("n")).0.expect("up")).as_deref(), Some("5"));
    assert_eq!(value(world.drive(link.get("x")).0.expect("up")).as_deref(), Some("1"));
}
