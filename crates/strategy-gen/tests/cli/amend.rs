//! `fix` and `improve`: a file is changed after its user has seen how, and only then.

use gemini_sim::Answer;

use crate::gemini::{Gemini, STRATEGY, block};
use crate::rig::{Place, RSI, test_python};

/// A file of ours, with its header.
fn own(place: &Place) -> String {
    place.run([RSI, "--offline", "--no-run", "-o", "own.py"]).code(0);
    place.read("own.py")
}

/// The same with a mistake that only a run shows.
fn broken(place: &Place) -> String {
    let broken = own(place).replace("self.buy()", "self.buy(size=12.7)");
    place.file("own.py", &broken);
    broken
}

/// What a model would answer for the code below the header.
fn code_of(file: &str) -> String {
    file.split_once("\n\n").expect("a header").1.to_owned()
}

#[test]
fn a_file_that_is_fine_is_left_alone_and_nobody_is_asked() {
    let place = Place::new();
    let before = own(&place);
    let gemini = Gemini::good();
    let python = test_python().display().to_string();
    // Neither key nor settings are looked at.
    for command in
        [place.program(["fix", "own.py", "--python", &python]), gemini.program(&place, ["fix", "own.py"])]
    {
        let ended = command.run();
        ended.code(0).says(&["`own.py` is fine: nothing was changed"]);
        assert_eq!(ended.stdout, "");
    }
    let told = place.run(["fix", "own.py", "--json", "--no-run"]).code(0).json();
    assert_eq!(
        (&told["changed"], &told["written"], &told["diff"]),
        (&false.into(), &false.into(), &"".into())
    );
    assert_eq!((gemini.requests(), place.read("own.py")), (0, before));
}

#[test]
fn a_broken_file_is_repaired_shown_and_written_when_told() {
    let place = Place::new();
    let before = broken(&place);
    let good = before.replace("self.buy(size=12.7)", "self.buy()");
    let gemini = Gemini::answering(vec![Answer::text(block(&code_of(&good)))]);
    let python = test_python().display().to_string();
    let args = ["fix", "own.py", "--python", &python];
    // Nobody there who could say yes.
    let shown = gemini.program(&place, args).run();
    shown.code(0).says(&[
        "the file: not valid, run: ",
        "asking for repair 1 of 3",
        "repair 1 (",
        ": good",
        "nothing was written",
        "hint: `--yes`",
    ]);
    for part in
        ["--- a/own.py\n", "+++ b/own.py\n", "-            self.buy(size=12.7)\n", "+            self.buy()"]
    {
        assert!(shown.stdout.contains(part), "{part}\n{shown}");
    }
    assert_eq!(place.read("own.py"), before);
    let asked = &gemini.asked()[0];
    for part in
        ["size must be a positive fraction", "hint: a size is a share", RSI, "Call the class `RsiStrategy`"]
    {
        assert!(asked.prompt_text.contains(part), "{part}\n{}", asked.prompt_text);
    }
    // The shown diff is one that `patch` takes.
    place.file("shown.patch", &shown.stdout);
    let patched = std::process::Command::new("patch")
        .args(["-p1", "-o", "patched.py", "-i", "shown.patch"])
        .current_dir(place.path())
        .output();
    // Not every machine has it.
    if let Ok(patched) = patched {
        assert!(patched.status.success(), "{patched:?}");
        assert_eq!(place.read("patched.py"), good);
    }
    let written = gemini.program(&place, args.into_iter().chain(["--yes"])).run();
    assert_eq!(written.code(0).stdout, "own.py\n");
    // The header stays to the letter, description and all.
    assert_eq!(place.read("own.py"), good);
}

#[test]
fn what_its_user_writes_meanwhile_is_not_written_over() {
    let place = Place::new();
    let before = broken(&place);
    let good = before.replace("self.buy(size=12.7)", "self.buy()");
    let (path, answer) = (place.path().join("own.py"), block(&code_of(&good)));
    let meanwhile = move |_| {
        std::fs::write(&path, "# better\n").expect("written");
        Answer::text(answer.clone())
    };
    let gemini = Gemini::by(meanwhile, crate::gemini::one_key);
    let python = test_python().display().to_string();
    let ended = gemini.program(&place, ["fix", "own.py", "--yes", "--python", &python]).run();
    ended.code(2).says(&["`own.py` was changed meanwhile and was left as it is", "hint: try again"]);
    assert_eq!(place.read("own.py"), "# better\n");
    // What was paid for is not lost.
    assert!(place.read("own.draft.py").contains("self.buy()\n"));
}

#[test]
fn a_file_without_a_header_is_repaired_with_and_without_a_description() {
    let place = Place::new();
    let before = STRATEGY.replace("self.buy()", "self.buy(quantity=1)");
    for description in [None, Some("buy low, sell high")] {
        place.file("plain.py", &before);
        let gemini = Gemini::answering(vec![Answer::text(block(STRATEGY))]);
        let flags = description.map(|text| ["--description", text]).into_iter().flatten();
        let args = ["fix", "plain.py", "--yes", "--no-run"].into_iter().chain(flags);
        gemini.program(&place, args).run().code(0).says(&["the file: not valid, check: 19:22 "]);
        assert_eq!(place.read("plain.py"), STRATEGY);
        let prompt = gemini.asked()[0].prompt_text.clone();
        assert_eq!(prompt.contains("buy low, sell high"), description.is_some(), "{prompt}");
        assert_eq!(prompt.contains("its rules stay as they are"), description.is_none(), "{prompt}");
    }
}

#[test]
fn faults_of_form_need_no_model() {
    let place = Place::new();
    let before = own(&place);
    place.file("own.py", before.replace("from backtesting import Strategy\n", "").replace('\n', "\r\n"));
    let ended = place.run(["fix", "own.py", "--yes", "--no-run"]);
    ended.code(0).says(&["mended: line ends, missing imports"]);
    assert_eq!(place.read("own.py"), before);
}

#[test]
fn what_cannot_be_repaired_leaves_the_file_and_a_draft() {
    let place = Place::new();
    let before = broken(&place);
    let worse = Answer::text(block("import os\n"));
    let gemini = Gemini::answering(vec![worse]);
    let python = test_python().display().to_string();
    let ended =
        gemini.program(&place, ["fix", "own.py", "--yes", "--python", &python, "--max-repairs", "1"]).run();
    ended.fails(
        1,
        &["the best answer is in `own.draft.py`", "still not valid after 1 repair", "size must be"],
    );
    assert_eq!((place.read("own.py"), place.read("own.draft.py")), (before.clone(), before));
}

#[test]
fn an_improvement_keeps_the_header_and_extends_its_description() {
    let place = Place::new();
    let before = own(&place);
    let better = code_of(&before)
        .replace("self.buy()", "self.buy(sl=self.data.Close[-1] * (1 - self.stop_loss_pct / 100))")
        .replace("class RsiStrategy(Strategy):\n", "class RsiStrategy(Strategy):\n    stop_loss_pct = 2\n");
    let gemini = Gemini::answering(vec![Answer::text(block(&better))]);
    let python = test_python().display().to_string();
    let args = ["improve", "own.py", "add a 2% stop", "--yes", "--python", &python];
    let ended = gemini.program(&place, args).run();
    ended.code(0).says(&["the answer (", ": good", "GOOG ", "+    stop_loss_pct = 2"]);
    assert_eq!(ended.stdout, "own.py\n");
    let after = place.read("own.py");
    assert!(after.ends_with(&better), "{after}");
    for part in [
        "# Strategy for backtesting.py, written by strategy-gen",
        "\n# description: Buy when RSI < 30, sell when RSI > 70; add a 2% stop\n",
        "\n# origin: model gemini-2.5-flash, ",
        "\n# assumptions:\n",
        "\n# repeat with: strategy-gen new --model 'gemini-2.5-flash' -n 'RsiStrategy' -- 'Buy when RSI < 30, sell when RSI > 70; add a 2% stop'\n",
    ] {
        assert!(after.contains(part), "{part}\n{after}");
    }
    assert_eq!(after.matches("# assumptions:").count(), 1);
    let prompt = gemini.asked()[0].prompt_text.clone();
    assert!(prompt.contains("<description-0>\nadd a 2% stop\n") && prompt.contains(RSI), "{prompt}");
    // Both numbers of old and new are looked for from now on.
    assert_eq!(place.run(["check", "own.py"]).code(0).stdout, "");
}

#[test]
fn an_improvement_that_breaks_something_is_repaired_first() {
    let place = Place::new();
    let before = own(&place);
    let good = code_of(&before).replace("= 14", "= 10");
    let bad = good.replace("self.buy()", "self.buy(amount=2)");
    let gemini = Gemini::answering(vec![Answer::text(block(&bad)), Answer::text(block(&good))]);
    let told = gemini
        .program(&place, ["improve", "own.py", "-", "--json", "--no-run"])
        .stdin("use a period of 10")
        .run();
    let told = told.code(0).json();
    assert_eq!((&told["changed"], &told["written"]), (&true.into(), &false.into()));
    assert!(told["diff"].as_str().is_some_and(|diff| diff.contains("\n+    rsi_period = 10\n")), "{told:#}");
    assert_eq!(told["strategy"]["rounds"].as_array().map(Vec::len), Some(2));
    assert_eq!(place.read("own.py"), before);
}

#[test]
fn what_makes_no_sense_is_2_and_asks_nobody() {
    let place = Place::new();
    own(&place);
    let gemini = Gemini::good();
    for (args, told) in [
        (&["fix", "none.py"][..], "cannot read `none.py`"),
        (&["improve", "none.py", "x"], "cannot read `none.py`"),
        (&["improve", "own.py", " "], "the description is empty"),
    ] {
        gemini.program(&place, args.iter().copied()).run().fails(2, &[told, "hint: "]);
    }
    gemini.program(&place, ["improve", "own.py"]).run().code(2);
    assert_eq!(gemini.requests(), 0);
}
