//! The exit codes of calls that fail for good.

use gemini_sim::{
    Answer, Fault, FaultRule, KeySpec, KeyState, OverloadText, ProjectSpec, ProjectState, Quota,
};

use crate::gemini::{Gemini, SECRET, STRATEGY, block, one_key};
use crate::rig::{Place, RSI};

const LIST: (&str, &str) = ("GEMINI_API_KEYS", "AIzaCANARY-1,AIzaCANARY-2");

/// Two projects with a key each.
fn two(quota: Quota, keys: &KeyState, projects: ProjectState) -> Gemini {
    Gemini::start(vec![Answer::text(block(STRATEGY))], |mut sim| {
        for n in 1..=2 {
            let project = ProjectSpec::new(format!("p{n}")).default_quota(quota).state(projects);
            let key = KeySpec::new(format!("AIzaCANARY-{n}"), format!("p{n}")).state(keys.clone());
            sim = sim.project(project).key(key);
        }
        sim
    })
}

fn failing(fault: Fault) -> Gemini {
    Gemini::start(vec![Answer::text(block(STRATEGY))], |sim| {
        one_key(sim).fault(FaultRule::new(fault).always())
    })
}

#[test]
fn no_network_is_6() {
    let place = Place::new();
    // A port that was free a moment ago and is closed again.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let closed = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let program = place.program([RSI]).env("GEMINI_BASE_URL", &closed).env("GEMINI_API_KEY", SECRET);
    program.run().fails(6, &["no connection", "refused", "hint: ", "network"]);
    assert!(place.names().is_empty());
}

#[test]
fn every_key_rejected_is_3() {
    for state in [KeyState::Invalid, KeyState::Expired, KeyState::Leaked, KeyState::BadAuthKey] {
        let place = Place::new();
        let gemini = two(Quota::UNLIMITED, &state, ProjectState::Ok);
        let ended = gemini.reached_by(place.program([RSI])).envs(&[LIST]).run();
        ended.fails(3, &["No API keys available", "key_01 (project key_01)", "key_02", "hint: "]);
        let single = gemini.program(&place, [RSI]).run();
        single.fails(3, &["No API keys available", "GEMINI_API_KEY", "hint: "]);
        assert!(place.names().is_empty());
    }
}

#[test]
fn every_key_or_project_shut_out_for_now_is_3() {
    let restricted = two(Quota::UNLIMITED, &KeyState::IpBlocked, ProjectState::Ok);
    let disabled = two(Quota::UNLIMITED, &KeyState::Valid, ProjectState::ServiceDisabled);
    for (gemini, hint) in [(restricted, "restrictions"), (disabled, "enable the Generative Language API")] {
        let place = Place::new();
        let ended = gemini.reached_by(place.program([RSI, "--max-wait", "0"])).envs(&[LIST]).run();
        ended.fails(3, &["key_01", "key_02", hint]);
    }
}

#[test]
fn every_daily_quota_used_up_is_4_with_the_instant() {
    let place = Place::new();
    let gemini = two(Quota { rpd: Some(1), ..Quota::UNLIMITED }, &KeyState::Valid, ProjectState::Ok);
    let run = || gemini.reached_by(place.program([RSI, "-o", "-"])).envs(&[LIST]).run();
    run().code(0);
    run().code(0);
    let ended = run();
    // The instant as a clock shows it, and from now.
    ended.fails(
        4,
        &[
            "every key for `gemini-2.5-flash` is exhausted",
            "the first is free in",
            " (at 20",
            "Z)",
            "key_01",
            "key_02",
            "daily quota reached, until 20",
            "hint: ",
        ],
    );
    let widest = ended.stderr.lines().filter(|l| l.starts_with("  key_")).map(|l| l.chars().count()).max();
    assert!(widest.expect("the keys") <= 100, "{ended}");
}

#[test]
fn no_wait_allowed_is_4_at_once() {
    let place = Place::new();
    let gemini = two(Quota { rpm: Some(1), ..Quota::UNLIMITED }, &KeyState::Valid, ProjectState::Ok);
    let run = |wait: &str| {
        gemini.reached_by(place.program([RSI, "-o", "-", "--max-wait", wait])).envs(&[LIST]).run()
    };
    run("0").code(0);
    run("0").code(0);
    let ended = run("0");
    ended.fails(4, &["every key", "the first is free in", "hint: "]).is_silent_about("waiting");
    assert_eq!(gemini.asked().len(), 2);
    // The longest wait that can be written is a wait, and no overflow.
    let fresh = Gemini::good();
    fresh.program(&place, [RSI, "--max-wait", "18446744073709551615"]).run().code(0);
    fresh.program(&place, [RSI, "--max-wait", "-1"]).run().code(2);
    fresh.program(&place, [RSI, "--max-wait", "soon"]).run().code(2).says(&["--max-wait"]);
}

#[test]
fn trouble_at_the_provider_is_6() {
    for (fault, told) in [
        (Fault::Overloaded(OverloadText::New), "overloaded"),
        (Fault::InternalShort, "500"),
        (Fault::BadGatewayHtml, "502"),
        (Fault::BadRequest("no".to_owned()), "400"),
        (Fault::LocationBlocked, "location"),
        (Fault::Reset, "connection"),
        (
            Fault::Raw { status: 200, content_type: "text/html".into(), body: "<html>login".into() },
            "no Gemini answer",
        ),
    ] {
        let place = Place::new();
        let gemini = failing(fault);
        let ended = gemini.program(&place, [RSI, "--max-wait", "1"]).run();
        ended.code(6).says(&["error: ", told]);
        assert_eq!((ended.stdout.as_str(), place.names().len()), ("", 0));
    }
}

#[test]
fn throttling_is_4() {
    let place = Place::new();
    let gemini = failing(Fault::TooManyBare);
    let ended = gemini.program(&place, [RSI, "--max-wait", "0"]).run();
    ended.fails(4, &["429", "hint: "]);
}
