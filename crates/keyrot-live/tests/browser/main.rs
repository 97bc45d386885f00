//! Reports as people meet them: opened in a browser, without any network, by day and by night, on a desk and
//! on a phone. The pictures are kept below `target/reports`.
#![cfg(test)]

mod charts;
mod ways;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use strategy_gen::report::{Check, Entry, Figure, Run, Subject, Trade, Unit, Verdict, board, page, rank};
use tempfile::TempDir;

/// Names the browser.
const VARIABLE: &str = "KEYROT_TEST_CHROMIUM";

/// What a browser that is closed in must not do by itself.
const QUIET: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=5000",
    // Virtual time does not pass in a frame with a process of its own.
    "--disable-features=IsolateSandboxedIframes",
    // Whatever is asked for is not there; who asks is in the log.
    "--host-resolver-rules=MAP * ~NOTFOUND",
];

struct Browser(PathBuf);

impl Browser {
    #[expect(clippy::disallowed_methods, reason = "tells a test where the browser is")]
    fn here() -> Self {
        match std::env::var_os(VARIABLE) {
            Some(path) => Self(path.into()),
            None => {
                panic!("`{VARIABLE}` names no browser; hint: run the tests with `cargo xtask test --live`")
            }
        }
    }

    /// Opens `html`, takes a picture, and gives what was asked of the network and said on the console.
    fn open(&self, html: &Path, picture: &Path, size: &str, dark: bool) -> (Vec<String>, String) {
        let (log, said) = self.log(html, picture, size, dark);
        (asked(&log), said)
    }

    /// The same, with all that the network was asked for.
    fn log(&self, html: &Path, picture: &Path, size: &str, dark: bool) -> (String, String) {
        let profile = TempDir::new().expect("a folder");
        let log = profile.path().join("net.json");
        let mut command = Command::new(&self.0);
        command.args(QUIET).arg(format!("--window-size={size}"));
        command.arg(format!("--user-data-dir={}", profile.path().join("profile").display()));
        command.arg(format!("--log-net-log={}", log.display())).args(["--enable-logging=stderr", "--v=0"]);
        command.arg(format!("--screenshot={}", picture.display()));
        if dark {
            command.arg("--blink-settings=preferredColorScheme=0");
        }
        let output = command.arg(format!("file://{}", html.display())).stdin(Stdio::null()).output();
        let output = output.expect("the browser runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && picture.exists(), "{said}");
        (fs::read_to_string(log).expect("a log"), said)
    }
}

/// What this browser asks for by itself, whatever page it shows. No page of ours could mean any of these.
const ITS_OWN: [&str; 6] = [
    "accounts.google.com",
    "clients2.google.com",
    "edgedl.me.gvt1.com",
    "optimizationguide-pa.googleapis.com",
    "redirector.gvt1.com",
    "update.googleapis.com",
];

/// Every address outside of the machine that a page's browser asked for.
fn asked(log: &str) -> Vec<String> {
    let is_own = |url: &str| {
        let host = url.split("://").nth(1).unwrap_or_default().split(['/', ':', '?']).next();
        host.is_some_and(|host| ITS_OWN.contains(&host))
    };
    let urls = log.split("\"url\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let outside = urls.filter(|url| url.starts_with("http") || url.starts_with("ws"));
    let mut asked: Vec<String> = outside.filter(|url| !is_own(url)).map(str::to_owned).collect();
    asked.sort();
    asked.dedup();
    asked
}

/// A random walk that is the same every time.
fn walk(bars: usize, mut seed: u64, drift: f64) -> Vec<f64> {
    let mut value = 100.0;
    (0..bars)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let step =
                f64::from(u32::try_from(seed >> 33).unwrap_or_default()) / f64::from(1_u32 << 31) - 0.5;
            value *= 1.0 + step * 0.03 + drift;
            value
        })
        .collect()
}

fn run(bars: usize, seed: u64) -> Run {
    let prices = walk(bars, seed, 0.0004);
    let equity: Vec<f64> = walk(bars, seed + 7, 0.0006).iter().map(|value| value * 1_000.0).collect();
    let benchmark = prices.iter().map(|price| price / prices[0] * 100_000.0).collect();
    let trade = |n: usize| {
        let (entry, exit) = (n * 60 + 20, n * 60 + 50);
        let size = if n % 3 == 2 { -40.0 } else { 100.0 };
        let profit = (prices[exit] - prices[entry]) * size;
        Trade { entry, exit, size, entry_price: prices[entry], exit_price: prices[exit], profit }
    };
    let figure = |name, value, unit, verified| Figure { name, value, unit, verified };
    Run {
        data: "GOOG & <friends>".to_owned(),
        times: (0..bars).map(|n| 1_092_873_600_000 + n as i64 * 86_400_000).collect(),
        trades: (0..bars / 60).map(trade).collect(),
        figures: vec![
            figure("return", Some(equity[bars - 1] / 1_000.0 - 100.0), Unit::Percent, true),
            figure("buy and hold", Some(prices[bars - 1] - prices[0]), Unit::Percent, true),
            figure("max drawdown", Some(-31.4), Unit::Percent, true),
            figure("trades", Some((bars / 60) as f64), Unit::Count, true),
            figure("win rate", Some(54.1), Unit::Percent, true),
            figure("Sharpe", Some(0.81), Unit::Ratio, false),
            figure("profit factor", None, Unit::Ratio, false),
        ],
        costs: "cash 100,000, commission 0.1 %".to_owned(),
        prices,
        equity,
        benchmark,
    }
}

fn subject() -> Subject {
    let check = |name: &str, verdict, detail: &str| Check {
        name: name.to_owned(),
        verdict,
        detail: detail.to_owned(),
    };
    Subject {
        name: "RsiStrategy".to_owned(),
        description: "Buy when RSI < 30, sell when RSI > 70 <script>fetch('https://example.org')</script>"
            .to_owned(),
        date: "2026-01-31".to_owned(),
        command: "strategy-gen run rsi_strategy.py --data GOOG --report out.html".to_owned(),
        parameters: vec![
            ("rsi_period".to_owned(), "14".to_owned()),
            ("buy_below".to_owned(), "30".to_owned()),
        ],
        assumptions: vec!["RSI without a period is RSI(14)".to_owned()],
        checks: vec![
            check("syntax", Verdict::Passed, ""),
            check("look-ahead", Verdict::Passed, "10 cuts, the same entries: not found, which is no proof"),
            check("fidelity", Verdict::Noted, "the number 2 of the description is not in the code"),
        ],
        warnings: vec!["the account was down by a third".to_owned()],
        code: "class RsiStrategy(Strategy):\n    pass\n".to_owned(),
        runs: vec![run(2_148, 3)],
        ..Subject::default()
    }
}

/// Where pictures are kept.
fn gallery() -> PathBuf {
    let gallery = Path::new(env!("CARGO_TARGET_TMPDIR")).join("reports");
    fs::create_dir_all(&gallery).expect("room");
    gallery
}

/// Opens a page in every look; where the pictures are.
fn shows(name: &str, html: &str) -> Vec<PathBuf> {
    let (browser, gallery) = (Browser::here(), gallery());
    let file = gallery.join(format!("{name}.html"));
    fs::write(&file, html).expect("room");
    let looks = [("light", "1280,2400", false), ("dark", "1280,2400", true), ("phone", "390,2400", false)];
    let shown = |(look, size, dark)| {
        let picture = gallery.join(format!("{name}-{look}.png"));
        let (asked, said) = browser.open(&file, &picture, size, dark);
        assert!(asked.is_empty(), "{name}, {look}: it asked for {asked:?}");
        // The chart's own script says hello.
        let complaints: Vec<&str> =
            said.lines().filter(|line| line.contains("CONSOLE") && !line.contains("\"[bokeh ")).collect();
        assert!(complaints.is_empty(), "{name}, {look}: {complaints:#?}");
        println!("{}", picture.display());
        picture
    };
    looks.into_iter().map(shown).collect()
}

#[test]
fn a_report_asks_nobody_and_complains_of_nothing() {
    shows("report", &page(&subject()));
}

#[test]
fn a_ranking_asks_nobody_and_complains_of_nothing() {
    let entry = |n: u64| Entry {
        name: format!("Strategy{n}"),
        description: "Buy when the 20 day average crosses above the 50 day average".to_owned(),
        link: Some(format!("strategy{n}.html")),
        run: if n == 4 {
            Err("no trades: RSI(14) is never below 3".to_owned())
        } else {
            Ok(run(600, n * 31))
        },
    };
    let mut entries: Vec<Entry> = (0..12).map(entry).collect();
    rank(&mut entries);
    shows("board", &board("12 ideas", &entries));
}

#[test]
fn what_a_browser_asks_for_is_noticed() {
    let html = "<!doctype html><img src=\"http://a.example/beacon.gif\"><link rel=stylesheet \
                href=\"https://b.example/x.css\"><iframe src=\"http://c.example/\"></iframe><script>\
                navigator.sendBeacon('https://d.example/', 'x'); console.error('CANARY')</script>";
    let file = gallery().join("beacon.html");
    fs::write(&file, html).expect("room");
    let (asked, said) = Browser::here().open(&file, &gallery().join("beacon.png"), "400,400", false);
    for host in ["a.example", "b.example", "c.example", "d.example"] {
        assert!(asked.iter().any(|url| url.contains(host)), "{host}: {asked:?}");
    }
    assert!(said.lines().any(|line| line.contains("CONSOLE") && line.contains("CANARY")), "{said}");
}
