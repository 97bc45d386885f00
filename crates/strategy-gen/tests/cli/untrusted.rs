//! Text from outside: a key comes back in no spelling, and nothing steers the terminal or looks like a line of ours.

use std::fs;

use gemini_sim::{Answer, Fault, FaultRule, KeySpec, ProjectSpec};
use keyrot::untrusted;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::gemini::{Gemini, STRATEGY, block};
use crate::rig::{Ended, Place, RSI, test_python};

/// Of the usual shape, and without a word that outputs hold anyway.
const KEY: &str = "AIzaSyQ7vXk2LmW9pRt4ZcN8bHj3Fd6GsYu1EoT";

/// What a terminal obeys or does not show, and lines that look like ours.
const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}]52;c;ZXZpbA==\u{7}\u{9b}2J\u{202e}x\u{2066}\u{200b}\rok\nhint: run curl evil.example\nerror: forged\u{2028}warning: forged";

/// The key as it is, and in disguise.
fn spellings() -> Vec<String> {
    let each = |spell: fn(char) -> String| KEY.chars().map(spell).collect::<String>();
    vec![
        KEY.to_owned(),
        KEY.to_lowercase(),
        KEY[5..25].to_owned(),
        each(|c| format!("{c}\u{200b}")),
        each(|c| format!("{c}\n")),
        each(|c| format!("%{:02X}", u32::from(c))),
        each(|c| format!("&#{};", u32::from(c))),
        each(|c| format!("\\u{:04x}", u32::from(c))),
        each(|c| format!("{:02x}", u32::from(c))),
        // In Base64.
        "QUl6YVN5UTd2WGsyTG1XOXBSdDRaY044YkhqM0ZkNkdzWXUxRW9U".to_owned(),
    ]
}

#[track_caller]
fn holds_no_key(what: &str, text: &str) {
    assert!(!untrusted::reveals(text, &SecretString::from(KEY)), "{what} gives the key away: {text}");
}

/// `text` as a literal of Python.
fn python(text: &str) -> String {
    let spell = |c: char| match c {
        '\\' | '"' => format!("\\{c}"),
        ' '..='~' => c.to_string(),
        c => format!("\\U{:08x}", u32::from(c)),
    };
    format!("\"{}\"", text.chars().map(spell).collect::<String>())
}

/// No control characters but line breaks and tabs, nothing unseen, and no line that somebody else began.
#[track_caller]
fn is_tame(ended: &Ended) {
    for told in [&ended.stdout, &ended.stderr] {
        let steers = |c: &char| untrusted::is_hidden(*c) && !matches!(c, '\n' | '\t');
        if let Some(c) = told.chars().find(steers) {
            panic!("{} reaches the terminal:\n{ended}", c.escape_unicode());
        }
        for forged in ["hint: run curl", "error: forged", "warning: forged", "ok"] {
            assert!(!told.lines().any(|line| line.starts_with(forged)), "a forged line:\n{ended}");
        }
    }
}

/// A server that has the key, answering first with this body and then with this answer.
fn gemini(first: &Value, then: Answer) -> Gemini {
    let raw =
        Fault::Raw { status: 200, content_type: "application/json".to_owned(), body: first.to_string() };
    Gemini::start(vec![then], |sim| {
        sim.project(ProjectSpec::new("p1")).key(KeySpec::new(KEY, "p1")).fault(FaultRule::new(raw))
    })
}

/// Everything that the place holds, its databases too.
fn everything(place: &Place) -> Vec<(String, String)> {
    let mut folders = vec![place.path().to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("read").map(|entry| entry.expect("read").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                let bytes = fs::read(&entry).expect("read");
                files.push((entry.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }
    files
}

#[test]
fn no_field_of_an_answer_gives_the_key_away() {
    let interpreter = test_python().display().to_string();
    for spelling in spellings() {
        let literal = python(&spelling);
        let place = Place::new();
        let failing = STRATEGY.replace("self.buy()", &format!("assert False, {literal}"));
        let told = format!("# {}\n{STRATEGY}", spelling.replace('\n', " "));
        let first = json!({
            "candidates": [{
                "content": { "role": "model", "parts": [{ "text": format!("{spelling}\n{}", block(&failing)) }] },
                "finishReason": spelling, "finishMessage": spelling,
            }],
            "modelVersion": spelling, "responseId": spelling,
        });
        let gemini = gemini(&first, Answer::text(block(&told)));
        let state = place.path().join("state/keys.db").display().to_string();
        let args = [RSI, "--data", "synthetic", "--python", &interpreter, "--report", "page.html"];
        let program = gemini.reached_by(place.program(args)).env("GEMINI_API_KEY", KEY);
        let ended = program.env("KEYROT_STATE", &state).run();
        ended.code(0).says(&["asking for repair 1"]);
        holds_no_key("stdout", &ended.stdout);
        holds_no_key("stderr", &ended.stderr);
        let prompts: String = gemini.asked().into_iter().map(|asked| asked.prompt_text).collect();
        // Without the key, the first answer may not even be Python.
        assert!(prompts.contains("The file has these problems"), "{prompts}");
        holds_no_key("the next prompt", &prompts);
        let files = everything(&place);
        for name in ["page.html", "history.db", ".strategy.json", ".py"] {
            assert!(files.iter().any(|(path, _)| path.contains(name)), "{name}: {files:?}");
        }
        for (path, text) in files {
            holds_no_key(&path, &text);
        }
    }
}

#[test]
fn a_refusal_gives_no_key_away() {
    for spelling in spellings() {
        for (body, code) in [
            (json!({ "promptFeedback": { "blockReason": spelling } }), 6),
            (json!({ "error": { "code": 400, "status": "INVALID_ARGUMENT", "message": spelling } }), 6),
        ] {
            let place = Place::new();
            let gemini = gemini(&body, Answer::default());
            let program = gemini.reached_by(place.program([RSI, "--json"])).env("GEMINI_API_KEY", KEY);
            let ended = program.run();
            ended.code(code).says(&["[REDACTED]"]);
            holds_no_key("stdout", &ended.stdout);
            holds_no_key("stderr", &ended.stderr);
        }
    }
}

#[test]
fn what_a_strategy_raises_and_prints_gives_no_secret_away() {
    let interpreter = test_python().display().to_string();
    // As text and as JSON in turn.
    for (spelling, more) in spellings().into_iter().zip([&["--json"][..], &[]].into_iter().cycle()) {
        let literal = python(&spelling);
        let place = Place::new();
        let failing = STRATEGY.replace("self.buy()", &format!("print({literal}); assert False, {literal}"));
        place.file("leaky.py", &failing);
        let args = ["run", "leaky.py", "--no-check", "--data", "synthetic", "--python", &interpreter];
        let program = place.program(args.into_iter().chain(more.iter().copied()));
        let ended = program.env("VAULT_TOKEN", KEY).run();
        ended.code(1).says(&["AssertionError"]);
        holds_no_key("stdout", &ended.stdout);
        holds_no_key("stderr", &ended.stderr);
    }
}

#[test]
fn an_answer_does_not_steer_the_terminal() {
    let answer = json!({
        "candidates": [{
            "content": { "role": "model", "parts": [{ "text": block(&STRATEGY.replace("Bounce(Strategy)", "Bounce(Strategi)")) }] },
            "finishReason": EVIL,
        }],
        "modelVersion": EVIL,
    });
    let place = Place::new();
    let server = gemini(&answer, Answer::text(block(STRATEGY)));
    let ended = server.reached_by(place.program([RSI])).env("GEMINI_API_KEY", KEY).run();
    ended.code(0).says(&[r"\u{1b}]0;owned"]);
    is_tame(&ended);
    for body in [
        json!({ "promptFeedback": { "blockReason": EVIL } }),
        json!({ "error": { "code": 400, "status": "INVALID_ARGUMENT", "message": EVIL } }),
    ] {
        let server = gemini(&body, Answer::default());
        let ended = server.reached_by(place.program([RSI])).env("GEMINI_API_KEY", KEY).run();
        ended.code(6).says(&[r"\u{9b}2J"]);
        is_tame(&ended);
    }
}

#[test]
fn a_strategy_does_not_steer_the_terminal() {
    let interpreter = test_python().display().to_string();
    let place = Place::new();
    let literal = python(EVIL);
    let raising = STRATEGY.replace("self.buy()", &format!("print({literal}); assert False, {literal}"));
    place.file("raising.py", raising);
    let tagging = STRATEGY.replace("self.buy()", &format!("self.buy(tag={literal})"));
    let tagging = tagging
        .replace("self.data.Close, self.period)", &format!("self.data.Close, self.period, name={literal})"));
    place.file("tagging.py", tagging);
    let name = "evil\u{202e}\u{9b}\nhint: run curl evil.example\n.py";
    place.file(name, "def broken(:\n");
    place.file("quoting.py", format!("import backtesting\nfrom backtesting import Strategy\n\nx = '{}'\n\nclass A(Strategy):\n    pass\n", EVIL.replace(['\n', '\r'], "")));
    for args in [
        vec!["run", "raising.py", "--no-check", "--data", "synthetic", "--python", &interpreter],
        vec!["run", "tagging.py", "--no-check", "--data", "synthetic", "--python", &interpreter],
        vec!["run", "tagging.py", "--no-check", "--data", "synthetic", "--python", &interpreter, "--json"],
        vec!["run", name, "--data", "synthetic", "--python", &interpreter],
        vec!["check", name],
        vec!["check", name, "--json"],
        vec!["check", "quoting.py"],
        vec!["check", "quoting.py", "--format", "jsonl"],
        vec!["fix", "quoting.py", "--offline"],
        vec!["list"],
        vec!["list", "--json"],
        vec!["show", name],
        vec!["show", "there is none\u{9b}2J\nhint: run curl"],
    ] {
        is_tame(&place.run(args));
    }
}

#[test]
fn files_beside_a_strategy_do_not_steer_the_terminal() {
    let place = Place::new();
    let state = place.path().join("state/keys.db").display().to_string();
    let in_place = |args: &[&str]| place.program(args.iter().copied()).env("KEYROT_STATE", &state).run();
    in_place(&[RSI, "--offline", "-o", "rsi.py"]).code(0);
    let mut sidecar: Value = serde_json::from_str(&place.read("rsi.strategy.json")).expect("JSON");
    for field in ["name", "description", "model", "date", "command", "file"] {
        sidecar[field] = EVIL.into();
    }
    sidecar["assumptions"] = json!([EVIL]);
    sidecar["warnings"] = json!([EVIL]);
    sidecar["rounds"] =
        json!([{ "n": 0, "model": EVIL, "stage": EVIL, "diagnostics": [{ "code": EVIL, "message": EVIL }] }]);
    sidecar["parameters"] = json!({ EVIL: EVIL });
    sidecar["run"] = json!({
        "at": EVIL, "sha256": sidecar["sha256"], "exit_code": 1, "failure": EVIL,
        "results": [{
            "dataset": EVIL, "bars": 1, "from": EVIL, "to": EVIL, "costs": { "cash": 1.0, "commission": 0.0, "spread": 0.0 },
            "return_pct": null, "benchmark_pct": null, "trades": null, "win_rate_pct": null, "max_drawdown_pct": null,
            "sharpe": null, "verified": false, "looks_ahead": null, "failure": EVIL,
        }],
    });
    place.file("rsi.strategy.json", sidecar.to_string());
    for args in [
        &["list"][..],
        &["list", "--json"],
        &["show", "rsi.py"],
        &["show", "rsi.py", "--json"],
        &["history"],
        &["history", "--json"],
    ] {
        let ended = in_place(args);
        ended.code(0);
        is_tame(&ended);
    }
}

#[test]
fn prices_do_not_steer_the_terminal_and_are_quoted_in_short() {
    let interpreter = test_python().display().to_string();
    let place = Place::new();
    place.run([RSI, "--offline", "-o", "rsi.py"]).code(0);
    let rows: String = (1..28).map(|day| format!("2024-02-{day:02},1,2,1,2,1\n")).collect();
    place.file("cell.csv", format!("Date,Open,High,Low,Close,Volume\n{rows}2024-03-01,\"{EVIL}\",2,1,2,1\n"));
    place.file("head.csv", format!("\"{EVIL}\",Open,High,Low,Close,Volume\n{rows}"));
    place.file("date.csv", format!("Date,Open,High,Low,Close,Volume\n\"{EVIL}\",1,2,1,2,1\n{rows}"));
    place.file(
        "huge.csv",
        format!("Date,Open,High,Low,Close,Volume\n{rows}2024-03-01,{},2,1,2,1\n", "9x".repeat(1_000_000)),
    );
    let evil = "evil\u{9b}\nhint: run curl.csv";
    place.file(evil, "no prices");
    for data in ["cell.csv", "head.csv", "date.csv", "huge.csv", evil, "gone\u{202e}\nhint: run curl.csv"] {
        let data = place.path().join(data).display().to_string();
        let ended = place.run(["run", "rsi.py", "--data", &data, "--python", &interpreter]);
        assert_ne!(ended.status.code(), Some(0));
        is_tame(&ended);
        assert!(ended.stderr.len() < 4_000, "{} bytes are told", ended.stderr.len());
    }
}

#[test]
fn a_batch_does_not_steer_the_terminal() {
    let interpreter = test_python().display().to_string();
    let place = Place::new();
    let idea = json!({ "name": "Evil", "description": format!("{RSI}{EVIL}") });
    place.file("ideas.txt", format!("{RSI}\n{idea}\n"));
    let args =
        ["batch", "ideas.txt", "-d", "out", "--offline", "--data", "synthetic", "--python", &interpreter];
    is_tame(&place.run(args));
    let log = place.read("out/batch.jsonl");
    let forged: Vec<String> = log
        .lines()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).expect("JSON");
            for field in ["name", "description", "error", "page"] {
                if line.get(field).is_some() {
                    line[field] = EVIL.into();
                }
            }
            line.to_string() + "\n"
        })
        .collect();
    place.file("out/batch.jsonl", forged.concat());
    is_tame(&place.run(args));
    is_tame(&place.run(args.into_iter().chain(["--json"])));
}

/// A file of settings whose values hold lines that look like ours.
const FORGING: &str = "ENABLE_KEY_ROTATION=\"maybe`\nhint: run curl evil.example`\"\nKEYROT_LOG=\"=[\nhint: run curl evil.example\"\n\
    RUST_LOG=\"=[\\nerror: forged\"\nGEMINI_MODEL=\"a\nerror: forged\nhint: run curl evil.example\"\n";

#[test]
fn no_setting_and_no_argument_forges_a_line() {
    let place = Place::new();
    place.file(".env", FORGING);
    for args in [&["doctor"][..], &[RSI, "--no-run", "--offline"]] {
        let ended = place.program(args.iter().copied()).env("GEMINI_API_KEY", "AIzaCANARY").run();
        is_tame(&ended);
        ended.says(&["`ENABLE_KEY_ROTATION` (line 1), `KEYROT_LOG` (line 3), `RUST_LOG` (line 5), `GEMINI_MODEL` (line 6)"]);
    }
    let place = Place::new();
    for name in
        ["ENABLE_KEY_ROTATION", "KEYS_FILE", "GEMINI_MODEL", "KEYROT_LOG", "RUST_LOG", "SECRET_STORE_TYPE"]
    {
        let ended = place.program(["doctor"]).env("GEMINI_API_KEY", "AIzaCANARY").env(name, EVIL).run();
        is_tame(&ended);
        ended.fails(2, &[&format!("`{name}` from the environment holds a control character"), "hint: "]);
    }
    for args in [
        &["doctor", "--env-file", EVIL][..],
        &["--evil\nhint: run curl x"],
        &["doctor", EVIL, EVIL, EVIL, "--nothing"],
        &["--env-file", "x", EVIL, EVIL],
        &["list", "--no\nhint: run curl y"],
    ] {
        let ended = place.run(args.iter().copied());
        ended.code(2);
        is_tame(&ended);
    }
}
