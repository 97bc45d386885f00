//! What a report is about: plain data, whoever measured it.

use serde::{Deserialize, Serialize};

/// A strategy and what became of it.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Subject {
    /// The strategy's class.
    pub name: String,
    /// The user's words.
    pub description: String,
    /// The model that wrote it; `None` for the offline engine.
    pub model: Option<String>,
    /// The day it was written, such as `2026-01-31`; empty where that is not known.
    pub date: String,
    /// What repeats it, to be pasted into a shell.
    pub command: String,
    /// The parameters of the class, by name.
    pub parameters: Vec<(String, String)>,
    /// What the words left open and was filled in.
    pub assumptions: Vec<String>,
    /// What was checked, in the order in which it was.
    pub checks: Vec<Check>,
    /// What to look at.
    pub warnings: Vec<String>,
    /// The file.
    pub code: String,
    /// One for each data set.
    pub runs: Vec<Run>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What, in a word or two.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
    /// More, in a sentence; may be empty.
    pub detail: String,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing was found.
    Passed,
    /// Something to look at.
    Noted,
    /// It failed.
    Failed,
    /// It was not done.
    Skipped,
}

/// A backtest. All series have one value for each bar.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Run {
    /// The data set.
    pub data: String,
    /// Milliseconds since the epoch, ascending.
    pub times: Vec<i64>,
    /// Closing prices.
    pub prices: Vec<f64>,
    /// What the account was worth.
    pub equity: Vec<f64>,
    /// What it would have been worth, fully invested from the first bar to the last.
    pub benchmark: Vec<f64>,
    /// Every trade, by entry.
    pub trades: Vec<Trade>,
    /// Figures worth a look, with their names, in order; `None` where there is none.
    pub figures: Vec<Figure>,
    /// What was charged, in words.
    pub costs: String,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// The value; `None` where the run gives none.
    pub value: Option<f64>,
    /// What it is counted in.
    pub unit: Unit,
    /// Whether it was recomputed from the trades, and does not rest on what the strategy's process said.
    pub verified: bool,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Per cent.
    Percent,
    /// A number of things.
    Count,
    /// A ratio.
    Ratio,
}

/// One trade.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trade {
    /// The bar of its entry.
    pub entry: usize,
    /// The bar of its exit.
    pub exit: usize,
    /// Units; negative for a short one.
    pub size: f64,
    /// The price paid.
    pub entry_price: f64,
    /// The price got.
    pub exit_price: f64,
    /// What it earned, in money.
    pub profit: f64,
}

impl Run {
    /// The figure called `name`.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name)?.value
    }
}
