//! What models get wrong, each as a model's first answer over real HTTP, run in the real sandbox: repaired in exactly
//! one round after the documented hint, or told to the user where nothing is to be repaired.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gemini_sim::Answer;
use serde_json::Value;

use crate::gemini::{Gemini, block};
use crate::rig::{Place, test_python};

/// Nothing in it that the check could miss in a file.
const WORDS: &str = "buy when the price is above its average, sell when it is below";

/// A strategy that trades, to be spoilt.
const GOOD: &str = "\
import pandas as pd
from backtesting import Strategy


def mean(values, n):
    return pd.Series(values).rolling(n).mean()


class Tried(Strategy):
    n = 20

    def init(self):
        self.mean = self.I(mean, self.data.Close, self.n)

    def next(self):
        if self.data.Close[-1] > self.mean[-1] and not self.position:
            self.buy()
        elif self.data.Close[-1] < self.mean[-1]:
            self.position.close()
";

/// What becomes of a first answer.
enum Then {
    /// It goes back with this code and hint, once.
    Repaired(&'static str, &'static str),
    /// It is taken, with this warning and hint.
    Warned(&'static str, &'static str),
    /// It is mended without a call.
    Mended(&'static str),
}
use Then::{Mended, Repaired, Warned};

struct Pitfall {
    name: &'static str,
    /// In [`GOOD`], and what stands there instead.
    spoilt: (&'static str, &'static str),
    then: Then,
    args: &'static [&'static str],
}

const fn pitfall(name: &'static str, spoilt: (&'static str, &'static str), then: Then) -> Pitfall {
    Pitfall { name, spoilt, then, args: &[] }
}

const BUY: &str = "            self.buy()";
const INIT: &str = "        self.mean = self.I(mean, self.data.Close, self.n)";
const MEAN: &str = "    return pd.Series(values).rolling(n).mean()";
const CLOSE: &str = "            self.position.close()";

/// In the order of the library's mistakes, then the future, then form.
const PITFALLS: &[Pitfall] = &[
    pitfall(
        "a fractional size",
        (BUY, "            self.buy(size=12.7)"),
        Repaired("failed", "a size is a share between 0 and 1, or a whole number of units: use `int(...)`"),
    ),
    pitfall(
        "a stop-loss above the price of a long order",
        (BUY, "            self.buy(sl=self.data.Close[-1] * 1.1)"),
        Repaired(
            "failed",
            "for a long order the stop-loss lies below the price and the take-profit above it",
        ),
    ),
    pitfall(
        "a stop-loss below the price of a short order",
        (BUY, "            self.sell(sl=self.data.Close[-1] * 0.9)"),
        Repaired(
            "failed",
            "for a short order the take-profit lies below the price and the stop-loss above it",
        ),
    ),
    pitfall(
        "pandas on the library's arrays",
        (INIT, "        self.mean = self.I(lambda: self.data.Close.rolling(self.n).mean())"),
        Repaired("failed", "`self.data.Close` is an array: wrap it in `pd.Series(...)`"),
    ),
    pitfall(
        "a position's entry price",
        (
            CLOSE,
            "            if self.position and self.position.entry_price > 0:\n                self.position.close()",
        ),
        Repaired("failed", "prices are in `self.trades[-1]`"),
    ),
    pitfall(
        "an indicator outside `self.I`",
        (INIT, "        self.mean = pd.Series(self.data.Close).rolling(self.n).mean()"),
        Repaired("failed", "compute the indicator in `init` with `self.I(...)`"),
    ),
    pitfall(
        "columns in lower case",
        (INIT, "        self.mean = self.I(mean, self.data.close, self.n)"),
        Repaired("failed", "columns begin with a capital: `self.data.Close`"),
    ),
    pitfall(
        "columns in lower case, of the frame",
        (INIT, "        self.mean = self.I(mean, self.data.df[\"close\"], self.n)"),
        Repaired("failed", "columns begin with a capital: `self.data.Close`"),
    ),
    pitfall(
        "data with columns in lower case",
        (
            "class Tried",
            "from backtesting import Backtest\nframe = pd.DataFrame({\"open\": [1.0], \"high\": [1.0], \"low\": [1.0], \"close\": [1.0]})\nBacktest(frame, Strategy)\n\n\nclass Tried",
        ),
        Repaired("failed", "the strategy is run for you, on prices that are there already"),
    ),
    pitfall(
        "an override of `__init__`",
        ("    def init(self):", "    def __init__(self):\n        self.x = 1\n\n    def init(self):"),
        Repaired("init-override", "backtesting.py builds the object; prepare everything in `init`"),
    ),
    pitfall(
        "an argument that orders do not have",
        (BUY, "            self.buy(quantity=3)"),
        Repaired("unknown-keyword", "it takes size, limit, stop, sl, tp and tag"),
    ),
    pitfall(
        "whole arrays compared",
        ("self.data.Close[-1] > self.mean[-1] and", "pd.Series(self.data.Close) > self.mean[-1] and"),
        Repaired("failed", "compare the last values, as in `self.rsi[-1] < 30`, not whole arrays"),
    ),
    pitfall(
        "an indicator of another length",
        (MEAN, "    return pd.Series(values).rolling(n).mean().dropna()"),
        Repaired("failed", "an array as long as the data"),
    ),
    pitfall(
        "a module that is not there",
        ("import pandas as pd", "import pandas as pd\nimport talib"),
        Repaired(
            "import",
            "use backtesting, numpy, pandas and the calculating parts of the standard library",
        ),
    ),
    Pitfall {
        name: "a loop without end",
        spoilt: (BUY, "            while True:\n                pass"),
        then: Repaired("limit", "do the work once in `init`, and let every loop end"),
        // Long for a good strategy, short for who waits.
        args: &["--timeout", "20"],
    },
    pitfall(
        "a shift into the future",
        (MEAN, "    return pd.Series(values).rolling(n).mean().shift(-5)"),
        Repaired("look-ahead", "shift by a positive number of bars"),
    ),
    pitfall(
        "a score over the whole sample",
        (MEAN, "    return pd.Series(values) * 0 + pd.Series(values).mean()"),
        Repaired("look-ahead", "use no negative shift, no value of the whole sample, no later bar"),
    ),
    pitfall(
        "the whole array, saved and read in `next`",
        (
            "        if self.data.Close[-1] > self.mean[-1] and not self.position:",
            "        i = min(len(self.data), len(self.whole) - 1)\n        if self.whole[i] > self.data.Close[-1] and not self.position:",
        ),
        Repaired("look-ahead", "use no negative shift, no value of the whole sample, no later bar"),
    ),
    pitfall(
        "an error hidden",
        (BUY, "            try:\n                self.buy()\n            except:\n                pass"),
        Repaired("bare-except", "find the cause; name the exception if you must catch one"),
    ),
    Pitfall {
        name: "a price above the cash",
        spoilt: ("n = 20", "n = 20"),
        then: Warned(
            "one unit costs more than is there",
            "use a larger share as size, or more with `--cash`",
        ),
        args: &["--cash", "50"],
    },
    pitfall(
        "a size too small for one unit",
        (BUY, "            self.buy(size=0.0001)"),
        Warned("one unit costs more than is there", "use a larger share as size, or more with `--cash`"),
    ),
    pitfall(
        "a threshold that is never reached",
        ("self.data.Close[-1] > self.mean[-1] and", "self.mean[-1] < 0 and"),
        Warned("the strategy gave no order; `mean", "its conditions were never met on these prices"),
    ),
    pitfall(
        "an emoji in a print",
        (BUY, "            print(\"\u{1f680}\")\n            self.buy()"),
        Warned("`print` in a strategy", "results are reported for you"),
    ),
    pitfall("an import forgotten", ("import pandas as pd\n", ""), Mended("missing imports")),
    pitfall(
        "the base class not imported",
        ("from backtesting import Strategy\n", ""),
        Mended("missing imports"),
    ),
    pitfall(
        "a fence in a fence",
        ("import pandas as pd", "```py\nimport pandas as pd"),
        Mended("marks of a code fence"),
    ),
    pitfall("tabs among spaces", (BUY, "\t\t\tself.buy()"), Mended("tabs among spaces")),
];

/// The saved array of that pitfall is made in `init`.
fn spoilt(pitfall: &Pitfall) -> String {
    let (from, to) = pitfall.spoilt;
    assert!(GOOD.contains(from), "{}", pitfall.name);
    let code = GOOD.replacen(from, to, 1);
    if code.contains("self.whole") {
        code.replace(INIT, &format!("        self.whole = self.data.Close.copy()\n{INIT}"))
    } else {
        code
    }
}

/// What went otherwise than documented.
fn slips(pitfall: &Pitfall) -> Vec<String> {
    let place = Place::new();
    let gemini = Gemini::answering(vec![Answer::text(block(&spoilt(pitfall))), Answer::text(block(GOOD))]);
    let python = test_python().display().to_string();
    let args = [WORDS, "--json", "--python", &python].into_iter();
    let ended = gemini.program(&place, args.chain(pitfall.args.iter().copied())).run();
    let mut slips = Vec::new();
    let mut holds = |held: bool, what: &str| {
        if !held {
            slips.push(format!("{}: {what}\n{}", pitfall.name, ended.stderr));
        }
    };
    holds(ended.status.code() == Some(0), "the exit code");
    let told: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
    let rounds = told["strategy"]["rounds"].as_array().cloned().unwrap_or_default();
    let asked = gemini.asked();
    let calls = if matches!(pitfall.then, Repaired(..)) { 2 } else { 1 };
    holds(asked.len() == calls && rounds.len() == calls, "the number of calls");
    holds(rounds.last().is_some_and(|round| round["stage"] == "done"), "the last round");
    holds(told["results"][0]["dataset"] == "GOOG", "the results");
    match pitfall.then {
        Repaired(code, hint) => {
            let found = rounds.first().map(|round| round["diagnostics"].clone()).unwrap_or_default();
            let found = found.as_array().cloned().unwrap_or_default();
            let fits = |one: &Value| {
                one["code"] == code && one["hint"].as_str().is_some_and(|told| told.contains(hint))
            };
            holds(found.iter().any(fits), "the finding and its hint");
            holds(
                asked.get(1).is_some_and(|asked| asked.prompt_text.contains(hint)),
                "the hint in the prompt",
            );
            holds(ended.stderr.contains("asking for repair 1 of 3"), "what is shown");
            holds(
                place.names() == ["tried_strategy.py", "tried_strategy.strategy.json"]
                    && place.read("tried_strategy.py").ends_with(GOOD),
                "the file",
            );
        }
        Warned(message, hint) => {
            let line =
                ended.stderr.lines().find(|line| line.contains(message) && line.starts_with("warning: "));
            holds(line.is_some_and(|line| line.contains(hint)), "the warning and its hint");
        }
        Mended(what) => {
            holds(rounds.first().is_some_and(|round| round["mended"][0] == what), "what was mended");
        }
    }
    slips
}

#[test]
fn every_known_pitfall_ends_as_documented() {
    let next = AtomicUsize::new(0);
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(pitfall) = PITFALLS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = slips(pitfall);
                    all.lock().expect("unpoisoned").extend(found);
                }
            });
        }
    });
    let all = all.into_inner().expect("unpoisoned");
    assert!(all.is_empty(), "{} slips:\n{}", all.len(), all.join("\n\n"));
}
