//! What a model may answer, and how the program makes the best of it.

use gemini_sim::{Answer, Fault, FaultRule};

use crate::gemini::{Gemini, STRATEGY, block, one_key};
use crate::rig::{Place, RSI};

/// [`STRATEGY`] with a syntax error on its last line but one.
fn broken() -> String {
    STRATEGY.replace("elif self.rsi[-1] > self.high:", "elif self.rsi[-1] > self.high")
}

#[test]
fn a_good_answer_is_saved_with_its_origin() {
    let place = Place::new();
    let gemini = Gemini::good();
    let ended = gemini.program(&place, [RSI]).run();
    ended.code(0).says(&["attempt 1: key GEMINI_API_KEY", "success"]);
    assert_eq!(ended.stdout, "bounce_strategy.py\n");
    assert_eq!(place.names(), ["bounce_strategy.py", "bounce_strategy.strategy.json"]);
    let saved = place.read("bounce_strategy.py");
    assert!(saved.starts_with("# ") && saved.contains("model gemini-2.5-flash") && saved.ends_with(STRATEGY));
}

#[test]
fn the_error_of_a_broken_answer_goes_back_word_for_word() {
    let place = Place::new();
    let gemini = Gemini::answering(vec![Answer::text(block(&broken())), Answer::text(block(STRATEGY))]);
    let ended = gemini.program(&place, [RSI, "--json"]).run();
    let rounds = ended.code(0).json()["strategy"]["rounds"].clone();
    let found = rounds[0]["diagnostics"][0].clone();
    assert_eq!(
        (&found["line"], &found["column"], &found["code"]),
        (&20.into(), &38.into(), &"syntax".into())
    );
    let problem = format!("20:38 syntax {}", found["message"].as_str().expect("a message"));
    assert!(problem.contains("`:`"), "{problem}");
    assert_eq!(rounds.as_array().map(Vec::len), Some(2));
    assert_eq!((&rounds[0]["stage"], &rounds[1]["stage"]), (&"parse".into(), &"done".into()));
    for (n, round) in rounds.as_array().expect("rounds").iter().enumerate() {
        assert_eq!((&round["n"], &round["key_id"]), (&n.into(), &"GEMINI_API_KEY".into()));
        assert!(round["tokens"]["input"].is_u64() && round["tokens"]["output"].is_u64(), "{round}");
        assert!(round["ms"].is_u64() && round["model"] == "gemini-2.5-flash", "{round}");
    }
    let asked = gemini.asked();
    assert_eq!(asked.len(), 2);
    let second = &asked[1].prompt_text;
    assert!(second.contains(&format!("- {problem}\n")), "{second}");
    assert!(
        second.contains(RSI) && second.contains("  20 |         elif self.rsi[-1] > self.high\n"),
        "{second}"
    );
    ended.says(&["attempt 1", &problem, "repair 1 of 3", "attempt 1", "success"]);
    assert_eq!(place.names(), ["bounce_strategy.py", "bounce_strategy.strategy.json"]);
}

#[test]
fn three_repairs_are_all_there_are_unless_told_otherwise() {
    // Another mistake each time, so that nobody says that the model repeats itself.
    let wrong = |line: &str| Answer::text(block(&STRATEGY.replace("    period = 14", line)));
    let answers =
        ["    period = (", "    period = eval('14')", "    period = 14 = 15", "    period = open('x')"];
    for (flags, repairs) in [(&[][..], 3), (&["--max-repairs", "1"], 1), (&["--max-repairs", "0"], 0)] {
        let place = Place::new();
        let gemini = Gemini::answering(answers.map(wrong).to_vec());
        let ended = gemini.program(&place, [RSI].into_iter().chain(flags.iter().copied())).run();
        ended.fails(1, &["the strategy is still not valid after ", &format!("{repairs} repair"), "hint: "]);
        assert_eq!(gemini.requests(), repairs + 1);
        assert_eq!(place.names(), ["bounce_strategy.draft.py"]);
    }
}

#[test]
fn an_answer_without_code_is_asked_again() {
    for reply in ["", "I cannot write strategies.", "Buy low, sell high: `self.buy()`.", "```json\n{}\n```"] {
        let place = Place::new();
        let gemini = Gemini::answering(vec![Answer::text(reply), Answer::text(block(STRATEGY))]);
        gemini.program(&place, [RSI]).run().code(0);
        let asked = gemini.asked();
        assert_eq!(asked.len(), 2, "{reply:?}");
        assert!(asked[1].prompt_text.contains("answer with the file in one ```python block"));
    }
    let place = Place::new();
    let gemini = Gemini::answering(vec![Answer::text("I cannot write strategies.")]);
    let ended = gemini.program(&place, [RSI]).run();
    ended.fails(1, &["the model repeats itself", "still not valid after 2 repairs", "no code", "hint: "]);
    assert_eq!((gemini.asked().len(), place.names().len()), (3, 0));
}

#[test]
fn of_two_blocks_the_strategy_is_taken() {
    let place = Place::new();
    let two = format!("Install it:\n```bash\npip install backtesting\n```\nUse:\n{}", block(STRATEGY));
    let sketch = format!("First:\n```python\nx = 1\n```\nThen:\n{}", block(STRATEGY));
    for (n, reply) in [two, sketch].into_iter().enumerate() {
        let gemini = Gemini::answering(vec![Answer::text(reply)]);
        let name = format!("{n}.py");
        gemini.program(&place, [RSI, "-o", &name]).run().code(0);
        assert!(place.read(&name).ends_with(STRATEGY));
        assert_eq!(gemini.asked().len(), 1);
    }
}

#[test]
fn a_block_that_was_cut_off_is_never_saved() {
    let place = Place::new();
    let cut = |text: &str| Answer { finish_reason: "MAX_TOKENS".to_owned(), ..Answer::text(text) };
    let whole = format!("```python\n{STRATEGY}");
    let half = &whole[..whole.len() - 60];
    for reply in [half, whole.as_str()] {
        let gemini = Gemini::answering(vec![cut(reply), Answer::text(block(STRATEGY))]);
        gemini.program(&place, [RSI, "--force"]).run().code(0);
        let asked = gemini.asked();
        assert_eq!(asked.len(), 2, "{reply}");
        assert!(asked[1].prompt_text.contains("write a shorter file"), "{}", asked[1].prompt_text);
    }
    let gemini = Gemini::answering(vec![cut(half)]);
    let place = Place::new();
    gemini.program(&place, [RSI]).run().fails(1, &["still not valid after 2 repairs", "shorter", "hint: "]);
    // What there is of it is a draft, and no strategy.
    assert_eq!(place.names(), ["bounce_strategy.draft.py"]);
}

#[test]
fn a_refusal_of_the_safety_filter_is_told_as_one() {
    let place = Place::new();
    let gemini = Gemini::start(vec![], |sim| one_key(sim).fault(FaultRule::new(Fault::SafetyBlock)));
    gemini.program(&place, [RSI]).run().fails(6, &["safety filter", "SAFETY", "hint: ", "other words"]);
    let stopped = Answer { finish_reason: "SAFETY".to_owned(), ..Answer::default() };
    let gemini = Gemini::answering(vec![stopped]);
    gemini.program(&place, [RSI]).run().fails(6, &["safety filter", "SAFETY", "hint: "]);
    assert_eq!((gemini.requests(), place.names().len()), (1, 0));
}

#[test]
fn code_that_reaches_out_is_not_accepted() {
    let place = Place::new();
    let spy = STRATEGY.replace("import numpy as np", "import numpy as np\nimport os");
    let gemini = Gemini::answering(vec![Answer::text(block(&spy))]);
    let ended = gemini.program(&place, [RSI]).run();
    ended.fails(1, &["still not valid", "`os` may not be imported", "hint: "]);
    assert_eq!(place.names(), ["bounce_strategy.draft.py"]);
}

#[test]
fn the_asked_name_is_insisted_upon() {
    let place = Place::new();
    let renamed = STRATEGY.replace("Bounce", "MyBot");
    let gemini = Gemini::answering(vec![Answer::text(block(STRATEGY)), Answer::text(block(&renamed))]);
    let ended = gemini.program(&place, [RSI, "--name", "my bot"]).run();
    assert_eq!(ended.code(0).stdout, "my_bot_strategy.py\n");
    let asked = gemini.asked();
    assert!(asked[0].prompt_text.contains("Call the class `MyBot`"));
    assert!(asked[1].prompt_text.contains("the class is called `Bounce`; hint: call it `MyBot`"));
}

#[test]
fn terminal_control_characters_of_an_answer_are_not_passed_on() {
    let place = Place::new();
    let evil = STRATEGY.replace(
        "    period = 14",
        "    period = 14  # \u{1b}]0;owned\u{7}\n    # assumption: \u{1b}[2Jgone",
    );
    let gemini = Gemini::answering(vec![Answer::text(block(&evil))]);
    let ended = gemini.program(&place, [RSI]).run();
    assert!(!ended.stderr.contains('\u{1b}') && !ended.stdout.contains('\u{1b}'), "{ended}");
}
