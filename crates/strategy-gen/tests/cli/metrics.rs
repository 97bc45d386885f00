//! The figures of `run` are those of backtesting.py itself, to nine digits, on twenty strategies.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::rig::{Place, test_python};

/// Name, and the lines of `init` and `next`. `self.fast` and `self.slow` are averages.
const STRATEGIES: [(&str, &str, &str); 20] = [
    ("never", "pass", "pass"),
    ("always", "pass", "if not self.position:\n            self.buy()"),
    ("always_short", "pass", "if not self.position:\n            self.sell(size=0.5)"),
    (
        "cross",
        AVERAGES,
        "if crossover(self.fast, self.slow):\n            self.buy()\n        elif crossover(self.slow, self.fast):\n            self.position.close()",
    ),
    (
        "both_sides",
        AVERAGES,
        "if crossover(self.fast, self.slow):\n            self.position.close()\n            self.buy()\n        elif crossover(self.slow, self.fast):\n            self.position.close()\n            self.sell()",
    ),
    (
        "reversing",
        AVERAGES,
        "if crossover(self.fast, self.slow):\n            self.buy(size=100)\n        elif crossover(self.slow, self.fast):\n            self.sell(size=100)",
    ),
    (
        "stop_loss",
        AVERAGES,
        "if crossover(self.fast, self.slow):\n            self.buy(sl=self.data.Close[-1] * 0.95)",
    ),
    (
        "take_profit",
        AVERAGES,
        "if crossover(self.fast, self.slow):\n            self.buy(tp=self.data.Close[-1] * 1.1)",
    ),
    (
        "bracket",
        AVERAGES,
        "if crossover(self.fast, self.slow):\n            price = self.data.Close[-1]\n            self.buy(sl=price * 0.93, tp=price * 1.15)",
    ),
    (
        "short_bracket",
        AVERAGES,
        "if crossover(self.slow, self.fast):\n            price = self.data.Close[-1]\n            self.sell(sl=price * 1.07, tp=price * 0.9)",
    ),
    (
        "trailing",
        AVERAGES,
        "for trade in self.trades:\n            trade.sl = max(trade.sl or 0, self.data.Close[-1] * 0.92)\n        if crossover(self.fast, self.slow):\n            self.buy()",
    ),
    ("share", AVERAGES, "if crossover(self.fast, self.slow):\n            self.buy(size=0.3)"),
    ("units", AVERAGES, "if crossover(self.fast, self.slow):\n            self.buy(size=17)"),
    (
        "pyramid",
        AVERAGES,
        "if crossover(self.fast, self.slow) and len(self.trades) < 4:\n            self.buy(size=0.2)\n        if len(self.data) % 97 == 0:\n            self.position.close()",
    ),
    (
        "in_parts",
        AVERAGES,
        "if not self.position and crossover(self.fast, self.slow):\n            self.buy(size=101)\n        elif self.position and len(self.data) % 11 == 0:\n            self.position.close(0.4)",
    ),
    (
        "limit_order",
        AVERAGES,
        "if crossover(self.fast, self.slow):\n            self.buy(limit=self.data.Close[-1] * 0.98, size=0.4)",
    ),
    (
        "stop_order",
        AVERAGES,
        "if crossover(self.fast, self.slow):\n            self.buy(stop=self.data.Close[-1] * 1.02, size=0.4)",
    ),
    ("too_dear", AVERAGES, "if crossover(self.fast, self.slow):\n            self.buy(size=100000)"),
    (
        "every_bar",
        "pass",
        "if self.position:\n            self.position.close()\n        else:\n            self.buy(size=0.9)",
    ),
    (
        "tagged",
        AVERAGES,
        "if crossover(self.fast, self.slow):\n            self.buy(size=0.1, tag='x')\n        for trade in self.trades:\n            if trade.pl_pct > 0.05:\n                trade.close()",
    ),
];

const AVERAGES: &str =
    "self.fast = self.I(mean, self.data.Close, 10)\n        self.slow = self.I(mean, self.data.Close, 30)";

const COSTS: [&str; 3] = ["100000", "0.002", "0.0005"];

fn text(init: &str, next: &str) -> String {
    format!(
        "import pandas as pd\nfrom backtesting import Strategy\nfrom backtesting.lib import crossover\n\n\n\
        def mean(values, n):\n    return pd.Series(values).rolling(n).mean()\n\n\n\
        class Tried(Strategy):\n    def init(self):\n        {init}\n\n    def next(self):\n        {next}\n"
    )
}

#[track_caller]
fn same(what: &str, theirs: &Value, ours: &Value) {
    match (theirs.as_f64(), ours.as_f64()) {
        (Some(theirs), Some(ours)) => {
            let scale = theirs.abs().max(1.0);
            assert!((theirs - ours).abs() <= 1e-9 * scale, "{what}: {theirs} by the library, {ours} by us");
        }
        _ => assert_eq!(theirs, ours, "{what}"),
    }
}

#[test]
fn figures_and_trades_are_those_of_the_library() {
    let place = Place::new();
    let files = STRATEGIES.map(|(name, init, next)| {
        let file = format!("{name}.py");
        place.file(&file, text(init, next));
        file
    });
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/plain_backtest.py");
    let mut plain = Command::new(test_python());
    plain.args(["-I", "-B"]).arg(script).args(COSTS).args(&files).current_dir(place.path());
    let output = plain.output().expect("started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plain: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let python = test_python().display().to_string();
    let mut traded = 0;
    for file in &files {
        let [cash, commission, spread] = COSTS;
        let told = place.run([
            "run",
            file,
            "--json",
            "--python",
            &python,
            "--cash",
            cash,
            "--commission",
            commission,
            "--spread",
            spread,
        ]);
        let report = told.code(0).json();
        let (ours, theirs) = (&report["results"][0], &plain[file]);
        let stats = theirs["stats"].as_object().expect("figures");
        assert!(stats.len() >= 30, "{stats:?}");
        for (name, value) in stats {
            same(&format!("{file}: {name}"), value, &ours["stats"][name]);
        }
        for (name, key) in [
            ("Return [%]", "return_pct"),
            ("Win Rate [%]", "win_rate_pct"),
            ("Max. Drawdown [%]", "max_drawdown_pct"),
            ("Sharpe Ratio", "sharpe"),
            ("Exposure Time [%]", "exposure_pct"),
        ] {
            same(&format!("{file}: {name}, computed"), &stats[name], &ours["metrics"][key]);
        }
        assert_eq!(ours["metrics"]["verified"], true, "{file}");
        let trades = theirs["trades"].as_array().expect("trades");
        assert_eq!(ours["trades"].as_array().expect("trades").len(), trades.len(), "{file}");
        for (i, trade) in trades.iter().enumerate() {
            let fields = [
                "size",
                "entry_bar",
                "exit_bar",
                "entry_price",
                "exit_price",
                "sl",
                "tp",
                "pnl",
                "commission",
            ];
            for (n, field) in fields.iter().enumerate() {
                same(&format!("{file}: {field} of trade {i}"), &trade[n], &ours["trades"][i][field]);
            }
        }
        for (bar, equity) in theirs["equity"].as_array().expect("equity").iter().enumerate() {
            same(&format!("{file}: equity of bar {bar}"), equity, &ours["equity"][bar]);
        }
        traded += usize::from(!trades.is_empty());
    }
    assert!(traded >= 17, "only {traded} strategies traded");
}
