//! backtesting.py's own chart: it draws without a network, and whatever is in it reaches nobody.

use std::fs;
use std::path::{Path, PathBuf};

use keyrot::EnvMap;
use strategy_gen::StrategyGenerator;
use strategy_gen::backtest::{Request, Runner};
use strategy_gen::data::{Costs, Dataset, Period, Source};
use strategy_gen::interpreter::Python;
use strategy_gen::python::Linkage;
use strategy_gen::report::plot;
use strategy_gen::sandbox::{Cancel, Level};

use super::{Browser, gallery, shows};

/// Names the interpreter.
const PYTHON: &str = "KEYROT_TEST_PYTHON";

#[expect(clippy::disallowed_methods, reason = "tells a test where Python is")]
fn python() -> Python {
    let named = std::env::var_os(PYTHON).map(PathBuf::from);
    let named = named.expect("`KEYROT_TEST_PYTHON` names no Python; hint: `cargo xtask test --live`");
    Python::find(Some(&named), &EnvMap::default()).expect("a Python with backtesting.py")
}

/// The chart that a run of a strategy of the offline engine leaves.
fn chart() -> String {
    let generator = StrategyGenerator::offline().linkage(Linkage::Standalone);
    let strategy = generator.translate("Buy when RSI < 30, sell when RSI > 70").expect("understood");
    let (python, source) = (python(), Source::Synthetic(3));
    let prices = source.load(python.library_folder(), Period::default()).expect("made up");
    let data = Dataset { prices, costs: Costs::usual(&source) };
    let mut request = Request::new(strategy.code, "rsi.py", vec![data]);
    request.plot = true;
    let stage = PathBuf::from(env!("CARGO_BIN_EXE_stage"));
    let runner = Runner::new(python, stage, Level::Auto).expect("a sandbox");
    let mut report = runner.run(&request, &Cancel::new()).expect("a run");
    report.results[0].plot.take().unwrap_or_else(|| panic!("no chart: {:#?}", report.results[0].warnings))
}

fn size(picture: &Path) -> u64 {
    fs::metadata(picture).expect("a picture").len()
}

#[test]
fn it_is_drawn_and_asks_nobody() {
    let drawn = shows("plot", &plot("Rsi, synthetic:3", &chart()));
    let blank = shows("blank", &plot("Rsi, synthetic:3", "<!doctype html>"));
    for (drawn, blank) in drawn.iter().zip(&blank) {
        assert!(size(drawn) > 3 * size(blank), "{} is as good as blank", drawn.display());
    }
}

/// Ways out of a page that leave it open, each to a host of its own.
const BESIDE: [(&str, &str); 9] = [
    ("image", "new Image().src = 'https://image.example/'"),
    ("fetch", "fetch('https://fetch.example/', {mode: 'no-cors'})"),
    ("beacon", "navigator.sendBeacon('https://beacon.example/', 'x')"),
    ("socket", "new WebSocket('wss://socket.example/')"),
    ("events", "new EventSource('https://events.example/')"),
    ("script", "add('script', {src: 'https://script.example/'})"),
    ("module", "import('https://module.example/')"),
    ("frame", "add('iframe', {src: 'https://frame.example/'})"),
    ("prefetch", "add('link', {rel: 'prefetch', href: 'https://prefetch.example/'})"),
];

/// Ways out that leave the page behind.
const AWAY: [(&str, &str); 4] = [
    ("itself", "location.href = 'https://itself.example/'"),
    ("top", "top.location.href = 'https://top.example/'"),
    ("form", "add('form', {action: 'https://form.example/'}).submit()"),
    ("refresh", "document.write('<meta http-equiv=refresh content=\"0; url=https://refresh.example/\">')"),
];

/// Which of these hosts a browser asked for something that opened a page which goes there, made by `around`. It may
/// prepare to go where it may not go then.
fn asked(name: &str, ways: &[(&'static str, &str)], around: impl Fn(&str) -> String) -> Vec<&'static str> {
    let add = "<script>const add = (kind, what) => { \
        const node = Object.assign(document.createElement(kind), what); document.body.append(node); return node }\
        </script>";
    let scripts: String = ways.iter().map(|(_, script)| format!("<script>{script}</script>")).collect();
    let html = around(&format!("<!doctype html><html><head></head><body>{add}{scripts}</body></html>"));
    let (file, picture) = (gallery().join(format!("{name}.html")), gallery().join(format!("{name}.png")));
    fs::write(&file, html).expect("room");
    let log = Browser::here().log(&file, &picture, "400,400", false).0;
    let is_asked = |host: &str| {
        let urls = ["https", "wss"].map(|scheme| format!("\"url\":\"{scheme}://{host}.example/"));
        let mut events = log.lines().filter(|line| !line.contains("\"is_preconnect\":true"));
        events.any(|line| urls.iter().any(|url| line.contains(url)))
    };
    ways.iter().map(|(host, _)| *host).filter(|host| is_asked(host)).collect()
}

#[test]
fn what_is_hidden_in_it_reaches_nobody() {
    let pages = [&BESIDE[..]].into_iter().chain(AWAY.chunks(1));
    for ways in pages {
        let name = ways[0].0;
        let inside = asked(&format!("inside-{name}"), ways, |page| plot("hostile", page));
        assert!(inside.is_empty(), "reached: {inside:?}");
        // As a page of its own it gets out.
        let outside = asked(&format!("outside-{name}"), ways, str::to_owned);
        let hosts: Vec<&str> = ways.iter().map(|(host, _)| *host).collect();
        assert_eq!(outside, hosts);
    }
}
