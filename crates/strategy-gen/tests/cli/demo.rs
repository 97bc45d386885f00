//! `--demo`: the rotation at work, without a key, as often as one likes.

use crate::rig::{Place, RSI};

#[test]
fn the_demo_shows_a_rejected_an_exhausted_and_a_healthy_key() {
    let place = Place::new();
    let ended = place.run([RSI, "--demo"]);
    ended.code(0).says(&[
        "demo: a simulated Gemini listens on http://127.0.0.1:",
        "attempt 1: key revoked",
        "attempt 2: key used_up",
        "attempt 3: key healthy",
        "success",
    ]);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "rsi_strategy.py");
    assert_eq!(lines.len(), 5);
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{ended}");
    assert_eq!(place.names(), ["rsi_strategy.py", "rsi_strategy.strategy.json"]);
    place.run(["check", "rsi_strategy.py"]).code(0);
}

#[test]
fn the_demo_needs_no_environment_and_listens_to_none() {
    let place = Place::new();
    place.file("keys.json", "broken");
    let env = [
        ("ENABLE_KEY_ROTATION", "true"),
        ("SECRET_STORE_TYPE", "vault"),
        ("GEMINI_BASE_URL", "ftp://nowhere"),
        ("GEMINI_API_KEYS", "AIzaCANARY"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("HTTPS_PROXY", "http://127.0.0.1:1"),
    ];
    place.program([RSI, "--demo"]).envs(&env).run().code(0);
}

#[test]
fn two_demos_at_once_do_not_meet() {
    let place = Place::new();
    let other = Place::new();
    let first = place.program([RSI, "--demo"]).start();
    let second = other.program([RSI, "--demo"]).start();
    for (child, place) in [(first, &place), (second, &other)] {
        crate::rig::Ended::of(child).code(0);
        assert_eq!(place.names(), ["rsi_strategy.py", "rsi_strategy.strategy.json"]);
    }
    // In one directory too: neither takes the other's file.
    let children = [place.program([RSI, "--demo"]).start(), place.program([RSI, "--demo"]).start()];
    for child in children {
        crate::rig::Ended::of(child).code(0);
    }
    let python: Vec<_> = place.names().into_iter().filter(|name| name.ends_with(".py")).collect();
    assert_eq!(python, ["rsi_strategy.py", "rsi_strategy_2.py", "rsi_strategy_3.py"]);
    assert_eq!(place.names().len(), 6);
}

#[test]
fn the_demo_refuses_what_makes_no_sense_with_it() {
    let place = Place::new();
    for flag in ["--single-key", "--multi-key", "--offline"] {
        place.run([RSI, "--demo", flag]).code(2).says(&["--demo", flag]);
    }
    assert!(place.names().is_empty());
}
