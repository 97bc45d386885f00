//! Each finding once, with its place, and the hostile inputs.

use proptest::prelude::*;

use super::{Code, MAX_SOURCE, Report, Severity, check, check_against};

/// A strategy with nothing wrong, to be spoilt.
const GOOD: &str = "\
import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import crossover


def sma(values, n):
    return pd.Series(values).rolling(n).mean().to_numpy()


class Good(Strategy):
    n = 20

    def init(self):
        super().init()
        self.sma = self.I(sma, self.data.Close, self.n)

    def next(self):
        if crossover(self.data.Close, self.sma):
            self.buy(size=0.5, sl=self.data.Close[-1] * 0.95, tag=\"in\")
        elif crossover(self.sma, self.data.Close):
            self.position.close(portion=1.0)
";

fn report(source: &str) -> Report {
    check(source).unwrap()
}

fn found(source: &str) -> Vec<(Code, usize, usize)> {
    report(source).diagnostics.iter().map(|d| (d.code, d.line, d.column)).collect()
}

#[test]
fn a_good_strategy_has_no_findings() {
    let report = report(GOOD);
    assert_eq!(report.text("good.py"), "");
    assert_eq!(report.strategies, ["Good"]);
    assert!(!report.has_errors());
}

#[test]
fn each_rule_finds_its_line() {
    use Code::*;
    // Added at the end of `next`, line 22; the column counts from 1.
    for (line, code, column) in [
        ("self.buy(quantity=5)", UnknownKeyword, 18),
        ("self.sell(price=5)", UnknownKeyword, 19),
        ("x = pd.Series(self.data.Close).shift(-1)", LookAhead, 40),
        ("x = pd.Series(self.data.Close).shift(periods=-3)", LookAhead, 40),
        ("x = np.roll(self.data.Close, -1)", LookAhead, 16),
        ("x = pd.Series(self.sma).rolling(5, center=True).mean()", LookAhead, 33),
        ("x = pd.Series(self.sma).bfill()", LookAhead, 33),
        ("x = eval('1')", DeniedName, 13),
        ("x = __import__('os')", Dunder, 13),
        ("x = getattr(self, 'y')", DeniedName, 13),
        ("x = open('/etc/passwd')", DeniedName, 13),
        ("x = ().__class__", Dunder, 16),
        ("x = pd.read_pickle('x')", Io, 16),
        ("x = pd.io", Io, 16),
        ("self.data.df.to_csv('x')", Io, 22),
        ("x = np.load('x')", Io, 16),
        ("x = self._broker", Private, 18),
        ("x = self.sma.base", Private, 22),
        ("print(1)", Print, 9),
        ("x = '\u{e9}'", NonAscii, 14),
        ("x = __name__", Runner, 13),
        ("x = ;", Syntax, 13),
        ("x = [1", Syntax, 1),
    ] {
        let source = format!("{GOOD}        {line}\n");
        let found = found(&source);
        assert!(found.iter().any(|(c, l, _)| *c == code && *l >= 23), "{line}: {found:?}");
        if code != Syntax {
            let at = source.lines().position(|l| l.trim() == line).unwrap() + 1;
            assert_eq!(found, [(code, at, column)], "{line}");
        }
    }
}

#[test]
fn imports_outside_the_list_are_found() {
    for (line, code) in [
        ("import os", Code::Import),
        ("import os.path as p", Code::Import),
        ("from subprocess import run", Code::Import),
        ("from . import x", Code::Import),
        ("from numpy import *", Code::Import),
        ("from backtesting.test import GOOG", Code::Import),
        ("from backtesting import test", Code::Import),
        ("import pandas.io.common", Code::Import),
        ("from backtesting.backtesting import _Broker", Code::Import),
        ("from pandas import read_csv", Code::Io),
        ("from numpy import load as shift", Code::Io),
        ("from backtesting import Backtest", Code::Runner),
    ] {
        let source = format!("{line}\n{GOOD}");
        let report = report(&source);
        assert!(report.has(code), "{line}: {}", report.text("x"));
    }
    for line in [
        "from __future__ import annotations",
        "from collections.abc import Iterable",
        "import datetime as dt",
    ] {
        assert_eq!(found(&format!("{line}\n{GOOD}")), [], "{line}");
    }
}

#[test]
fn the_shape_of_the_class_is_checked() {
    let cases: [(&str, Vec<Code>); 9] = [
        ("x = 1\n", vec![Code::NoStrategy]),
        ("class A:\n    pass\n", vec![Code::NoStrategy]),
        (
            "from backtesting import Strategy\nclass A(Strategy):\n    pass\n",
            vec![Code::MissingInit, Code::MissingNext],
        ),
        (
            "import backtesting as bt\nclass A(bt.Strategy):\n    def init(self): pass\n",
            vec![Code::MissingNext],
        ),
        (
            "from backtesting import Strategy as Base\nclass A(Base):\n    def init(self): pass\n    def next(self): pass\n",
            vec![],
        ),
        (
            "from backtesting import Strategy\nclass A(Strategy):\n    def __init__(self): pass\n    def init(self): pass\n    def next(self): pass\n",
            vec![Code::InitOverride],
        ),
        (
            "class A(Strategy):\n    def init(self): pass\n    def next(self): pass\n",
            vec![Code::MissingImport],
        ),
        (
            "from backtesting import Strategy\nclass A(Strategy):\n    def init(self): pass\n    def next(self): pass\nclass B(A):\n    n = 1\n",
            vec![Code::ManyStrategies],
        ),
        ("from backtesting.lib import TrailingStrategy\nclass A(TrailingStrategy):\n    n = 1\n", vec![]),
    ];
    for (source, codes) in cases {
        let found: Vec<Code> = report(source).diagnostics.iter().map(|d| d.code).collect();
        assert_eq!(found, codes, "{source}");
    }
}

#[test]
fn usual_names_must_be_imported_unless_they_are_ones_own() {
    let import = "from backtesting.lib import crossover\n";
    for (from, to, missing) in [
        (import, "", "`crossover` is not imported"),
        ("import pandas as pd\n", "", "`pd` is not imported"),
        (import, "def crossover(a, b):\n    return a[-1] > b[-1]\n", ""),
        (import, "crossover = max\n", ""),
        (import, "from backtesting.lib import *\n", ""),
        ("import pandas as pd\n", "import pandas\npd = pandas\n", ""),
    ] {
        let report = report(&GOOD.replace(from, to));
        assert_eq!(report.has(Code::MissingImport), !missing.is_empty(), "{to}: {}", report.text("x"));
        assert!(report.text("x").contains(missing), "{}", report.text("x"));
    }
}

#[test]
fn what_python_itself_finds_too_deep_is_a_finding() {
    let brackets = |n: usize| format!("x = {}1{}\n", "(".repeat(n), ")".repeat(n));
    let blocks = |n: usize| {
        let lines = (0..n).map(|depth| format!("{}if x:\n", " ".repeat(depth)));
        lines.collect::<String>() + &" ".repeat(n) + "pass\n"
    };
    let sum = |n: usize| format!("x = 1{}\n", " + 1".repeat(n));
    for (source, deep) in [
        (brackets(100), false),
        (brackets(101), true),
        (brackets(10_000), true),
        (blocks(99), false),
        (blocks(100), true),
        (blocks(480), true),
        (sum(400), false),
        (sum(10_000), true),
        ("x = ".to_owned() + &"[".repeat(10_000), true),
    ] {
        assert!(source.len() < MAX_SOURCE);
        assert_eq!(report(&source).has(Code::TooDeep), deep, "{}", &source[..40.min(source.len())]);
    }
}

#[test]
fn newer_syntax_names_the_version() {
    let report = report(&format!("{GOOD}\ntype X = int\n"));
    assert!(report.has(Code::UnsupportedSyntax), "{}", report.text("x"));
    assert!(report.text("x").contains("3.12"), "{}", report.text("x"));
}

#[test]
fn rows_ahead_and_statistics_over_everything_are_look_ahead() {
    for (line, found) in [
        ("self.top = self.data.Close.max()", true),
        ("self.top = self.data.df.Close.mean()", true),
        ("frame = self.data.df; x = frame.iloc[i + 1]", true),
        ("frame = self.data.df; x = frame.iloc[i - 1]", false),
        ("self.position.close(portion=0.5)", false),
    ] {
        let source = GOOD.replace("super().init()", line);
        assert_eq!(report(&source).has(Code::LookAhead), found, "{line}: {}", report(&source).text("x"));
    }
    let source = GOOD.replace("super().init()", "self.position.close(size=1)");
    assert!(report(&source).has(Code::UnknownKeyword));
}

#[test]
fn indicators_of_the_description_are_looked_for() {
    let report = check_against(GOOD, "buy above the 20 SMA when MACD is positive").unwrap();
    assert!(report.has(Code::LostIndicator) && !report.has_errors(), "{}", report.text("x"));
    assert!(report.text("x").contains("`macd` of the description is not computed"));
}

#[test]
fn every_code_stands_in_the_documentation() {
    let table = include_str!("../../../../docs/check-codes.md");
    for code in Code::ALL {
        let severity = if code.severity() == Severity::Error { "error" } else { "warning" };
        assert!(table.contains(&format!("| `{code}` | {severity} | ")), "{code}");
    }
    assert_eq!(table.matches("\n| `").count(), Code::ALL.len());
}

#[test]
fn errors_stop_a_file_and_warnings_do_not() {
    let bare = GOOD.replace("super().init()", "try:\n            pass\n        except:\n            pass");
    assert_eq!(found(&bare), [(Code::BareExcept, 17, 9)]);
    assert!(report(&bare).has_errors());
    let loud = GOOD.replace("super().init()", "print('# not a comment \u{2713}')  # \u{2713}");
    let warnings = report(&loud);
    assert!(!warnings.has_errors());
    assert!(warnings.diagnostics.iter().all(|d| d.severity == Severity::Warning));
    assert!(warnings.has(Code::Print) && warnings.has(Code::NonAscii));
    assert_eq!(found(&GOOD.replace("super().init()", "pass  # caf\u{e9}")), []);
}

#[test]
fn a_broken_file_reports_the_syntax_and_not_what_follows_from_it() {
    let cut = &GOOD[..GOOD.find("    def next").unwrap() + 20];
    let report = report(cut);
    assert!(report.diagnostics.iter().all(|d| d.code == Code::Syntax), "{}", report.text("x"));
    assert_eq!(report.strategies, ["Good"]);
}

#[test]
fn numbers_of_the_description_are_looked_for() {
    let report = check_against(GOOD, "buy above the 20 SMA with 5% stop, 0.5 of the cash").unwrap();
    assert_eq!(
        report.diagnostics.iter().map(|d| d.message.as_str()).collect::<Vec<_>>(),
        ["`5` of the description is not in the code"]
    );
    assert!(!report.has_errors());
    let words =
        "buy above the twenty-day SMA with a five percent stop, two hundred bars, one position at a time";
    assert_eq!(
        check_against(GOOD, words)
            .unwrap()
            .diagnostics
            .iter()
            .map(|d| d.message.as_str())
            .collect::<Vec<_>>(),
        ["`5` of the description is not in the code", "`200` of the description is not in the code"]
    );
    let percent = GOOD.replace("0.95", "(1 - 0.05)");
    assert_eq!(check_against(&percent, "buy above the 20 SMA with 5% stop").unwrap().diagnostics, []);
}

#[test]
fn findings_serialize_for_machines() {
    let json = serde_json::to_value(report("import os\n")).unwrap();
    assert_eq!(json["diagnostics"][0]["code"], "no-strategy");
    assert_eq!(json["diagnostics"][1]["code"], "import");
    assert_eq!(json["diagnostics"][1]["severity"], "error");
    assert_eq!(json["diagnostics"][1]["line"], 1);
    assert_eq!(json["diagnostics"][1]["column"], 8);
}

#[test]
fn deep_sources_do_not_overflow_the_stack() {
    for (open, close) in [
        ("-", "1"),
        ("(", "1"),
        ("x.", "y"),
        ("[", ""),
        ("1+", "1"),
        ("not ", "x"),
        ("lambda: ", "1"),
        ("f(", ""),
    ] {
        let source = format!("x = {}{close}\n", open.repeat(100_000 / open.len()));
        report(&source);
    }
    let nested: String = (0..99).map(|depth| format!("{}if x:\n", " ".repeat(depth))).collect();
    report(&nested);
    let large = "#".repeat(MAX_SOURCE + 1);
    assert!(report(&large).has(Code::TooLarge));
    for source in ["", "\u{feff}", "\0", "\r\n\t", "\u{feff}import os\r\n"] {
        report(source);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_source_is_answered(source in "\\PC{0,200}") {
        let _ = report(&source);
    }

    #[test]
    fn any_damage_is_answered(at in 0..GOOD.len(), length in 0..40_usize) {
        let mut source = GOOD.to_owned();
        source.replace_range(at..(at + length).min(GOOD.len()), "");
        let _ = report(&source);
    }
}
