//! `--plot`: the chart is backtesting.py's, and nothing in it is the strategy's but numbers and short labels.

use crate::rig::{Ended, Place, RSI, test_python};

fn run(place: &Place, args: &[&str]) -> Ended {
    let python = test_python().display().to_string();
    place.run(["run"].into_iter().chain(args.iter().copied()).chain(["--python", &python]))
}

/// What a strategy would like to have in the page.
const MARKUP: [&str; 8] = [
    "<script>alert('CHART-MARK')</script>",
    "<img src=x onerror=\"alert('CHART-MARK')\">",
    "<iframe src=\"https://x.example/CHART-MARK\"></iframe>",
    "<meta http-equiv=\"refresh\" content=\"0; url=https://x.example/CHART-MARK\">",
    "<link rel=\"dns-prefetch\" href=\"//CHART-MARK.example\">",
    "$$\\href{https://x.example/CHART-MARK}{x}$$",
    "</script></iframe>\"><b onclick=CHART-MARK>",
    "@{x}}}{{CHART-MARK}}\u{202e}\u{1b}]8;;https://x.example\u{7}",
];

/// Tries all of it as names of the class, of parameters, of indicators, of colors and of trades.
fn hostile(rest: &str) -> String {
    let markup = serde_json::to_string(&MARKUP).expect("JSON");
    format!(
        "import json, os, sys
import numpy as np
from backtesting import Strategy
MARKUP = {markup}
class Named(Strategy):
    def init(self):
        close = self.data.Close
        self.kept = [self.I(lambda: close * 1, name=str(text).replace('{{', '{{{{').replace('}}', '}}}}'),
                            overlay=i % 2 == 0) for i, text in enumerate(MARKUP)]
        self.both = self.I(lambda: (close * 1.01, close * .99), name=['SMA(C,10)', 'λ up'], color=['red', '#00ff00'])
        self.both._opts['color'] = MARKUP[:2]
    def next(self):
        if len(self.data) % 20 == 5: self.buy(size=10, tag=MARKUP[len(self.data) // 20 % 8])
        if len(self.data) % 20 == 15: self.position.close()
for i, text in enumerate(MARKUP):
    setattr(Named, text, i)
Named.__name__ = Named.__qualname__ = MARKUP[6]
{rest}
"
    )
}

/// A page without its title and without the document that it shows; and the document.
fn parts(page: &str) -> (String, String) {
    let (start, rest) = page.split_once("<title>").expect("a title");
    let (_, rest) = rest.split_once("</title>").expect("its end");
    let (frame, rest) = rest.split_once("id=&quot;document&quot;>").expect("a document");
    let (document, end) = rest.split_once("</script>").expect("its end");
    ([start, frame, end].concat(), document.to_owned())
}

/// Everything that is not the document is as on the page of a strategy that wants nothing.
#[track_caller]
fn is_clean(place: &Place, page: &str) {
    place.run([RSI, "--offline", "-o", "honest.py", "--force"]).code(0);
    run(place, &["honest.py", "--data", "synthetic", "--plot"]).code(0);
    let (honest, _) = parts(&place.read("honest.plot.html"));
    let (shell, document) = parts(page);
    assert!(shell == honest, "the page itself is another");
    for part in ["<", "$$", "alert('", "alert(&#39;", "alert(&quot;", "\u{202e}", "\u{1b}"] {
        assert!(!document.contains(part), "`{part}` is in the document");
    }
    // The library's own address, which is text.
    assert_eq!(document.matches("://").count(), 1);
}

#[test]
fn a_chart_has_its_trades_and_its_indicators_and_no_script_of_the_strategys() {
    let place = Place::new();
    place.file("named.py", hostile(""));
    run(&place, &["named.py", "--data", "synthetic", "--no-check", "--plot"])
        .code(0)
        .says(&["written: named.plot.html"]);
    let page = place.read("named.plot.html");
    is_clean(&place, &page);
    assert!(page.contains("SMA(C,10)") && page.contains("\\u03bb up"), "the indicators have their names");
    assert!(page.contains("_script_alert(_CHART-MARK_)__script_"), "what is left of a name is shown");
    assert!(page.contains("<title>&lt;/script&gt;"));
    // A report of ours has no script at all.
    run(&place, &["named.py", "--data", "synthetic", "--no-check", "--report", "out.html"]).code(0);
    let report = place.read("out.html");
    for part in ["<script", "<img", "<iframe", "<b ", "\"refresh\"", "dns-prefetch\"", "\u{202e}"] {
        assert!(!report.contains(part), "`{part}` is in the report");
    }
    assert!(report.contains("&lt;img src=x"), "the names are shown as text");
}

#[test]
fn as_many_trades_are_drawn_as_were_made() {
    let place = Place::new();
    place.file("named.py", hostile(""));
    let ended = run(&place, &["named.py", "--data", "synthetic", "--no-check", "--plot", "--json"]);
    ended.code(0);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let trades =
        report.pointer("/results/0/trades").and_then(serde_json::Value::as_array).expect("trades").len();
    assert!(trades > 10, "{trades}");
    let legend = format!("&quot;Trades ({trades})&quot;");
    assert!(place.read("named.plot.html").contains(&legend), "{legend}");
}

#[test]
fn what_a_strategy_draws_itself_is_not_taken() {
    let place = Place::new();
    let evil = "
import backtesting, backtesting._plotting
EVIL = '<!doctype html><script>alert(\"CHART-MARK\")</script>'
def plot(self, *_, filename='plot-0.html', **__):
    open(filename, 'w').write(EVIL)
backtesting.Backtest.plot = backtesting.backtesting.Backtest.plot = plot
backtesting._plotting.plot = backtesting._plotting.show = plot
for name in ['plot-0.html', 'chart.html', 'draw.py', 'job.json', 'bokeh.py', 'sitecustomize.py', 'numbers-0']:
    open(name, 'w').write(EVIL)
";
    place.file("drawn.py", hostile(evil));
    run(&place, &["drawn.py", "--data", "synthetic", "--no-check", "--plot"]).code(0);
    is_clean(&place, &place.read("drawn.plot.html"));

    // Lines that the harness never wrote: they are numbers and labels all the same, and the result is not confirmed.
    for (name, line, code) in [
        ("forged", r#"{"part":{"chart":null,"text":"alert('CHART-MARK')"}}"#, 1),
        ("drawn", r#"{"drawn":{"dataset":0,"failure":null}}"#, 1),
        (
            "short",
            r#"{"line":{"dataset":0,"indicator":0,"label":"x","color":null,"overlay":true,"plot":true,"scatter":false,"values":[1]}}"#,
            1,
        ),
    ] {
        let forged = format!("os.write(int(sys.argv[2]), {line:?}.encode() + b'\\n')");
        place.file(&format!("{name}.py"), hostile(&forged));
        let args =
            [&format!("{name}.py"), "--data", "synthetic", "--no-check", &format!("--plot={name}.html")];
        run(&place, &args).code(code).says(&["not confirmed"]);
        is_clean(&place, &place.read(&format!("{name}.html")));
    }
}

#[test]
fn a_line_that_was_not_asked_for_is_an_intruders() {
    let place = Place::new();
    let forged = "
def forge(self):
    values = [1.0] * len(self.data)
    line = {'dataset': 0, 'indicator': 0, 'label': 'x', 'color': None, 'overlay': True, 'plot': True,
            'scatter': False, 'values': values}
    os.write(int(sys.argv[2]), json.dumps({'line': line}).encode() + b'\\n')
import __main__
told = __main__.tell
def tell(kind, **message):
    told(kind, **message)
    if kind == 'result':
        class Data: data = message['equity']
        forge(Data)
__main__.tell = tell
";
    place.file("forged.py", hostile(forged));
    run(&place, &["forged.py", "--data", "synthetic", "--no-check"]).code(1).says(&["not confirmed"]);
    // Asked for, it is one more line of numbers.
    run(&place, &["forged.py", "--data", "synthetic", "--no-check", "--plot"]).code(0);
    is_clean(&place, &place.read("forged.plot.html"));
}

#[test]
fn more_lines_than_a_chart_holds_cost_the_others_nothing() {
    let place = Place::new();
    place.file(
        "many.py",
        "from backtesting import Strategy
class Many(Strategy):
    def init(self):
        self.rows = self.I(lambda: [self.data.Close + i for i in range(120)], name='row', overlay=True)
    def next(self):
        if len(self.data) == 20: self.buy()
        if len(self.data) == 40: self.position.close()
",
    );
    let ended = run(&place, &["many.py", "--data", "synthetic", "--no-check", "--plot"]);
    ended.code(0).says(&["the chart shows 100 of 120 indicator lines", "written: many.plot.html"]);
}
