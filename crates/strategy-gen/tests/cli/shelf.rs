//! What is known of strategies: the file beside each, `list`, `show`, `history`; and the completions.

use std::process::Command;

use serde_json::{Value, json};

use crate::gemini::Gemini;
use crate::rig::{Place, Program, RSI, test_python};

/// A program with a history, in the folder `state`.
fn with_history(place: &Place, program: Program) -> Program {
    program.env("KEYROT_STATE", &place.path().join("state/keys.db").display().to_string())
}

fn told<'a>(place: &Place, args: impl IntoIterator<Item = &'a str>) -> Value {
    let args = args.into_iter().chain(["--json"]).collect::<Vec<_>>();
    with_history(place, place.program(args)).run().code(0).json()
}

#[test]
fn a_file_beside_each_strategy_says_how_it_was_made_and_what_it_earned() {
    let place = Place::new();
    let gemini = Gemini::good();
    gemini.program(&place, [RSI, "-o", "rsi.py"]).run().code(0);
    let text = place.read("rsi.strategy.json");
    assert!(!text.contains("CANARY"), "{text}");
    let about: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&about["schema"], &about["file"], &about["name"]),
        (&json!(1), &json!("rsi.py"), &json!("Bounce"))
    );
    assert_eq!((&about["description"], &about["model"]), (&json!(RSI), &json!("gemini-2.5-flash")));
    assert_eq!(about["parameters"], json!({ "period": 14, "low": 30, "high": 70 }));
    assert_eq!(about["rounds"][0]["key_id"], "GEMINI_API_KEY");
    assert_eq!(about["command"], format!("strategy-gen '{RSI}' -o rsi.py"));
    assert!(about["run"].is_null());
    let sum =
        Command::new("sha256sum").arg("rsi.py").current_dir(place.path()).output().expect("`sha256sum` runs");
    assert!(String::from_utf8_lossy(&sum.stdout).starts_with(about["sha256"].as_str().expect("a digest")));
    // A run is kept there as well, and tried to be put nowhere else.
    let python = test_python().display().to_string();
    let run = ["run", "rsi.py", "--data", "synthetic", "--python", &python];
    place.run(run).code(0);
    let about: Value = serde_json::from_str(&place.read("rsi.strategy.json")).expect("JSON");
    assert_eq!(about["run"]["results"][0]["dataset"], "synthetic:1");
    // Of a file that was changed since it says what it was.
    place.file("rsi.py", place.read("rsi.py").replace("period = 14", "period = 7"));
    place.run(run).code(0);
    assert_eq!(serde_json::from_str::<Value>(&place.read("rsi.strategy.json")).expect("JSON"), about);
    assert_eq!(place.names(), ["rsi.py", "rsi.strategy.json"]);
    // Printed code has none, and a file of somebody else's stays.
    place.run([RSI, "--offline", "-o", "-"]).code(0);
    place.file("own.strategy.json", "{}");
    let ended = place.run([RSI, "--offline", "-o", "own.py"]);
    ended.code(0).says(&["warning: `own.strategy.json` is not of this program"]);
    assert_eq!(place.read("own.strategy.json"), "{}");
}

#[test]
fn a_change_of_a_file_brings_its_record_up_to_date() {
    let place = Place::new();
    let run = |args: &[&str]| with_history(&place, place.program(args.iter().copied())).run();
    run(&[RSI, "--offline", "-o", "rsi.py"]).code(0);
    let broken = place.read("rsi.py").replace("from backtesting import Strategy\n", "");
    place.file("rsi.py", broken);
    assert_eq!(told(&place, ["list"])["strategies"][0]["condition"], "changed");
    run(&["fix", "rsi.py", "--yes", "--no-run"]).code(0);
    let list = told(&place, ["list"]);
    assert_eq!(list["strategies"][0]["condition"], "saved", "{list:#}");
    // A file without our header gets nothing beside it.
    place.file(
        "plain.py",
        place.read("rsi.py").split_once("\n\n").expect("a header").1.replacen(
            "from backtesting import Strategy\n",
            "",
            1,
        ),
    );
    run(&["fix", "plain.py", "--yes", "--no-run"]).code(0);
    assert_eq!(place.names(), ["plain.py", "rsi.py", "rsi.strategy.json", "state"]);
}

#[test]
fn the_history_has_what_was_made_run_and_failed() {
    let place = Place::new();
    let python = test_python().display().to_string();
    let run = |args: &[&str]| with_history(&place, place.program(args.iter().copied())).run();
    run(&[RSI, "--offline", "-o", "rsi.py"]).code(0);
    run(&["Buy on the first Monday of the month", "--offline"]).code(2);
    run(&["run", "rsi.py", "--data", "synthetic", "--python", &python]).code(0);
    run(&["A golden cross", "--offline", "--no-history"]).code(0);
    let entries = told(&place, ["history"])["entries"].as_array().expect("entries").clone();
    let kinds: Vec<_> = entries.iter().map(|entry| (&entry["kind"], &entry["exit_code"])).collect();
    let (new, code) = (json!("new"), [json!(0), json!(2)]);
    assert_eq!(kinds, [(&json!("run"), &code[0]), (&new, &code[1]), (&new, &code[0])]);
    // The run knows what it was about.
    assert_eq!(entries[0]["description"], RSI);
    assert!(entries[0]["run"]["results"][0]["return_pct"].is_number(), "{:#}", entries[0]);
    let found = told(&place, ["history", "--search", "monday first"]);
    assert_eq!(found["entries"].as_array().map(Vec::len), Some(1));
    let table = run(&["history", "--limit", "2"]).code(0).stdout.clone();
    assert_eq!(table.lines().count(), 3, "{table}");
    // A number of it leads to the strategy.
    let shown = run(&["show", &format!("#{}", entries[2]["id"])]);
    assert!(shown.code(0).stdout.contains("parameter: rsi_period = 14"), "{shown}");
    run(&["show", "#999"]).fails(2, &["no entry `#999`"]);
    run(&["history", "--clear"]).fails(2, &["--yes"]);
    run(&["history", "--clear", "--yes"]).code(0).says(&["forgotten: 3 entries"]);
    run(&["history"]).code(0).says(&["nothing is found"]);
}

#[test]
fn a_history_that_cannot_be_kept_costs_a_warning() {
    let place = Place::new();
    place.file("state", "a file where a folder should be");
    let ended = with_history(&place, place.program([RSI, "--offline"])).run();
    ended.code(0).says(&["warning: history `", "cannot be used", "STRATEGY_GEN_HISTORY=off"]);
    assert_eq!(ended.stdout, "rsi_strategy.py\n");
    // What lies in the folder is known all the same.
    let shown = with_history(&place, place.program(["show", "rsi_strategy"])).run();
    assert!(shown.code(0).stdout.contains("parameter: rsi_period = 14"), "{shown}");
    let off = with_history(&place, place.program([RSI, "--offline", "-o", "b.py"]));
    off.env("STRATEGY_GEN_HISTORY", "off").run().code(0).is_silent_about("history");
}

#[test]
fn strategies_are_listed_and_shown_by_file_and_by_name() {
    let place = Place::new();
    let run = |args: &[&str]| with_history(&place, place.program(args.iter().copied())).run();
    run(&["list"]).code(0).says(&["there are no strategies"]);
    run(&[RSI, "--offline"]).code(0);
    run(&["A golden cross", "--offline", "-n", "Cross"]).code(0);
    place.file("other.py", "print('no strategy')\n");
    let list = run(&["list"]).code(0).stdout.clone();
    let lines: Vec<_> = list.lines().collect();
    assert_eq!(lines.len(), 3, "{list}");
    assert!(lines[1].starts_with("cross_strategy.py ") && lines[1].contains("as saved"), "{list}");
    for name in ["cross_strategy.py", "cross", "CROSS"] {
        let shown = run(&["show", name]).code(0).stdout.clone();
        for part in [
            "name: Cross\n",
            "(as saved)\n",
            "description: A golden cross\n",
            "written by: the offline engine\n",
            "assumed: ",
            "checks: syntax passed, policy passed, fidelity passed\n",
            "repeat with: strategy-gen 'A golden cross' --offline -n Cross\n",
            "history:\n",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
    }
    // One name, two files.
    std::fs::create_dir(place.path().join("sub")).expect("made");
    run(&["A golden cross", "--offline", "-n", "Cross", "-o", "sub/mine.py"]).code(0);
    run(&["show", "cross"])
        .fails(2, &["may be any of these:", "cross_strategy.py", "sub/mine.py", "hint: name the file"]);
    // A name that is no text, and a pipe, hide no other.
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let odd = place.path().join(std::ffi::OsStr::from_bytes(b"odd\xff.py"));
        std::fs::copy(place.path().join("cross_strategy.py"), odd).expect("copied");
        let pipe = Command::new("mkfifo").arg(place.path().join("pipe.py")).status();
        assert!(pipe.expect("`mkfifo` runs").success());
        assert_eq!(told(&place, ["list"])["strategies"].as_array().map(Vec::len), Some(3));
    }
    run(&["show", "none"]).fails(2, &["no strategy called `none`", "strategy-gen list"]);
    run(&["list", "nowhere"]).fails(2, &["cannot read `nowhere`"]);
}

#[test]
fn every_shell_gets_a_script_and_bash_completes_with_it() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = place.run(["completions", shell]).code(0).stdout.clone();
        assert!(script.contains("strategy-gen") && script.contains("max-repairs"), "{script:.500}");
        place.file(shell, script);
    }
    place.run(["completions", "cmd"]).code(2);
    let typed = "source ./bash\nCOMP_WORDS=(strategy-gen hist); COMP_CWORD=1\n\
        $(complete -p strategy-gen | sed 's/.*-F \\([^ ]*\\).*/\\1/') strategy-gen hist strategy-gen\n\
        echo \"${COMPREPLY[@]}\"\n";
    let bash =
        Command::new("bash").args(["-ec", typed]).current_dir(place.path()).output().expect("`bash` runs");
    assert_eq!(String::from_utf8_lossy(&bash.stdout).trim(), "history", "{bash:?}");
}
