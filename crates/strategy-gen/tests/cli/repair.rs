//! The loop as a whole: when it stops, what it keeps, and what is none of the model's business.

use std::process::Command;

use gemini_sim::{Answer, Fault, FaultRule};

use crate::gemini::{Gemini, STRATEGY, block, one_key};
use crate::rig::{Ended, Place, RSI, test_python};

fn spoilt(from: &str, to: &str) -> Answer {
    assert!(STRATEGY.contains(from));
    Answer::text(block(&STRATEGY.replace(from, to)))
}

fn with_python<'a>(gemini: &Gemini, place: &Place, args: impl IntoIterator<Item = &'a str>) -> Ended {
    let args: Vec<&str> = args.into_iter().collect();
    let python = test_python().display().to_string();
    gemini.program(place, args.iter().copied().chain(["--python", python.as_str()])).run()
}

/// Fails when it is run.
fn failing() -> Answer {
    spoilt("self.buy()", "self.buy(size=12.7)")
}

#[test]
fn what_fails_in_the_sandbox_goes_back_with_its_causes_and_its_lines() {
    let place = Place::new();
    let lambda = spoilt(
        "self.I(rsi, self.data.Close, self.period)",
        "self.I(lambda: self.data.Close.rolling(self.period).mean())",
    );
    let gemini = Gemini::answering(vec![lambda, Answer::text(block(STRATEGY))]);
    let ended = with_python(&gemini, &place, [RSI, "--data", "synthetic:3"]);
    ended.code(0).says(&[
        "the answer (gemini-2.5-flash, key GEMINI_API_KEY, ",
        " tokens): not valid, run: 15 failed on synthetic:3: ",
        "asking for repair 1 of 3",
        "repair 1 (gemini-2.5-flash, ",
        ": good",
        "data ",
        "synthetic:3 ",
        "sandbox: ",
    ]);
    let asked = &gemini.asked()[1];
    for part in [
        // The library's message says nothing; its cause does.
        "because of AttributeError: '_Array' object has no attribute 'rolling'",
        "line 15 in <lambda>: `self.rsi = self.I(lambda: self.data.Close.rolling(self.period).mean())`",
        "hint: `self.data.Close` is an array",
        "  15 |         self.rsi = self.I(lambda: ",
        "never loosen a threshold",
        RSI,
    ] {
        assert!(asked.prompt_text.contains(part), "{part}\n{}", asked.prompt_text);
    }
    assert!(!asked.prompt_text.contains("site-packages"), "{}", asked.prompt_text);
    assert_eq!(ended.stdout, "bounce_strategy.py\n");
    assert_eq!(place.names(), ["bounce_strategy.py", "bounce_strategy.strategy.json"]);
}

#[test]
fn a_model_that_repeats_itself_is_asked_differently_once() {
    let place = Place::new();
    let gemini = Gemini::answering(vec![failing()]);
    let ended = with_python(&gemini, &place, [RSI, "--max-repairs", "9"]);
    ended.fails(
        1,
        &[
            "asking for repair 1 of 9\n",
            "asking for repair 2 of 9, differently",
            "the best answer is in `bounce_strategy.draft.py`",
            "error: the model repeats itself: the strategy is still not valid after 2 repairs",
            "size must be a positive fraction",
            "hint: a size is a share",
        ],
    );
    let asked = gemini.asked();
    let temperature = |n: usize| asked[n].body["generationConfig"]["temperature"].clone();
    assert_eq!(asked.len(), 3);
    assert!(temperature(0).is_null() && temperature(1).is_null(), "{}", temperature(1));
    assert_eq!(temperature(2), 1.4);
    assert!(asked[2].prompt_text.contains("Mend them in another way"));
}

#[test]
fn the_way_back_is_open_after_a_repetition() {
    let place = Place::new();
    let gemini = Gemini::answering(vec![failing(), failing(), Answer::text(block(STRATEGY))]);
    with_python(&gemini, &place, [RSI]).code(0);
    assert_eq!(
        (gemini.asked().len(), place.names()),
        (3, vec!["bounce_strategy.py".to_owned(), "bounce_strategy.strategy.json".to_owned()])
    );
}

#[test]
fn the_last_repair_is_tried_too() {
    let place = Place::new();
    let gemini = Gemini::answering(vec![
        spoilt("    period = 14", "    period = ("),
        spoilt("import numpy as np", "import os"),
        failing(),
        Answer::text(block(STRATEGY)),
    ]);
    let ended = with_python(&gemini, &place, [RSI, "--json"]).code(0).json();
    let stages: Vec<_> =
        ended["strategy"]["rounds"].as_array().expect("rounds").iter().map(|r| r["stage"].clone()).collect();
    assert_eq!(stages, ["parse", "check", "run", "done"]);
}

#[test]
fn of_answers_that_get_worse_the_best_is_kept_with_its_findings() {
    let place = Place::new();
    place.file("rsi.py", "precious");
    place.file("rsi.draft.py", "precious, too");
    let gemini = Gemini::answering(vec![
        failing(),
        spoilt("import numpy as np", "import os"),
        spoilt("    period = 14", "    period = ("),
        Answer::text("I give up."),
    ]);
    let ended = with_python(&gemini, &place, [RSI, "-o", "rsi.py", "--force", "--json"]);
    let told = ended.code(1).json();
    ended.says(&[
        "the best answer is in `rsi.draft_2.py`; `strategy-gen fix rsi.draft_2.py` goes on",
        "error: ",
    ]);
    assert_eq!(
        (&told["status"], &told["stage"], &told["stuck"]),
        (&"error".into(), &"run".into(), &false.into())
    );
    assert_eq!((&told["exit_code"], &told["draft"]), (&1.into(), &"rsi.draft_2.py".into()));
    assert_eq!(told["rounds"].as_array().map(Vec::len), Some(4));
    assert_eq!(
        (place.read("rsi.py").as_str(), place.read("rsi.draft.py").as_str()),
        ("precious", "precious, too")
    );
    // The finding's line is the line of the draft.
    let draft = place.read("rsi.draft_2.py");
    let line = usize::try_from(told["diagnostics"][0]["line"].as_u64().expect("a line")).expect("small");
    assert_eq!(draft.lines().nth(line - 1).map(str::trim), Some("self.buy(size=12.7)"), "{told:#}");
    assert!(draft.starts_with("# Strategy for backtesting.py") && draft.contains("# draft: not valid yet"));
    // And it is where a repair goes on.
    let gemini = Gemini::answering(vec![Answer::text(block(STRATEGY))]);
    with_python(&gemini, &place, ["fix", "rsi.draft_2.py", "--yes"]).code(0);
    let fixed = place.read("rsi.draft_2.py");
    assert!(fixed.ends_with(STRATEGY) && !fixed.contains("# draft:") && fixed.contains(RSI), "{fixed}");
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_keeps_the_best_answer_so_far() {
    let place = Place::new();
    // The second call never ends.
    let gemini = Gemini::start(vec![failing()], |sim| {
        one_key(sim).fault(FaultRule::new(Fault::Stall).after(1).always())
    });
    let python = test_python().display().to_string();
    let mut child = gemini.program(&place, [RSI, "--python", &python]).start();
    while gemini.requests() < 2 {
        assert!(child.try_wait().expect("waited").is_none(), "the program ended too early");
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("`kill` runs").success());
    Ended::of(child)
        .code(130)
        .says(&["the best answer is in `bounce_strategy.draft.py`", "error: interrupted"]);
    assert!(place.read("bounce_strategy.draft.py").contains("self.buy(size=12.7)"));
}

#[test]
fn a_call_that_fails_for_good_leaves_the_best_answer() {
    let place = Place::new();
    let gemini = Gemini::start(vec![failing()], |sim| {
        one_key(sim).fault(FaultRule::new(Fault::LocationBlocked).after(1).always())
    });
    with_python(&gemini, &place, [RSI])
        .fails(6, &["the best answer is in `bounce_strategy.draft.py`", "location"]);
    assert_eq!(place.names(), ["bounce_strategy.draft.py"]);
}

#[test]
fn what_is_missing_here_is_told_before_a_call_and_goes_to_no_model() {
    let place = Place::new();
    let gemini = Gemini::good();
    // Who insists on a run is told.
    for (args, code, told) in [
        (&["--python", "/no/python"][..], 5, "`/no/python` cannot run strategies"),
        (&["--data", "synthetic"], 5, "no Python with `backtesting"),
    ] {
        gemini
            .program(&place, [RSI].into_iter().chain(args.iter().copied()))
            .run()
            .fails(code, &[told, "hint: "]);
    }
    let python = test_python().display().to_string();
    let bad = ["--data", "none.csv", "--python", &python];
    gemini
        .program(&place, [RSI].into_iter().chain(bad))
        .run()
        .fails(2, &["cannot read `none.csv`", "hint: "]);
    assert_eq!((gemini.requests(), place.names().len()), (0, 0));
    // Who does not gets the strategy, and a word on how to make a run possible.
    let ended = gemini.program(&place, [RSI]).run();
    ended.code(0).says(&["not run: no Python with `backtesting", "doctor --install"]);
    assert_eq!((gemini.asked().len(), ended.stdout.as_str()), (1, "bounce_strategy.py\n"));
    let told = gemini.program(&place, [RSI, "--json"]).run().code(0).json();
    assert!(
        told["results"].is_null() && told["not_run"].as_str().is_some_and(|why| why.contains("no Python"))
    );
    // And who wants none is not bothered.
    gemini.program(&place, [RSI, "--no-run"]).run().code(0).is_silent_about("not run");
    gemini.program(&place, [RSI, "--no-run", "--data", "GOOG"]).run().code(2).says(&["--no-run"]);
}

#[test]
fn a_library_that_breaks_after_the_call_costs_no_repair() {
    let place = Place::new();
    let made = Command::new(test_python())
        .args(["-m", "venv", "--without-pip", "env"])
        .current_dir(place.path())
        .status();
    assert!(made.expect("started").success());
    let lib =
        std::fs::read_dir(place.path().join("env/lib")).expect("read").flatten().next().expect("a folder");
    let packages = lib.path().join("site-packages");
    // By its looks the library; only who runs something learns that there is nothing behind it.
    for folder in ["backtesting", "backtesting-0.6.6.dist-info"] {
        std::fs::create_dir(packages.join(folder)).expect("made");
    }
    std::fs::write(packages.join("backtesting/__init__.py"), "").expect("written");
    let python = place.path().join("env/bin/python").display().to_string();
    let gemini =
        Gemini::answering(vec![spoilt("import numpy as np", "import os"), Answer::text(block(STRATEGY))]);
    let ended = gemini.program(&place, [RSI, "--data", "synthetic", "--python", &python]).run();
    ended.code(5).says(&[
        "repair 1 of 3",
        ": good",
        "not run: the strategy was not started: ",
        "numpy",
        "error: the strategy was not started",
        "hint: ",
    ]);
    assert_eq!((gemini.asked().len(), ended.stdout.as_str()), (2, "bounce_strategy.py\n"));
    assert!(!gemini.asked()[1].prompt_text.contains("not started"));
    assert!(place.read("bounce_strategy.py").ends_with(STRATEGY));
}

#[test]
fn the_engine_is_run_as_well() {
    let place = Place::new();
    let python = test_python().display().to_string();
    let ended = place.run([RSI, "--offline", "--python", &python]);
    ended.code(0).says(&["data ", "GOOG ", "sandbox: "]).is_silent_about("EURUSD");
    assert_eq!(ended.stdout, "rsi_strategy.py\n");
    let told =
        place.run([RSI, "--offline", "--json", "--python", &python, "--data", "EURUSD"]).code(0).json();
    assert_eq!((&told["status"], &told["results"][0]["dataset"]), (&"ok".into(), &"EURUSD".into()));
    assert_eq!(told["results"][0]["metrics"]["verified"], true);
    assert!(told["results"][0]["trades"].as_array().is_some_and(|trades| !trades.is_empty()));
    let demo = place.run([RSI, "--demo", "--standalone", "-o", "demo.py", "--python", &python]);
    demo.code(0).says(&["demo: ", "data ", "GOOG "]);
    let demo = place.read("demo.py");
    assert!(demo.contains("\ndef rsi(") && !demo.contains("from indicators"), "{demo}");
    assert!(demo.contains("\n# repeat with: strategy-gen new --offline --standalone -- "), "{demo}");
}

#[test]
fn without_a_trade_other_prices_are_tried_and_shown() {
    let place = Place::new();
    let python = test_python().display().to_string();
    let rare = "Buy when RSI < 3, sell when RSI > 70";
    let ended = place.run([rare, "--offline", "--python", &python]);
    ended.code(0).says(&[
        "GOOG ",
        "EURUSD ",
        "warning: GOOG: no trades",
        "EURUSD: tried as well, as there was no trade on GOOG",
    ]);
    let gemini = Gemini::answering(vec![spoilt("    low = 30", "    low = 3")]);
    with_python(&gemini, &place, [RSI]).code(0).says(&["warning: GOOG: no trades"]);
    // No repair for that.
    assert_eq!(gemini.asked().len(), 1);
}

#[test]
fn a_strategy_at_a_limit_is_7_after_its_repairs() {
    let place = Place::new();
    let endless = spoilt("self.buy()", "while True:\n                pass");
    // So that it buys at once.
    let endless = Answer::text(endless.text.replace("low = 30", "low = 300"));
    let gemini = Gemini::answering(vec![endless]);
    with_python(&gemini, &place, [RSI, "--timeout", "3", "--max-repairs", "0"])
        .fails(7, &["limit", "stopped after 3 s", "hint: "]);
}
