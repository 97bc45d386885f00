//! `--json`: one document on stdout, whatever happens, and never a key in it (the rig looks).

use gemini_sim::Answer;

use crate::gemini::Gemini;
use crate::rig::{Place, RSI};

#[test]
fn success_is_one_document() {
    let place = Place::new();
    let gemini = Gemini::good();
    let ended = gemini.program(&place, [RSI, "--json"]).run();
    let document = ended.code(0).json();
    assert_eq!(document["status"], "ok");
    assert_eq!(document["path"], "bounce_strategy.py");
    assert_eq!(document["strategy"]["name"], "Bounce");
    assert_eq!(document["strategy"]["code"], place.read("bounce_strategy.py"));
    assert_eq!(document["strategy"]["model"], "gemini-2.5-flash");
    assert_eq!(document["attempts"][0]["key_id"], "GEMINI_API_KEY");
    assert_eq!(document["attempts"][0]["outcome"], "success");
    let printed = gemini.program(&place, [RSI, "--json", "-o", "-"]).run();
    assert!(printed.code(0).json()["path"].is_null());
    let demo = place.run([RSI, "--json", "--demo"]);
    assert_eq!(demo.code(0).json()["health"]["keys"].as_array().map(Vec::len), Some(3));
    let offline = place.run(["new", RSI, "--json", "--offline", "-o", "offline.py"]).code(0).json();
    assert_eq!(
        (offline["path"].as_str(), offline["strategy"]["model"].is_null()),
        (Some("offline.py"), true)
    );
}

#[test]
fn failure_is_one_document_with_its_exit_code() {
    let place = Place::new();
    place.file("there.py", "x = 1\n");
    let gemini = Gemini::answering(vec![Answer::text("I would rather not.")]);
    let no_env = |args: &[&str]| place.program(args.iter().copied()).run();
    for (ended, code) in [
        (no_env(&[RSI, "--json"]), 3),
        (no_env(&["doctor", "--json"]), 3),
        (no_env(&["", "--json"]), 2),
        (no_env(&[RSI, "--json", "-o", "there.py"]), 2),
        (no_env(&["moonphase trading", "--json", "--offline"]), 2),
        (no_env(&["check", "--json", "none.py"]), 2),
        (no_env(&["--json"]), 2),
        (no_env(&[RSI, "--json", "--no-such-flag"]), 2),
        (gemini.program(&place, [RSI, "--json"]).run(), 1),
        (gemini.program(&place, [RSI, "--json"]).env("ENABLE_KEY_ROTATION", "?").run(), 2),
        (gemini.program(&place, [RSI, "--json"]).env("GEMINI_BASE_URL", "?").run(), 2),
    ] {
        let document = ended.code(code).json();
        assert_eq!(document["status"], "error", "{ended}");
        assert_eq!(document["exit_code"], code, "{ended}");
        let error = document["error"].as_str().expect("a text");
        assert!(!error.is_empty() && !error.starts_with("error"), "{ended}");
    }
    // After `--` it is a word of the description.
    assert_eq!(no_env(&["--", "--json"]).code(3).stdout, "");
}
