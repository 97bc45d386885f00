//! Keys where no key belongs: in arguments, descriptions and files. Nothing is sent, saved or repeated.

use crate::gemini::{Gemini, STRATEGY};
use crate::rig::{Place, RSI};

/// Long enough to be told from a word.
fn key() -> String {
    format!("AIza{}", "CANARY-".repeat(5))
}

#[test]
fn a_key_in_an_argument_is_refused_and_not_repeated() {
    let gemini = Gemini::good();
    let key = key();
    let sentence = format!("{RSI} with {key}");
    let flag = format!("--name={key}");
    let file = format!("{key}.py");
    let set = format!("period={key}");
    for args in [
        &[sentence.as_str()][..],
        &[RSI, "--name", &key],
        &[RSI, &flag],
        &[RSI, "-o", &file],
        &[RSI, "--model", &key],
        &["new", &sentence],
        &["prompt", &sentence],
        &["run", "strategy.py", "--set", &set],
        &["run", &file],
        &["check", "strategy.py", "--description", &sentence],
        &["improve", "strategy.py", &sentence],
        &["fix", "strategy.py", "--description", &sentence],
        &["batch", &file],
        &["history", "--search", &key],
        &["show", &key],
        // What clap itself complains about.
        &[&key, "--nonsense"],
        &["--nonsense", &key],
        &["run", "strategy.py", "--cash", &key],
        &["run", "strategy.py", &key],
    ] {
        let place = Place::new();
        place.file("strategy.py", STRATEGY);
        let ended = gemini.program(&place, args.iter().copied()).run();
        ended.fails(2, &["an argument holds what looks like an API key", "hint: "]);
        assert_eq!(place.names(), ["strategy.py"]);
    }
    let place = Place::new();
    let ended = gemini.program(&place, [sentence.as_str(), "--json"]).run();
    assert_eq!(ended.code(2).json()["exit_code"], 2);
    assert_eq!(gemini.requests(), 0);
}

#[test]
fn a_key_in_what_is_read_is_refused_and_not_repeated() {
    let gemini = Gemini::good();
    let key = key();
    let place = Place::new();
    place.file("ideas.txt", format!("{RSI}\n# {key}\n"));
    place.file("more.txt", format!("{{\"name\": \"{key}\", \"description\": \"{RSI}\"}}\n"));
    place.file("strategy.py", format!("# {key}\n{STRATEGY}"));
    let before = place.names();
    for args in [&["-"][..], &["prompt", "-"], &["improve", "strategy.py", "-"]] {
        let program = gemini.program(&place, args.iter().copied()).stdin(format!("{RSI} {key}"));
        program.run().fails(2, &["holds what looks like an API key", "hint: "]);
    }
    for (file, place_) in [("ideas.txt", "line 2"), ("more.txt", "line 1")] {
        let ended = gemini.program(&place, ["batch", file]).run();
        ended.fails(2, &[file, place_, "holds what looks like an API key", "hint: "]);
    }
    let piped = gemini.program(&place, ["batch", "-"]).stdin(format!("{RSI}\n{key}\n"));
    piped.run().fails(2, &["line 2 holds what looks like an API key"]);
    for args in [&["fix", "strategy.py"][..], &["improve", "strategy.py", "add a 2% stop"]] {
        let ended = gemini.program(&place, args.iter().copied()).run();
        ended.fails(2, &["`strategy.py` holds what looks like an API key", "hint: "]);
    }
    assert_eq!(gemini.requests(), 0);
    assert_eq!(place.names(), before);
}
