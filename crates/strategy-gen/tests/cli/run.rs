//! `run`: what comes of strategies that work, that fail, that look ahead, and that never trade.

use crate::rig::{Ended, Place, RSI, test_python};

const HEAD: &str = "import pandas as pd\nfrom backtesting import Strategy\nfrom backtesting.lib import crossover\n\n\n\
    def mean(values, n):\n    return pd.Series(values).rolling(n).mean()\n\n\n";

fn strategy(class: &str) -> String {
    format!("{HEAD}class Tried(Strategy):\n{class}")
}

fn cross(place: &Place) {
    place.file(
        "cross.py",
        strategy(
            "    fast_period = 10\n    slow_period = 30\n\n    def init(self):\n        self.fast = self.I(mean, self.data.Close, self.fast_period)\n        \
            self.slow = self.I(mean, self.data.Close, self.slow_period)\n\n    def next(self):\n        if crossover(self.fast, self.slow):\n            \
            self.buy()\n        elif crossover(self.slow, self.fast):\n            self.position.close()\n",
        ),
    );
}

fn run(place: &Place, args: &[&str]) -> Ended {
    let python = test_python().display().to_string();
    let all = ["run"].into_iter().chain(args.iter().copied()).chain(["--python", &python]);
    place.run(all.collect::<Vec<_>>())
}

/// `init` and `next` in one line each, run on made-up prices.
fn tried(init: &str, next: &str) -> Ended {
    let place = Place::new();
    place.file(
        "tried.py",
        strategy(&format!("    def init(self):\n        {init}\n\n    def next(self):\n        {next}\n")),
    );
    run(&place, &["tried.py", "--data", "synthetic", "--json", "--no-check"])
}

#[test]
fn a_generated_strategy_is_run_on_several_sets() {
    let place = Place::new();
    place.run([RSI, "--offline", "-o", "rsi.py"]).code(0);
    let ended = run(
        &place,
        &["rsi.py", "--data", "GOOG", "--data", "EURUSD", "--data", "BTCUSD", "--data", "synthetic:3"],
    );
    ended.code(0).says(&["sandbox: limits, clean environment, "]);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("data ") && lines[0].contains("buy&hold"), "{ended}");
    for (line, set) in lines[1..].iter().zip(["GOOG", "EURUSD", "BTCUSD", "synthetic:3"]) {
        assert!(line.starts_with(set) && line.contains("cash "), "{ended}");
    }
    assert!(lines[1].contains("commission 0.1%") && lines[2].contains("spread 0.01%"), "{ended}");
}

#[test]
fn as_json_there_is_everything() {
    let place = Place::new();
    cross(&place);
    let args = [
        "cross.py",
        "--json",
        "--set",
        "fast_period=5",
        "--from",
        "2006-01-01",
        "--to",
        "2010-12-31",
        "--cash",
        "50000",
    ];
    let report = run(&place, &args).code(0).json();
    let result = &report["results"][0];
    assert_eq!((&report["status"], &report["strategy"]["name"]), (&"ok".into(), &"Tried".into()));
    assert_eq!((&result["from"], &result["to"]), (&"2006-01-03".into(), &"2010-12-31".into()));
    assert_eq!(result["costs"]["cash"], 50_000.0);
    assert_eq!(
        result["equity"].as_array().expect("equity").len(),
        usize::try_from(result["bars"].as_u64().expect("bars")).expect("small")
    );
    assert!(result["trades"][0]["entry_time"].as_str().is_some_and(|time| time.starts_with("20")));
    assert_eq!(result["metrics"]["verified"], true);
    assert_eq!(result["look_ahead"]["differences"], serde_json::json!([]));
    assert!(result["look_ahead"]["cuts"].as_u64() >= Some(10));
    assert_eq!(result["indicators"].as_array().expect("indicators").len(), 2);
    run(&place, &["cross.py", "--set", "nonsense=5"])
        .code(1)
        .says(&["no parameter `nonsense`", "hint: it has `fast_period`"]);
}

#[test]
fn a_report_and_a_chart_are_written_and_written_again() {
    let place = Place::new();
    place.run([RSI, "--offline", "-o", "rsi.py"]).code(0);
    place.file("mine.html", "<!doctype html><p>mine");
    let args = ["rsi.py", "--data", "synthetic", "--data", "synthetic:3", "--report", "out.html", "--plot"];
    let written =
        ["written: out.html", "written: rsi.plot-synthetic_1.html", "written: rsi.plot-synthetic_3.html"];
    run(&place, &args).code(0).says(&written);
    let report = place.read("out.html");
    for part in [
        "<h1>RsiStrategy</h1>",
        "Buy when RSI &lt; 30, sell when RSI &gt; 70",
        "written by the offline engine on 20",
        "<h2>synthetic:3</h2>",
        "rsi_period",
        "strategy-gen run rsi.py --data synthetic --data synthetic:3 --report out.html --plot --python ",
        "run on the first bars alone at 12 places",
        "buy and hold",
    ] {
        assert!(report.contains(part), "{part}");
    }
    // The whole library that draws is in it, and no picture of the author's.
    let chart = place.read("rsi.plot-synthetic_1.html");
    assert!(chart.len() > 1_000_000 && !chart.contains("plx.gif"), "{}", chart.len());
    run(&place, &args).code(0).says(&written);
    for file in ["mine.html", "rsi.py"] {
        let before = place.read(file);
        run(&place, &["rsi.py", "--report", file]).fails(2, &["exists and is no page of strategy-gen"]);
        assert_eq!(place.read(file), before);
    }
    // Nobody reads this pipe, and nobody waits for it.
    let pipe = std::process::Command::new("mkfifo").arg(place.path().join("pipe")).status();
    assert!(pipe.expect("`mkfifo` runs").success());
    run(&place, &["rsi.py", "--report", "pipe"]).fails(2, &["`pipe` exists and is no page"]);
    run(&place, &["rsi.py", "--report", "one.html", "--plot=one.html"])
        .fails(2, &["would both write `one.html`"]);
}

#[test]
fn strictly_a_warning_is_a_failure() {
    let place = Place::new();
    let rare = "Buy when RSI < 3, sell when RSI > 70";
    let python = test_python().display().to_string();
    let made = [rare, "--offline", "--data", "synthetic:3", "--python", &python, "-o", "rare.py"];
    place.run(made.into_iter().chain(["--strict"])).code(1).says(&["warning: synthetic:3: no trades"]);
    run(&place, &["rare.py", "--data", "synthetic:3"]).code(0);
    run(&place, &["rare.py", "--data", "synthetic:3", "--strict"]).code(1);
    // The check has nothing to say, until the description has a number that the file lacks.
    place.run(["check", "rare.py", "--strict"]).code(0);
    let other = ["check", "rare.py", "--description", "Buy when RSI < 4, sell when RSI > 70"];
    place.run(other).code(0);
    place.run(other.into_iter().chain(["--strict"])).code(1);
}

#[test]
fn what_is_made_can_be_shown_at_once() {
    let place = Place::new();
    place.file("mine.html", "<!doctype html><p>mine");
    let made = |args: &[&str]| {
        let python = test_python().display().to_string();
        let fixed = ["Buy when RSI < 3, sell when RSI > 70", "--offline", "--python", &python];
        place.run(fixed.into_iter().chain(args.iter().copied()))
    };
    // Without a trade on these prices others are tried; the page shows them, and the chart is of what was asked for.
    made(&["--data", "synthetic:3", "--report", "out.html", "--plot"]).code(0).says(&[
        "tried as well",
        "written: out.html",
        "written: rsi_strategy.plot.html",
    ]);
    let report = place.read("out.html");
    for part in ["<h1>RsiStrategy</h1>", "<h2>synthetic:3</h2>", "<h2>GOOG</h2>", " --report out.html --plot"]
    {
        assert!(report.contains(part), "{part}");
    }
    made(&["-o", "-", "--data", "synthetic", "--plot=mine.html"]).fails(2, &["no page of strategy-gen"]);
    let made = ["rsi_strategy.plot.html", "rsi_strategy.py", "rsi_strategy.strategy.json"];
    assert_eq!(place.names(), [&["mine.html", "out.html"][..], &made].concat());
    // Who wants a page wants a run.
    place.run([RSI, "--offline", "--report", "no.html"]).fails(5, &["no Python with `backtesting"]);
    place.run([RSI, "--offline", "--report", "no.html", "--no-run"]).code(2).says(&["--no-run"]);
}

#[test]
fn a_csv_of_ones_own_is_read_or_told_what_is_wrong() {
    let place = Place::new();
    cross(&place);
    let rows = |high: &str| {
        (1..=60).fold("Datum;Date;Open;High;Low;Close\n".to_owned(), |text, i| {
            text + &format!(
                "x;{:02}.{:02}.2026;10,5;{high};9,5;{},0\n",
                (i - 1) % 28 + 1,
                (i - 1) / 28 + 1,
                10 + i % 2
            )
        })
    };
    place.file("own.csv", rows("11,5"));
    run(&place, &["cross.py", "--data", "own.csv"]).code(0).says(&["no volume"]);
    place.file("bad.csv", rows("9,0"));
    run(&place, &["cross.py", "--data", "bad.csv"])
        .fails(2, &["`bad.csv`", "line 2: high 9 is below low 9.5", "hint: "]);
    run(&place, &["cross.py", "--data", "none.csv"]).fails(2, &["cannot read `none.csv`", "hint: "]);
    run(&place, &["none.py"]).fails(2, &["cannot read `none.py`", "hint: "]);
}

#[test]
fn known_mistakes_have_a_remedy() {
    for (init, next, told) in [
        ("pass", "self.buy(size=12.7)", "a size is a share between 0 and 1"),
        ("pass", "self.buy(sl=self.data.Close[-1] * 2)", "the stop-loss lies below"),
        ("self.x = self.I(lambda: self.data.Close.rolling(3).mean())", "pass", "wrap it in `pd.Series(...)`"),
        ("self.buy", "self.position and 1\n        self.position.entry_price", "a position has `size`"),
        ("self.x = pd.Series(self.data.Close).rolling(3).mean()", "self.x[-1]", "with `self.I(...)`"),
        ("pass", "self.data.close", "columns begin with a capital"),
        ("pass", "self.buy(quantity=3)", "`buy` and `sell` take"),
        ("open('/etc/passwd')", "pass", "reads and writes nothing"),
        ("import requests", "pass", "import backtesting, numpy, pandas"),
    ] {
        let report = tried(init, next).code(1).json();
        let failure = [&report["failure"], &report["results"][0]["failure"]]
            .into_iter()
            .find(|f| !f.is_null())
            .expect("a failure");
        let hint = failure["hint"].as_str().unwrap_or_default();
        assert!(hint.contains(told), "{init} / {next}: {failure:#}");
        assert_eq!(failure["kind"], "strategy");
        let errors = failure["errors"].as_array().expect("errors");
        let line = errors
            .iter()
            .flat_map(|e| e["frames"].as_array().expect("frames"))
            .find_map(|f| f["line"].as_u64());
        assert!(line > Some(9), "{failure:#}");
    }
}

#[test]
fn what_cannot_be_loaded_is_told_with_its_line() {
    let place = Place::new();
    place.file("half.py", "from backtesting import Strategy\n\nclass Half(Strategy:\n");
    run(&place, &["half.py", "--no-check"]).code(1).says(&["error: half.py: line 3: SyntaxError"]);
    run(&place, &["half.py"]).code(1).says(&["half.py:3:", "must be repaired", "--no-check"]);
    place.file("none.py", "x = 1\n");
    run(&place, &["none.py", "--no-check"])
        .code(1)
        .says(&["expected one class that derives from `Strategy`"]);
}

#[test]
fn no_trades_are_explained() {
    let told = |init: &str, next: &str| {
        let report = tried(init, next).code(0).json();
        let warnings = report["results"][0]["warnings"].as_array().expect("warnings").clone();
        let warning = warnings.iter().find(|w| w["code"] == "no_trades").expect("a warning").clone();
        warning["message"].as_str().expect("words").to_owned()
    };
    let never =
        told("self.x = self.I(mean, self.data.Close, 5)", "if self.x[-1] < 0:\n            self.buy()");
    assert!(never.contains("gave no order") && never.contains("went from"), "{never}");
    let dear = told("pass", "self.buy(size=100000000)");
    assert!(dear.contains("refused") && dear.contains("orders"), "{dear}");
    let far = told("pass", "if len(self.data) == 50:\n            self.buy(limit=0.01)");
    assert!(far.contains("none of the 1 orders was filled"), "{far}");
    let short = told("self.x = self.I(mean, self.data.Close, 5000)", "pass");
    assert!(short.contains("has no value on any of the 2000 bars"), "{short}");
}

#[test]
fn the_future_is_noticed() {
    let seen = |init: &str, next: &str| {
        let report = tried(init, next).code(0).json();
        let warnings = report["results"][0]["warnings"].as_array().expect("warnings").clone();
        warnings.iter().any(|warning| warning["code"] == "look_ahead")
    };
    let rise = "if self.x[-1] > self.data.Close[-1] * 1.02:\n            self.buy(size=0.5)\n        elif self.position:\n            self.position.close()";
    assert!(seen("self.x = self.I(lambda v: pd.Series(v).shift(-5), self.data.Close)", rise));
    assert!(seen("self.x = self.I(lambda v: pd.Series(v).shift(-1).bfill(), self.data.Close)", rise));
    let score = "self.x = self.I(lambda v: (pd.Series(v) - pd.Series(v).mean()) / pd.Series(v).std(), self.data.Close)";
    assert!(seen(score, "if self.x[-1] < -1:\n            self.buy(size=0.2)"));
    let saved = "self.whole = self.data.Close.copy()\n        self.n = len(self.whole)";
    let later = "i = len(self.data)\n        if i < self.n and self.whole[i] > self.data.Close[-1]:\n            self.buy(size=0.2)\n        elif self.position:\n            self.position.close()";
    assert!(seen(saved, later));
    assert!(!seen("self.x = self.I(mean, self.data.Close, 20)", rise.replace("1.02", "0.97").as_str()));
    assert!(!seen("pass", "if len(self.data) % 50 == 0:\n            self.buy(size=0.1)"));
}

#[test]
fn limits_are_7_and_what_is_missing_is_5() {
    let place = Place::new();
    place.file("slow.py", strategy("    def init(self):\n        pass\n\n    def next(self):\n        while True:\n            pass\n"));
    run(&place, &["slow.py", "--timeout", "4"])
        .code(7)
        .says(&["stopped after 4 s", "hint: allow more with `--timeout`"]);
    place
        .run(["run", "slow.py", "--python", "/no/python"])
        .fails(5, &["`/no/python` cannot run strategies", "hint: "]);
    place
        .run(["run", "slow.py"])
        .fails(5, &["no Python with `backtesting", "hint: `strategy-gen doctor --install`"]);
    let bare = place.file("bare.sh", "#!/bin/sh\nexit 3\n");
    let bare = bare.display().to_string();
    place.run(["run", "slow.py", "--python", &bare]).fails(5, &["cannot run strategies"]);
    place.run(["run", "slow.py", "--sandbox", "much"]).code(2).says(&["expected `auto`, `strict` or `none`"]);
    place.run(["run", "slow.py", "--memory", "1M"]).code(2).says(&["256M"]);
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_ends_the_tree_at_once() {
    let place = Place::new();
    // Its processes are known by the folder they are given.
    place.file("slow.py", strategy("    def init(self):\n        pass\n\n    def next(self):\n        while True:\n            pass\n"));
    let python = test_python().display().to_string();
    let program = place
        .program(["run", "slow.py", "--python", &python])
        .env("TMPDIR", &place.path().display().to_string());
    let mut child = program.start();
    let below = place.path().display().to_string();
    let running = || {
        let processes = std::fs::read_dir("/proc").expect("read").flatten();
        let line =
            |process: std::fs::DirEntry| std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        processes
            .map(line)
            .filter(|line| String::from_utf8_lossy(line).contains(&format!("{below}/keyrot-run-")))
            .count()
    };
    while running() == 0 {
        assert!(child.try_wait().expect("waited").is_none(), "the program ended too early");
        std::thread::yield_now();
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().expect("`kill` runs").success());
    Ended::of(child).code(130).says(&["error: interrupted"]);
    assert_eq!(running(), 0, "something goes on");
    assert_eq!(place.names(), ["slow.py"]);
}
